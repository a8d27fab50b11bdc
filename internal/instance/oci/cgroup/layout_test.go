package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLayouts(t *testing.T) {
	const v1 = `30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 24 0:28 / /sys/fs/cgroup/systemd rw shared:5 - cgroup systemd rw,xattr,name=systemd
`
	const v2 = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	const mixed = v1 + "33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	for name, test := range map[string]struct {
		table    string
		v2       bool
		unified  string
		cpuacct  string
		describe string
		roots    int
	}{
		"version 1": {v1, false, "", "/sys/fs/cgroup/cpu,cpuacct", "version 1", 3},
		"version 2": {v2, true, "/sys/fs/cgroup", "", "version 2", 1},
		"mixed":     {mixed, false, "/sys/fs/cgroup/unified", "/sys/fs/cgroup/cpu,cpuacct", "version 1 with version 2 beside it", 4},
		"none":      {"1 2 0:1 / / rw - ext4 /dev/vda rw\nnonsense\n", false, "", "", "none", 0},
	} {
		l, err := parse(strings.NewReader(test.table))
		if err != nil || l.V2() != test.v2 || l.Unified != test.unified || l.V1["cpuacct"] != test.cpuacct || l.String() != test.describe || len(l.roots()) != test.roots {
			t.Errorf("%s: %+v (%s, %v), %v", name, l, l, l.roots(), err)
		}
	}
}

// A tree of plain files stands in for version 2, which this machine may not have.
func TestVersion2Files(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "slipway", "a")
	files := map[string]string{
		"cgroup.procs": "", "memory.events": "low 0\noom 3\noom_kill 2\n", "cpu.stat": "usage_usec 1234\nuser_usec 1000\n",
		"memory.current": "5000\n", "memory.max": "max\n", "memory.stat": "anon 1000\ninactive_file 2000\n", "pids.current": "7\n",
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "cgroup.controllers"), []byte("cpuset cpu io memory pids\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := Layout{V1: map[string]string{}, Unified: root}
	g := l.Group("/slipway/a")
	usec, err := g.CPUUsec()
	used, limit, memErr := g.Memory()
	pids, pidsErr := g.Pids()
	if usec != 1234 || used != 3000 || limit != 0 || pids != 7 || g.OOMKills() != 2 || err != nil || memErr != nil || pidsErr != nil {
		t.Errorf("%d %d %d %d %d, %v %v %v", usec, used, limit, pids, g.OOMKills(), err, memErr, pidsErr)
	}
	if !l.Has("memory") || l.Has("hugetlb") || !l.SwapLimit() {
		t.Error("controllers are misread")
	}
	if !slices.Equal(l.Children("/slipway"), []string{"a"}) || !g.Exists() || l.Group("/slipway/b").Exists() {
		t.Error("groups are misread")
	}
	if err := g.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "cgroup.kill")); string(b) != "1" {
		t.Error("cgroup.kill was not used")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("30 24 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu")
	f.Fuzz(func(t *testing.T, table string) {
		l, _ := parse(strings.NewReader(table))
		_ = l.roots()
	})
}
