package rig

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	_ "modernc.org/sqlite" // the records of instances are read, never written
)

// Trace is one thing that an installation keeps outside its data directory.
type Trace struct {
	Kind string // "process", "cgroup", "interface", "table", "loop device", "mount"
	What string
	ID   string // the instance or workspace it belongs to: 32 hex digits, or the first 9 of an interface
}

func (t Trace) String() string { return t.Kind + " " + t.What }

var hexID = regexp.MustCompile(`[0-9a-f]{32}`)

// Tag is what all names of the installation have in common.
func (h *House) Tag() (string, error) {
	b, err := os.ReadFile(filepath.Join(h.Dir, "installation"))
	sum := sha256.Sum256([]byte(strings.TrimSpace(string(b))))
	return hex.EncodeToString(sum[:4]), err
}

// Traces lists what the installation keeps outside its data directory now.
func (h *House) Traces() ([]Trace, error) {
	tag, err := h.Tag()
	if err != nil {
		return nil, err
	}
	var all []Trace
	for _, look := range []func(tag string) ([]Trace, error){h.processes, cgroups, interfaces, tables, h.loops, h.mounts} {
		found, err := look(tag)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// Leftovers are the traces of an installation that was taken down.
func (h *House) Leftovers() []string {
	all, err := h.Traces()
	if err != nil {
		return []string{err.Error()}
	}
	var list []string
	for _, t := range all {
		list = append(list, t.String())
	}
	return list
}

// eachProcess calls fn for every process of the machine but this one.
func eachProcess(fn func(pid int)) error {
	entries, err := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			fn(pid)
		}
	}
	return err
}

func procFile(pid int, name string) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		return "" // it ended meanwhile
	}
	return string(b)
}

// ended tells whether a process has ended and only waits for the machine's own first process to notice.
func ended(pid int) bool {
	status := procFile(pid, "status")
	return strings.Contains(status, "\nState:\tZ") && strings.Contains(status, "\nPPid:\t1\n")
}

// processes are those that name the data directory, and all in the installation's control groups.
func (h *House) processes(tag string) (list []Trace, err error) {
	err = eachProcess(func(pid int) {
		if ended(pid) {
			return
		}
		line := strings.ReplaceAll(procFile(pid, "cmdline"), "\x00", " ")
		groups := procFile(pid, "cgroup")
		if !strings.Contains(line, h.Dir+" ") && !strings.Contains(line, h.Dir+"/") && !strings.Contains(groups, "/slipway-"+tag) {
			return
		}
		id := hexID.FindString(line)
		if _, group, ok := strings.Cut(groups, "/slipway-"+tag+"/"); ok && id == "" {
			id = hexID.FindString(group)
		}
		list = append(list, Trace{"process", fmt.Sprintf("%d %s", pid, strings.TrimSpace(line)), id})
	})
	return list, err
}

func cgroups(tag string) (list []Trace, err error) {
	roots, err := filepath.Glob("/sys/fs/cgroup/*/slipway-" + tag)
	unified, _ := filepath.Glob("/sys/fs/cgroup/slipway-" + tag)
	for _, root := range append(roots, unified...) {
		werr := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				list = append(list, Trace{"cgroup", path, hexID.FindString(path)})
			}
			return nil //nolint:nilerr // it was removed meanwhile
		})
		err = errors.Join(err, werr)
	}
	return list, err
}

func interfaces(tag string) (list []Trace, err error) {
	all, err := net.Interfaces()
	for _, i := range all {
		if i.Name == "sw-"+tag {
			list = append(list, Trace{"interface", i.Name, ""})
		}
		if id, ok := strings.CutPrefix(i.Name, "sv"+tag[:4]); ok {
			list = append(list, Trace{"interface", i.Name, id})
		}
	}
	return list, err
}

func tables(tag string) (list []Trace, err error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	all, err := conn.ListTables()
	for _, t := range all {
		if strings.HasSuffix(t.Name, "_"+tag) {
			list = append(list, Trace{"table", t.Name, ""})
		}
	}
	return list, err
}

func (h *House) loops(string) (list []Trace, err error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.HasPrefix(string(b), h.Dir+"/") {
			list = append(list, Trace{"loop device", f + " of " + strings.TrimSpace(string(b)), hexID.FindString(string(b))})
		}
	}
	return list, err
}

// mounts looks into every mount namespace of the machine: an instance's mounts are in that of its shim.
func (h *House) mounts(string) (list []Trace, err error) {
	seen := map[string]bool{}
	err = eachProcess(func(pid int) {
		ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
		if err != nil || seen[ns] {
			return
		}
		seen[ns] = true
		for line := range strings.Lines(procFile(pid, "mountinfo")) {
			if strings.Contains(line, h.Dir+"/") {
				list = append(list, Trace{"mount", fmt.Sprintf("in process %d: %s", pid, strings.TrimSpace(line)), hexID.FindString(line)})
			}
		}
	})
	return list, err
}

// Row is the record of an instance.
type Row struct{ ID, ServiceARN, Phase string }

// Rows reads the records of all instances.
func (h *House) Rows() (rows []Row, err error) {
	err = h.query(`SELECT id, service_arn, phase FROM instances`, func(scan func(...any) error) error {
		var r Row
		err := scan(&r.ID, &r.ServiceARN, &r.Phase)
		rows = append(rows, r)
		return err
	})
	return rows, err
}

