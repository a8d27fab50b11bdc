package network

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Command is who holds the interface of a command that runs inside a subnet: a process of this machine, which may vanish without a word.
type Command struct {
	PID   int
	Start uint64 // when the process began, as the kernel counts it: numbers of processes are used again
}

// commandOwner begins the owner of an interface that a command has.
const commandOwner = "command/"

// IsCommand tells whether the interface is that of a command.
func (i Interface) IsCommand() bool { return strings.HasPrefix(i.Owner, commandOwner) }

// Command is who holds the interface; the zero Command where that is none.
func (i Interface) Command() (c Command) {
	pid, start, _ := strings.Cut(strings.TrimPrefix(i.Owner, commandOwner), "/")
	if i.IsCommand() {
		c.PID, _ = strconv.Atoi(pid)
		c.Start, _ = strconv.ParseUint(start, 10, 64)
	}
	return c
}

// AttachCommand gives a command an interface in a subnet, with security groups of its VPC; none take the VPC's default group. Failures for
// the caller are *apprunner.Error: unknown ids, groups of another VPC, a subnet without a free address.
func (n *Network) AttachCommand(ctx context.Context, subnetID string, groups []string, who Command) (i Interface, err error) {
	err = n.DB.Update(ctx, func(tx *store.Tx) error {
		everywhere := apprunner.Scope{}
		s, found, err := one[Subnet](tx, everywhere, subnetID)
		if err != nil {
			return err
		}
		if !found {
			return noRecord(kindSubnet, subnetID)
		}
		if groups, err = groupsOf(tx, s, groups); err != nil {
			return err
		}
		others, err := all[Interface](tx, everywhere)
		if err != nil {
			return err
		}
		i = Interface{
			Head:     Head{ID: prefixes[kindInterface] + "0" + apprunner.NewID()[:16], Scope: s.Scope, CreatedAt: n.Now().UTC()},
			SubnetID: s.ID, VPCID: s.VPCID, Zone: s.Zone, Groups: groups, Kind: InterfaceConnector,
			Owner: fmt.Sprintf("%s%d/%d", commandOwner, who.PID, who.Start), Description: "slipway vpc exec",
		}
		if i.Address, found = lastFree(s, others); !found {
			return apprunner.Errorf("InsufficientFreeAddressesInSubnet", "The subnet '%s' has no free address", s.ID)
		}
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
			return nil, noRecord(kindGroup, id)
		}
	}
	for _, g := range groups {
		if len(ids) == 0 && g.Name == "default" {
			return []string{g.ID}, nil
		}
	}
	return ids, nil
}

// lastFree is the highest address of a subnet that no interface has: those that last longer are given out from the other end.
func lastFree(s Subnet, others []Interface) (netip.Addr, bool) {
	used := map[netip.Addr]bool{}
	for _, o := range others {
		if o.SubnetID == s.ID {
			used[o.Address] = true
		}
	}
	b := s.CIDR.Masked().Addr().As4()
	first, size := binary.BigEndian.Uint32(b[:]), uint32(1)<<(32-s.CIDR.Bits())
	for n := size - 2; n > reserved; n-- { // the last one is for broadcasts
		if a := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, first+n))); !used[a] {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// reserved is the last of the addresses at the beginning of a subnet that nobody gets: its own, the router's, the resolver's and one for
// later (adjacent §8).
const reserved = 3

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
