package network

import (
	"context"
	"net/netip"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
)

// associationPrefix begins the ids of what joins a route table to a subnet or VPC.
const associationPrefix = "rtbassoc-"

// CreateRouteTable makes a table with nothing but the local route.
func (n *Network) CreateRouteTable(ctx context.Context, sc apprunner.Scope, vpcID string, tags map[string]string) (t RouteTable, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		if _, err := need(e.VPCs, vpcID); err != nil {
			return err
		}
		present := ofVPC(e.Tables, vpcID, func(t RouteTable) string { return t.VPCID })
		if err := limit("RouteTableLimitExceeded", "route tables of a VPC", len(present), maxTables); err != nil {
			return err
		}
		t = RouteTable{Head: e.newHead(TypeTable, tags), VPCID: vpcID}
		return add(e, &e.Tables, t)
	})
	return t, err
}

// DeleteRouteTable deletes a table that no subnet follows and that is not the main one.
func (n *Network) DeleteRouteTable(ctx context.Context, sc apprunner.Scope, id string) error {
	return n.change(ctx, sc, func(e *edit) error {
		t, err := need(e.Tables, id)
		switch {
		case err != nil:
			return err
		case t.Main != "":
			return dependent("routeTable", id, "It is the main route table of "+t.VPCID+".")
		case len(t.Associations) > 0:
			return dependent("routeTable", id, "It is associated with "+t.Associations[0].SubnetID+".")
		}
		return remove(e, &e.Tables, func(t RouteTable) bool { return t.ID == id })
	})
}

// AssociateRouteTable lets a subnet follow a table of its VPC. It returns the id of the association.
func (n *Network) AssociateRouteTable(ctx context.Context, sc apprunner.Scope, tableID, subnetID string) (id string, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		t, err := need(e.Tables, tableID)
		if err != nil {
			return err
		}
		s, err := need(e.Subnets, subnetID)
		if err != nil {
			return err
		}
		if s.VPCID != t.VPCID {
			return apprunner.Errorf(CodeParameterValue, "Route table %s and subnet %s belong to different networks", tableID, subnetID)
		}
		for _, other := range e.Tables {
			for _, a := range other.Associations {
				if a.SubnetID != subnetID {
					continue
				}
				if other.ID != tableID {
					return apprunner.Errorf("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association: %s of %s", tableID, a.ID, other.ID)
				}
				id = a.ID
				return nil
			}
		}
		id = newID(associationPrefix)
		t.Associations = append(t.Associations, RouteAssociation{ID: id, SubnetID: subnetID})
		return e.put(t)
	})
	return id, err
}

// DisassociateRouteTable lets a subnet follow the main table again.
func (n *Network) DisassociateRouteTable(ctx context.Context, sc apprunner.Scope, id string) error {
	return n.change(ctx, sc, func(e *edit) error {
		is := func(a RouteAssociation) bool { return a.ID == id }
		for i := range e.Tables {
			t := &e.Tables[i]
			if t.Main == id {
				return apprunner.Errorf(CodeParameterValue, "cannot disassociate the main route table association %s", id)
			}
			if slices.ContainsFunc(t.Associations, is) {
				return e.dissociate(t, is)
			}
		}
		return noAssociation(id)
	})
}

func (e *edit) dissociate(t *RouteTable, is func(RouteAssociation) bool) error {
	if !slices.ContainsFunc(t.Associations, is) {
		return nil
	}
	t.Associations = slices.DeleteFunc(t.Associations, is)
	return e.put(t)
}

// CreateRoute adds a route to a table. Its target is a gateway or an interface of the table's VPC.
func (n *Network) CreateRoute(ctx context.Context, sc apprunner.Scope, tableID, destination, target string) error {
	return n.change(ctx, sc, func(e *edit) error {
		t, to, err := e.route(tableID, destination)
		if err != nil {
			return err
		}
		if err := e.checkTarget(*t, target); err != nil {
			return err
		}
		if slices.ContainsFunc(t.Routes, func(r Route) bool { return r.Destination == to }) {
			return apprunner.Errorf("RouteAlreadyExists", "The route identified by %s already exists.", to)
		}
		if err := limit("RouteLimitExceeded", "routes of a route table", len(t.Routes), maxRoutes); err != nil {
			return err
		}
		t.Routes = append(t.Routes, Route{Destination: to, Target: target})
		return e.put(t)
	})
}

// route reads which table a route is in and where it leads. Inside the VPC there is only the local route.
func (s *Snapshot) route(tableID, destination string) (*RouteTable, netip.Prefix, error) {
	t, err := need(s.Tables, tableID)
	if err != nil {
		return nil, netip.Prefix{}, err
	}
	to, err := cidr("destinationCidrBlock", destination)
	if err != nil {
		return nil, to, err
	}
	if !to.Addr().Is4() {
		return nil, to, wrong("destinationCidrBlock", destination, "Only IPv4 is served here.")
	}
	v, err := need(s.VPCs, t.VPCID)
	if err != nil {
		return nil, to, err
	}
	if to.Bits() >= v.CIDR.Bits() && v.CIDR.Contains(to.Addr()) {
		return nil, to, wrong("destinationCidrBlock", destination, "The local route for "+v.CIDR.String()+" leads there and cannot be changed or replaced.")
	}
	return t, to, nil
}

func (s *Snapshot) checkTarget(t RouteTable, id string) error {
	vpcID, k, found := s.targetVPC(id)
	switch {
	case id == "":
		return Missing("GatewayId")
	case !found:
		return noRecord(k, id)
	case vpcID != t.VPCID:
		return apprunner.Errorf(CodeParameterValue, "route table %s and network gateway %s belong to different networks", t.ID, id)
	}
	return nil
}

// targetVPC is the VPC that the target of a route is in; "" for an internet gateway that is attached to none.
func (s *Snapshot) targetVPC(id string) (vpcID string, k kind, found bool) {
	switch {
	case isID(TypeNAT, id):
		if g := find(s.NATs, id); g != nil && g.State != NATDeleted {
			return g.VPCID, TypeNAT, true
		}
		return "", TypeNAT, false
	case isID(TypeInterface, id):
		if i := find(s.Interfaces, id); i != nil {
			return i.VPCID, TypeInterface, true
		}
		return "", TypeInterface, false
	}
	if g := find(s.Gateways, id); g != nil {
		return g.VPCID, TypeGateway, true
	}
	return "", TypeGateway, false
}

// DeleteRoute takes a route from a table.
func (n *Network) DeleteRoute(ctx context.Context, sc apprunner.Scope, tableID, destination string) error {
	return n.change(ctx, sc, func(e *edit) error {
		t, to, err := e.route(tableID, destination)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(t.Routes, func(r Route) bool { return r.Destination == to })
		if i < 0 {
			return apprunner.Errorf("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", to, tableID)
		}
		t.Routes = slices.Delete(t.Routes, i, i+1)
		return e.put(t)
	})
}
