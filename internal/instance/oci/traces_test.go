package oci_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"slipway.dev/slipway/internal/instance/instancetest"
	"slipway.dev/slipway/internal/instance/oci"
)

// noTraces waits until the machine shows nothing of any instance of an installation, and with gone, nothing of the installation.
func noTraces(t *testing.T, installation, dir string, gone bool) {
	t.Helper()
	instancetest.Eventually(t, func() error {
		if found := traces(installation, dir, gone); len(found) > 0 {
			return fmt.Errorf("left behind:\n%s", strings.Join(found, "\n"))
		}
		return nil
	})
}

func traces(installation, dir string, gone bool) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	group := oci.Group(installation)
	for _, p := range glob("/proc/[0-9]*") {
		stat, _ := os.ReadFile(p + "/stat")
		if bytes.Contains(stat, []byte(") Z ")) {
			continue // ended; whoever is process 1 reaps it in its own time
		}
		groups, _ := os.ReadFile(p + "/cgroup")
		mounts, _ := os.ReadFile(p + "/mountinfo")
		if bytes.Contains(groups, []byte(group+"/")) {
			add("process %s", p)
		}
		if bytes.Contains(mounts, []byte(dir)) {
			add("mounts of %s", p)
		}
	}
	for _, f := range glob("/sys/block/loop*/loop/backing_file") {
		if b, _ := os.ReadFile(f); bytes.Contains(b, []byte(dir)) {
			add("loop device %s", f)
		}
	}
	pattern := "/sys/fs/cgroup/*" + group + "/*"
	if gone {
		pattern = "/sys/fs/cgroup/*" + group
	}
	for _, g := range append(glob(pattern), glob("/sys/fs/cgroup"+strings.TrimPrefix(pattern, "/sys/fs/cgroup/*"))...) {
		if info, err := os.Stat(g); err == nil && info.IsDir() {
			add("control group %s", g)
		}
	}
	for _, f := range append(append(glob(dir+"/instances/*"), glob(dir+"/run/oci/*")...), glob(dir+"/run/workspaces/*")...) {
		add("file %s", f)
	}
	return append(found, networkTraces(installation, gone)...)
}

func networkTraces(installation string, gone bool) []string {
	var found []string
	bridge, err := netlink.LinkByName(oci.Bridge(installation))
	if err == nil {
		if gone {
			found = append(found, "bridge")
		}
		entries, _ := netlink.NeighList(bridge.Attrs().Index, netlink.FAMILY_V4)
		for _, e := range entries {
			if e.State == netlink.NUD_PERMANENT {
				found = append(found, "neighbour "+e.IP.String())
			}
		}
		routes, _ := netlink.RouteList(bridge, netlink.FAMILY_V4)
		for _, r := range routes {
			found = append(found, "route "+r.String())
		}
		links, _ := netlink.LinkList()
		for _, l := range links {
			if l.Attrs().MasterIndex == bridge.Attrs().Index {
				found = append(found, "interface "+l.Attrs().Name)
			}
		}
	}
	conn, err := nftables.New()
	if err != nil {
		return append(found, err.Error())
	}
	tables, _ := conn.ListTables()
	for _, table := range tables {
		if table.Name != oci.Table(installation) {
			continue
		}
		if gone {
			found = append(found, "table "+table.Name)
		}
		if set, err := conn.GetSetByName(table, "build"); err == nil {
			elements, _ := conn.GetSetElements(set)
			for _, e := range elements {
				found = append(found, fmt.Sprintf("element %v of set build", e.Key))
			}
		}
	}
	return found
}

func glob(pattern string) []string {
	list, _ := filepath.Glob(pattern)
	return list
}
