package server

import "slipway.dev/slipway/internal/build"

// CheckFile reads an apprunner.yaml. It returns the remarks to print, one a line in the form FILE:LINE:COL: message, warnings
// with "warning: " in front, and whether the file is accepted.
func CheckFile(data []byte, name string) (remarks []string, accepted bool) {
	_, all := build.ParseConfig(data, name)
	for _, d := range all {
		remarks = append(remarks, d.String())
	}
	return remarks, len(build.Faults(all)) == 0
}
