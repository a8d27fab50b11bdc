package rig

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
)

var worlds atomic.Uint32

// NewWorld makes a host with a public address beyond this machine, for as long as the test: a network namespace at the end of a cable. At port
// 80 it answers with the address that a request comes from, which is near when this machine sends it.
func NewWorld(t testing.TB) (address, near netip.Addr) {
	t.Helper()
	NeedRoot(t)
	// Several of these tests may run on one machine: each has four of the addresses that are meant for this (RFC 2544, RFC 5737).
	n := uint32(os.Getpid())%16*4 + worlds.Add(1)%4
	at := func(last uint32) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(n*4 + last)}) }
	near, address = at(1), at(2)
	cable := fmt.Sprintf("swtest%d", n)
	ours, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	var l net.Listener
	err = hostnet.OnOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: cable, PeerNamespace: netlink.NsFd(ours)}); err != nil {
			return err
		}
		if err := raise("eth0", address); err != nil {
			return err
		}
		l, err = net.Listen("tcp", address.String()+":80")
		return err
	})
	if err == nil {
		err = raise(cable, near)
	}
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "from", r.RemoteAddr)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		if link, err := netlink.LinkByName(cable); err == nil {
			_ = netlink.LinkDel(link)
		}
	})
	return address, near
}

// raise gives an interface an address out of a network of four, and sets it up.
func raise(name string, a netip.Addr) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(30, 32)}}); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}
