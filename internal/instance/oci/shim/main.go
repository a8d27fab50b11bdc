package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci/cgroup"
)

// patience bounds every wait for the kernel to let go of something.
const patience = 10 * time.Second

// Main is the shim's whole life; its result is the exit code of the process. A driver starts it, nobody else: descriptor
// SocketFD must be a socket.
func Main() int {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(20)
	// Signals are caught and dropped, not ignored: an ignored signal would stay ignored in the application.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	socket, err := openSocket()
	if err != nil {
		return 2
	}
	s := &shim{socket: socket, orders: json.NewDecoder(socket), replies: json.NewEncoder(socket)}
	if err := s.run(); err != nil {
		_ = s.replies.Encode(Reply{Error: err.Error()})
		s.takeBack()
		return 1
	}
	return 0
}

func openSocket() (*os.File, error) {
	unix.CloseOnExec(SocketFD)
	if err := unix.SetNonblock(SocketFD, true); err != nil {
		return nil, fmt.Errorf("no driver: %w", err)
	}
	// The container's first process is the grandchild of this one; when the runtime between them has gone it comes here.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	return os.NewFile(SocketFD, "driver"), nil
}

type shim struct {
	socket  *os.File
	orders  *json.Decoder
	replies *json.Encoder

	create Create
	group  cgroup.Group
	output *output
	record Run
	initFD int // pidfd of the container's first process
}

// run follows the driver's orders and then the instance until its end. An error means that the instance never ran.
func (s *shim) run() error {
	var order Order
	if err := s.orders.Decode(&order); err != nil || order.Create == nil {
		return errors.New("the driver gave no order to create")
	}
	s.create = *order.Create
	layout, err := cgroup.Detect()
	if err != nil {
		return err
	}
	s.group = layout.Group(s.create.Cgroup)
	if err := s.createContainer(); err != nil {
		return err
	}
	if err := s.replies.Encode(Reply{PID: s.record.Init.PID}); err != nil {
		return err
	}
	order = Order{}
	if err := s.orders.Decode(&order); err != nil || !order.Start {
		return errors.New("the driver did not start the instance")
	}
	if err := s.startContainer(); err != nil {
		return err
	}
	s.follow()
	return nil
}

// follow waits for the end of the first process and records it.
func (s *shim) follow() {
	_ = s.replies.Encode(Reply{})
	if s.create.Attached {
		go s.endWithDriver()
	} else {
		s.socket.Close()
	}
	go s.watchMemory()
	debug.FreeOSMemory()
	exit := s.waitInit()
	s.output.drain()
	exit.MemoryMiB = s.create.MemoryMiB
	kills := s.group.OOMKills()
	exit.OOMKilled = kills > 0 && exit.Code != 0
	s.takeBack()
	if s.create.Attached {
		_ = s.replies.Encode(Reply{Exit: &exit, OOM: kills})
		return
	}
	_ = writeJSON(filepath.Join(s.create.Dir, ExitFile), exit)
}

// endWithDriver ends an attached command when the driver closes the socket or dies.
func (s *shim) endWithDriver() {
	var order Order
	_ = s.orders.Decode(&order)
	s.killInit()
}

// watchMemory notes in the log when memory runs out. For an instance that is its end: an application that lost one of its
// processes would linger in a state nobody tested.
func (s *shim) watchMemory() {
	events, err := s.group.WatchOOM()
	if err != nil {
		return // told by the exit record alone then
	}
	defer events.Close()
	buf, told := make([]byte, 256), 0
	for {
		if _, err := events.Read(buf); err != nil {
			return
		}
		// Version 1 sends the event just before the kill it counts.
		for range 200 {
			if s.group.OOMKills() > told || !s.group.Exists() {
				break
			}
			<-time.After(5 * time.Millisecond) // the kernel has no event for it
		}
		kills := s.group.OOMKills()
		if kills <= told {
			continue
		}
		told = kills
		s.output.note(fmt.Sprintf("out of memory: the limit is %d MiB; the kernel ended a process", s.create.MemoryMiB))
		if s.create.EndOnOOM {
			s.killInit()
			return
		}
	}
}

// killInit ends the container by its first process; the descriptor names that process even after it was reaped.
func (s *shim) killInit() { _ = unix.PidfdSendSignal(s.initFD, unix.SIGKILL, nil, 0) }

// waitInit reaps until the container's first process has ended; what else is reaped came here because its parent died.
func (s *shim) waitInit() instance.Exit {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return instance.Exit{Code: 255, At: time.Now().UTC(), Reason: "ended in a way the supervisor could not learn"}
		}
		if pid != s.record.Init.PID {
			continue
		}
		exit := instance.Exit{Code: status.ExitStatus(), At: time.Now().UTC()}
		if status.Signaled() {
			exit.Code, exit.Signal = 128+int(status.Signal()), unix.SignalName(status.Signal())
		}
		return exit
	}
}

// takeBack removes what the runtime and the kernel hold for the container. Files and mounts are the driver's; the mounts go with
// this process's namespace.
func (s *shim) takeBack() {
	if s.create.ID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// What cannot be removed now is found by the driver's Sweep.
	_ = s.group.Kill(ctx)
	_ = s.group.Remove(ctx)
	_ = os.RemoveAll(filepath.Join(s.create.RuntimeRoot, s.create.ID))
}
