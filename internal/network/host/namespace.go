package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
)

// namespaces are the network namespaces of one installation: each lives by a mount on a file in the data directory, named after the VPC,
// so installations beside each other have nothing in common.
type namespaces struct{ dir string }

func (n namespaces) path(vpcID string) string { return filepath.Join(n.dir, vpcID) }

// list names the VPCs that have a namespace, or the rest of one.
func (n namespaces) list() ([]string, error) {
	entries, err := os.ReadDir(n.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.Name()
	}
	return ids, nil
}

// ensure makes sure that a VPC has a namespace, and returns which it is.
func (n namespaces) ensure(vpcID string) (hostnet.Identity, error) {
	path := n.path(vpcID)
	if id, err := hostnet.Identify(path); err == nil {
		return id, nil
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return hostnet.Identity{}, fmt.Errorf("make network namespace: %w", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return hostnet.Identity{}, fmt.Errorf("make network namespace: %w", err)
	}
	err := hostnet.OnOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make network namespace: %w", err)
		}
		if err := tune(); err != nil {
			return err
		}
		if err := unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("keep network namespace: %w", err)
		}
		return nil
	})
	if err != nil {
		return hostnet.Identity{}, err
	}
	return hostnet.Identify(path)
}

// tune sets the switches of a new namespace before anybody can see it. The kernel shows a thread those of its own namespace.
func tune() error {
	for _, s := range []struct{ name, value string }{
		{"ipv4/ip_forward", "1"},
		{"ipv4/conf/all/send_redirects", "0"}, // all go through the router, also to neighbours
		{"ipv4/conf/default/send_redirects", "0"},
	} {
		if err := os.WriteFile("/proc/sys/net/"+s.name, []byte(s.value), 0); err != nil {
			return fmt.Errorf("set up network namespace: %w", err)
		}
	}
	// What a kernel may not have: IPv6, and handing waiting connections on when one of several listeners at a port is closed.
	for _, s := range []struct{ name, value string }{
		{"ipv6/conf/all/disable_ipv6", "1"}, {"ipv6/conf/default/disable_ipv6", "1"}, {"ipv4/tcp_migrate_req", "1"},
	} {
		if err := os.WriteFile("/proc/sys/net/"+s.name, []byte(s.value), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("set up network namespace: %w", err)
		}
	}
	return nil
}

// remove takes the namespace of a VPC away. Sockets and processes that are still inside keep what they have until they end.
func (n namespaces) remove(vpcID string) error {
	path := n.path(vpcID)
	for { // one mount on the other, where two processes made one at a time
		err := unix.Unmount(path, unix.MNT_DETACH)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break
		}
		if err != nil {
			return fmt.Errorf("remove network namespace %s: %w", path, err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove network namespace: %w", err)
	}
	return nil
}

// door is a way to speak to the kernel about one namespace.
type door struct {
	ns    netns.NsHandle
	links *netlink.Handle
}

func open(path string) (*door, error) {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace %s: %w", path, err)
	}
	links, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		ns.Close()
		return nil, fmt.Errorf("open network namespace %s: %w", path, err)
	}
	return &door{ns, links}, nil
}

func (d *door) close() {
	d.links.Close()
	d.ns.Close()
}

func (d *door) rules() (*nftables.Conn, error) {
	conn, err := nftables.New(nftables.WithNetNSFd(int(d.ns)))
	if err != nil {
		return nil, fmt.Errorf("open the firewall of a network namespace: %w", err)
	}
	return conn, nil
}
