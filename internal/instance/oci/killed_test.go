package oci_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/instancetest"
	"slipway.dev/slipway/internal/instance/oci"
)

// child is what a child process of these tests is told.
type child struct {
	Dir  string
	Step string // where it kills itself; empty is nowhere
	Spec instance.Spec
	Stop bool // stop the instance after starting it, again and again
}

// childMain opens a driver, starts an instance and dies.
func childMain(args []string) int {
	var c child
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return 2
	}
	config := oci.AtStep(oci.Config{Dir: c.Dir, Installation: c.Dir}, func(step string) {
		if step == c.Step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	})
	ctx := context.Background()
	d, err := oci.New(ctx, config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for n := 0; ; n++ {
		c.Spec.ID = fmt.Sprintf("%032x", n+1)
		if _, err = d.Start(ctx, c.Spec); err == nil && c.Stop {
			err = d.Stop(ctx, c.Spec.ID, time.Second)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if !c.Stop {
			return 0
		}
	}
}

func (c child) command(t *testing.T) *exec.Cmd {
	t.Helper()
	order, err := json.Marshal(c)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "child", string(order))
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Whatever a driver was doing when it was killed, the next one finds the instance running or removes every trace of it.
func TestKilledAtEachStep(t *testing.T) {
	for _, step := range []string{"recorded", "housed", "introduced", "created", "connected", "started", "signalled", "ended"} {
		t.Run(step, func(t *testing.T) {
			c := config(t, t.TempDir())
			needRoot(t)
			b := &instancetest.Bench{T: t}
			spec := b.Spec("serve", "8080")
			spec.Rootfs, spec.Egress = rootfs(t), instance.EgressBuild
			err := child{Dir: c.Dir, Step: step, Spec: spec, Stop: step == "signalled" || step == "ended"}.command(t).Run()
			if err == nil || err.Error() != "signal: killed" {
				t.Fatalf("the child ended with %v", err)
			}
			d := open(t, c)
			list, err := d.List(t.Context())
			must(t, err)
			ran := step == "started" || step == "signalled" || step == "ended"
			if len(list) != 0 && !ran || len(list) != 1 && ran {
				t.Errorf("the next driver finds %+v", list)
			}
			if !ran {
				noTraces(t, c.Installation, c.Dir, false)
			}
			b.Driver = d
			if step == "started" && b.Get(list[0], "/") != "hello" {
				t.Error("the instance does not answer")
			}
			sweepAll(t, d)
			noTraces(t, c.Installation, c.Dir, false)
		})
	}
}

// The address of a stopped instance whose log is unread belongs to the next one; a new driver that takes both up leaves it alone.
func TestAddressOfAStoppedInstanceIsTakenAgain(t *testing.T) {
	b := bench(t)
	old := b.Serve()
	b.HasLine(old.ID, "listening on 8080")
	must(t, b.Stop(t.Context(), old.ID, time.Second))
	b.Restart() // a new driver begins to give addresses from the first one again
	young := b.Serve()
	if unread, err := b.Unread(t.Context()); err != nil || len(unread) != 1 || young.Address != old.Address {
		t.Fatalf("addresses %v and %v, %d unread, %v: this is no test", old.Address, young.Address, len(unread), err)
	}
	b.Restart()
	if got := b.Get(young, "/"); got != "hello" {
		t.Errorf("the instance answers %q", got)
	}
}

// sweepAll stops everything and reads what logs are left.
func sweepAll(t *testing.T, d *oci.Driver) {
	t.Helper()
	must(t, d.Sweep(t.Context(), nil))
	b := &instancetest.Bench{T: t, Driver: d}
	unread, err := d.Unread(t.Context())
	must(t, err)
	for _, i := range unread {
		_, end := b.AllLogs(i.ID, instance.Cursor{})
		must(t, d.TrimLogs(t.Context(), i.ID, end))
	}
}

func TestKilledAtRandom(t *testing.T) {
	c := config(t, t.TempDir())
	needRoot(t)
	spec := (&instancetest.Bench{T: t}).Spec("serve", "8080")
	spec.Rootfs = rootfs(t)
	for range 12 {
		cmd := child{Dir: c.Dir, Spec: spec, Stop: true}.command(t)
		must(t, cmd.Start())
		<-time.After(time.Duration(50+rand.IntN(400)) * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	d := open(t, c)
	sweepAll(t, d)
	noTraces(t, c.Installation, c.Dir, false)
}

func TestShimKilled(t *testing.T) {
	b := bench(t)
	i := b.Serve()
	must(t, syscall.Kill(b.Driver.(*oci.Driver).ShimPID(i.ID), syscall.SIGKILL))
	exit := b.Ended(i.ID)
	if exit.Reason == "" || exit.OOMKilled {
		t.Errorf("it ended as %+v", exit)
	}
	if _, err := instancetest.Request(t.Context(), i.Address, "/"); err == nil {
		t.Error("its processes run on")
	}
}

func TestTwoInstallationsSideBySide(t *testing.T) {
	needRoot(t)
	one, two := config(t, t.TempDir()), config(t, t.TempDir())
	first, second := open(t, one), open(t, two)
	if first.Subnet() == second.Subnet() {
		t.Fatalf("both have %s", first.Subnet())
	}
	a := instancetest.Bench{T: t, Driver: first}
	b := instancetest.Bench{T: t, Driver: second}
	spec := func(b instancetest.Bench) instance.Spec {
		s := b.Spec("serve", "8080")
		s.Rootfs, s.Egress = rootfs(t), instance.EgressBuild
		return s
	}
	i, j := a.Begin(spec(a)), b.Begin(spec(b))
	a.Get(i, "/")
	b.Get(j, "/")
	if got := a.Get(i, "/dial?addr="+j.Address.String()+":8080"); got == "connected" {
		t.Error("an instance reaches one of another installation")
	}
	must(t, first.Destroy(t.Context()))
	if found := traces(one.Installation, one.Dir, true); len(found) > 1 { // the unread log stays
		t.Errorf("left behind: %v", found)
	}
	b.Get(j, "/")
	must(t, second.Close())
	again := open(t, two)
	defer again.Close()
	if again.Subnet() != second.Subnet() {
		t.Errorf("the subnet was %s and is %s", second.Subnet(), again.Subnet())
	}
}

func TestDestroyLeavesNothing(t *testing.T) {
	c := config(t, t.TempDir())
	d := open(t, c)
	b := instancetest.Bench{T: t, Driver: d}
	spec := b.Spec("serve", "8080")
	spec.Rootfs, spec.Egress = rootfs(t), instance.EgressBuild
	b.Get(b.Begin(spec), "/")
	_, err := d.OpenWorkspace(t.Context(), instance.WorkspaceSpec{ID: spec.ID[:31] + "x", Rootfs: spec.Rootfs, CPU: 512, MemoryMiB: 64})
	if err == nil {
		t.Error("a workspace with a bad id was opened")
	}
	_, err = d.OpenWorkspace(t.Context(), workspaceSpec(t))
	must(t, err)
	sweepAll(t, d)
	must(t, d.Destroy(t.Context()))
	noTraces(t, c.Installation, c.Dir, true)
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	must(t, err)
	for _, r := range routes {
		t.Errorf("left behind: %v", r)
	}
}
