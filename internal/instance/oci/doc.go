// Package oci runs instances on this host with an OCI runtime (runc, crun) and nothing else: no daemon, no CNI plugins.
//
// In flows an instance.Spec. An instance gets a range of user ids of its own, a mount namespace in which its image layers lie
// id-mapped below a writable file system of limited size, control groups, an address on the installation's bridge, and a shim
// (package shim) that keeps it while the control plane restarts. Out flow addresses, log records and exits.
//
// The first rule of the room: everything may be killed at any point. What the kernel can take back by itself is arranged so that
// it does (mounts live in the instance's own mount namespace, loop devices clear themselves, interfaces go with their
// namespace); what it cannot is written down before it is made, and New and Sweep compare the records with reality.
//
// An instance with an uplink has a second cable, into a network namespace that somebody else keeps, and calls out through that alone. The
// other way round a guest, the network namespace of somebody else, is let onto the bridge as if it were an instance.
//
// A workspace, the sandbox of builds, is the same sandbox without a shim of its own: it lives as long as the driver.
//
// This room knows no services, no registries and no health.
package oci
