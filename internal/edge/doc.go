// Package edge is the data plane: it ends TLS, finds the service by host name, chooses an instance and carries the request
// there and the answer back. It runs as a process of its own, so that traffic never depends on the control plane.
//
// What flows in: a [Table] over a unix socket, always whole, switched to in one step and kept on disk, so that a fresh edge
// serves before anybody talks to it; and listeners, which are given, because two generations of the edge accept on the same
// sockets while one takes over from the other. What flows out: a [Status] with the health of every target, the requests in
// flight and the counters of every service.
//
// Requests come over the HTTP/1.1 front on net.Conn (files h1_*.go) or the HTTP/2 front (h2_*.go); both put them to an instance by
// the same call (call*.go), which claims a place, keeps connections, tries again and counts (§19). Upgrades and what is rare go
// through net/http (front_std.go), which is also the oracle both fronts are tested against; HTTP/3 (front_h3.go) is another front before
// it. Instances are asked in HTTP/1.1, or in HTTP/2 without TLS (h2c.go), which looks the same to a call. Connections with nothing to
// say are parked without a goroutine (park.go).
//
// What an owner puts in front of a service (policy.go: address list, web ACL judged by package waf, passwords, access log) is one
// pointer of the service, nil for most. Lines about requests leave through files that control collects ([Collect]).
//
// The edge must not know why a target exists, what a deployment is, or where instances come from. It judges health, because
// who routes must judge, but it starts and ends nothing.
package edge
