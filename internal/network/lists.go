package network

import (
	"cmp"
	"slices"
	"strconv"

	"slipway.dev/slipway/internal/apprunner"
)

func (s *Snapshot) owner() []string { return []string{s.Scope.Account} }

// ListVPCs lists VPCs.
func (s *Snapshot) ListVPCs(ask Ask) ([]VPC, error) {
	return choose(s.VPCs, ask, fields[VPC]{
		"vpc-id": func(v VPC) []string { return text(v.ID) }, "owner-id": func(VPC) []string { return s.owner() },
		"cidr": func(v VPC) []string { return text(v.CIDR.String()) }, "cidr-block": func(v VPC) []string { return text(v.CIDR.String()) },
		"cidr-block-association.cidr-block":     func(v VPC) []string { return text(v.CIDR.String()) },
		"cidr-block-association.association-id": func(v VPC) []string { return text(v.CIDRAssociation()) },
		"cidr-block-association.state":          func(VPC) []string { return text("associated") },
		"dhcp-options-id":                       func(v VPC) []string { return text(v.DHCPOptions) },
		"is-default":                            func(v VPC) []string { return truth(v.Default) }, "isDefault": func(v VPC) []string { return truth(v.Default) },
		"state": func(VPC) []string { return text("available") },
	})
}

// CIDRAssociation is the id of what joins a VPC and its CIDR.
func (v VPC) CIDRAssociation() string { return "vpc-cidr-assoc-" + v.ID[len(prefixes[TypeVPC]):] }

// ListSubnets lists subnets.
func (s *Snapshot) ListSubnets(ask Ask) ([]Subnet, error) {
	cidr := func(x Subnet) []string { return text(x.CIDR.String()) }
	zone, zoneID := func(x Subnet) []string { return text(x.Zone) }, func(x Subnet) []string { return text(ZoneID(s.Scope.Region, x.Zone)) }
	byDefault := func(x Subnet) []string { return truth(x.DefaultForZone) }
	return choose(s.Subnets, ask, fields[Subnet]{
		"subnet-id": func(x Subnet) []string { return text(x.ID) }, "vpc-id": func(x Subnet) []string { return text(x.VPCID) },
		"owner-id": func(Subnet) []string { return s.owner() }, "state": func(Subnet) []string { return text("available") },
		"cidr": cidr, "cidr-block": cidr, "cidrBlock": cidr,
		"availability-zone": zone, "availabilityZone": zone, "availability-zone-id": zoneID, "availabilityZoneId": zoneID,
		"default-for-az": byDefault, "defaultForAz": byDefault,
		"map-public-ip-on-launch":    func(x Subnet) []string { return truth(x.MapPublicIP) },
		"available-ip-address-count": func(x Subnet) []string { return text(strconv.Itoa(s.Free(x))) },
		"subnet-arn":                 func(x Subnet) []string { return text(ARN(s.Scope, "subnet", x.ID)) },
	})
}

// ARN names a record: its type as ARNs spell it, and its id.
func ARN(sc apprunner.Scope, resourceType, id string) string {
	return "arn:aws:ec2:" + sc.Region + ":" + sc.Account + ":" + resourceType + "/" + id
}

// ListGroups lists security groups.
func (s *Snapshot) ListGroups(ask Ask) ([]SecurityGroup, error) {
	f := fields[SecurityGroup]{
		"group-id": func(g SecurityGroup) []string { return text(g.ID) }, "group-name": func(g SecurityGroup) []string { return text(g.Name) },
		"vpc-id": func(g SecurityGroup) []string { return text(g.VPCID) }, "owner-id": func(SecurityGroup) []string { return s.owner() },
		"description": func(g SecurityGroup) []string { return text(g.Description) },
	}
	for prefix, rules := range map[string]func(SecurityGroup) []Rule{
		"ip-permission.": func(g SecurityGroup) []Rule { return g.Ingress }, "egress.ip-permission.": func(g SecurityGroup) []Rule { return g.Egress },
	} {
		for name, of := range map[string]func(Rule) string{
			"protocol": func(r Rule) string { return r.Protocol }, "group-id": func(r Rule) string { return r.GroupID },
			"from-port": func(r Rule) string { return strconv.Itoa(r.FromPort) }, "to-port": func(r Rule) string { return strconv.Itoa(r.ToPort) },
			"cidr": func(r Rule) string { return cidrText(r, true) }, "ipv6-cidr": func(r Rule) string { return cidrText(r, false) },
		} {
			f[prefix+name] = func(g SecurityGroup) []string { return each(rules(g), of) }
		}
	}
	return choose(s.Groups, ask, f)
}

