// Package host shows VPCs on this machine: a network namespace for each VPC that has something to show, in it a bridge for each subnet
// with the router's address, the addresses of interface endpoints, a name server, and security groups as rules of nftables.
//
// What flows in is [network.Layout], always whole; [wanted] says what there has to be and [diff] what is missing and what is too
// much, both functions of values. The kernel is the memory: what a process that was killed left half done is found and finished by the
// next one. What flows out is what has become of each endpoint ([Keeper]).
//
// Nothing leads from such a namespace to this machine, to instances or to another VPC. Who serves at an endpoint opens sockets inside,
// which is how bytes get in; the instances that call out through a VPC are plugged into the namespace of a connector's interface
// ([outlet]), by whoever runs them; and only a VPC whose routes lead through a NAT gateway has a cable to the public addresses beyond this
// machine ([world]). The room knows nothing of services; what names mean is asked of the one interface Names.
package host
