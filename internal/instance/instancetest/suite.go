package instancetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
)

// patience bounds every wait of the suite.
const patience = 20 * time.Second

// Run holds a driver to the contract of instance.Driver. newDriver opens a driver over a directory; calling it again for the same
// directory after Close is a restart of the control plane. rootfs must hold App at AppPath (see Rootfs).
func Run(t *testing.T, newDriver func(t *testing.T, dir string) instance.Driver, rootfs instance.Rootfs) {
	for name, test := range map[string]func(*testing.T, *Bench){
		"RunsAndDescribes":     testRuns,
		"StartTwiceIsOnce":     testStartTwice,
		"ExitIsKept":           testExit,
		"LogLines":             testLogs,
		"LogsOutliveStop":      testLogsOutliveStop,
		"StopIsGentleFirst":    testStop,
		"UnknownIDs":           testUnknown,
		"SurvivesRestart":      testRestart,
		"SweepKeepsTheNamed":   testSweep,
		"OutOfMemory":          testOutOfMemory,
		"Freeze":               testFreeze,
		"BadSpecLeavesNothing": testBadSpec,
		"EndedContext":         testEndedContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, NewBench(t, newDriver, rootfs)) })
	}
}

// Bench is a driver under test with the helpers tests need.
type Bench struct {
	instance.Driver
	T      *testing.T
	rootfs instance.Rootfs
	open   func() instance.Driver
}

// NewBench opens a driver over a fresh directory. When the test ends, everything in it is stopped.
func NewBench(t *testing.T, newDriver func(t *testing.T, dir string) instance.Driver, rootfs instance.Rootfs) *Bench {
	dir := t.TempDir()
	b := &Bench{T: t, rootfs: rootfs, open: func() instance.Driver { return newDriver(t, dir) }}
	b.Driver = b.open()
	t.Cleanup(func() {
		// t.Context has ended here.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(b.Sweep(ctx, nil), b.Close()); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return b
}

// Restart closes the driver and opens another one over the same directory.
func (b *Bench) Restart() {
	b.T.Helper()
	must(b.T, b.Close())
	b.Driver = b.open()
}

// Spec describes an instance of App.
func (b *Bench) Spec(args ...string) instance.Spec {
	return instance.Spec{
		ID: apprunner.NewID(), ServiceARN: "arn:aws:apprunner:us-east-1:123456789012:service/test", DeploymentID: "d1",
		Rootfs: b.rootfs, Args: append([]string{AppPath}, args...), Env: []string{"PORT=8080", "NAME=world"},
		CPU: 1024, MemoryMiB: 128, DiskMiB: 64, PidsMax: 64,
	}
}

// Begin starts an instance.
func (b *Bench) Begin(spec instance.Spec) instance.Instance {
	b.T.Helper()
	i, err := b.Start(b.T.Context(), spec)
	must(b.T, err)
	return i
}

// Serve starts a server and waits until it answers.
func (b *Bench) Serve() instance.Instance {
	b.T.Helper()
	i := b.Begin(b.Spec("serve", "8080"))
	b.Get(i, "/")
	return i
}

// Get asks the instance's server until it answers with status 200.
func (b *Bench) Get(i instance.Instance, path string) string {
	b.T.Helper()
	var body string
	Eventually(b.T, func() error {
		answer, err := Request(b.T.Context(), i.Address, path)
		body = answer
		return err
	})
	return body
}

// Request asks a server of App once.
func Request(ctx context.Context, addr netip.Addr, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(addr.String(), "8080")+path, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), err
}

// Eventually tries until check succeeds, for a bounded time.
func Eventually(t testing.TB, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still after %v: %v", patience, err)
		}
		<-tick.C
	}
}

// Ended waits for the end of an instance.
func (b *Bench) Ended(id string) instance.Exit {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.T.Context(), patience)
	defer cancel()
	exit, err := b.Wait(ctx, id)
	must(b.T, err)
	return exit
}

// Find returns what List says about an id, nil when it says nothing.
func (b *Bench) Find(id string) *instance.Instance {
	b.T.Helper()
	list, err := b.List(b.T.Context())
	must(b.T, err)
	for _, i := range list {
		if i.ID == id {
			return &i
		}
	}
	return nil
}

