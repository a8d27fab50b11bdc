package network

import (
	"context"
	"net/netip"

	"slipway.dev/slipway/internal/apprunner"
)

// CreateInternetGateway makes a gateway that is attached to no VPC yet.
func (n *Network) CreateInternetGateway(ctx context.Context, sc apprunner.Scope, tags map[string]string) (g InternetGateway, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		if err := limit("InternetGatewayLimitExceeded", "internet gateways", len(e.Gateways), maxGateways); err != nil {
			return err
		}
		g = InternetGateway{Head: e.newHead(TypeGateway, tags)}
		return add(e, &e.Gateways, g)
	})
	return g, err
}

// DeleteInternetGateway deletes a gateway that is attached to no VPC.
func (n *Network) DeleteInternetGateway(ctx context.Context, sc apprunner.Scope, id string) error {
	return n.change(ctx, sc, func(e *edit) error {
		g, err := need(e.Gateways, id)
		switch {
		case err != nil:
			return err
		case g.VPCID != "":
			return dependent("internetGateway", id, "It is attached to "+g.VPCID+"; detach it first.")
		}
		return remove(e, &e.Gateways, func(g InternetGateway) bool { return g.ID == id })
	})
}

// AttachInternetGateway gives a VPC its gateway; it has one at most.
func (n *Network) AttachInternetGateway(ctx context.Context, sc apprunner.Scope, id, vpcID string) error {
	return n.change(ctx, sc, func(e *edit) error {
		g, err := need(e.Gateways, id)
		if err != nil {
			return err
		}
		if _, err := need(e.VPCs, vpcID); err != nil {
			return err
		}
		if g.VPCID != "" {
			return apprunner.Errorf("Resource.AlreadyAssociated", "resource %s is already attached to network %s", id, g.VPCID)
		}
		if e.gatewayOf(vpcID) != nil {
			return apprunner.Errorf(CodeParameterValue, "Network %s already has an internet gateway attached", vpcID)
		}
		g.VPCID = vpcID
		return e.put(g)
	})
}

func (s *Snapshot) gatewayOf(vpcID string) *InternetGateway {
	for i := range s.Gateways {
		if s.Gateways[i].VPCID == vpcID {
			return &s.Gateways[i]
		}
	}
	return nil
}

// DetachInternetGateway takes its gateway from a VPC, in which nothing may have a public address.
func (n *Network) DetachInternetGateway(ctx context.Context, sc apprunner.Scope, id, vpcID string) error {
	return n.change(ctx, sc, func(e *edit) error {
		g, err := need(e.Gateways, id)
		if err != nil {
			return err
		}
		if g.VPCID != vpcID {
			return apprunner.Errorf("Gateway.NotAttached", "resource %s is not attached to network %s", id, vpcID)
		}
		for _, nat := range e.NATs {
			if nat.VPCID == vpcID && nat.Public && nat.State == NATAvailable {
				return apprunner.Errorf(CodeDependency, "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", vpcID).
					WithHint("%s has one.", nat.ID)
			}
		}
		g.VPCID = ""
		return e.put(g)
	})
}

// NATInput is a CreateNatGateway call.
type NATInput struct {
	SubnetID   string
	Private    bool
	Allocation string // of a public one
	Address    string // in the subnet; "" for any
	Token      string
	Tags       map[string]string
}

// CreateNAT makes a NAT gateway in a subnet; the same token makes no second one.
func (n *Network) CreateNAT(ctx context.Context, sc apprunner.Scope, in NATInput) (g NATGateway, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		for _, other := range e.NATs {
			if in.Token != "" && other.Token == in.Token {
				g = other
				return nil
			}
		}
		g, err = e.makeNAT(in)
		return err
	})
	return g, err
}

func (e *edit) makeNAT(in NATInput) (g NATGateway, err error) {
	if in.SubnetID == "" {
		return g, Missing("SubnetId")
	}
	sub, err := need(e.Subnets, in.SubnetID)
	if err != nil {
		return g, err
	}
	wanted, err := wantedAddress(in.Address)
	if err != nil {
		return g, err
	}
	if err := limit("NatGatewayLimitExceeded", "NAT gateways", len(e.NATs), maxNATs); err != nil {
		return g, err
	}
	g = NATGateway{Head: e.newHead(TypeNAT, in.Tags), VPCID: sub.VPCID, SubnetID: sub.ID, Public: !in.Private, Allocation: in.Allocation, State: NATAvailable, Token: in.Token}
	address, err := e.addressFor(g)
	if err != nil {
		return g, err
	}
	g.Interface, err = e.connect(*sub, Interface{Kind: InterfaceNAT, Owner: g.ID, Description: "Interface for NAT Gateway " + g.ID}, wanted)
	if err != nil {
		return g, err
	}
	if address != nil {
		address.Association, address.NATGateway, address.Interface, address.Private = newID("eipassoc-"), g.ID, g.Interface.ID, g.Interface.Address
		if err := e.put(address); err != nil {
			return g, err
		}
	}
	return g, add(e, &e.NATs, g)
}

