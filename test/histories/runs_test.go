//go:build !chaos

package histories

const defaultRuns = 5
