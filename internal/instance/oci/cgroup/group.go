package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Group is one control group in all hierarchies at once.
type Group struct {
	layout Layout
	path   string
}

// Path is the group's path below the root of every hierarchy.
func (g Group) Path() string { return g.path }

// file is the path of a control file: of the controller on version 1, of the group on version 2.
func (g Group) file(controller, v1, v2 string) string {
	if g.layout.V2() {
		return filepath.Join(g.layout.Unified, g.path, v2)
	}
	return filepath.Join(g.layout.V1[controller], g.path, v1)
}

// dirs are the group's directories that exist.
func (g Group) dirs() []string {
	var dirs []string
	for _, root := range g.layout.roots() {
		dir := filepath.Join(root, g.path)
		if _, err := os.Stat(dir); err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// Exists tells whether the group is there in any hierarchy.
func (g Group) Exists() bool { return len(g.dirs()) > 0 }

// Procs returns the processes in the group or below it, in any hierarchy.
func (g Group) Procs() []int {
	seen := map[int]bool{}
	var pids []int
	for _, dir := range g.dirs() {
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil //nolint:nilerr // a group may vanish while it is walked
			}
			b, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
			for _, field := range strings.Fields(string(b)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 && !seen[pid] {
					seen[pid] = true
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

// Enter moves a process into the group, making it where it is missing, but only in the hierarchies by which service supervisors
// (systemd) find what belongs to a service. The group serves to find processes again, not to limit them.
func (g Group) Enter(pid int) error {
	roots := []string{g.layout.Unified, g.layout.V1["name=systemd"]}
	if roots[0] == "" && roots[1] == "" {
		roots = []string{g.layout.V1["pids"], g.layout.V1["freezer"]}
	}
	entered := false
	for _, root := range roots {
		dir := filepath.Join(root, g.path)
		if root == "" || os.MkdirAll(dir, 0o755) != nil {
			continue
		}
		if os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0) == nil {
			entered = true
		}
	}
	if !entered {
		return fmt.Errorf("no control group hierarchy took process %d into %s", pid, g.path)
	}
	return nil
}

// Kill ends every process in the group, frozen ones too, and returns when none is left. A group that does not exist is empty.
func (g Group) Kill(ctx context.Context) error {
	wait := time.Millisecond
	for {
		if g.layout.Unified != "" {
			_ = os.WriteFile(filepath.Join(g.layout.Unified, g.path, "cgroup.kill"), []byte("1"), 0)
		}
		pids := g.Procs()
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(pids) == 0 {
			return nil
		}
		g.forceThaw()
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v of control group %s do not end: %w", pids, g.path, ctx.Err())
		case <-time.After(wait):
		}
		wait = min(2*wait, 50*time.Millisecond)
	}
}

// Remove removes the group and all below it from every hierarchy. The kernel needs a moment after the last process has gone, so
// it tries until ctx ends.
func (g Group) Remove(ctx context.Context) error {
	wait := time.Millisecond
	for {
		var failed error
		for _, dir := range g.dirs() {
			if err := removeTree(dir); err != nil {
				failed = err
			}
		}
		if failed == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove control group %s: %w", g.path, errors.Join(failed, ctx.Err()))
		case <-time.After(wait):
		}
		wait = min(2*wait, 50*time.Millisecond)
	}
}

// removeTree removes a directory of control groups; the control files in it go by themselves.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !missing(err) {
		return fmt.Errorf("rmdir %s: %w", dir, err)
	}
	return nil
}

// OOMKills is how many processes of the group the kernel ended for want of memory.
func (g Group) OOMKills() int {
	n, err := readKey(g.file("memory", "memory.oom_control", "memory.events"), "oom_kill")
	if err != nil {
		return 0
	}
	return int(n)
}

// CPUUsec is the CPU time used by the group so far, in microseconds.
func (g Group) CPUUsec() (uint64, error) {
	if g.layout.V2() {
		return readKey(g.file("", "", "cpu.stat"), "usage_usec")
	}
	ns, err := readUint(g.file("cpuacct", "cpuacct.usage", ""))
	return ns / 1000, err
}

// Memory is what the group uses, in bytes, without page cache the kernel can drop at once, and its limit.
func (g Group) Memory() (used, limit uint64, err error) {
	if used, err = readUint(g.file("memory", "memory.usage_in_bytes", "memory.current")); err != nil {
		return 0, 0, err
	}
	key := "total_inactive_file"
	if g.layout.V2() {
		key = "inactive_file"
	}
	if cache, err := readKey(g.file("memory", "memory.stat", "memory.stat"), key); err == nil && cache < used {
		used -= cache
	}
	limit, _ = readUint(g.file("memory", "memory.limit_in_bytes", "memory.max")) // "max" is no number: no limit
	return used, limit, nil
}

// Pids is how many processes and threads the group has.
func (g Group) Pids() (int, error) {
	n, err := readUint(g.file("pids", "pids.current", "pids.current"))
	return int(n), err
}
