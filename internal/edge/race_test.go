//go:build race

package edge

func init() { underRace = true }
