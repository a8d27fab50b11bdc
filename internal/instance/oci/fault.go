package oci

import (
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

var (
	notFound   = pattern.Of(`exec: "([^"]*)": (?:executable file not found|stat .*no such file)|executable file .([^ ` + "`" + `']+). not found|stat ([^ :]+): no such file`)
	notAllowed = pattern.Of(`exec: "([^"]*)":.*permission denied|open executable: Permission denied`)
	badDir     = pattern.Of(`(?:chdir to cwd|mkdir) \(?"?([^")]*)"?`)
)

// runtimeFault turns what the OCI runtime says into what its user can act on. What it does not know stays as it is.
func runtimeFault(message string) error {
	if m := notFound.FindStringSubmatch(message); m != nil {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "the start command cannot run: the image has no program %q", m[1]+m[2]+m[3]).
			WithHint("Check the start command's spelling, and that the program is installed in the image and found in PATH.")
	}
	if m := notAllowed.FindStringSubmatch(message); m != nil {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "the start command cannot run: %q is not executable for the image's user", m[1]).
			WithHint("Set the file's executable bits (chmod +x) in the image.")
	}
	if strings.Contains(message, "exec format error") {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "the start command cannot run: its format is not one of this machine's (exec format error)").
			WithHint("The program may be built for another architecture, or be a script without a first line that names its interpreter.")
	}
	if m := badDir.FindStringSubmatch(message); m != nil && strings.Contains(message, "cwd") {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "the working directory %q of the image cannot be entered", m[1]).
			WithHint("It must exist and be open to the image's user.")
	}
	return apprunner.Errorf(apprunner.CodeInternal, "the container could not be made: %s", message)
}
