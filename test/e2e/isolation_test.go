package e2e

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestIsolation: an instance reaches no other instance, nothing of this machine and no metadata service, is nobody on the machine,
// and holds no rights.
func TestIsolation(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "prisoner", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
	neighbour := h.Create(t, "neighbour", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)

	for what, address := range map[string]string{
		"another service's instance": h.address(t, neighbour), "the API": h.API(), "the front door": h.Env["SLIPWAY_HTTPS"],
		"the metadata service": "169.254.169.254:80", "a private network": "10.0.0.1:80",
	} {
		if body := s.Says(t, "/dial?address="+address, ""); strings.Contains(body, "connected") {
			t.Errorf("an instance reaches %s at %s", what, address)
		}
	}
	_, port, _ := net.SplitHostPort(h.API())
	for _, own := range ownAddresses(t) {
		if body := s.Says(t, "/dial?address="+net.JoinHostPort(own, port), ""); strings.Contains(body, "connected") {
			t.Errorf("an instance reaches the API at %s", own)
		}
	}

	pid, err := h.Init(s.Instances(t, "active")[0])
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`CapEff:\s0+\n`, `CapPrm:\s0+\n`, `CapBnd:\s0+\n`, `NoNewPrivs:\s1\n`, `Seccomp:\s2\n`} {
		if !regexp.MustCompile(want).Match(status) {
			t.Errorf("the instance's process does not show %s:\n%s", want, status)
		}
	}
	uid := regexp.MustCompile(`Uid:\s(\d+)`).FindSubmatch(status)
	if n, err := strconv.Atoi(string(uid[1])); err != nil || n < 65536 {
		t.Errorf("the instance runs as user %s of this machine", uid[1])
	}
	// Inside, everything belongs to the process and nothing of the machine shows.
	inside := s.Says(t, "/file?path=/proc/self/status", "Name:")
	if !regexp.MustCompile(`(?m)^Pid:\s1$`).MatchString(inside) || !regexp.MustCompile(`(?m)^Uid:\s0\s`).MatchString(inside) {
		t.Errorf("inside the instance:\n%s", inside)
	}
	for _, path := range []string{"/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/proc/sys/kernel/core_pattern"} {
		if err := put(t, s, path); err == nil {
			t.Errorf("an instance may write %s", path)
		}
	}
	if status, body, _ := s.Get("/file?path=" + h.Dir + "/credentials.env"); status == 200 {
		t.Errorf("an instance reads the credentials: %s", body)
	}
}

// address is where the instance of a service answers.
func (h house) address(t *testing.T, s rig.Service) string {
	t.Helper()
	at, err := h.Address(s.Instances(t, "active")[0])
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func ownAddresses(t *testing.T) (list []string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.To4() != nil && !ip.IsLoopback() {
			list = append(list, ip.String())
		}
	}
	return list
}

// TestLimits: memory, CPU and disk of an instance are held to what the service asked for.
//
// checklist: 55, 106
func TestLimits(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	s := h.Create(t, "limited", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) {
		in.HealthCheckConfiguration = &types.HealthCheckConfiguration{Protocol: types.HealthCheckProtocolTcp}
	})
	// A quarter of a processor, whatever the number of threads: 2 s bring 0.5 s. The quota is given out every 100 ms.
	body := s.Says(t, "/burn?ms=2000&threads=4", "")
	if ms, err := strconv.Atoi(strings.TrimSpace(body)); err != nil || ms > 700 || ms < 100 {
		t.Errorf("a busy loop of 2 s got %s ms of a quarter processor", body)
	}
	before := s.Instances(t, "active")[0]
	if _, _, err := s.Get("/eat?mib=900"); err != nil {
		t.Error(err)
	}
	watched{s}.becomes(t, "hello v1")
	for range 50 {
		if strings.Contains(s.Events(), before) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if events := s.Events(); !strings.Contains(events, before+" ran out of memory: it needed more than its limit of 512 MiB") {
		t.Errorf("the events log does not say what became of instance %s:\n%s", before, events)
	}
	if now := s.Instances(t, "active"); len(now) != 1 || now[0] == before {
		t.Errorf("instance %s was not replaced: %v", before, now)
	}
}

func put(t *testing.T, s rig.Service, path string) error {
	t.Helper()
	status, body, err := request(t, s, "PUT", "/file?path="+path, "x")
	if err == nil && status != 200 {
		err = fmt.Errorf("%d %s", status, body)
	}
	return err
}
