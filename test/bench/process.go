package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A pinned process runs on one core, so that it can neither gain nor suffer from what runs on the other.
type core int

// cores are the one for the proxies and the one for load and backends: two different ones where there are two.
func cores() (proxies, load core, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, fmt.Errorf("read the cores of this process: %w", err)
	}
	var list []core
	for n := range runtime.NumCPU() + 1024 {
		if set.IsSet(n) {
			list = append(list, core(n))
		}
	}
	if len(list) < 2 {
		return 0, 0, errors.New("the edge part needs two cores, one for the proxies and one for the load")
	}
	return list[1], list[0], nil
}

// child is a process that the bench started and ends.
type child struct {
	name   string
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{}
}

// pinned prepares a command on a core.
func pinned(ctx context.Context, c core, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", strconv.Itoa(int(c))}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// spawn starts a server on a core.
func spawn(ctx context.Context, c core, args ...string) (*child, error) {
	p := &child{name: filepath.Base(args[0]), cmd: pinned(ctx, c, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		_ = p.cmd.Wait() // it is asked for by stop, or told by ready
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process, politely for a second.
func (p *child) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// ready waits until probe succeeds.
func (p *child) ready(ctx context.Context, probe func() error) error {
	deadline := time.After(10 * time.Second)
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return fmt.Errorf("%s ended: %s", p.name, p.output.String())
		case <-deadline:
			return fmt.Errorf("%s is not ready: %w", p.name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// userHZ is the unit of times in /proc on every architecture we run on.
const userHZ = 100

// cpuTime is what a process and its threads have used so far, in user and kernel.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // the name before may hold anything; [0] is field 3
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime, fields 14 and 15
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / userHZ, nil
}

// memoryOf is the proportional set size of a process in bytes: what it has alone, and its share of what it has with others.
func memoryOf(pid int) (int64, error) { return memoryIn(pid, "Pss:") }

// memoryIn is one of the sums of /proc/<pid>/smaps_rollup in bytes, such as Pss: or Rss:, which counts what is shared in full.
func memoryIn(pid int, sum string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == sum {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/smaps_rollup has no %s", pid, sum)
}

// shims are the processes that keep the instances of a data directory, by process id: programs of Slipway's, whether the whole
// one or a smaller one, that were given the instance's id.
func shims(dataDir string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Join(dataDir, "instances"))
	if err != nil {
		return nil, err
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, path := range lines {
		b, err := os.ReadFile(path)
		args := strings.Split(string(b), "\x00")
		if err != nil || !strings.HasPrefix(filepath.Base(args[0]), "slipway") {
			continue // of somebody else, or ended meanwhile
		}
		if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return slices.Contains(args, e.Name()) }) {
			pid, err := strconv.Atoi(strings.Split(path, "/")[2])
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
