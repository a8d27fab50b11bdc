//go:build chaos

package histories

const defaultRuns = 200