// AllLogs reads a log from a place to its end.
func (b *Bench) AllLogs(id string, from instance.Cursor) ([]instance.LogRecord, instance.Cursor) {
	b.T.Helper()
	var all []instance.LogRecord
	for {
		records, next, err := b.Logs(b.T.Context(), id, from)
		must(b.T, err)
		if len(records) == 0 {
			return all, from
		}
		all, from = append(all, records...), next
	}
}

// HasLine waits until the log holds a line.
func (b *Bench) HasLine(id, line string) {
	b.T.Helper()
	Eventually(b.T, func() error {
		all, _ := b.AllLogs(id, instance.Cursor{})
		if slices.ContainsFunc(all, func(r instance.LogRecord) bool { return r.Line == line }) {
			return nil
		}
		return fmt.Errorf("no line %q in %v", line, all)
	})
}

func testRuns(t *testing.T, b *Bench) {
	// checklist: 57
	spec := b.Spec("serve", "8080")
	i := b.Begin(spec)
	if i.State != instance.Running || i.ID != spec.ID || i.StartedAt.IsZero() || !i.Address.IsValid() {
		t.Errorf("Start returned %+v", i)
	}
	if got := b.Get(i, "/env?name=PORT"); got != "8080" {
		t.Errorf("PORT is %q", got)
	}
	if got := b.Get(i, "/env?name=NAME"); got != "world" {
		t.Errorf("NAME is %q", got)
	}
	found := b.Find(spec.ID)
	if found == nil || found.State != instance.Running || found.ServiceARN != spec.ServiceARN || found.DeploymentID != "d1" || found.Address != i.Address {
		t.Errorf("List says %+v", found)
	}
	sockets, err := b.Listening(t.Context(), spec.ID)
	must(t, err)
	if !slices.ContainsFunc(sockets, func(a netip.AddrPort) bool { return a.Port() == 8080 }) {
		t.Errorf("Listening says %v", sockets)
	}
	stats, err := b.Stats(t.Context(), spec.ID)
	must(t, err)
	if stats.MemoryBytes == 0 || stats.Pids < 1 || stats.MemoryLimit != 128<<20 {
		t.Errorf("Stats says %+v", stats)
	}
	second := b.Serve()
	if second.Address == i.Address {
		t.Error("two instances share an address")
	}
}

func testStartTwice(t *testing.T, b *Bench) {
	spec := b.Spec("serve", "8080")
	var group sync.WaitGroup
	pids := make([]int, 4)
	for n := range pids {
		group.Go(func() {
			i, err := b.Start(t.Context(), spec)
			if err != nil {
				t.Error(err)
			}
			pids[n] = i.PID
		})
	}
	group.Wait()
	if len(slices.Compact(pids)) != 1 {
		t.Errorf("one id ran as %v", pids)
	}
}

func testExit(t *testing.T, b *Bench) {
	spec := b.Spec("exit", "7")
	b.Begin(spec)
	exit := b.Ended(spec.ID)
	if exit.Code != 7 || exit.Signal != "" || exit.OOMKilled || exit.At.IsZero() {
		t.Errorf("Wait says %+v", exit)
	}
	if i := b.Find(spec.ID); i == nil || i.State != instance.Exited || i.Exit == nil || i.Exit.Code != 7 {
		t.Errorf("List says %+v", i)
	}
	if i := b.Begin(spec); i.State != instance.Exited {
		t.Errorf("a second Start says %+v", i)
	}
	if _, err := b.Stats(t.Context(), spec.ID); err == nil {
		t.Error("Stats of an exited instance succeeded")
	}
	must(t, b.Stop(t.Context(), spec.ID, 0))
	if b.Find(spec.ID) != nil {
		t.Error("List knows a stopped instance")
	}
}

