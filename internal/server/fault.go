package server

import (
	"os"
	"strings"
	"syscall"
)

// faultFrom makes the hook that ends this process at one step boundary, for tests of crashes: SLIPWAY_FAULT holds
// "<file>" and the file holds "<OPERATION_TYPE>/<step>/<before|after>". The file is removed first, so that the process that is
// started next goes on. An empty name is no hook.
func faultFrom(file string) func(string) {
	if file == "" {
		return nil
	}
	return func(point string) {
		b, err := os.ReadFile(file)
		if err != nil || strings.TrimSpace(string(b)) != point || os.Remove(file) != nil {
			return
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nothing survives it to look at the error
	}
}
