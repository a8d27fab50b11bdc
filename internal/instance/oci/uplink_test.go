package oci_test

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/instancetest"
)

// behind is the address of whoever answers behind the uplink of the tests.
const behind = "10.97.0.2"

// space makes a network namespace that is found at a path until the test ends.
func space(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ns")
	must(t, os.WriteFile(path, nil, 0o600))
	must(t, hostnet.OnOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	}))
	t.Cleanup(func() { must(t, unix.Unmount(path, unix.MNT_DETACH)) })
	return path
}

// answering is a namespace with a server at the address behind; it tells who called.
func answering(t *testing.T) (path string, callers <-chan string) {
	t.Helper()
	path = space(t)
	seen := make(chan string, 100)
	must(t, hostnet.Inside(path, func() error {
		lo, err := netlink.LinkByName("lo")
		must(t, err)
		must(t, netlink.LinkSetUp(lo))
		address(t, lo, behind+"/32")
		l, err := net.Listen("tcp", behind+":80")
		must(t, err)
		t.Cleanup(func() { l.Close() })
		go answer(l, seen)
		return nil
	}))
	return path, seen
}

// An instance behind an uplink reaches what is there and nothing else, is reached from the host, and finds its credentials.
func TestUplink(t *testing.T) {
	needRoot(t)
	world(t)
	path, callers := answering(t)
	c := config(t, t.TempDir())
	d := open(t, c)
	b := instancetest.Bench{T: t, Driver: d}
	for _, at := range []string{d.Gateway() + ":53", d.CredentialsAddr().String()} {
		l, err := net.Listen("tcp", at)
		must(t, err)
		defer l.Close()
		go answer(l, make(chan string, 100))
	}
	begin := func(e instance.Egress, up instance.Uplink) instance.Instance {
		spec := b.Spec("serve", "8080")
		spec.Rootfs, spec.Egress, spec.Uplink = rootfs(t), e, up
		i := b.Begin(spec)
		b.Get(i, "/")
		return i
	}
	up := instance.Uplink{Namespace: path, Resolver: netip.MustParseAddr("10.97.0.53")}
	i, peer, public := begin(instance.EgressUplink, up), begin(instance.EgressUplink, up), begin(instance.EgressPublic, instance.Uplink{})
	reach := func(from instance.Instance, addr string, want bool) {
		t.Helper()
		if got := b.Get(from, "/dial?addr="+addr); (got == "connected") != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
	reach(i, behind+":80", true)
	if from := <-callers; !strings.HasPrefix(from, "169.254.") {
		t.Errorf("behind the uplink a connection comes from %s", from)
	}
	reach(i, "169.254.170.2:80", true)
	for _, addr := range []string{worldPublic + ":80", worldMetadata + ":80", d.Gateway() + ":53", hostAddress + ":7700", peer.Address.String() + ":8080", public.Address.String() + ":8080"} {
		reach(i, addr, false)
	}
	reach(public, d.Gateway()+":53", true)
	reach(public, behind+":80", false)
	if got := b.Get(i, "/read?path=/etc/resolv.conf"); !strings.HasPrefix(got, "nameserver 10.97.0.53\n") || strings.Count(got, "nameserver") != 1 {
		t.Errorf("resolv.conf is %q", got)
	}

	must(t, d.Close())
	d = open(t, c) // as after a kill
	defer d.Close()
	b = instancetest.Bench{T: t, Driver: d}
	reach(i, behind+":80", true)
	reach(i, d.Gateway()+":53", false)
	cutOff := func() (list []string) {
		all, err := d.List(t.Context())
		must(t, err)
		for _, i := range all {
			if i.CutOff {
				list = append(list, i.ID)
			}
		}
		return list
	}
	if list := cutOff(); len(list) > 0 {
		t.Errorf("%v are said to be cut off", list)
	}
	must(t, unix.Mount(space(t), path, "", unix.MS_BIND, "")) // another one in its place
	if list := cutOff(); len(list) != 2 {
		t.Errorf("%v are said to be cut off, want two", list)
	}
	must(t, unix.Unmount(path, unix.MNT_DETACH))
	must(t, d.Stop(t.Context(), i.ID, time.Second))
	must(t, hostnet.Inside(path, func() error {
		instancetest.Eventually(t, func() error { return onlyPorts(1) }) // the peer's
		return nil
	}))
}

// onlyPorts tells when this thread's namespace has another number of cables.
func onlyPorts(want int) error {
	runtime.LockOSThread()
	links, err := netlink.LinkList()
	n := 0
	for _, l := range links {
		if l.Type() == "veth" {
			n++
		}
	}
	if err == nil && n != want {
		err = os.ErrExist
	}
	return err
}

func TestUplinkThatDoesNotExist(t *testing.T) {
	needRoot(t)
	d := open(t, config(t, t.TempDir()))
	b := instancetest.Bench{T: t, Driver: d}
	spec := b.Spec("serve", "8080")
	spec.Rootfs, spec.Egress = rootfs(t), instance.EgressUplink
	for _, path := range []string{"", "relative", "/nowhere"} {
		spec.Uplink.Namespace = path
		if _, err := d.Start(t.Context(), spec); err == nil {
			t.Errorf("an instance runs with the uplink %q", path)
		}
	}
	if list, err := d.List(t.Context()); err != nil || len(list) > 0 {
		t.Error(list, err)
	}
}

// A guest has the reach of an instance, also after its driver was killed.
func TestGuest(t *testing.T) {
	needRoot(t)
	callers, _ := world(t)
	c := config(t, t.TempDir())
	d := open(t, c)
	path := space(t)
	g, err := d.Join("somebody", path, "wan")
	must(t, err)
	dial := func(addr string) error {
		return hostnet.Inside(path, func() error {
			conn, err := (&net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: g.Address.AsSlice()}}).Dial("tcp", addr)
			if err == nil {
				conn.Close()
			}
			return err
		})
	}
	must(t, hostnet.Inside(path, func() error {
		wan, err := netlink.LinkByName("wan")
		must(t, err)
		address(t, wan, g.Address.String()+"/32")
		return netlink.RouteAdd(&netlink.Route{LinkIndex: wan.Attrs().Index, Gw: g.Hop.AsSlice(), Flags: int(netlink.FLAG_ONLINK)})
	}))
	must(t, dial(worldPublic+":80"))
	if from := <-callers; from != hostAddress {
		t.Errorf("the world sees a connection from %s", from)
	}
	for _, addr := range []string{worldPrivate + ":80", worldMetadata + ":80", hostAddress + ":7700"} {
		if dial(addr) == nil {
			t.Errorf("a guest reaches %s", addr)
		}
	}
	must(t, d.Close())
	d = open(t, c)
	if again, err := d.Join("somebody", path, "wan"); err != nil || again != g {
		t.Errorf("a guest that joins again has %v, %v; want %v", again, err, g)
	}
	must(t, dial(worldPublic+":80"))
	must(t, d.Leave("somebody"))
	if dial(worldPublic+":80") == nil {
		t.Error("a guest that has left is still there")
	}
	_, err = d.Join("somebody", path, "wan")
	must(t, err)
	must(t, d.Destroy(t.Context()))
	noTraces(t, c.Installation, c.Dir, true)
}
