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
	sc, err := n.scopeOfSubnet(ctx, subnetID)
	if err != nil {
		return i, err
	}
	err = n.change(ctx, sc, func(e *edit) error {
		s, err := need(e.Subnets, subnetID)
		if err != nil {
			return err
		}
		v, err := need(e.VPCs, s.VPCID)
		if err != nil {
			return err
		}
		if groups, err = e.endpointGroups(*v, groups); err != nil {
			return err
		}
		i, err = e.connect(*s, Interface{Kind: InterfaceConnector, Groups: groups, Owner: commandOwner + holder, Description: "slipway vpc exec"}, netip.Addr{})
		return err
	})
	return i, err
}

// scopeOfSubnet is the account and region of a subnet.
func (n *Network) scopeOfSubnet(ctx context.Context, id string) (sc apprunner.Scope, err error) {
	err = n.DB.View(ctx, func(tx *store.Tx) error {
		s, found, err := one[Subnet](tx, apprunner.Scope{}, id)
		if err == nil && !found {
			err = noRecord(TypeSubnet, id)
		}
		sc = s.Scope
		return err
	})
	return sc, err
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
