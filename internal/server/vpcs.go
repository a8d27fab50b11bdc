package server

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/hostnet"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/network/host"
)

// vpcDir is where the network namespaces of VPCs live.
func (c Config) vpcDir() string { return c.path("run", "vpc") }

// openKeeper joins what keeps this machine in step with the VPCs.
func (s *System) openKeeper(context.Context) (err error) {
	s.vpcs = host.New(s.conf.vpcDir()).Through(beyond{s.driver})
	s.keeper, err = host.NewKeeper(host.KeeperConfig{
		Host: s.vpcs, Records: s.networks, Changed: s.db.Changed, Names: s.names, Doors: s.newEntrances(), Servers: s.conf.resolvers, Alive: alive, Log: s.log,
	})
	return err
}

// resolvers are whom the resolvers of VPCs ask for names of the world: the one that custom domains are looked up at, else this machine's.
func (c Config) resolvers() (list []netip.AddrPort) {
	if at, err := netip.ParseAddrPort(c.DNSResolver); err == nil {
		return []netip.AddrPort{at}
	}
	for _, a := range hostnet.Nameservers("/etc/resolv.conf") {
		list = append(list, netip.AddrPortFrom(a, 53))
	}
	return list
}

// shownVPCs are the VPCs as the reconciler needs them: what there is, and the way into them.
type shownVPCs struct {
	*network.Network
	*host.Host
	keeper *host.Keeper
}

// WayOut shows the reconciler an interface of a connector as what instances are plugged into.
func (v shownVPCs) WayOut(ctx context.Context, interfaceID string) (instance.Uplink, error) {
	namespace, resolver, err := v.keeper.WayOut(ctx, interfaceID)
	return instance.Uplink{Namespace: namespace, Resolver: resolver}, err
}

// beyond shows VPCs the driver's network as their way to public addresses.
type beyond struct{ driver *oci.Driver }

func (b beyond) Join(name, path, link string) (address, hop netip.Addr, err error) {
	g, err := b.driver.Join(name, path, link)
	return g.Address, g.Hop, err
}

func (b beyond) Leave(name string) error { return b.driver.Leave(name) }

// holder names this process in words that no later one with its number has.
func holder(pid int) (string, error) {
	born, err := birth(pid)
	return strconv.Itoa(pid) + "/" + born, err
}

// alive tells whether the process that a holder names still runs.
func alive(who string) bool {
	number, born, _ := strings.Cut(who, "/")
	pid, err := strconv.Atoi(number)
	if err != nil {
		return false
	}
	now, err := birth(pid)
	return err == nil && now == born
}

// birth is when a process began, in clock ticks since the machine did (proc(5)).
func birth(pid int) (string, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", fmt.Errorf("look at process %d: %w", pid, err)
	}
	// The name, in parentheses, may hold anything; what follows is numbers.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 {
		return "", fmt.Errorf("look at process %d: unexpected stat", pid)
	}
	return f[19], nil
}
