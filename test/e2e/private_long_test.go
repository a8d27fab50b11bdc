//go:build e2e

package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestPrivateServicesSideBySide: two installations on one machine have VPCs with the same addresses. Taking one of them down harms the other
// in nothing, and what it had inside its VPC is there again after the next start, also when its supervisor was killed.
func TestPrivateServicesSideBySide(t *testing.T) {
	var both [2]*privateStory
	for n := range both {
		h := rig.Own(t, "--start-timeout", startTimeout, "--stop-grace", "5s", "--domain", "apps.test")
		version := fmt.Sprintf("v%d", n+1)
		h.PushApp(t, "app", version, version)
		p := &privateStory{namesHouse: namesHouse{house: house{h}}}
		p.s = h.Create(t, "private", rig.ImageSource("app", version, nil), types.ServiceStatusRunning, rig.Small, inside)
		p.vpc = h.NewVPC(t, "10.50.0.0/16")
		p.ingress = connect(t, p.vpc, "door", p.s)
		both[n] = p
	}
	says := func(n int) {
		t.Helper()
		want := fmt.Sprintf("hello v%d", n+1)
		eventually(t, "the service says "+want, func() bool {
			_, text := both[n].vpc.Curl(t, both[n].page(), "--connect-timeout", "1")
			return strings.HasPrefix(text, want)
		})
	}
	says(0)
	says(1)
	if err := both[0].Down(); err != nil {
		t.Fatal(err)
	}
	says(1)
	if err := both[0].Start(); err != nil {
		t.Fatal(err)
	}
	says(0)

	pid, err := both[0].Supervisor()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	says(0) // edge and control go on
	if err := both[0].Start(); err != nil {
		t.Fatal(err)
	}
	says(0)
}

// TestVPCExecVanishes: a command goes with the program that runs it, and its address is free again.
func TestVPCExecVanishes(t *testing.T) {
	v := theHouse(t).NewVPC(t, "10.51.0.0/16")
	bin, err := rig.Binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, "vpc", "exec", "--data-dir", v.House.Dir, "--subnet", v.Subnets[2], "--", "sleep", "54321")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	interfaces := func() string {
		return v.House.AWSText(t, "to_string(length(NetworkInterfaces))", "ec2", "describe-network-interfaces", "--filters", "Name=vpc-id,Values="+v.ID)
	}
	sleeps := func() bool { return exec.CommandContext(t.Context(), "pgrep", "-fx", "sleep 54321").Run() == nil }
	eventually(t, "the command runs", func() bool { return sleeps() && interfaces() == "3" })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	eventually(t, "the command has ended and its address is free", func() bool { return !sleeps() && interfaces() == "2" })

	start := time.Now()
	cmd = exec.CommandContext(t.Context(), bin, "vpc", "exec", "--data-dir", v.House.Dir, "--subnet", v.Subnets[2], "--", "sleep", "54321")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command runs again", sleeps)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 128+15 {
		t.Errorf("after %v it was asked to end it ended with %d", time.Since(start), cmd.ProcessState.ExitCode())
	}
}