// cidrText is the CIDR of a rule of one of the two kinds; "" where it has none of it.
func cidrText(r Rule, four bool) string {
	if !r.CIDR.IsValid() || r.CIDR.Addr().Is4() != four {
		return ""
	}
	return r.CIDR.String()
}

// GroupRule is one rule with the group it belongs to.
type GroupRule struct {
	Rule
	Group  SecurityGroup
	Egress bool
}

// ListRules lists the rules of all groups.
func (s *Snapshot) ListRules(ask Ask) (out []GroupRule, err error) {
	known := map[string]func(GroupRule) string{
		"group-id": func(r GroupRule) string { return r.Group.ID }, "security-group-rule-id": func(r GroupRule) string { return r.ID },
		"is-egress": func(r GroupRule) string { return strconv.FormatBool(r.Egress) },
	}
	var present []GroupRule
	for _, g := range s.Groups {
		for _, r := range g.Ingress {
			present = append(present, GroupRule{r, g, false})
		}
		for _, r := range g.Egress {
			present = append(present, GroupRule{r, g, true})
		}
	}
	for _, id := range ask.IDs {
		if !slices.ContainsFunc(present, func(r GroupRule) bool { return r.ID == id }) {
			return nil, noRecord(TypeRule, id)
		}
	}
	for _, r := range present {
		passes, err := Passes(ask.Filters, r.Tags, func(name string) ([]string, bool) {
			get := known[name]
			if get == nil {
				return nil, false
			}
			return text(get(r)), true
		})
		if err != nil {
			return nil, err
		}
		if passes && (len(ask.IDs) == 0 || slices.Contains(ask.IDs, r.ID)) {
			out = append(out, r)
		}
	}
	return out, checkFilters(ask.Filters, func(name string) bool { return known[name] != nil })
}

// ListEndpoints lists endpoints.
func (s *Snapshot) ListEndpoints(ask Ask) ([]Endpoint, error) {
	return choose(s.Endpoints, ask, fields[Endpoint]{
		"vpc-endpoint-id": func(e Endpoint) []string { return text(e.ID) }, "vpc-id": func(e Endpoint) []string { return text(e.VPCID) },
		"service-name":       func(e Endpoint) []string { return text(ServiceName(s.Scope.Region, e.Service)) },
		"vpc-endpoint-state": func(e Endpoint) []string { return text(string(e.State)) },
		"vpc-endpoint-type":  func(Endpoint) []string { return text("Interface") },
		"ip-address-type":    func(Endpoint) []string { return text("ipv4") },
		"service-region":     func(Endpoint) []string { return text(s.Scope.Region) },
	})
}

// ListInterfaces lists network interfaces.
func (s *Snapshot) ListInterfaces(ask Ask) ([]Interface, error) {
	address := func(i Interface) []string { return text(i.Address.String()) }
	return choose(s.Interfaces, ask, fields[Interface]{
		"network-interface-id": func(i Interface) []string { return text(i.ID) }, "vpc-id": func(i Interface) []string { return text(i.VPCID) },
		"subnet-id": func(i Interface) []string { return text(i.SubnetID) }, "availability-zone": func(i Interface) []string { return text(i.Zone) },
		"group-id": func(i Interface) []string { return i.Groups }, "description": func(i Interface) []string { return text(i.Description) },
		"group-name": func(i Interface) []string { return each(i.Groups, s.GroupName) }, "owner-id": func(Interface) []string { return s.owner() },
		"interface-type": func(i Interface) []string { return text(i.Kind) }, "mac-address": func(i Interface) []string { return text(i.MAC) },
		"private-ip-address": address, "addresses.private-ip-address": address, "status": func(Interface) []string { return text("in-use") },
		"requester-managed":      func(i Interface) []string { return truth(!i.IsCommand()) },
		"attachment.status":      func(Interface) []string { return text("attached") },
		"source-dest-check":      func(i Interface) []string { return truth(i.Kind != InterfaceNAT) },
		"private-dns-name":       func(Interface) []string { return nil },
		"requester-id":           func(Interface) []string { return nil },
		"attachment.instance-id": func(Interface) []string { return nil },
	})
}

