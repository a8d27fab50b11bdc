// Command slipway-shim is the shim as a program of its own. The slipway binary can be its own shim (oci.ShimMain), but a process
// beside every instance should not carry what all the other rooms set up when a program starts: 7 MB instead of 2. A driver takes
// this program where it lies beside the running executable.
package main

import (
	"os"

	"slipway.dev/slipway/internal/instance/oci/shim"
)

func main() { os.Exit(shim.Main()) }
