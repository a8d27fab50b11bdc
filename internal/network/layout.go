package network

import (
	"context"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Layout is all that a host has to show: the VPCs of every account and region, oldest first. It changes with commits of the
// database, see [store.DB.Changed].
type Layout struct{ VPCs []Plan }

// Plan is one VPC with what is in it, each list oldest first.
type Plan struct {
	VPC
	Subnets    []Subnet
	Groups     []SecurityGroup
	Endpoints  []Endpoint  // not those that are deleted
	Interfaces []Interface // those of endpoints, of NAT gateways and of connectors
	Tables     []RouteTable
	Gateways   []InternetGateway // the attached one, if there is
	NATs       []NATGateway      // not those that are deleted
}

// Public tells whether a subnet's packets may go to an internet gateway.
func (p Plan) Public(subnetID string) bool { return public(p.Tables, p.Gateways, p.ID, subnetID) }

// public tells whether a subnet of a VPC is a public one: its route table has a route to the internet gateway of the VPC (adjacent §8).
func public(tables []RouteTable, gateways []InternetGateway, vpcID, subnetID string) bool {
	t, found := tableOf(ofVPC(tables, vpcID, func(t RouteTable) string { return t.VPCID }), subnetID)
	return found && slices.ContainsFunc(t.Routes, func(r Route) bool {
		g := find(gateways, r.Target)
		return g != nil && g.VPCID == vpcID
	})
}

// ofVPC are the records of a list that are in a VPC.
func ofVPC[T any](list []T, vpcID string, at func(T) string) (own []T) {
	for _, v := range list {
		if at(v) == vpcID {
			own = append(own, v)
		}
	}
	return own
}

// Layout reads all that there is to show.
func (n *Network) Layout(ctx context.Context) (l Layout, err error) {
	err = n.DB.View(ctx, func(tx *store.Tx) error {
		l, err = layout(tx)
		return err
	})
	return l, err
}

func layout(tx *store.Tx) (l Layout, err error) {
	everywhere := apprunner.Scope{}
	vpcs, err := all[VPC](tx, everywhere)
	if err != nil {
		return l, err
	}
	at := make(map[string]*Plan, len(vpcs))
	l.VPCs = make([]Plan, len(vpcs))
	for i, v := range vpcs {
		l.VPCs[i].VPC = v
		at[v.ID] = &l.VPCs[i]
	}
	for _, gather := range []func(*store.Tx, map[string]*Plan) error{
		gathered(func(p *Plan, s Subnet) { p.Subnets = append(p.Subnets, s) }, func(s Subnet) string { return s.VPCID }),
		gathered(func(p *Plan, g SecurityGroup) { p.Groups = append(p.Groups, g) }, func(g SecurityGroup) string { return g.VPCID }),
		gathered(func(p *Plan, e Endpoint) {
			if e.State != EndpointDeleted {
				p.Endpoints = append(p.Endpoints, e)
			}
		}, func(e Endpoint) string { return e.VPCID }),
		gathered(func(p *Plan, i Interface) { p.Interfaces = append(p.Interfaces, i) }, func(i Interface) string { return i.VPCID }),
		gathered(func(p *Plan, t RouteTable) { p.Tables = append(p.Tables, t) }, func(t RouteTable) string { return t.VPCID }),
		gathered(func(p *Plan, g InternetGateway) { p.Gateways = append(p.Gateways, g) }, func(g InternetGateway) string { return g.VPCID }),
		gathered(func(p *Plan, g NATGateway) {
			if g.State != NATDeleted {
				p.NATs = append(p.NATs, g)
			}
		}, func(g NATGateway) string { return g.VPCID }),
	} {
		if err := gather(tx, at); err != nil {
			return l, err
		}
	}
	for i := range l.VPCs {
		joinInterfaces(l.VPCs[i].Endpoints, l.VPCs[i].NATs, l.VPCs[i].Interfaces)
	}
	return l, nil
}

// gathered reads all records of a kind and gives each to the plan of its VPC.
func gathered[T any, P pointer[T]](give func(*Plan, T), vpcOf func(T) string) func(*store.Tx, map[string]*Plan) error {
	return func(tx *store.Tx, at map[string]*Plan) error {
		list, err := all[T, P](tx, apprunner.Scope{})
		for _, v := range list {
			if p := at[vpcOf(v)]; p != nil {
				give(p, v)
			}
		}
		return err
	}
}

// tableOf is the route table that a subnet's packets follow: its own, else the main one of its VPC. All tables are of that VPC.
func tableOf(tables []RouteTable, subnetID string) (main RouteTable, found bool) {
	for _, t := range tables {
		if slices.ContainsFunc(t.Associations, func(a RouteAssociation) bool { return a.SubnetID == subnetID }) {
			return t, true
		}
		if t.Main != "" {
			main, found = t, true
		}
	}
	return main, found
}
