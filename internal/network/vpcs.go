package network

import (
	"context"
	"net/netip"

	"slipway.dev/slipway/internal/apprunner"
)

// The bounds of the CIDRs of VPCs and subnets, in bits.
const (
	shortestPrefix = 16
	longestPrefix  = 28
)

// VPCInput is a CreateVpc call.
type VPCInput struct {
	CIDR    string
	Tenancy string // "" for default
	Tags    map[string]string
}

// CreateVPC makes a VPC with its main route table, its default security group and its network ACL.
func (n *Network) CreateVPC(ctx context.Context, sc apprunner.Scope, in VPCInput) (v VPC, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		cidr, err := privateCIDR("cidrBlock", in.CIDR, "InvalidVpc.Range")
		if err != nil {
			return err
		}
		if err := limit("VpcLimitExceeded", "VPCs", len(e.VPCs), maxVPCs); err != nil {
			return err
		}
		v, err = e.makeVPC(VPC{Head: e.newHead(TypeVPC, in.Tags), CIDR: cidr, Tenancy: in.Tenancy, DNSSupport: true})
		return err
	})
	return v, err
}

// makeVPC adds a VPC and what each has from its beginning.
func (e *edit) makeVPC(v VPC) (VPC, error) {
	if v.Tenancy == "" {
		v.Tenancy = "default"
	}
	if len(e.Options) > 0 {
		v.DHCPOptions = e.Options[0].ID
	}
	group := SecurityGroup{Head: e.newHead(TypeGroup, nil), VPCID: v.ID, Name: defaultGroup, Description: "default VPC security group", Egress: []Rule{everywhere()}}
	group.Ingress = []Rule{{ID: newID(prefixes[TypeRule]), Protocol: allProtocols, FromPort: -1, ToPort: -1, GroupID: group.ID}}
	if err := add(e, &e.VPCs, v); err != nil {
		return v, err
	}
	if err := add(e, &e.Groups, group); err != nil {
		return v, err
	}
	if err := add(e, &e.ACLs, ACL{Head: e.newHead(TypeACL, nil), VPCID: v.ID}); err != nil {
		return v, err
	}
	return v, add(e, &e.Tables, RouteTable{Head: e.newHead(TypeTable, nil), VPCID: v.ID, Main: newID(associationPrefix)})
}

// CreateDefaultVPC makes the default VPC anew for one who deleted it.
func (n *Network) CreateDefaultVPC(ctx context.Context, sc apprunner.Scope) (v VPC, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		if d := e.DefaultVPC(); d != nil {
			return apprunner.Errorf("DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region: %s.", d.ID)
		}
		v, err = e.makeDefaultVPC()
		return err
	})
	return v, err
}

// DefaultVPC is the scope's default VPC; nil for none.
func (s *Snapshot) DefaultVPC() *VPC {
	for i := range s.VPCs {
		if s.VPCs[i].Default {
			return &s.VPCs[i]
		}
	}
	return nil
}

// makeDefaultVPC makes what every AWS account has: 172.31.0.0/16 with a public subnet in each zone.
func (e *edit) makeDefaultVPC() (VPC, error) {
	cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31}), 16)
	v, err := e.makeVPC(VPC{Head: e.newHead(TypeVPC, nil), CIDR: cidr, Default: true, DNSSupport: true, DNSHostnames: true})
	if err != nil {
		return v, err
	}
	gateway := InternetGateway{Head: e.newHead(TypeGateway, nil), VPCID: v.ID}
	if err := add(e, &e.Gateways, gateway); err != nil {
		return v, err
	}
	main := e.mainTable(v.ID)
	main.Routes = []Route{{Destination: everywhere().CIDR, Target: gateway.ID}}
	if err := e.put(main); err != nil {
		return v, err
	}
	for i, z := range Zones(e.Scope.Region) {
		s := e.newSubnet(v.ID, z.Name, netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(16 * i)}), 20), nil)
		s.DefaultForZone, s.MapPublicIP = true, true
		if err := add(e, &e.Subnets, s); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (s *Snapshot) mainTable(vpcID string) *RouteTable {
	for i := range s.Tables {
		if s.Tables[i].VPCID == vpcID && s.Tables[i].Main != "" {
			return &s.Tables[i]
		}
	}
	return nil
}

// CIDROf is the CIDR of a VPC; "" for one there is not.
func (s *Snapshot) CIDROf(vpcID string) string {
	if v := find(s.VPCs, vpcID); v != nil {
		return v.CIDR.String()
	}
	return ""
}

// VPCChange is a ModifyVpcAttribute call; what is nil stays.
type VPCChange struct{ DNSSupport, DNSHostnames, AddressUsage *bool }

// ModifyVPC changes attributes of a VPC.
func (n *Network) ModifyVPC(ctx context.Context, sc apprunner.Scope, id string, c VPCChange) error {
	return n.change(ctx, sc, func(e *edit) error {
		v, err := need(e.VPCs, id)
		if err != nil {
			return err
		}
		set(&v.DNSSupport, c.DNSSupport)
		set(&v.DNSHostnames, c.DNSHostnames)
		set(&v.AddressUsage, c.AddressUsage)
		return e.put(v)
	})
}

// set takes a sent value.
func set[T any](to *T, sent *T) {
	if sent != nil {
		*to = *sent
	}
}

// DeleteVPC deletes a VPC in which nothing is left but what it had from its beginning.
func (n *Network) DeleteVPC(ctx context.Context, sc apprunner.Scope, id string) error {
	return n.change(ctx, sc, func(e *edit) error {
		if _, err := need(e.VPCs, id); err != nil {
			return err
		}
		if what := e.occupies(id); what != "" {
			return dependent("vpc", id, "It has "+what+". Delete that first.")
		}
		return e.dropVPC(id)
	})
}

// occupies names something in a VPC that keeps it from being deleted; "" for nothing.
func (s *Snapshot) occupies(vpcID string) string {
	for _, x := range s.Subnets {
		if x.VPCID == vpcID {
			return "the subnet " + x.ID
		}
	}
	for _, x := range s.Groups {
		if x.VPCID == vpcID && x.Name != defaultGroup {
			return "the security group " + x.ID
		}
	}
	for _, x := range s.Endpoints {
		if x.VPCID == vpcID && x.State != EndpointDeleted {
			return "the endpoint " + x.ID
		}
	}
	for _, x := range s.Tables {
		if x.VPCID == vpcID && x.Main == "" {
			return "the route table " + x.ID
		}
	}
	for _, x := range s.Gateways {
		if x.VPCID == vpcID {
			return "the internet gateway " + x.ID + " attached to it"
		}
	}
	return ""
}

func (e *edit) dropVPC(id string) error {
	if err := remove(e, &e.Groups, func(g SecurityGroup) bool { return g.VPCID == id }); err != nil {
		return err
	}
	if err := remove(e, &e.Tables, func(t RouteTable) bool { return t.VPCID == id }); err != nil {
		return err
	}
	if err := remove(e, &e.ACLs, func(a ACL) bool { return a.VPCID == id }); err != nil {
		return err
	}
	if err := remove(e, &e.Endpoints, func(x Endpoint) bool { return x.VPCID == id }); err != nil {
		return err
	}
	if err := remove(e, &e.NATs, func(g NATGateway) bool { return g.VPCID == id }); err != nil {
		return err
	}
	return remove(e, &e.VPCs, func(v VPC) bool { return v.ID == id })
}
