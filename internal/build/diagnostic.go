package build

import (
	"fmt"
	"slices"
	"strings"
)

// Severity tells whether a Diagnostic rejects the file.
type Severity int

// A Fault rejects the file; a Warning does not.
const (
	Fault Severity = iota
	Warning
)

// Diagnostic is one remark about a configuration file, at the place it concerns.
type Diagnostic struct {
	File     string
	Line     int // from 1
	Column   int // from 1
	Severity Severity
	Key      string // dotted path such as run.network.port; empty when the remark concerns the whole file
	Message  string // names the key, the value found and what is allowed
}

// String is the diagnostic as printed: FILE:LINE:COL: message, with "warning: " in front where the file is still accepted.
func (d Diagnostic) String() string {
	text := fmt.Sprintf("%s:%d:%d: %s", d.File, d.Line, d.Column, d.Message)
	if d.Severity == Warning {
		return "warning: " + text
	}
	return text
}

// Faults returns the diagnostics that reject the file, in file order.
func Faults(all []Diagnostic) []Diagnostic {
	return slices.DeleteFunc(slices.Clone(all), func(d Diagnostic) bool { return d.Severity != Fault })
}

func sortDiagnostics(all []Diagnostic) {
	slices.SortStableFunc(all, func(a, b Diagnostic) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// quoted shows a value found in the file, shortened so that one bad value cannot fill a log.
func quoted(value string) string {
	const longest = 80
	value = strings.ToValidUTF8(value, "\uFFFD")
	if r := []rune(value); len(r) > longest {
		value = string(r[:longest]) + "…"
	}
	return fmt.Sprintf("%q", value)
}
