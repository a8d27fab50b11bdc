// Package hostnet is how this product speaks to the network of a Linux kernel: threads that enter other network namespaces, lists over
// netlink that are whole, small rules of nftables in one transaction.
//
// It knows the kernel only: what an instance, an elastic interface or a door of the edge is, and what they may reach, is said by the
// rooms that use it (instance/oci, network/host, edge).
package hostnet
