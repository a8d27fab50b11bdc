package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance/oci/shim"
)

// keeper is the driver's end of a shim that it is giving orders to.
type keeper struct {
	process *os.Process
	socket  *os.File
	replies *json.Decoder
	ended   chan struct{} // closed when the process is gone and reaped
}

// startKeeper starts a shim in the mount namespace of the calling thread. It gets no orders yet. output is for attached shims.
func startKeeper(command []string, id string, output *os.File) (*keeper, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start shim: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "shim")
	defer theirs.Close()
	if err := unix.SetNonblock(pair[0], true); err != nil {
		unix.Close(pair[0])
		return nil, fmt.Errorf("start shim: %w", err)
	}
	cmd := exec.Command(command[0], append(command[1:len(command):len(command)], id)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GOMAXPROCS=1", "GOGC=20", "GOTRACEBACK=none"}
	cmd.ExtraFiles = []*os.File{theirs}
	if output != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, output)
	}
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true} // signals to the control plane's terminal or group are not for it
	k := &keeper{socket: os.NewFile(uintptr(pair[0]), "shim"), ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		k.socket.Close()
		return nil, fmt.Errorf("start shim: %w", err)
	}
	k.process, k.replies = cmd.Process, json.NewDecoder(k.socket)
	ended, err := watchPID(cmd.Process.Pid)
	go func() {
		if err == nil {
			<-ended // waiting for the process itself would keep a thread
		}
		_ = cmd.Wait() // how it ended stands in its files
		close(k.ended)
	}()
	return k, nil
}

// order gives an order and waits for the reply.
func (k *keeper) order(ctx context.Context, o shim.Order) (shim.Reply, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return shim.Reply{}, err
	}
	if _, err := k.socket.Write(b); err != nil {
		return shim.Reply{}, fmt.Errorf("the shim does not listen: %w", err)
	}
	return k.reply(ctx)
}

// reply waits for a reply until ctx ends.
func (k *keeper) reply(ctx context.Context) (shim.Reply, error) {
	stop := context.AfterFunc(ctx, func() { _ = k.socket.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var r shim.Reply
	err := k.replies.Decode(&r)
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET):
		return r, errors.New("the shim ended unexpectedly")
	case err != nil:
		return r, fmt.Errorf("the shim's reply: %w", err)
	case r.Error != "":
		return r, runtimeFault(r.Error)
	}
	return r, nil
}

// release lets a shim that has been told to start live on by itself.
func (k *keeper) release() { k.socket.Close() }

// dismiss makes a shim take everything back and waits until it is gone.
func (k *keeper) dismiss() {
	k.socket.Close()
	select {
	case <-k.ended:
	case <-time.After(15 * time.Second):
		_ = k.process.Kill() // what it left is removed by whoever dismissed it
		<-k.ended
	}
}

// watchProcess returns a channel that is closed when the very process has ended.
func watchProcess(p shim.Process) (<-chan struct{}, error) {
	ended, err := watchPID(p.PID)
	if err == nil && !p.Alive() { // looked at after opening, or the id could have a new owner meanwhile
		return nil, fmt.Errorf("watch process %d: %w", p.PID, os.ErrProcessDone)
	}
	return ended, err
}

// watchPID returns a channel that is closed when the process has ended. The runtime's poller waits, so a thousand instances are
// not a thousand threads.
func watchPID(pid int) (<-chan struct{}, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer f.Close()
		_ = raw.Read(func(uintptr) bool {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, _ := unix.Poll(poll, 0)
			return n > 0
		})
	}()
	return ended, nil
}
