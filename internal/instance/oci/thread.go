package oci

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// leaveMounts gives the calling thread a mount namespace of its own. What the host mounts or unmounts later still arrives here,
// so that no file system of the host is kept busy; nothing goes the other way.
func leaveMounts() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("separate the mount namespace: %w", err)
	}
	return nil
}

// enterMounts moves the calling thread into a mount namespace.
func enterMounts(ns *os.File) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("enter mount namespace: %w", err)
	}
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter mount namespace: %w", err)
	}
	return nil
}

// currentMounts keeps the calling thread's mount namespace alive by a descriptor.
func currentMounts() (*os.File, error) {
	f, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return nil, fmt.Errorf("hold the mount namespace: %w", err)
	}
	return f, nil
}
