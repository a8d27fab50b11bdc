package oci_test

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/instancetest"
	"slipway.dev/slipway/internal/instance/oci"
)

// inNamespace marks the process that runs the tests in a network namespace of their own.
const inNamespace = "SLIPWAY_TEST_NAMESPACE"

// TestMain runs the tests in their own network namespace, and is the shim when a driver starts this binary as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "shim":
			os.Exit(oci.ShimMain(os.Args[2:]))
		case "child":
			os.Exit(childMain(os.Args[2:]))
		}
	}
	if os.Getenv(inNamespace) == "" && os.Geteuid() == 0 {
		os.Exit(runInNamespace())
	}
	if os.Geteuid() == 0 {
		if lo, err := netlink.LinkByName("lo"); err == nil {
			_ = netlink.LinkSetUp(lo)
		}
	}
	code := m.Run()
	_ = os.RemoveAll(sharedRootfs.dir)
	os.Exit(code)
}

// sharedRootfs is made once: building the application takes a second.
var sharedRootfs struct {
	once   sync.Once
	dir    string
	rootfs instance.Rootfs
}

func rootfs(t *testing.T) instance.Rootfs {
	t.Helper()
	sharedRootfs.once.Do(func() {
		dir, err := os.MkdirTemp("", "slipway-rootfs-")
		if err != nil {
			t.Fatal(err)
		}
		sharedRootfs.dir, sharedRootfs.rootfs = dir, instancetest.Rootfs(t, dir)
	})
	return sharedRootfs.rootfs
}

func runInNamespace() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		if exit := (*exec.ExitError)(nil); !asExit(err, &exit) {
			fmt.Fprintln(os.Stderr, err)
		}
		return 1
	}
	return 0
}

func asExit(err error, target **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*target = e
	return ok
}