func wantedAddress(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		return a, wrong("privateIpAddress", text, "It is no IPv4 address.")
	}
	return a, nil
}

// addressFor is the public address of a new NAT gateway; nil for a private one.
func (s *Snapshot) addressFor(g NATGateway) (*Address, error) {
	if !g.Public {
		if g.Allocation != "" {
			return nil, apprunner.Errorf(CodeParameterCombo, "A private NAT gateway has no AllocationId.")
		}
		return nil, nil
	}
	if g.Allocation == "" {
		return nil, Missing("AllocationId")
	}
	a, err := need(s.Addresses, g.Allocation)
	switch {
	case err != nil:
		return nil, err
	case a.Association != "":
		return nil, apprunner.Errorf("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated with %s", a.ID, a.NATGateway)
	case s.gatewayOf(g.VPCID) == nil:
		return nil, apprunner.Errorf("Gateway.NotAttached", "Network %s has no Internet gateway attached", g.VPCID)
	}
	return a, nil
}

// DeleteNAT deletes a NAT gateway. Its address stays the caller's.
func (n *Network) DeleteNAT(ctx context.Context, sc apprunner.Scope, id string) error {
	return n.change(ctx, sc, func(e *edit) error {
		g, err := need(e.NATs, id)
		if err != nil || g.State == NATDeleted {
			return err
		}
		if err := remove(e, &e.Interfaces, func(i Interface) bool { return i.Owner == id }); err != nil {
			return err
		}
		if a := find(e.Addresses, g.Allocation); a != nil {
			*a = Address{Head: a.Head, Address: a.Address}
			if err := e.put(a); err != nil {
				return err
			}
		}
		g.State, g.DeletedAt = NATDeleted, e.now
		return e.put(g)
	})
}

// AllocateAddress takes an address out of the installation's pool.
func (n *Network) AllocateAddress(ctx context.Context, sc apprunner.Scope, tags map[string]string) (a Address, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		if err := limit("AddressLimitExceeded", "addresses", len(e.Addresses), MaxAddresses); err != nil {
			return err
		}
		everybodys, err := all[Address](e.tx, apprunner.Scope{})
		if err != nil {
			return err
		}
		taken := map[netip.Addr]bool{}
		for _, other := range everybodys {
			taken[other.Address] = true
		}
		address, free := freeAddress(n.Pool, taken)
		if !free {
			return apprunner.Errorf("InsufficientAddressCapacity", "All addresses of the pool %s are taken.", n.Pool)
		}
		a = Address{Head: e.newHead(TypeAddress, tags), Address: address}
		return add(e, &e.Addresses, a)
	})
	return a, err
}

// ReleaseAddress gives an address back that nothing has, by its allocation or by itself.
func (n *Network) ReleaseAddress(ctx context.Context, sc apprunner.Scope, allocation, public string) error {
	return n.change(ctx, sc, func(e *edit) error {
		a, err := e.address(allocation, public)
		if err != nil {
			return err
		}
		if a.Association != "" {
			return apprunner.Errorf("InvalidIPAddress.InUse", "Address %s is in use by %s.", a.Address, a.NATGateway)
		}
		id := a.ID
		return remove(e, &e.Addresses, func(a Address) bool { return a.ID == id })
	})
}

// Allocated is the address of an allocation; nil when there is none.
func (s *Snapshot) Allocated(id string) *Address { return find(s.Addresses, id) }

// PublicOf is the public address that an interface has; nil for none.
func (s *Snapshot) PublicOf(interfaceID string) *Address {
	for i := range s.Addresses {
		if s.Addresses[i].Interface == interfaceID {
			return &s.Addresses[i]
		}
	}
	return nil
}

func (s *Snapshot) address(allocation, public string) (*Address, error) {
	switch {
	case allocation != "":
		return need(s.Addresses, allocation)
	case public == "":
		return nil, Missing("AllocationId")
	}
	for i := range s.Addresses {
		if s.Addresses[i].Address.String() == public {
			return &s.Addresses[i], nil
		}
	}
	return nil, apprunner.Errorf("InvalidAddress.NotFound", "Address '%s' not found.", clip(public))
}
