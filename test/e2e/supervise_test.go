package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestKilledInstanceIsReplaced: an instance whose first process is killed is replaced at once; its end and the reason are told. The
// same goes for one whose shim is killed, though nobody could see how it ended.
//
// checklist: 106, 150
func TestKilledInstanceIsReplaced(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	for name, c := range map[string]struct {
		find func(id string) (int, error)
		says string
	}{
		"application": {h.Init, " was ended by signal SIGKILL (exit code 137). It is replaced."},
		"shim":        {h.Shim, " was ended because the process that supervised it died unexpectedly. It is replaced."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := h.Create(t, "killed-"+name, rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
			replaced(t, s, c.find, c.says)
		})
	}
}

func replaced(t *testing.T, s rig.Service, find func(id string) (int, error), says string) {
	t.Helper()
	victim := s.Instances(t, "active")[0]
	pid, err := find(victim)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	var now []string
	for range 100 {
		if now = s.Instances(t, "active"); len(now) == 1 && now[0] != victim {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if len(now) != 1 || now[0] == victim {
		t.Fatalf("after the end of %s there are %v", victim, now)
	}
	watched{s}.becomes(t, "hello v1")
	t.Logf("it answers again %s after the kill", time.Since(start).Round(time.Millisecond))
	if events := s.Events(); !strings.Contains(events, victim+says) {
		t.Errorf("events:\n%s", events)
	}
	for range 50 {
		if streams, err := s.Streams("application"); err == nil && len(streams) == 2 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if streams, err := s.Streams("application"); err != nil || !slices.Contains(streams, "instance/"+victim) || !slices.Contains(streams, "instance/"+now[0]) {
		t.Errorf("application streams %v, %v; want one for each of the two instances", streams, err)
	}
	s.House.NoOrphans(t)
	if ops := s.Operations(t); len(ops) != 1 {
		t.Errorf("operations %v", ops)
	}
}

// TestCrashLoopBacksOff: an application that keeps ending is started again with growing pauses, and the service stays RUNNING.
func TestCrashLoopBacksOff(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "crash-loop", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	for deadline := time.Now().Add(8 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_, _, _ = s.Get("/exit?code=4") // an answer, a broken connection or none: all there is between two lives
	}
	// The pauses are 0, 0.5, 1, 2 and 4 s: that is the first end and four more, or five if the clock is kind.
	if n := strings.Count(s.Events(), "exited with code 4"); n < 3 || n > 6 {
		t.Errorf("in 8 s the application ended %d times:\n%s", n, s.Events())
	}
	if s, err := h.Describe(s.ARN()); err != nil || s.Status != types.ServiceStatusRunning {
		t.Errorf("the service is %s, %v", s.Status, err)
	}
	watched{s}.becomes(t, "hello v1")
}

// TestControlRestart: the control plane is killed while an application serves and prints numbered lines. Nobody outside notices, no
// line is lost, and the work goes on afterwards.
//
// It has an installation of its own: other tests are not to be disturbed.
func TestControlRestart(t *testing.T) {
	t.Parallel()
	h := house{rig.Own(t, "--stop-grace", "5s", "--start-timeout", "60s")}
	h.PushApp(t, "app", "v1", "v1")
	s := h.Create(t, "restart", rig.ImageSource("app", "v1", map[string]string{"COUNT_EVERY": "5ms"}), types.ServiceStatusRunning, rig.Small)
	before := s.Instances(t, "active")
	load := s.Load(rig.Pressure{Path: "/", Rate: 50})
	for range 3 {
		pid, err := h.PID("control")
		if err != nil {
			t.Fatal(err)
		}
		h.Kill(t, "control")
		h.Reborn(t, "control", pid)
		time.Sleep(700 * time.Millisecond)
	}
	if now := s.Instances(t, "active"); !slices.Equal(now, before) {
		t.Errorf("instances %v became %v", before, now)
	}
	// A deployment that the kill interrupts is carried on.
	if _, err := h.AWS("apprunner", "start-deployment", "--service-arn", s.ARN()); err != nil {
		t.Fatal(err)
	}
	h.Kill(t, "control")
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	if ops := s.Operations(t); ops[0] != "START_DEPLOYMENT SUCCEEDED" {
		t.Errorf("operations %v; logs:\n%s", ops, s.Story())
	}
	load.Stop().Unharmed(t)
	h.NoOrphans(t)
	s.Pause(t)
	all := wholeLogs(t, s, 2)
	for stream, lines := range all {
		inOrder(t, stream, lines)
	}
}

// wholeLogs are the logs of all instances, n of them, which must have ended and told how far they had counted. Delivery takes up to 5 s
// (§21).
func wholeLogs(t *testing.T, s rig.Service, n int) map[string][]string {
	t.Helper()
	var all map[string][]string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var err error
		if all, err = s.Application(); err != nil {
			t.Fatal(err)
		}
		whole := 0
		for _, lines := range all {
			if len(lines) > 0 && strings.HasPrefix(lines[len(lines)-1], "counted ") {
				whole++
			}
		}
		if whole == n && len(all) == n {
			return all
		}
	}
	t.Fatalf("%d instances have a log; want %d that end with how far they counted:\n%v", len(all), n, all)
	return nil
}

// inOrder checks that counted lines are all there. Those stored just before a kill may be stored again, all in a row.
func inOrder(t *testing.T, stream string, lines []string) {
	t.Helper()
	next, again := 1, 0
	last := lines[len(lines)-1]
	for _, l := range lines {
		text, ok := strings.CutPrefix(l, "count ")
		if !ok {
			continue
		}
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || n > next:
			t.Errorf("%s: %q follows count %d", stream, l, next-1)
			return
		case n < next:
			again++
		}
		next = max(next, n+1)
	}
	if want := fmt.Sprint("counted ", next-1); last != want {
		t.Errorf("%s: %d lines are stored, and the application says %q", stream, next-1, last)
	}
	if again > 4*300/5 { // one batch is what is printed in 300 ms; there were four kills
		t.Errorf("%s: %d lines counted, %d of them twice", stream, next-1, again)
	}
	t.Logf("%s: %d lines counted, %d of them twice", stream, next-1, again)
}
