package oci

import (
	"bytes"
	"fmt"
	"net/netip"
)

// resolvConf is what instances find in /etc/resolv.conf: first the forwarder on the gateway, which sees what the host sees, then
// the host's own servers where an instance can reach them, so that names resolve while the control plane restarts: a gateway
// without a forwarder refuses at once.
func resolvConf(gw netip.Addr, host []netip.Addr) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "nameserver %v\n", gw)
	for i, a := range reachable(host) {
		if i < 2 { // programs read three
			fmt.Fprintf(&b, "nameserver %v\n", a)
		}
	}
	b.WriteString("options timeout:2 attempts:3\n")
	return b.Bytes()
}

// uplinkResolvConf is what instances find there that go through an uplink: its name server alone, which may be away for the moment of a
// restart and is asked again then.
func uplinkResolvConf(server netip.Addr) []byte {
	if !server.IsValid() {
		return []byte("# nobody resolves names here\n")
	}
	return fmt.Appendf(nil, "nameserver %v\noptions timeout:2 attempts:5\n", server)
}

// reachable are the servers an instance can ask itself.
func reachable(servers []netip.Addr) []netip.Addr {
	var list []netip.Addr
	for _, a := range servers {
		if a.Is4() && !a.IsLoopback() && !a.IsUnspecified() && !a.IsLinkLocalUnicast() {
			list = append(list, a)
		}
	}
	return list
}

// hostsFile is what instances find in /etc/hosts.
func hostsFile(hostname string, a netip.Addr) []byte {
	return fmt.Appendf(nil, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n%v\t%s\n", a, hostname)
}
