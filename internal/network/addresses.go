package network

import (
	"net/netip"

	"slipway.dev/slipway/internal/apprunner"
)

// cidr reads a CIDR, IPv4 or IPv6. Bits below its length are cleared, as EC2 does.
func cidr(parameter, text string) (netip.Prefix, error) {
	if text == "" {
		return netip.Prefix{}, Missing(parameter)
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, wrong(parameter, text, "This is not a valid CIDR block.")
	}
	return p.Masked(), nil
}

// privateCIDR reads the CIDR of a VPC or a subnet. code answers one of the wrong size.
func privateCIDR(parameter, text string, code apprunner.Code) (netip.Prefix, error) {
	p, err := cidr(parameter, text)
	switch a := p.Addr(); {
	case err != nil:
		return p, err
	case !a.Is4():
		return p, wrong(parameter, text, "Only IPv4 is served here.")
	case p.Bits() < shortestPrefix || p.Bits() > longestPrefix:
		return p, apprunner.Errorf(code, "The CIDR '%s' is invalid. Its length must be from /%d to /%d.", text, shortestPrefix, longestPrefix)
	case a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.IsUnspecified():
		return p, apprunner.Errorf(code, "The CIDR '%s' is invalid. Loopback, link-local and multicast addresses are no private network.", text)
	}
	return p, nil
}

// reserved is how many addresses at the beginning of a subnet are kept: the network, the router, the resolver and one for later. The
// last, its broadcast address, is kept too.
const reserved = 4

// usable is how many addresses of a subnet interfaces may have.
func usable(p netip.Prefix) int { return 1<<(32-p.Bits()) - reserved - 1 }

// freeAddress is the first address of a subnet that nobody has; false when there is none.
func freeAddress(p netip.Prefix, taken map[netip.Addr]bool) (netip.Addr, bool) {
	a := p.Addr()
	for range reserved {
		a = a.Next()
	}
	for range usable(p) {
		if !taken[a] {
			return a, true
		}
		a = a.Next()
	}
	return netip.Addr{}, false
}

// Free is how many addresses of a subnet nobody has.
func (s *Snapshot) Free(sub Subnet) int { return usable(sub.CIDR) - len(s.taken(sub.ID)) }

// taken are the addresses of a subnet that interfaces have.
func (s *Snapshot) taken(subnetID string) map[netip.Addr]bool {
	t := map[netip.Addr]bool{}
	for _, i := range s.Interfaces {
		if i.SubnetID == subnetID {
			t[i.Address] = true
		}
	}
	return t
}

// connect gives a new interface an address in a subnet: the wanted one, else the first that is free.
func (e *edit) connect(sub Subnet, i Interface, wanted netip.Addr) (Interface, error) {
	taken := e.taken(sub.ID)
	address, free := freeAddress(sub.CIDR, taken)
	if wanted.IsValid() {
		if !sub.CIDR.Contains(wanted) || !assignable(sub.CIDR, wanted) {
			return i, apprunner.Errorf(CodeParameterValue, "Address %s does not fall within the subnet's address range, or is one of those that are kept.", wanted)
		}
		if taken[wanted] {
			return i, apprunner.Errorf("InvalidIPAddress.InUse", "Address %s is in use.", wanted)
		}
		address, free = wanted, true
	}
	if !free {
		return i, apprunner.Errorf("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet '%s' to satisfy the request.", sub.ID)
	}
	i.Head = e.newHead(TypeInterface, i.Tags)
	i.SubnetID, i.VPCID, i.Zone, i.Address, i.MAC = sub.ID, sub.VPCID, sub.Zone, address, macOf(i.ID)
	return i, add(e, &e.Interfaces, i)
}

// assignable tells whether an address of a subnet is none of those that are kept.
func assignable(p netip.Prefix, a netip.Addr) bool {
	first := p.Addr()
	for range reserved {
		if a == first {
			return false
		}
		first = first.Next()
	}
	return p.Contains(a.Next())
}

// macOf makes a locally administered hardware address out of the id of an interface.
func macOf(id string) string {
	tail := id[len(id)-10:]
	return "02:" + tail[0:2] + ":" + tail[2:4] + ":" + tail[4:6] + ":" + tail[6:8] + ":" + tail[8:10]
}

// Limits of a scope, unless they say otherwise. They are above what AWS begins with and keep one account from filling the installation.
const (
	maxVPCs      = 50
	maxSubnets   = 200 // a VPC
	maxGroups    = 2500
	maxRules     = 200 // a group and direction
	maxTables    = 200 // a VPC
	maxRoutes    = 100 // a table
	maxGateways  = 50
	maxNATs      = 100
	MaxAddresses = 100
	maxEndpoints = 200
	maxTags      = 50 // a record
)

func limit(code apprunner.Code, what string, have, most int) error {
	if have < most {
		return nil
	}
	return apprunner.Errorf(code, "The maximum number of %s has been reached: %d.", what, most)
}
