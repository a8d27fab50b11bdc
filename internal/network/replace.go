package network

import (
	"context"
	"maps"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
)

// What is changed in place, for tools that would rather not take it away first.

// ReplaceRoute sends a destination that has a route through another target.
func (n *Network) ReplaceRoute(ctx context.Context, sc apprunner.Scope, tableID, destination, target string) error {
	return n.change(ctx, sc, func(e *edit) error {
		t, to, err := e.route(tableID, destination)
		if err != nil {
			return err
		}
		if err := e.checkTarget(*t, target); err != nil {
			return err
		}
		i := slices.IndexFunc(t.Routes, func(r Route) bool { return r.Destination == to })
		if i < 0 {
			return apprunner.Errorf(CodeParameterValue, "There is no route defined for '%s' in the route table. Use CreateRoute instead.", to)
		}
		t.Routes[i].Target = target
		return e.put(t)
	})
}

// ReplaceRouteTableAssociation gives the subnet of an association another table, or a VPC another main table. It returns the id of the
// new association.
func (n *Network) ReplaceRouteTableAssociation(ctx context.Context, sc apprunner.Scope, association, tableID string) (id string, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		next, err := need(e.Tables, tableID)
		if err != nil {
			return err
		}
		old := e.associatedTable(association)
		switch {
		case old == nil:
			return noAssociation(association)
		case old.VPCID != next.VPCID:
			return apprunner.Errorf(CodeParameterValue, "route table %s and route table %s belong to different networks", old.ID, next.ID)
		case old.ID == next.ID:
			id = association
			return nil
		}
		id = newID(associationPrefix)
		if old.Main == association {
			old.Main, next.Main = "", id
		} else {
			i := slices.IndexFunc(old.Associations, func(a RouteAssociation) bool { return a.ID == association })
			next.Associations = append(next.Associations, RouteAssociation{ID: id, SubnetID: old.Associations[i].SubnetID})
			old.Associations = slices.Delete(old.Associations, i, i+1)
		}
		if err := e.put(old); err != nil {
			return err
		}
		return e.put(next)
	})
	return id, err
}

// associatedTable is the table that has an association; nil when none has.
func (s *Snapshot) associatedTable(association string) *RouteTable {
	for i := range s.Tables {
		t := &s.Tables[i]
		if t.Main == association || slices.ContainsFunc(t.Associations, func(a RouteAssociation) bool { return a.ID == association }) {
			return t
		}
	}
	return nil
}

func noAssociation(id string) error {
	return apprunner.Errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", clip(id))
}

// DisassociateAddress would take a public address from an instance. Here only NAT gateways have them, which keep theirs.
func (n *Network) DisassociateAddress(ctx context.Context, sc apprunner.Scope, association, public string) error {
	s, err := n.Snapshot(ctx, sc)
	if err != nil {
		return err
	}
	has := func(a Address) bool { return a.Association == association }
	if association == "" {
		a, err := s.address("", public)
		if err != nil {
			return err
		}
		has = func(o Address) bool { return o.ID == a.ID && o.Association != "" }
	}
	if !slices.ContainsFunc(s.Addresses, has) {
		return noAssociation(association)
	}
	return apprunner.Errorf("AuthFailure", "You do not have permission to access the specified resource: the address belongs to a NAT gateway until that is deleted.")
}

// ModifyRules makes rules of a group others, all or none. They keep their ids, tags and directions.
func (n *Network) ModifyRules(ctx context.Context, sc apprunner.Scope, groupID string, changes map[string]Peer) error {
	return n.change(ctx, sc, func(e *edit) error {
		group, err := e.group(GroupRef{ID: groupID})
		if err != nil {
			return err
		}
		for _, id := range sortedIDs(changes) {
			rules, i := group.findRule(id)
			if i < 0 {
				return noRecord(TypeRule, id)
			}
			r, err := e.rule(group.VPCID, changes[id])
			if err != nil {
				return err
			}
			r.ID, r.Tags = id, rules[i].Tags
			if slices.ContainsFunc(rules, func(o Rule) bool { return o.ID != id && o.same(r) }) {
				return apprunner.Errorf("InvalidPermission.Duplicate", "the specified rule %q already exists", r)
			}
			rules[i] = r
		}
		return e.put(group)
	})
}

// findRule looks for a rule in both directions; i is below zero when there is none.
func (g *SecurityGroup) findRule(id string) (rules []Rule, i int) {
	is := func(r Rule) bool { return r.ID == id }
	if i := slices.IndexFunc(g.Ingress, is); i >= 0 {
		return g.Ingress, i
	}
	return g.Egress, slices.IndexFunc(g.Egress, is)
}

// DescribeRules gives rules of one direction of a group their descriptions, all or none: those that are the same as the given ones, and
// those of the ids. An empty description takes the present one away.
func (n *Network) DescribeRules(ctx context.Context, sc apprunner.Scope, ref GroupRef, egress bool, peers []Peer, ids map[string]string) error {
	return n.change(ctx, sc, func(e *edit) error {
		group, err := e.group(ref)
		if err != nil {
			return err
		}
		if len(peers) == 0 && len(ids) == 0 {
			return Missing("IpPermissions")
		}
		rules := *group.rules(egress)
		for _, p := range peers {
			r, err := e.rule(group.VPCID, p)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(rules, r.same)
			if i < 0 {
				return apprunner.Errorf("InvalidPermission.NotFound", "The specified rule does not exist in this security group: %s.", r)
			}
			rules[i].Description = r.Description
		}
		for _, id := range sortedIDs(ids) {
			i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
			if i < 0 {
				return noRecord(TypeRule, id)
			}
			if ids[id] != "" && !isGroupText(ids[id]) {
				return wrongRuleText(ids[id])
			}
			rules[i].Description = ids[id]
		}
		return e.put(group)
	})
}

func sortedIDs[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
