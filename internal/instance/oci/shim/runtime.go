package shim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// createContainer lets the runtime make the container; its process waits for startContainer.
func (s *shim) createContainer() error {
	out, err := newOutput(s.create)
	if err != nil {
		return err
	}
	s.output = out
	pidFile := filepath.Join(s.create.Bundle, "pid")
	cmd := s.runtime("create", "--bundle", s.create.Bundle, "--pid-file", pidFile, s.create.ID)
	cmd.Stdout, cmd.Stderr = out.stdout, out.stderr
	err = cmd.Run()
	out.handedOver()
	if err != nil {
		return s.fault(err)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return fmt.Errorf("read the container's process id: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return fmt.Errorf("read the container's process id: %w", err)
	}
	if s.record.Init, err = Identify(pid); err != nil {
		return fmt.Errorf("the container ended while it was made: %w", err)
	}
	if s.initFD, err = unix.PidfdOpen(pid, 0); err != nil {
		return fmt.Errorf("the container ended while it was made: %w", err)
	}
	if s.record.Shim, err = Identify(os.Getpid()); err != nil {
		return err
	}
	return writeJSON(filepath.Join(s.create.Dir, RunFile), s.record)
}

// startContainer lets the application's process run and puts that on record.
func (s *shim) startContainer() error {
	if out, err := s.runtime("start", s.create.ID).CombinedOutput(); err != nil {
		return fmt.Errorf("start: %w: %s", err, bytes.TrimSpace(out))
	}
	s.record.StartedAt = time.Now().UTC()
	return writeJSON(filepath.Join(s.create.Dir, RunFile), s.record)
}

// runtime prepares a call of the OCI runtime. Its own messages go to a file: standard error belongs to the application.
func (s *shim) runtime(args ...string) *exec.Cmd {
	cmd := exec.Command(s.create.Runtime, append([]string{
		"--root", s.create.RuntimeRoot, "--log", s.messages(), "--log-format", "json",
	}, args...)...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH")} // not the settings that keep this process small
	return cmd
}

func (s *shim) messages() string { return filepath.Join(s.create.Bundle, "runtime.log") }

// fault turns a failed call into the runtime's last error message.
func (s *shim) fault(err error) error {
	b, readErr := os.ReadFile(s.messages())
	if readErr != nil {
		return err
	}
	message := ""
	for line := range bytes.Lines(b) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Level == "error" && entry.Msg != "" {
			message = entry.Msg
		}
	}
	if message == "" {
		return err
	}
	return fmt.Errorf("%s", message)
}
