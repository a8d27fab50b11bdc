package hostnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
)

// dumps is how often a list that changed while the kernel told it is asked for again.
const dumps = 50

// Dump asks the kernel for a whole list. Other programs add and remove interfaces meanwhile, and a list that was interrupted by
// one may miss entries.
func Dump[T any](what string, list func() ([]T, error)) ([]T, error) {
	var all []T
	err := error(netlink.ErrDumpInterrupted)
	for n := 0; n < dumps && errors.Is(err, netlink.ErrDumpInterrupted); n++ {
		all, err = list()
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", what, err)
	}
	return all, nil
}

// Prefix is a network as netlink has it; the zero Prefix for none.
func Prefix(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	a, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(a.Unmap(), bits)
}

// Single is the network of one IPv4 address, as netlink takes it.
func Single(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(32, 32)}
}

// AwaitCarrier waits until the kernel has noticed that both ends of a cable are up, at most two seconds. Until then a bridge drops
// packets, and a dropped first packet costs the first connection a second. find looks the interface up.
func AwaitCarrier(find func() (netlink.Link, error)) error {
	deadline := time.Now().Add(2 * time.Second)
	for {
		link, err := find()
		if err != nil {
			return fmt.Errorf("watch network interface: %w", err)
		}
		if link.Attrs().OperState == netlink.OperUp {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("network interface %s has no carrier", link.Attrs().Name)
		}
		<-time.After(time.Millisecond) // cheaper than a subscription for what is nearly always true at once
	}
}