// GroupName is the name of a group; "" for one there is not.
func (s *Snapshot) GroupName(id string) string {
	if g := find(s.Groups, id); g != nil {
		return g.Name
	}
	return ""
}

// ListRouteTables lists route tables.
func (s *Snapshot) ListRouteTables(ask Ask) ([]RouteTable, error) {
	return choose(s.Tables, ask, fields[RouteTable]{
		"route-table-id": func(t RouteTable) []string { return text(t.ID) }, "vpc-id": func(t RouteTable) []string { return text(t.VPCID) },
		"owner-id":         func(RouteTable) []string { return s.owner() },
		"association.main": func(t RouteTable) []string { return truth(t.Main != "") },
		"association.route-table-association-id": func(t RouteTable) []string {
			return append(each(t.Associations, func(a RouteAssociation) string { return a.ID }), t.Main)
		},
		"association.route-table-id": func(t RouteTable) []string { return text(t.ID) },
		"association.subnet-id": func(t RouteTable) []string {
			return each(t.Associations, func(a RouteAssociation) string { return a.SubnetID })
		},
		"route.destination-cidr-block": func(t RouteTable) []string {
			local := ""
			if v := find(s.VPCs, t.VPCID); v != nil {
				local = v.CIDR.String()
			}
			return append(each(t.Routes, func(r Route) string { return r.Destination.String() }), local)
		},
		"route.gateway-id": func(t RouteTable) []string {
			return append(each(t.Routes, func(r Route) string { return targetOf(TypeGateway, r) }), "local")
		},
		"route.nat-gateway-id": func(t RouteTable) []string {
			return each(t.Routes, func(r Route) string { return targetOf(TypeNAT, r) })
		},
		"route.origin": func(t RouteTable) []string {
			return append(each(t.Routes, func(Route) string { return "CreateRoute" }), "CreateRouteTable")
		},
		"route.state": func(t RouteTable) []string {
			return append(each(t.Routes, func(r Route) string { return s.RouteState(t, r) }), "active")
		},
	})
}

// targetOf is the target of a route that is one of a kind; "" for others.
func targetOf(k kind, r Route) string {
	if isID(k, r.Target) {
		return r.Target
	}
	return ""
}

// RouteState is active, or blackhole where the target of a route is gone.
func (s *Snapshot) RouteState(t RouteTable, r Route) string {
	if vpcID, _, found := s.targetVPC(r.Target); !found || vpcID != t.VPCID {
		return "blackhole"
	}
	return "active"
}

// ListInternetGateways lists internet gateways.
func (s *Snapshot) ListInternetGateways(ask Ask) ([]InternetGateway, error) {
	return choose(s.Gateways, ask, fields[InternetGateway]{
		"internet-gateway-id": func(g InternetGateway) []string { return text(g.ID) }, "owner-id": func(InternetGateway) []string { return s.owner() },
		"attachment.vpc-id": func(g InternetGateway) []string { return text(g.VPCID) },
		"attachment.state": func(g InternetGateway) []string {
			if g.VPCID == "" {
				return nil
			}
			return text("available")
		},
	})
}

