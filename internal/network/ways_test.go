package network

import (
	"fmt"
	"net/netip"
	"testing"
)

// The ways out of a private subnet, for tables of it and of the subnet of its NAT gateway.
//
// checklist: 243
func TestWays(t *testing.T) {
	route := func(to, target string) Route { return Route{netip.MustParsePrefix(to), target} }
	everything := "0.0.0.0/0"
	for name, c := range map[string]struct {
		private, public []Route
		want            string
	}{
		"no routes":                      {nil, nil, ""},
		"an internet gateway":            {[]Route{route(everything, "igw")}, nil, "0.0.0.0/0 false, "},
		"a NAT gateway":                  {[]Route{route(everything, "nat")}, []Route{route(everything, "igw")}, "0.0.0.0/0 true, "},
		"a NAT gateway that leads on to": {[]Route{route(everything, "nat")}, nil, "0.0.0.0/0 false, "},
		"a private NAT gateway":          {[]Route{route(everything, "inner")}, []Route{route(everything, "igw")}, "0.0.0.0/0 false, "},
		"a NAT gateway that was deleted": {[]Route{route(everything, "gone")}, []Route{route(everything, "igw")}, "0.0.0.0/0 false, "},
		"an interface":                   {[]Route{route(everything, "eni")}, nil, "0.0.0.0/0 false, "},
		"part of the world":              {[]Route{route("8.0.0.0/8", "nat")}, []Route{route(everything, "igw")}, "8.0.0.0/8 true, "},
		"an exception":                   {[]Route{route(everything, "nat"), route("8.0.0.0/8", "igw")}, []Route{route(everything, "igw")}, "0.0.0.0/0 true, 8.0.0.0/8 false, "},
		"a NAT gateway with few routes":  {[]Route{route(everything, "nat")}, []Route{route("8.8.0.0/16", "igw")}, "0.0.0.0/0 false, 8.8.0.0/16 true, "},
		"an exception inside":            {[]Route{route(everything, "nat"), route("8.8.8.0/24", "eni")}, []Route{route("8.8.0.0/16", "igw")}, "0.0.0.0/0 false, 8.8.8.0/24 false, 8.8.0.0/16 true, "},
	} {
		p := Plan{
			Tables: []RouteTable{
				{Main: "rtbassoc-1", Routes: c.private},
				{Associations: []RouteAssociation{{SubnetID: "public"}}, Routes: c.public},
			},
			Gateways: []InternetGateway{{Head: Head{ID: "igw"}}},
			NATs: []NATGateway{
				{Head: Head{ID: "nat"}, SubnetID: "public", Public: true, State: NATAvailable},
				{Head: Head{ID: "inner"}, SubnetID: "public", State: NATAvailable},
				{Head: Head{ID: "gone"}, SubnetID: "public", Public: true, State: NATDeleted},
			},
		}
		got := ""
		for _, w := range p.Ways("private") {
			got += fmt.Sprintf("%v %v, ", w.Destination, w.Out)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
