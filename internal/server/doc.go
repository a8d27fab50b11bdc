// Package server puts the rooms together into a running installation.
//
// Three roles share one binary. [Supervise] is what `slipway up` runs: it owns the data directory's lock and every listening
// socket, and keeps the other two alive; because the sockets are its own, a role that restarts refuses no connection. The
// control role ([RunControl]) is everything that decides; the edge role ([RunEdge]) is everything that serves requests.
// Instances belong to none of them. [Down] takes all of it away again.
//
// Only this package knows all rooms; what one room needs of another passes through small adapters here.
package server
