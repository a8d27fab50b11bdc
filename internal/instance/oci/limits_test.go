package oci_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/instancetest"
)

// A busy loop is held to its share of a CPU, however many threads spin.
func TestCPULimit(t *testing.T) {
	b := bench(t)
	spec := b.Spec("serve", "8080")
	spec.CPU = 256 // a quarter
	i := b.Begin(spec)
	b.Get(i, "/")
	before, err := b.Stats(t.Context(), i.ID)
	must(t, err)
	for range 2 {
		go func() { _, _ = instancetest.Request(t.Context(), i.Address, "/spin?ms=2000") }()
	}
	b.Get(i, "/spin?ms=2000")
	after, err := b.Stats(t.Context(), i.ID)
	must(t, err)
	used := float64(after.CPUUsec-before.CPUUsec) / float64(after.At.Sub(before.At).Microseconds())
	t.Logf("three busy threads used %.3f of a CPU; the limit is 0.25", used)
	if used > 0.32 {
		t.Error("over its share")
	}
	if used < 0.05 {
		t.Error("it did not spin")
	}
}

func TestProcessLimit(t *testing.T) {
	b := bench(t)
	var got string
	for range 5 { // at the limit the application may want a thread for itself and end; the limit has held then too, but says nothing
		i := b.Serve() // PidsMax 64
		text, err := instancetest.Request(t.Context(), i.Address, "/fork?n=200")
		if err == nil {
			got = text
			break
		}
		t.Log(err)
	}
	if !strings.Contains(got, "resource temporarily unavailable") {
		t.Errorf("fork bomb: %s", got)
	}
}

func TestDiskLimit(t *testing.T) {
	// checklist: 55
	b := bench(t)
	i := b.Serve() // DiskMiB 64
	b.Get(i, "/write?path=/tmp/fits&mib=55")
	_, err := instancetest.Request(t.Context(), i.Address, "/write?path=/tmp/large&mib=30")
	if err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("writing more than the disk holds: %v", err)
	}
	// Files seen by mounts of their own count as well.
	if _, err := instancetest.Request(t.Context(), i.Address, "/write?path=/etc/hosts&mib=30"); err == nil {
		t.Error("/etc/hosts takes more than the disk holds")
	}
	b.Get(i, "/") // it lives on
}

// checklist: 54
func TestFilesGoWithTheInstance(t *testing.T) {
	b := bench(t)
	first := b.Serve()
	b.Get(first, "/write?path=/tmp/mine&mib=1")
	if _, err := instancetest.Request(t.Context(), b.Serve().Address, "/read?path=/tmp/mine"); err == nil {
		t.Error("an instance sees what another one wrote")
	}
}

func TestIsolation(t *testing.T) {
	b := bench(t)
	i, other := b.Serve(), b.Serve()
	status := b.Get(i, "/read?path=/proc/self/status")
	for field, want := range map[string]string{
		"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0000000000000000", "CapPrm": "0000000000000000", "CapBnd": "0000000000000000",
		"CapInh": "0000000000000000", "CapAmb": "0000000000000000", "Uid": "0 0 0 0", "NSpid": "",
	} {
		m := regexp.MustCompile(`(?m)^` + field + `:\s*(.*)$`).FindStringSubmatch(status)
		if m == nil || want != "" && strings.Join(strings.Fields(m[1]), " ") != want {
			t.Errorf("%s is %q, want %q", field, m, want)
		}
	}
	base := func(i instance.Instance, table string) int {
		f := strings.Fields(b.Get(i, "/read?path=/proc/self/"+table))
		if len(f) != 3 || f[0] != "0" || f[2] != "65536" {
			t.Fatalf("%s is %v", table, f)
		}
		n, _ := strconv.Atoi(f[1])
		return n
	}
	if a, c := base(i, "uid_map"), base(other, "uid_map"); a == c || a < 65536 || c < 65536 {
		t.Errorf("user ids begin at %d and %d", a, c)
	}
	if base(i, "gid_map") != base(i, "uid_map") {
		t.Error("users and groups are mapped differently")
	}
	for _, ns := range []string{"user", "pid", "mnt", "ipc", "uts", "cgroup", "net"} {
		mine, _ := os.Readlink("/proc/self/ns/" + ns)
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", i.PID, ns))
		neighbours, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", other.PID, ns))
		if err != nil || theirs == mine || theirs == neighbours {
			t.Errorf("%s namespace: %s, the host's %s, another instance's %s (%v)", ns, theirs, mine, neighbours, err)
		}
	}
	if got := b.Get(i, "/read?path=/proc/1/cmdline"); !strings.HasPrefix(got, instancetest.AppPath) {
		t.Errorf("process 1 is %q", got)
	}
	for _, path := range []string{"/sys/kernel/mm/ksm/run", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if _, err := instancetest.Request(t.Context(), i.Address, "/write?path="+path); err == nil {
			t.Errorf("%s can be written", path)
		}
	}
	if got := b.Get(i, "/read?path=/etc/hostname"); strings.TrimSpace(got) != i.ID[:12] {
		t.Errorf("host name is %q", got)
	}
	if got := b.Get(i, "/read?path=/etc/replace"); got != "new" {
		t.Errorf("the lower layer's file is seen: %q", got)
	}
}

