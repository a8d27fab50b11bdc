package hostnet

import (
	"net/netip"
	"os"
	"strings"
)

// nameservers is how many servers are asked at most: more than programs read (resolv.conf(5)), and not without bound.
const nameservers = 8

// Nameservers reads the name servers of a resolver file, such as /etc/resolv.conf. A machine without one has none.
func Nameservers(path string) []netip.Addr {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var list []netip.Addr
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil && len(list) < nameservers {
			list = append(list, a.Unmap())
		}
	}
	return list
}
