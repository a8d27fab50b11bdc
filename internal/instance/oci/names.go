package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"path/filepath"
)

// names are all the names an installation uses outside its data directory. Interface names may have 15 characters.
type names struct{ tag string }

func namesFor(installation string) names {
	sum := sha256.Sum256([]byte(installation))
	return names{hex.EncodeToString(sum[:4])}
}

func (n names) bridge() string { return "sw-" + n.tag }
func (n names) table() string  { return "slipway_" + n.tag }
func (n names) cgroup() string { return "/slipway-" + n.tag }

// link names the host's end of an instance's cable: it lives on this installation's bridge, so that a part of the id tells
// instances apart well enough; a clash makes Start fail, not mix them up.
func (n names) link(id string) string { return "sv" + n.tag[:4] + id[:9] }

func (n names) instanceCgroup(id string) string { return n.cgroup() + "/" + id }
func (n names) shimCgroup(id string) string     { return n.cgroup() + "/shim-" + id }

// bridgeMAC is fixed: a bridge without one takes that of a port and changes it with the ports.
func (n names) bridgeMAC() net.HardwareAddr {
	b, _ := hex.DecodeString(n.tag)
	return net.HardwareAddr{0x02, 0x53, b[0], b[1], b[2], b[3]}
}

// instanceMAC follows from the address, so that both ends can know it without asking.
func instanceMAC(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{0x02, 0x57, b[0], b[1], b[2], b[3]}
}

// paths are the places in the data directory.
type paths struct{ root string }

func (p paths) instances() string          { return filepath.Join(p.root, "instances") }
func (p paths) instance(id string) string  { return filepath.Join(p.instances(), id) }
func (p paths) workspaces() string         { return filepath.Join(p.root, "run", "workspaces") }
func (p paths) workspace(id string) string { return filepath.Join(p.workspaces(), id) }
func (p paths) runtimeRoot() string        { return filepath.Join(p.root, "run", "oci") }
func (p paths) templates() string          { return filepath.Join(p.root, "run", "disks") }
func (p paths) lock() string               { return filepath.Join(p.root, "run", "instances.lock") }
func (p paths) guests() string             { return filepath.Join(p.root, "run", "guests.json") }
func (p paths) network() string            { return filepath.Join(p.root, "run", "network.json") }