// ListNATs lists NAT gateways.
func (s *Snapshot) ListNATs(ask Ask) ([]NATGateway, error) {
	return choose(s.NATs, ask, fields[NATGateway]{
		"nat-gateway-id": func(g NATGateway) []string { return text(g.ID) }, "vpc-id": func(g NATGateway) []string { return text(g.VPCID) },
		"subnet-id": func(g NATGateway) []string { return text(g.SubnetID) }, "state": func(g NATGateway) []string { return text(g.State) },
	})
}

// ListAddresses lists addresses by their allocations and by themselves.
func (s *Snapshot) ListAddresses(ask Ask, public []string) ([]Address, error) {
	for _, p := range public {
		a, err := s.address("", p)
		if err != nil {
			return nil, err
		}
		ask.IDs = append(ask.IDs, a.ID)
	}
	return choose(s.Addresses, ask, fields[Address]{
		"allocation-id": func(a Address) []string { return text(a.ID) }, "public-ip": func(a Address) []string { return text(a.Address.String()) },
		"association-id": func(a Address) []string { return text(a.Association) }, "domain": func(Address) []string { return text("vpc") },
		"network-interface-id": func(a Address) []string { return text(a.Interface) },
		"private-ip-address": func(a Address) []string {
			if !a.Private.IsValid() {
				return nil
			}
			return text(a.Private.String())
		},
		"network-border-group": func(Address) []string { return text(s.Scope.Region) },
	})
}

// ListACLs lists network ACLs.
func (s *Snapshot) ListACLs(ask Ask) ([]ACL, error) {
	return choose(s.ACLs, ask, fields[ACL]{
		"network-acl-id": func(a ACL) []string { return text(a.ID) }, "vpc-id": func(a ACL) []string { return text(a.VPCID) },
		"owner-id": func(ACL) []string { return s.owner() }, "default": func(ACL) []string { return truth(true) },
		"association.network-acl-id": func(a ACL) []string { return text(a.ID) },
		"association.subnet-id":      func(a ACL) []string { return each(s.SubnetsOf(a.VPCID), func(x Subnet) string { return x.ID }) },
	})
}

// SubnetsOf are the subnets of a VPC.
func (s *Snapshot) SubnetsOf(vpcID string) []Subnet {
	return ofVPC(s.Subnets, vpcID, func(x Subnet) string { return x.VPCID })
}

// ListOptions lists sets of DHCP options.
func (s *Snapshot) ListOptions(ask Ask) ([]DHCPOptions, error) {
	return choose(s.Options, ask, fields[DHCPOptions]{
		"dhcp-options-id": func(o DHCPOptions) []string { return text(o.ID) }, "owner-id": func(DHCPOptions) []string { return s.owner() },
		"key":   func(DHCPOptions) []string { return []string{"domain-name", "domain-name-servers"} },
		"value": func(DHCPOptions) []string { return []string{DomainName(s.Scope.Region), ProvidedDNS} },
	})
}

// ProvidedDNS is how DHCP options name the resolver of a VPC.
const ProvidedDNS = "AmazonProvidedDNS"

// DomainName is the domain that DHCP options give to what is in a VPC.
func DomainName(region string) string {
	if region == "us-east-1" {
		return "ec2.internal"
	}
	return region + ".compute.internal"
}

// ListTags lists tags by resource and key.
func (s *Snapshot) ListTags(filters []Filter) (out []Tagged, err error) {
	known := map[string]func(Tagged) string{
		"resource-id": func(t Tagged) string { return t.ResourceID }, "resource-type": func(t Tagged) string { return t.ResourceType },
		"key": func(t Tagged) string { return t.Key }, "value": func(t Tagged) string { return t.Value },
	}
	for _, t := range s.Tags() {
		passes, err := Passes(filters, map[string]string{t.Key: t.Value}, func(name string) ([]string, bool) {
			get := known[name]
			if get == nil {
				return nil, false
			}
			return text(get(t)), true
		})
		if err != nil {
			return nil, err
		}
		if passes {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Tagged) int {
		return cmp.Or(cmp.Compare(a.ResourceID, b.ResourceID), cmp.Compare(a.Key, b.Key))
	})
	return out, checkFilters(filters, func(name string) bool { return known[name] != nil })
}
