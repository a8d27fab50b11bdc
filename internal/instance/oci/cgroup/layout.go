package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Layout is where the control group hierarchies of this machine are mounted.
type Layout struct {
	V1      map[string]string // controller ("memory", "name=systemd") to mount point
	Unified string            // mount point of version 2, empty when there is none
}

// Detect reads the mount table.
func Detect() (Layout, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return Layout{}, fmt.Errorf("find control groups: %w", err)
	}
	defer f.Close()
	return parse(f)
}

// parse reads a table in the form of /proc/self/mountinfo.
func parse(r io.Reader) (Layout, error) {
	l := Layout{V1: map[string]string{}}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		left, right, ok := strings.Cut(lines.Text(), " - ")
		fields, super := strings.Fields(left), strings.Fields(right)
		if !ok || len(fields) < 5 || len(super) < 1 {
			continue
		}
		switch mountPoint := fields[4]; super[0] {
		case "cgroup2":
			if l.Unified == "" {
				l.Unified = mountPoint
			}
		case "cgroup":
			for _, option := range strings.Split(super[len(super)-1], ",") {
				if _, seen := l.V1[option]; !seen && (isController(option) || strings.HasPrefix(option, "name=")) {
					l.V1[option] = mountPoint
				}
			}
		}
	}
	return l, lines.Err()
}

func isController(option string) bool {
	return slices.Contains([]string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb", "net_cls", "net_prio", "perf_event", "rdma", "misc"}, option)
}

// V2 tells whether limits are set on version 2.
func (l Layout) V2() bool { return l.Unified != "" && l.V1["memory"] == "" }

// Has tells whether a controller can be used, on whichever version.
func (l Layout) Has(controller string) bool {
	if l.V1[controller] != "" {
		return true
	}
	if l.Unified == "" {
		return false
	}
	b, err := os.ReadFile(filepath.Join(l.Unified, "cgroup.controllers"))
	return err == nil && slices.Contains(strings.Fields(string(b)), controller)
}

// SwapLimit tells whether the use of swap can be limited; asking a runtime for it elsewhere is an error.
func (l Layout) SwapLimit() bool {
	if l.V2() {
		return true // written as memory.swap.max, which runtimes skip where the kernel has no swap
	}
	_, err := os.Stat(filepath.Join(l.V1["memory"], "memory.memsw.limit_in_bytes"))
	return err == nil
}

// String names the layout for people.
func (l Layout) String() string {
	switch {
	case l.V2():
		return "version 2"
	case l.Unified != "" && len(l.V1) > 0:
		return "version 1 with version 2 beside it"
	case len(l.V1) > 0:
		return "version 1"
	default:
		return "none"
	}
}

// roots are the distinct mount points, version 2 last.
func (l Layout) roots() []string {
	var roots []string
	for _, dir := range l.V1 {
		if !slices.Contains(roots, dir) {
			roots = append(roots, dir)
		}
	}
	slices.Sort(roots)
	if l.Unified != "" {
		roots = append(roots, l.Unified)
	}
	return roots
}

// Children names the groups directly below path in any hierarchy.
func (l Layout) Children(path string) []string {
	var names []string
	for _, root := range l.roots() {
		entries, err := os.ReadDir(filepath.Join(root, path))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if e.IsDir() && !slices.Contains(names, e.Name()) {
				names = append(names, e.Name())
			}
		}
	}
	return names
}

// Group returns the group at path, which starts with a slash and counts from the root of every hierarchy. It need not exist.
func (l Layout) Group(path string) Group { return Group{l, path} }

// readUint reads a file that holds one number.
func readUint(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}

// readKey reads one value of a file of "key value" lines.
func readKey(path, key string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			return strconv.ParseUint(v, 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %q", path, key)
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
