package cgroup

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// WatchOOM returns a file from which a read returns each time the group ran out of memory (and, on version 2, whenever another of
// its memory events happens: compare OOMKills). Version 1 tells through an eventfd on memory.oom_control, version 2 by a
// changed memory.events. The caller closes the file; it waits in the runtime's poller, not in a thread.
func (g Group) WatchOOM() (*os.File, error) {
	if g.layout.V2() {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if err != nil {
			return nil, fmt.Errorf("watch memory events: %w", err)
		}
		if _, err := unix.InotifyAddWatch(fd, g.file("", "", "memory.events"), unix.IN_MODIFY); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("watch memory events: %w", err)
		}
		return os.NewFile(uintptr(fd), "memory.events"), nil
	}
	control, err := os.Open(g.file("memory", "memory.oom_control", ""))
	if err != nil {
		return nil, fmt.Errorf("watch memory events: %w", err)
	}
	defer control.Close()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch memory events: %w", err)
	}
	order := fmt.Sprintf("%d %d", fd, control.Fd())
	if err := os.WriteFile(filepath.Join(filepath.Dir(control.Name()), "cgroup.event_control"), []byte(order), 0); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("watch memory events: %w", err)
	}
	return os.NewFile(uintptr(fd), "memory.oom_control"), nil
}
