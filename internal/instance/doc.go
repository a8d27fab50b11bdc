// Package instance is the port behind which applications run: what an instance is, and what a driver promises.
//
// In flows a Spec: unpacked image layers, a command, limits, and how far the network reaches. Out flow the instance's address,
// its state, its log records and how it ended. Builds use the same door through Workspace: a sandbox in which commands run one
// after the other and whose changes become an image layer.
//
// The contract stands in the comments of Driver; package instancetest holds the suite every driver has to pass, and a Fake that
// passes it too. Drivers live below (oci: an OCI runtime on this host).
//
// This room knows neither services nor deployments: their names are labels it hands back. It judges no health and routes nothing.
package instance
