package network

import "net/netip"

// Way is where the packets of a subnet go that leave the VPC for some addresses: to the world beyond this machine, or nowhere.
type Way struct {
	Destination netip.Prefix
	Out         bool
}

// Ways are the ways out of a subnet, of which the one with the longest prefix holds. Nothing that lives in a subnet here has a public
// address, so that only a public NAT gateway leads out, as far as its own subnet has a route to the internet gateway of the VPC. An
// internet gateway leads what has a private address nowhere, as on AWS, and so does an interface, which forwards nothing.
func (p Plan) Ways(subnetID string) (list []Way) {
	own := p.routes(subnetID)
	// Between two neighbouring ones of these prefixes no table decides differently.
	decisive := destinations(own)
	for _, r := range own {
		if g := p.exit(r.Target); g != nil {
			decisive = append(decisive, destinations(p.routes(g.SubnetID))...)
		}
	}
	seen := map[netip.Prefix]bool{}
	for _, to := range decisive {
		if r, found := longest(own, to); found && !seen[to] {
			seen[to] = true
			list = append(list, Way{to, p.leadsOut(r, to)})
		}
	}
	return list
}

// leadsOut tells whether a route leads out of the VPC for some addresses.
func (p Plan) leadsOut(r Route, to netip.Prefix) bool {
	g := p.exit(r.Target)
	if g == nil {
		return false
	}
	next, found := longest(p.routes(g.SubnetID), to)
	return found && find(p.Gateways, next.Target) != nil
}

// exit is the public NAT gateway of that id; nil when there is none.
func (p Plan) exit(id string) *NATGateway {
	if g := find(p.NATs, id); g != nil && g.Public && g.State == NATAvailable {
		return g
	}
	return nil
}

// routes are those that a subnet follows.
func (p Plan) routes(subnetID string) []Route {
	t, _ := tableOf(p.Tables, subnetID)
	return t.Routes
}

func destinations(routes []Route) (list []netip.Prefix) {
	for _, r := range routes {
		list = append(list, r.Destination)
	}
	return list
}

// longest is the route that holds for all of some addresses.
func longest(routes []Route, to netip.Prefix) (best Route, found bool) {
	for _, r := range routes {
		holds := r.Destination.Bits() <= to.Bits() && r.Destination.Contains(to.Addr())
		if holds && (!found || r.Destination.Bits() > best.Destination.Bits()) {
			best, found = r, true
		}
	}
	return best, found
}
