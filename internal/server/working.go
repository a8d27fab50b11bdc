package server

import (
	"fmt"
	"os"

	"slipway.dev/slipway/internal/image"
)

// dropWorkingFiles removes what was only there to run and to build from, when nothing runs and nothing is built any more: unpacked images,
// checkouts and the package caches of builds. All of it is made again when it is wanted; what stays of sources and images is encrypted (§24).
func (c Config) dropWorkingFiles() error {
	for _, dir := range []string{c.path("checkouts"), c.path("builds", "caches"), c.path("git", "mirrors"), c.path("git", "run")} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove working files: %w", err)
		}
	}
	return image.RemoveUnpacked(c.path("images"))
}
