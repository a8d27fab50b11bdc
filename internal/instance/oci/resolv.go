package oci

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strings"
)

// resolvers reads the name servers of a resolver file. A machine without one gets an empty list.
func resolvers(path string) []netip.Addr {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return parseResolvers(string(b))
}

func parseResolvers(text string) []netip.Addr {
	var list []netip.Addr
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil && len(list) < 8 {
			list = append(list, a.Unmap())
		}
	}
	return list
}

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
