package network

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// SubnetInput is a CreateSubnet call. Without a zone it gets the one with the fewest subnets.
type SubnetInput struct {
	VPCID        string
	CIDR         string
	Zone, ZoneID string
	Tags         map[string]string
}

// CreateSubnet makes a subnet.
func (n *Network) CreateSubnet(ctx context.Context, sc apprunner.Scope, in SubnetInput) (s Subnet, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		v, err := need(e.VPCs, in.VPCID)
		if err != nil {
			return err
		}
		present := ofVPC(e.Subnets, v.ID, func(s Subnet) string { return s.VPCID })
		if err := limit("SubnetLimitExceeded", "subnets of a VPC", len(present), maxSubnets); err != nil {
			return err
		}
		at, err := zone(sc.Region, in.Zone, in.ZoneID, present)
		if err != nil {
			return err
		}
		cidr, err := subnetCIDR(*v, in.CIDR, present)
		if err != nil {
			return err
		}
		s = e.newSubnet(v.ID, at, cidr, in.Tags)
		return add(e, &e.Subnets, s)
	})
	return s, err
}

func subnetCIDR(v VPC, text string, present []Subnet) (netip.Prefix, error) {
	p, err := privateCIDR("cidrBlock", text, "InvalidSubnet.Range")
	if err != nil {
		return p, err
	}
	if p.Bits() < v.CIDR.Bits() || !v.CIDR.Contains(p.Addr()) {
		return p, apprunner.Errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid. It must lie in that of the VPC, %s.", text, v.CIDR)
	}
	for _, s := range present {
		if s.CIDR.Overlaps(p) {
			return p, apprunner.Errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet, %s with %s.", text, s.ID, s.CIDR)
		}
	}
	return p, nil
}

func (e *edit) newSubnet(vpcID, zone string, cidr netip.Prefix, tags map[string]string) Subnet {
	s := Subnet{Head: e.newHead(TypeSubnet, tags), VPCID: vpcID, Zone: zone, CIDR: cidr, HostnameType: "ip-name"}
	for _, a := range e.ACLs {
		if a.VPCID == vpcID {
			s.ACL = a.ID
		}
	}
	return s
}

// SubnetChange is a ModifySubnetAttribute call; what is nil stays.
type SubnetChange struct {
	MapPublicIP   *bool
	HostnameType  *string
	ResourceNameA *bool
}

// ModifySubnet changes attributes of a subnet.
func (n *Network) ModifySubnet(ctx context.Context, sc apprunner.Scope, id string, c SubnetChange) error {
	return n.change(ctx, sc, func(e *edit) error {
		s, err := need(e.Subnets, id)
		if err != nil {
			return err
		}
		set(&s.MapPublicIP, c.MapPublicIP)
		set(&s.HostnameType, c.HostnameType)
		set(&s.ResourceNameA, c.ResourceNameA)
		return e.put(s)
	})
}

// DeleteSubnet deletes a subnet that nothing is in.
func (n *Network) DeleteSubnet(ctx context.Context, sc apprunner.Scope, id string) error {
	return n.change(ctx, sc, func(e *edit) error {
		if _, err := need(e.Subnets, id); err != nil {
			return err
		}
		for _, i := range e.Interfaces {
			if i.SubnetID == id {
				return dependent("subnet", id, fmt.Sprintf("The network interface %s is in it (%s).", i.ID, i.Description))
			}
		}
		if err := e.unused("subnet", id); err != nil {
			return err
		}
		for i := range e.Tables {
			if err := e.dissociate(&e.Tables[i], func(a RouteAssociation) bool { return a.SubnetID == id }); err != nil {
				return err
			}
		}
		return remove(e, &e.Subnets, func(s Subnet) bool { return s.ID == id })
	})
}

// unused refuses to delete a subnet or group that somebody outside this room uses.
func (e *edit) unused(what, id string) error {
	if e.n.Users == nil {
		return nil
	}
	users, err := e.n.Users.NetworkUsers(e.tx, e.Scope, id)
	if err != nil {
		return fmt.Errorf("look for users of %s: %w", id, err)
	}
	if len(users) > 0 {
		return dependent(what, id, "It is used by "+strings.Join(users, ", ")+".")
	}
	return nil
}

// Public tells whether a subnet is a public one.
func (s *Snapshot) Public(sub Subnet) bool { return public(s.Tables, s.Gateways, sub.VPCID, sub.ID) }
