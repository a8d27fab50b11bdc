// Package shim is the tiny process that keeps one instance while the control plane comes and goes.
//
// A driver starts it in a mount namespace that already holds the instance's file systems, and talks to it over a socket: create,
// then start. From then on nobody talks to it. It drains the instance's output into a logfile, notices when memory runs out,
// learns how the first process ended, removes what the runtime and the kernel kept for it, and writes exit.json last, so that
// whoever reads that file finds the log complete. If the driver dies before the instance was started, the shim takes everything
// back and goes too.
//
// For commands of a build the shim runs attached: output goes straight to the driver's file, and the end of the socket ends the
// command.
//
// It knows nothing of specs, networks or images, and it must stay small: one lives beside every instance.
package shim
