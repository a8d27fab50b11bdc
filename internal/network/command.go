package network

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// commandOwner begins the owner of an interface that a command has, which runs inside a subnet. After it comes who runs it.
const commandOwner = "command/"

// IsCommand tells whether the interface is that of a command.
func (i Interface) IsCommand() bool { return strings.HasPrefix(i.Owner, commandOwner) }

// Holder is who runs the command that has the interface, as [Network.AttachCommand] was told.
func (i Interface) Holder() string { return strings.TrimPrefix(i.Owner, commandOwner) }

// AttachCommand gives a command an interface in a subnet, with security groups of its VPC; none take the VPC's default group. Failures for
// the caller are *apprunner.Error: unknown ids, groups of another VPC, a subnet without a free address. holder says who runs the command,
// in words of the caller: it may vanish without giving the interface back.
func (n *Network) AttachCommand(ctx context.Context, subnetID string, groups []string, holder string) (i Interface, err error) {
	err = n.DB.Update(ctx, func(tx *store.Tx) error {
		everywhere := apprunner.Scope{}
		s, found, err := one[Subnet](tx, everywhere, subnetID)
		if err != nil {
			return err
		}
		if !found {
			return noRecord(TypeSubnet, subnetID)
		}
		if groups, err = groupsOf(tx, s, groups); err != nil {
			return err
		}
		others, err := all[Interface](tx, everywhere)
		if err != nil {
			return err
		}
		i = Interface{
			Head:     Head{ID: prefixes[TypeInterface] + "0" + apprunner.NewID()[:16], Scope: s.Scope, CreatedAt: n.Now().UTC()},
			SubnetID: s.ID, VPCID: s.VPCID, Zone: s.Zone, Groups: groups, Kind: InterfaceConnector,
			Owner: commandOwner + holder, Description: "slipway vpc exec",
		}
		taken := map[netip.Addr]bool{}
		for _, o := range others {
			taken[o.Address] = taken[o.Address] || o.SubnetID == s.ID
		}
		if i.Address, found = freeAddress(s.CIDR, taken); !found {
			return apprunner.Errorf("InsufficientFreeAddressesInSubnet", "There are not enough free addresses in subnet '%s' to satisfy the request.", s.ID)
		}
		i.MAC = macOf(i.ID)
		return put(tx, &i)
	})
	return i, err
}

// groupsOf checks that groups are of the VPC of a subnet; none stand for that VPC's default group.
func groupsOf(tx *store.Tx, s Subnet, ids []string) ([]string, error) {
	groups, err := all[SecurityGroup](tx, s.Scope)
	if err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(groups, func(g SecurityGroup) bool { return g.VPCID != s.VPCID })
	for _, id := range ids {
		if !slices.ContainsFunc(groups, func(g SecurityGroup) bool { return g.ID == id }) {
			return nil, noRecord(TypeGroup, id)
		}
	}
	for _, g := range groups {
		if len(ids) == 0 && g.Name == "default" {
			return []string{g.ID}, nil
		}
	}
	return ids, nil
}

// Commands are the interfaces that commands have.
func (n *Network) Commands(ctx context.Context) (list []Interface, err error) {
	err = n.DB.View(ctx, func(tx *store.Tx) error {
		list, err = all[Interface](tx, apprunner.Scope{})
		list = slices.DeleteFunc(list, func(i Interface) bool { return !i.IsCommand() })
		return err
	})
	return list, err
}

// DetachCommand takes the interface of a command back. One that is gone already is none.
func (n *Network) DetachCommand(ctx context.Context, id string) error {
	return n.DB.Update(ctx, func(tx *store.Tx) error {
		i, found, err := one[Interface](tx, apprunner.Scope{}, id)
		if err != nil || !found || !i.IsCommand() {
			tx.Quiet()
			return err
		}
		return drop(tx, id)
	})
}