func testLogs(t *testing.T, b *Bench) {
	third := strings.Repeat("x", instance.MaxLogLineBytes/3+10) // an argument may have 128 KiB
	long := third + third + third
	spec := b.Spec("print", "stdout", "one\ntwo\r\n\n", "stdout", third, "stdout", third, "stdout", third+"\n", "stderr", "fault\n", "stdout", "no end")
	b.Begin(spec)
	b.Ended(spec.ID)
	all, end := b.AllLogs(spec.ID, instance.Cursor{})
	var out, fault []string
	for _, r := range all {
		if r.Time.IsZero() {
			t.Errorf("record without time: %.60q", r.Line)
		}
		if r.Stream == instance.StreamStderr {
			fault = append(fault, r.Line)
		} else {
			out = append(out, r.Line)
		}
	}
	if want := []string{"one", "two", "", long[:instance.MaxLogLineBytes], long[instance.MaxLogLineBytes:], "no end"}; !slices.Equal(out, want) {
		t.Errorf("stdout is %.200q", out)
	}
	if !slices.Equal(fault, []string{"fault"}) {
		t.Errorf("stderr is %q", fault)
	}
	again, err := instance.ParseCursor(end.String())
	must(t, err)
	if records, _, err := b.Logs(t.Context(), spec.ID, again); err != nil || len(records) > 0 {
		t.Errorf("after the end: %v, %v", records, err)
	}
}

func testLogsOutliveStop(t *testing.T, b *Bench) {
	i := b.Serve()
	b.Get(i, "/log?text=last+words")
	must(t, b.Stop(t.Context(), i.ID, patience))
	b.Restart()
	unread, err := b.Unread(t.Context())
	must(t, err)
	if len(unread) != 1 || unread[0].ID != i.ID || unread[0].ServiceARN != i.ServiceARN {
		t.Fatalf("Unread says %+v", unread)
	}
	b.HasLine(i.ID, "last words")
	_, end := b.AllLogs(i.ID, instance.Cursor{})
	must(t, b.TrimLogs(t.Context(), i.ID, end))
	if _, _, err := b.Logs(t.Context(), i.ID, end); !errors.Is(err, instance.ErrUnknown) {
		t.Errorf("after trimming to the end: %v", err)
	}
	if unread, err = b.Unread(t.Context()); err != nil || len(unread) > 0 {
		t.Errorf("Unread says %+v, %v", unread, err)
	}
}

func testStop(t *testing.T, b *Bench) {
	gentle := b.Serve()
	exits := make(chan instance.Exit, 1)
	go func() {
		exit, _ := b.Wait(t.Context(), gentle.ID)
		exits <- exit
	}()
	begin := time.Now()
	must(t, b.Stop(t.Context(), gentle.ID, patience))
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("an instance that ends at SIGTERM took %v", took)
	}
	if exit := <-exits; exit.Code != 0 {
		t.Errorf("it ended as %+v", exit)
	}
	b.HasLine(gentle.ID, "told to stop")

	stubborn := b.Begin(b.Spec("stubborn", "8080"))
	b.Get(stubborn, "/")
	go func() {
		exit, _ := b.Wait(t.Context(), stubborn.ID)
		exits <- exit
	}()
	begin = time.Now()
	must(t, b.Stop(t.Context(), stubborn.ID, 300*time.Millisecond))
	if took := time.Since(begin); took < 300*time.Millisecond || took > 10*time.Second {
		t.Errorf("an instance that ignores SIGTERM took %v", took)
	}
	if exit := <-exits; exit.Signal != "SIGKILL" || exit.Code != 137 || exit.OOMKilled {
		t.Errorf("it ended as %+v", exit)
	}
	must(t, b.Stop(t.Context(), stubborn.ID, 0))
}

func testUnknown(t *testing.T, b *Bench) {
	id := apprunner.NewID()
	must(t, b.Stop(t.Context(), id, 0))
	must(t, b.TrimLogs(t.Context(), id, instance.Cursor{}))
	_, waitErr := b.Wait(t.Context(), id)
	_, _, logErr := b.Logs(t.Context(), id, instance.Cursor{})
	_, statsErr := b.Stats(t.Context(), id)
	for _, err := range []error{waitErr, logErr, statsErr, b.Freeze(t.Context(), id)} {
		if !errors.Is(err, instance.ErrUnknown) {
			t.Errorf("got %v", err)
		}
	}
}