func (h *House) query(text string, each func(scan func(...any) error) error) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.Dir, "slipway.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.Query(text)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Address is where an instance answers, ip:port.
func (h *House) Address(id string) (address string, err error) {
	err = h.query(`SELECT id, body FROM instances`, func(scan func(...any) error) error {
		var row, body string
		err := scan(&row, &body)
		var record struct{ Address string }
		if err == nil && row == id {
			err = json.Unmarshal([]byte(body), &record)
			address = record.Address
		}
		return err
	})
	return address, err
}

// Pins are the digests of the stored images that a service holds.
func (h *House) Pins(arn string) (digests []string, err error) {
	err = h.query(`SELECT owner, digest FROM image_pins`, func(scan func(...any) error) error {
		var owner, digest string
		err := scan(&owner, &digest)
		if owner == arn {
			digests = append(digests, digest)
		}
		return err
	})
	return digests, err
}

// Orphans compares what runs with what is recorded: traces of instances that no record names and that belong to no build, and
// records of active instances that do not run. It looks once; see [House.NoOrphans].
func (h *House) Orphans() ([]string, error) {
	before, err := h.Rows()
	if err != nil {
		return nil, err
	}
	traces, err := h.Traces()
	if err != nil {
		return nil, err
	}
	rows, err := h.Rows()
	if err != nil {
		return nil, err
	}
	known := h.workspaces()
	for _, r := range append(before, rows...) {
		known[r.ID] = true
	}
	var list []string
	runs := map[string]bool{}
	for _, t := range traces {
		if t.Kind == "process" {
			runs[t.ID] = true
		}
		if t.ID != "" && !knows(known, t.ID) {
			list = append(list, t.String()+" belongs to nothing")
		}
	}
	for _, r := range rows {
		if slices.Contains(before, r) && !runs[r.ID] {
			list = append(list, fmt.Sprintf("instance %s of %s is recorded as %s and does not run", r.ID, r.ServiceARN, r.Phase))
		}
	}
	return list, nil
}

// workspaces are the sandboxes of builds under way.
func (h *House) workspaces() map[string]bool {
	ids := map[string]bool{}
	entries, err := os.ReadDir(filepath.Join(h.Dir, "run", "workspaces"))
	if err != nil {
		return ids
	}
	for _, e := range entries {
		ids[e.Name()] = true
	}
	return ids
}

func knows(known map[string]bool, id string) bool {
	for k := range maps.Keys(known) {
		if strings.HasPrefix(k, id) {
			return true
		}
	}
	return false
}

// NoOrphans waits until nothing runs that is not recorded and the reverse.
func (h *House) NoOrphans(t testing.TB) {
	t.Helper()
	var last []string
	for range 150 {
		orphans, err := h.Orphans()
		if err != nil {
			t.Fatal(err)
		}
		// Other tests start and stop instances meanwhile: only what stays is one.
		if len(orphans) == 0 || last != nil && !slices.ContainsFunc(orphans, func(o string) bool { return slices.Contains(last, o) }) {
			return
		}
		if last == nil {
			last = orphans
		}
		last = slices.DeleteFunc(last, func(o string) bool { return !slices.Contains(orphans, o) })
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("left behind:\n%s", strings.Join(last, "\n"))
}

// Gone waits until no instance of the service is recorded and nothing is left of those that were.
func (s Service) Gone(t testing.TB) {
	t.Helper()
	var mine []Row
	for range 100 {
		rows, err := s.House.Rows()
		if err != nil {
			t.Fatal(err)
		}
		mine = slices.DeleteFunc(rows, func(r Row) bool { return r.ServiceARN != s.ARN() })
		if len(mine) == 0 {
			s.House.NoOrphans(t)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("instances of %s are left: %v", *s.ServiceName, mine)
}

// Instances are the ids of the service's instances in a phase.
func (s Service) Instances(t testing.TB, phase string) []string {
	t.Helper()
	rows, err := s.House.Rows()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range rows {
		if r.ServiceARN == s.ARN() && r.Phase == phase {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// Shim is the process id of the shim of an instance.
func (h *House) Shim(id string) (int, error) {
	pid := 0
	err := eachProcess(func(p int) {
		if line := procFile(p, "cmdline"); strings.Contains(line, "shim") && strings.Contains(line, id) {
			pid = p
		}
	})
	if err == nil && pid == 0 {
		err = fmt.Errorf("instance %s has no shim", id)
	}
	return pid, err
}

// Init is the process id of the first process of an instance, as this machine numbers it.
func (h *House) Init(id string) (int, error) {
	tag, err := h.Tag()
	if err != nil {
		return 0, err
	}
	files, err := filepath.Glob("/sys/fs/cgroup/*/slipway-" + tag + "/" + id + "/cgroup.procs")
	v2, _ := filepath.Glob("/sys/fs/cgroup/slipway-" + tag + "/" + id + "/cgroup.procs")
	for _, f := range append(files, v2...) {
		b, err := os.ReadFile(f)
		if first, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n"); err == nil && first != "" {
			return strconv.Atoi(first)
		}
	}
	return 0, errors.Join(err, fmt.Errorf("instance %s has no process", id))
}
