package apprunner

import "strings"

// Runtime is a managed runtime as the API names it, for example PYTHON_311 (§13.1).
type Runtime string

// Runtimes lists every runtime of the API, in the order messages show them.
func Runtimes() []Runtime {
	return []Runtime{
		"PYTHON_3", "PYTHON_311", "NODEJS_12", "NODEJS_14", "NODEJS_16", "NODEJS_18", "NODEJS_22",
		"CORRETTO_8", "CORRETTO_11", "GO_1", "DOTNET_6", "PHP_81", "RUBY_31",
	}
}

// FileName is the runtime as apprunner.yaml spells it: lower case, no underscore.
func (r Runtime) FileName() string { return strings.ToLower(strings.ReplaceAll(string(r), "_", "")) }

// RuntimeFromFile finds the runtime that apprunner.yaml names.
func RuntimeFromFile(name string) (Runtime, bool) {
	for _, r := range Runtimes() {
		if r.FileName() == name {
			return r, true
		}
	}
	return "", false
}

// Revised tells whether the runtime uses the revised build process (§13.5) rather than the original one (§13.4).
func (r Runtime) Revised() bool {
	return r == "PYTHON_311" || r == "NODEJS_18" || r == "NODEJS_22"
}
