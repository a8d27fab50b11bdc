package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
)

// Command is a program to run at a [Place].
type Command struct {
	Args           []string // the program and its arguments; not empty
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run runs a command at a place until it ends: in a network namespace of its own with one interface, and with the VPC's resolver in
// place of the machine's. It returns the command's exit code, 128 and the signal's number for one that a signal ended. When ctx
// ends the command is asked to end too.
func (p Place) Run(ctx context.Context, c Command) (code int, err error) {
	resolv, err := p.resolverFile()
	if err != nil {
		return 0, err
	}
	defer os.Remove(resolv)
	// The thread stays until the command has ended: the command would be killed with it (Pdeathsig).
	err = hostnet.OnOwnThread(func() error {
		if err := p.enter(resolv); err != nil {
			return err
		}
		code, err = run(ctx, c)
		return err
	})
	return code, err
}

// enter moves the calling thread to the place.
func (p Place) enter(resolv string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		if errors.Is(err, unix.EPERM) {
			return errors.New("entering a VPC takes root")
		}
		return fmt.Errorf("make namespaces: %w", err)
	}
	if err := p.Join(); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts apart: %w", err)
	}
	target, err := filepath.EvalSymlinks(resolvConf)
	if err == nil {
		err = unix.Mount(resolv, target, "", unix.MS_BIND, "")
	}
	if err != nil {
		return fmt.Errorf("put the VPC's resolver in place of %s: %w", resolvConf, err)
	}
	return nil
}

const resolvConf = "/etc/resolv.conf"

// resolverFile writes what resolv.conf(5) is to say. A VPC without a resolver leaves nobody to ask.
func (p Place) resolverFile() (path string, err error) {
	f, err := os.CreateTemp("", "slipway-resolv-")
	if err != nil {
		return "", fmt.Errorf("write the resolver's address: %w", err)
	}
	text := "# the VPC has no resolver\n"
	if p.Resolver.IsValid() {
		text = "nameserver " + p.Resolver.String() + "\n"
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close()) // the command may be somebody else's than root's
	if err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("write the resolver's address: %w", err)
	}
	return f.Name(), nil
}

// run runs a command in the namespaces of the calling thread.
func run(ctx context.Context, c Command) (code int, err error) {
	cmd := exec.Command(c.Args[0], c.Args[1:]...) //nolint:noctx // asked to end, not killed
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	})
	defer stop()
	err = cmd.Wait()
	var failed *exec.ExitError
	if !errors.As(err, &failed) {
		return 0, err
	}
	if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return failed.ExitCode(), nil
}