func testRestart(t *testing.T, b *Bench) {
	stays, ends := b.Serve(), b.Serve()
	must(t, b.Close())
	// No driver is there; the instances do not notice.
	ask := func(i instance.Instance, path string) {
		if _, err := Request(t.Context(), i.Address, path); err != nil {
			t.Error(err)
		}
	}
	ask(stays, "/log?text=meanwhile")
	ask(ends, "/log?text=the+end")
	ask(ends, "/exit?code=9")
	b.Driver = b.open()
	if i := b.Find(stays.ID); i == nil || i.State != instance.Running || i.PID != stays.PID || !i.StartedAt.Equal(stays.StartedAt) {
		t.Errorf("after a restart List says %+v, before %+v", i, stays)
	}
	b.HasLine(stays.ID, "meanwhile")
	if exit := b.Ended(ends.ID); exit.Code != 9 {
		t.Errorf("the exit meanwhile is %+v", exit)
	}
	b.HasLine(ends.ID, "the end")
	must(t, b.Stop(t.Context(), stays.ID, patience))
	if i := b.Serve(); i.Address == ends.Address {
		t.Error("an address was given twice")
	}
}

func testSweep(t *testing.T, b *Bench) {
	keep, gone := b.Serve(), b.Serve()
	must(t, b.Sweep(t.Context(), []string{keep.ID}))
	if b.Find(keep.ID) == nil || b.Find(gone.ID) != nil {
		t.Errorf("kept %v, swept %v", b.Find(keep.ID), b.Find(gone.ID))
	}
	b.Get(keep, "/")
	begin := time.Now()
	if _, err := Request(t.Context(), gone.Address, "/"); err == nil || time.Since(begin) > time.Second {
		t.Errorf("a swept instance: %v after %v", err, time.Since(begin))
	}
}

func testOutOfMemory(t *testing.T, b *Bench) {
	i := b.Serve()
	_, _ = Request(t.Context(), i.Address, "/eat?mib=400")
	exit := b.Ended(i.ID)
	if !exit.OOMKilled || exit.MemoryMiB != 128 || exit.Code != 137 {
		t.Errorf("it ended as %+v", exit)
	}
	if !strings.Contains(exit.String(), "128 MiB") {
		t.Errorf("users read %q", exit)
	}
}

func testFreeze(t *testing.T, b *Bench) {
	i := b.Serve()
	for range 2 {
		must(t, b.Freeze(t.Context(), i.ID))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := Request(ctx, i.Address, "/"); err == nil {
		t.Error("a frozen instance answers")
	}
	begin := time.Now()
	for range 2 {
		must(t, b.Thaw(t.Context(), i.ID))
	}
	b.Get(i, "/")
	t.Logf("first answer %v after thawing", time.Since(begin))
	must(t, b.Freeze(t.Context(), i.ID))
	begin = time.Now()
	must(t, b.Stop(t.Context(), i.ID, patience))
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("stopping a frozen instance took %v", took)
	}
	b.HasLine(i.ID, "told to stop")
}

func testBadSpec(t *testing.T, b *Bench) {
	for name, change := range map[string]func(*instance.Spec){
		"no id":           func(s *instance.Spec) { s.ID = "" },
		"no command":      func(s *instance.Spec) { s.Args = nil },
		"unknown program": func(s *instance.Spec) { s.Args = []string{"/no/such/program"} },
		"unknown user":    func(s *instance.Spec) { s.User = "nobody-here" },
		"no memory":       func(s *instance.Spec) { s.MemoryMiB = 0 },
	} {
		spec := b.Spec("serve", "8080")
		change(&spec)
		_, err := b.Start(t.Context(), spec)
		var fault *apprunner.Error
		if !errors.As(err, &fault) || fault.Code != apprunner.CodeInvalidRequest {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, err)
	}
	if list, err := b.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

func testEndedContext(t *testing.T, b *Bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Start(ctx, b.Spec("serve", "8080")); err == nil {
		t.Error("Start succeeded")
	}
	if list, err := b.List(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
	i := b.Serve()
	if _, err := b.Wait(ctx, i.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	must(t, b.Stop(ctx, i.ID, time.Hour)) // at once, since the caller cannot wait
	if b.Find(i.ID) != nil {
		t.Error("still there")
	}
}