func TestUserAndFiles(t *testing.T) {
	b := bench(t)
	spec := b.Spec("serve", "8080")
	spec.User = "web"
	spec.Dir = "/home/web"
	spec.Files = map[string][]byte{"/opt/ca/bundle.pem": []byte("certificate"), "/etc/replace": []byte("ours")}
	i := b.Begin(spec)
	if got := b.Get(i, "/read?path=/opt/ca/bundle.pem"); got != "certificate" {
		t.Errorf("file is %q", got)
	}
	if got := b.Get(i, "/read?path=/etc/replace"); got != "ours" {
		t.Errorf("file is %q", got)
	}
	status := b.Get(i, "/read?path=/proc/self/status")
	for _, want := range []string{`Uid:\s+1000\s+1000`, `Gid:\s+1000\s+1000`, `Groups:\s+50\s`} {
		if !regexp.MustCompile(want).MatchString(status) {
			t.Errorf("no %s in %s", want, status)
		}
	}
	if got := b.Get(i, "/env?name=HOME"); got != "/home/web" {
		t.Errorf("HOME is %q", got)
	}
	// What it prints through /dev/stdout, as images arrange for log files, arrives too.
	if _, err := instancetest.Request(t.Context(), i.Address, "/write?path=/dev/stdout&mib=0"); err != nil {
		t.Errorf("/dev/stdout: %v", err)
	}
	if _, err := instancetest.Request(t.Context(), i.Address, "/write?path=/etc/replace&mib=0"); err == nil {
		t.Error("a user overwrites root's file")
	}
}

// A port below 1024 needs no capability.
func TestLowPort(t *testing.T) {
	b := bench(t)
	spec := b.Spec("serve", "80")
	spec.User = "1000:1000"
	i := b.Begin(spec)
	instancetest.Eventually(t, func() error {
		sockets, err := b.Listening(t.Context(), i.ID)
		if err == nil && (len(sockets) != 1 || sockets[0].Port() != 80) {
			err = fmt.Errorf("listening on %v", sockets)
		}
		return err
	})
}

func TestCapabilitiesOnRequest(t *testing.T) {
	b := bench(t)
	spec := b.Spec("serve", "8080")
	spec.Capabilities = []string{"SETUID", "SETGID"}
	status := b.Get(b.Begin(spec), "/read?path=/proc/self/status")
	if !regexp.MustCompile(`CapEff:\s+00000000000000c0`).MatchString(status) {
		t.Errorf("capabilities: %s", status)
	}
}

// What one instance costs beside its application.
func TestShimMemory(t *testing.T) {
	b := bench(t)
	i := b.Serve()
	for n := range 200 {
		b.Get(i, fmt.Sprintf("/log?text=line+%d", n))
	}
	pid := b.Driver.(interface{ ShimPID(string) int }).ShimPID(i.ID)
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	must(t, err)
	value := func(key string) int {
		m := regexp.MustCompile(`(?m)^` + key + `:\s+(\d+) kB`).FindSubmatch(rollup)
		if m == nil {
			t.Fatalf("no %s in %s", key, rollup)
		}
		n, _ := strconv.Atoi(string(m[1]))
		return n
	}
	private := value("Private_Dirty")
	t.Logf("shim: RSS %d kB, PSS %d kB, private and dirty %d kB, anonymous %d kB", value("Rss"), value("Pss"), private, value("Anonymous"))
	if private > 4<<10 {
		t.Errorf("a shim keeps %d kB for itself; the aim is 4 MB an instance", private)
	}
}

func TestOutOfMemoryInAChild(t *testing.T) {
	b := bench(t)
	spec := b.Spec()
	spec.Args = []string{"/bin/busybox", "sh", "-c", "busybox tail /dev/zero; busybox sleep 600"}
	spec.Rootfs.Layers = append(spec.Rootfs.Layers, busybox(t))
	b.Begin(spec)
	begin := time.Now()
	exit := b.Ended(spec.ID)
	if !exit.OOMKilled {
		t.Errorf("it ended as %+v after %v", exit, time.Since(begin))
	}
	all, _ := b.AllLogs(spec.ID, instance.Cursor{})
	if len(all) == 0 || all[len(all)-1].Stream != instance.StreamSystem || !strings.Contains(all[len(all)-1].Line, "out of memory: the limit is 128 MiB") {
		t.Errorf("its log is %+v", all)
	}
}
