package oci

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/cgroup"
	"slipway.dev/slipway/internal/instance/oci/logfile"
	"slipway.dev/slipway/internal/instance/oci/shim"
)

// Stats tells what a running instance uses.
func (d *Driver) Stats(_ context.Context, id string) (instance.Stats, error) {
	e, err := d.running(id)
	if err != nil {
		return instance.Stats{}, err
	}
	group := d.group(e.id)
	s := instance.Stats{At: time.Now().UTC()}
	var errs [3]error
	s.CPUUsec, errs[0] = group.CPUUsec()
	s.MemoryBytes, s.MemoryLimit, errs[1] = group.Memory()
	s.Pids, errs[2] = group.Pids()
	if err := errors.Join(errs[:]...); err != nil {
		return instance.Stats{}, fmt.Errorf("read what instance %s uses: %w", id, err)
	}
	return s, nil
}

func (d *Driver) group(id string) cgroup.Group { return d.layout.Group(d.names.instanceCgroup(id)) }

// Freeze takes the CPU from an instance.
func (d *Driver) Freeze(ctx context.Context, id string) error {
	e, err := d.running(id)
	if err != nil {
		return err
	}
	return d.group(e.id).Freeze(ctx)
}

// Thaw gives the CPU back.
func (d *Driver) Thaw(ctx context.Context, id string) error {
	e, err := d.running(id)
	if err != nil {
		return err
	}
	return d.group(e.id).Thaw(ctx)
}

// Listening returns the TCP sockets in an instance that accept connections.
func (d *Driver) Listening(_ context.Context, id string) ([]netip.AddrPort, error) {
	e, err := d.running(id)
	if err != nil {
		return nil, err
	}
	var list []netip.AddrPort
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", e.run.Init.PID, table))
		if errors.Is(err, os.ErrNotExist) && table == "tcp6" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the sockets of instance %s: %w", id, err)
		}
		list = append(list, listening(f)...)
		f.Close()
	}
	slices.SortFunc(list, netip.AddrPort.Compare)
	return slices.Compact(list), nil
}

// listening reads a table in the form of /proc/net/tcp and returns the addresses of sockets in state LISTEN.
func listening(table io.Reader) []netip.AddrPort {
	const listen = "0A"
	var list []netip.AddrPort
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || f[3] != listen {
			continue
		}
		if a, ok := parseSocket(f[1]); ok {
			list = append(list, a)
		}
	}
	return list
}

// parseSocket reads "0100007F:1F90": an address as 32-bit words in the host's byte order (little-endian on all we run on) and a
// port.
func parseSocket(s string) (netip.AddrPort, bool) {
	words, portText, ok := strings.Cut(s, ":")
	b, err := hex.DecodeString(words)
	n, portErr := strconv.ParseUint(portText, 16, 16)
	if !ok || err != nil || portErr != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), ok
}

func (d *Driver) logDir(id string) string { return filepath.Join(d.paths.instance(id), shim.LogDir) }

// Logs returns log records from a place on; see instance.Driver.
func (d *Driver) Logs(_ context.Context, id string, from instance.Cursor) ([]instance.LogRecord, instance.Cursor, error) {
	if d.entry(id) == nil {
		return nil, from, unknown(id)
	}
	return logfile.Read(d.logDir(id), from)
}

// TrimLogs drops log records before a place; see instance.Driver.
func (d *Driver) TrimLogs(_ context.Context, id string, before instance.Cursor) error {
	e := d.entry(id)
	if e == nil {
		return nil
	}
	e.work.Lock()
	defer e.work.Unlock()
	if d.entry(id) != e {
		return nil
	}
	if err := logfile.Trim(d.logDir(id), before); err != nil {
		return err
	}
	dir := d.paths.instance(id)
	if e.current().Stopped {
		if end, err := logfile.AtEnd(d.logDir(id), before); err != nil || end {
			d.forget(id)
			return errors.Join(err, os.RemoveAll(dir))
		}
	}
	if e.current().Trimmed == before {
		return nil
	}
	return e.update(dir, func(r *record) { r.Trimmed = before })
}
