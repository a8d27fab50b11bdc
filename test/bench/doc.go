// Command bench measures what Slipway promises to be good at and prints one line a figure:
//
//	figure NAME VALUE UNIT [peer PEER VALUE ratio R]
//
// It has four parts, each runnable alone with -only: edge (CPU time and latency of the front door, beside HAProxy, nginx and, where it is installed, Caddy),
// deploy (how long people wait, idle memory, recovery after kill -9), scale (waking from zero and from frozen, a step in the load) and
// api (latencies with a thousand services). Figures go
// to standard output; what they were made of, and what went wrong, to standard error. The exit code is 1 when a figure is missing.
//
// Machines are noisy, so every figure is a median of at least three rounds in which the things compared take turns, and the
// front door is measured in CPU time a request, not in requests a second. The proxies of the edge part get one core and one
// thread each, the same backend, certificate, cipher and work (the same headers added, connections kept on both sides); load
// and backend have another core. All load stays on loopback and is bounded in count and time.
//
// The edge is measured in a process of its own that holds nothing but internal/edge, because the program does not offer its
// plain-text listener. Everything else is the real binary: $SLIPWAY_BIN, or built from this tree.
package main
