package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A guest is a network namespace of somebody else that is let onto the bridge, with the reach of an instance with EgressPublic. What it
// sends has to come from the address that it is given.

// Guest is what a guest has to know.
type Guest struct {
	Address netip.Addr // what it sends comes from here
	Hop     netip.Addr // next on all its ways; no other network has that address
}

// guestID is the id by which a guest's cable is named.
func guestID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// Join lets the namespace at path onto the bridge, through an interface that is called link in there. name stands for the guest from then
// on, also for later drivers. It may be repeated, and mends what has been taken away.
func (d *Driver) Join(name, path, link string) (Guest, error) {
	d.joining.Lock()
	defer d.joining.Unlock()
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return Guest{}, fmt.Errorf("open network namespace %s: %w", path, err)
	}
	defer ns.Close()
	id := guestID(name)
	addr, err := d.admit(id)
	if err != nil {
		return Guest{}, err
	}
	g := Guest{Address: addr, Hop: nextHop}
	if d.net.plugged(id, ns, link) {
		return g, nil
	}
	if err := d.net.detach(id, addr); err != nil {
		return g, err
	}
	err = d.net.plug(id, ns, link, addr, func() error {
		return within(ns, func(h *netlink.Handle) error { return d.net.configureGuest(h, link) })
	})
	return g, err
}

// Leave takes a guest off the bridge. One that is unknown is none.
func (d *Driver) Leave(name string) error {
	d.joining.Lock()
	defer d.joining.Unlock()
	return d.dismiss(guestID(name))
}

func (d *Driver) dismiss(id string) error {
	d.mu.Lock()
	addr, found := d.guests[id]
	d.mu.Unlock()
	if !found {
		return nil
	}
	if err := d.net.detach(id, addr); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.guests, id)
	return writeJSON(d.paths.guests(), d.guests)
}

// dismissGuests takes all guests off the bridge.
func (d *Driver) dismissGuests() error {
	d.joining.Lock()
	defer d.joining.Unlock()
	d.mu.Lock()
	all := maps.Clone(d.guests)
	d.mu.Unlock()
	var errs []error
	for id := range all {
		errs = append(errs, d.dismiss(id))
	}
	return errors.Join(errs...)
}

// adoptGuests finds the guests of the last driver. Those of another subnet have to join anew.
func (d *Driver) adoptGuests() {
	guests := map[string]netip.Addr{}
	_ = readJSON(d.paths.guests(), &guests) // a lost record costs a new address
	maps.DeleteFunc(guests, func(_ string, a netip.Addr) bool { return !d.net.subnet.Contains(a) })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.guests = guests
}

// admit finds or picks the address of a guest, and puts a new one on record.
func (d *Driver) admit(id string) (netip.Addr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if addr, found := d.guests[id]; found {
		return addr, nil
	}
	addr, err := d.takeAddress()
	if err != nil {
		return addr, err
	}
	d.guests[id] = addr
	return addr, writeJSON(d.paths.guests(), d.guests)
}

// plugged tells whether a guest's cable is whole: its set-up ends with the entry for the next hop.
func (n *network) plugged(id string, ns netns.NsHandle, link string) bool {
	port, err := netlink.LinkByName(n.names.link(id))
	if err != nil || port.Attrs().MasterIndex != n.bridge.Attrs().Index {
		return false
	}
	found := false
	err = within(ns, func(h *netlink.Handle) error {
		eth, err := h.LinkByName(link)
		if err != nil {
			return err
		}
		list, err := h.NeighList(eth.Attrs().Index, unix.AF_INET)
		for _, e := range list {
			found = found || e.IP.Equal(nextHop.AsSlice()) && e.State == netlink.NUD_PERMANENT
		}
		return err
	})
	return err == nil && found
}

// configureGuest raises the guest's end of its cable. Routes and rules inside are the guest's own business.
func (n *network) configureGuest(h *netlink.Handle, link string) error {
	eth, err := h.LinkByName(link)
	if err != nil {
		return fmt.Errorf("find %s: %w", link, err)
	}
	err = inOrder(
		func() error { return h.LinkSetUp(eth) },
		func() error { return h.NeighSet(lasting(eth.Attrs().Index, nextHop, n.names.bridgeMAC())) },
	)
	if err != nil {
		return fmt.Errorf("set up %s: %w", link, err)
	}
	return nil
}
