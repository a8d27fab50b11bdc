package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
)

// look reads what there is in a namespace.
func (d *door) look() (present, error) {
	var have present
	links, err := hostnet.Dump("interfaces", d.links.LinkList)
	if err != nil {
		return have, err
	}
	name := map[int]string{}
	for _, l := range links {
		a := l.Attrs()
		name[a.Index] = a.Name
		switch {
		case l.Type() == "bridge":
			have.bridges = append(have.bridges, a.Name)
		case a.MasterIndex != 0:
			have.ports = append(have.ports, a.Name)
		}
	}
	addrs, err := hostnet.Dump("addresses", func() ([]netlink.Addr, error) { return d.links.AddrList(nil, unix.AF_INET) })
	if err != nil {
		return have, err
	}
	for _, a := range addrs {
		if p := hostnet.Prefix(a.IPNet); p.IsValid() && !p.Addr().IsLoopback() {
			have.addresses = append(have.addresses, address{name[a.LinkIndex], p})
		}
	}
	return have, nil
}

// apply makes changes.
func (d *door) apply(c changes) error {
	if err := d.raise(loopback); err != nil {
		return err
	}
	for _, a := range c.dropAddresses {
		if err := d.address(d.links.AddrDel, a, unix.EADDRNOTAVAIL); err != nil {
			return err
		}
	}
	for _, name := range c.dropLinks {
		if err := d.dropLink(name); err != nil {
			return err
		}
	}
	for _, b := range c.addBridges {
		if err := d.addBridge(b); err != nil {
			return err
		}
	}
	for _, a := range c.addAddresses {
		if err := d.address(d.links.AddrAdd, a, unix.EEXIST); err != nil {
			return err
		}
	}
	return nil
}

// addBridge makes a bridge. Its hardware address is fixed: one without takes that of a port and changes it with the ports.
func (d *door) addBridge(b bridge) error {
	link := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: b.name, HardwareAddr: RouterMAC(b.router.Addr())}}
	if err := d.links.LinkAdd(link); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("make bridge %s: %w", b.name, err)
	}
	return d.raise(b.name)
}

// RouterMAC is the hardware address of the router on the subnet in which it has the address a.
func RouterMAC(a netip.Addr) net.HardwareAddr { return macOf(0x58, a) }

// macOf follows from an address, so that both ends of a cable can know it without asking.
func macOf(kind byte, a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{0x02, kind, b[0], b[1], b[2], b[3]}
}

func (d *door) raise(name string) error {
	link, err := d.links.LinkByName(name)
	if err == nil {
		err = d.links.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("raise interface %s: %w", name, err)
	}
	return nil
}

func (d *door) dropLink(name string) error {
	link, err := d.links.LinkByName(name)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil // the other end of the cable went, and both with it
	}
	if err == nil {
		err = d.links.LinkDel(link)
	}
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove interface %s: %w", name, err)
	}
	return nil
}

// address adds or removes one; done is what the kernel says when somebody did it already.
func (d *door) address(do func(netlink.Link, *netlink.Addr) error, a address, done error) error {
	link, err := d.links.LinkByName(a.link)
	if err == nil {
		err = do(link, &netlink.Addr{IPNet: ipNet(a.prefix)})
	}
	if err != nil && !errors.Is(err, done) {
		return fmt.Errorf("address %v of %s: %w", a.prefix, a.link, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}
