package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// upgradeRequest is what `slipway upgrade` asks the supervisor for.
type upgradeRequest struct {
	Binary string // absolute path; "" is the file this program was started from, as it is now
}

// upgradeNews is one line of the answer: a step that begins, or why the upgrade failed, or that the new program takes over.
type upgradeNews struct {
	Step    string `json:",omitempty"`
	Failure string `json:",omitempty"`
	Over    bool   `json:",omitempty"`
}

// serveVerbs answers verbs until ctx ends.
func (s *supervisor) serveVerbs(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /upgrade", func(w http.ResponseWriter, r *http.Request) {
		var in upgradeRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out := http.NewResponseController(w)
		news := func(n upgradeNews) {
			_ = json.NewEncoder(w).Encode(n) // who asked may be gone; the upgrade goes on
			_ = out.Flush()
		}
		err := s.upgradeTo(ctx, in.Binary, func(text string) { news(upgradeNews{Step: text}) }, func() { news(upgradeNews{Over: true}) })
		news(upgradeNews{Failure: err.Error()})
	})
	err := serveHTTP(ctx, l, mux, nil)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// upgradeTo replaces edge, control and supervisor by another program, in this order. It returns only when that failed: then the former
// program serves on.
func (s *supervisor) upgradeTo(ctx context.Context, binary string, step func(string), over func()) error {
	if !s.upgrade.TryLock() {
		return errors.New("an upgrade is under way already")
	}
	defer s.upgrade.Unlock()
	outcome := Outcome{At: time.Now().UTC(), Binary: binary}
	err := s.tryUpgrade(ctx, &outcome.Binary, step, over)
	outcome.Failure = err.Error()
	s.log.Error("the upgrade failed; the former program serves on", "binary", outcome.Binary, "err", err)
	s.mu.Lock()
	s.run.Upgrade = outcome
	s.mu.Unlock()
	return errors.Join(err, s.note()) // the roles' settings are the former ones again
}

func (s *supervisor) tryUpgrade(ctx context.Context, binary *string, step func(string), over func()) error {
	next, err := s.examine(ctx, *binary)
	*binary = next.path
	if err != nil {
		return err
	}
	s.log.Info("an upgrade begins", "binary", next.path, "version", next.version)
	step("Upgrading to " + next.version)
	if err := writeJSON(s.c.path("run", "config.json"), next.settled.at(s.socks.addrs)); err != nil {
		return err
	}
	former := s.edge.binary
	step("Handing over to the new edge")
	if err := s.replaceEdge(ctx, next.path); err != nil {
		return err
	}
	step("Starting the new control")
	err = s.replaceControl(ctx, next.path)
	if err == nil {
		step("Replacing the supervisor")
		err = s.carryOn(ctx, next.path, over)
	}
	if nerr := s.note(); nerr != nil {
		return errors.Join(err, nerr)
	}
	if s.control.binary != former {
		s.control.binary = former
		err = errors.Join(err, s.replaceControl(ctx, former))
	}
	return errors.Join(err, s.replaceEdge(ctx, former))
}

// candidate is a program that an upgrade leads to.
type candidate struct {
	path    string
	version string // as its version verb says
	settled Config // what it makes of this supervisor's arguments
}

// examinePatience is how long a program may take to tell its version and its settings.
const examinePatience = 20 * time.Second

// examine looks whether a program can take over at all, before anything is touched.
func (s *supervisor) examine(ctx context.Context, binary string) (candidate, error) {
	n := candidate{path: binary}
	if n.path == "" {
		self, err := os.Executable()
		if err != nil {
			return n, fmt.Errorf("find this program: %w", err)
		}
		n.path = self
	}
	if !filepath.IsAbs(n.path) {
		return n, fmt.Errorf("the path %q is not absolute", n.path)
	}
	text, err := runFor(ctx, n.path, nil, "version")
	if err != nil {
		return n, err
	}
	if !strings.HasPrefix(text, "slipway ") {
		return n, fmt.Errorf("%s does not say that it is Slipway", n.path)
	}
	n.version = strings.TrimSpace(text)
	text, err = runFor(ctx, n.path, []string{resumeVariable + "=" + resumeCheck}, os.Args[1:]...)
	if err != nil {
		return n, err
	}
	if err := json.Unmarshal([]byte(text), &n.settled); err != nil {
		return n, fmt.Errorf("%s does not tell its settings: %w", n.path, err)
	}
	if n.settled.DataDir != s.c.DataDir {
		return n, fmt.Errorf("%s would work over another data directory, %s", n.path, n.settled.DataDir)
	}
	return n, nil
}

// runFor runs a program and returns what it prints.
func runFor(ctx context.Context, binary string, env []string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, examinePatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", binary, strings.Join(args, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	return out.String(), nil
}

// Upgrade has the installation over a data directory continue with another program, without a failed request and with all instances
// running on: a new edge takes over, a new control is started, and the supervisor becomes the new program in place, so that what
// started it sees the same process. binary is the program's path; "" is the file the running program was started from, as it is now.
// Settings are read anew, but the addresses stay. A program that does not work leaves the former one serving, and the error says why.
// step is told what begins.
func Upgrade(ctx context.Context, dataDir, binary string, step func(string)) (Running, error) {
	before, running, err := ReadRunning(dataDir)
	switch {
	case err != nil:
		return before, err
	case !running || !before.Ready:
		return before, fmt.Errorf("Slipway is not running over %s", dataDir)
	}
	if err := requestUpgrade(ctx, before.Config, binary, step); err != nil {
		return before, err
	}
	for deadline := time.Now().Add(startPatience); time.Now().Before(deadline) && ctx.Err() == nil; pause(ctx, 20*time.Millisecond) {
		if r, running, err := ReadRunning(dataDir); err == nil && running && r.Upgrades > before.Upgrades && r.Ready {
			return r, nil
		}
	}
	return before, errors.New("edge and control run the new program, but its supervisor does not answer; `slipway up` starts one")
}

// requestUpgrade asks the supervisor and returns when the new program takes over in its place.
func requestUpgrade(ctx context.Context, c Config, binary string, step func(string)) error {
	client := socketClient(c.verbSocket())
	defer client.CloseIdleConnections()
	body, err := json.Marshal(upgradeRequest{Binary: binary})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://supervisor/upgrade", bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("the Slipway that is running was started by a version that cannot be upgraded in place; end its `slipway up` " +
			"with SIGTERM, which leaves the applications running, and start the new program")
	}
	if err != nil {
		return fmt.Errorf("ask the supervisor: %w", err)
	}
	defer res.Body.Close()
	for lines := json.NewDecoder(res.Body); ; {
		var n upgradeNews
		switch err := lines.Decode(&n); {
		case err != nil:
			return fmt.Errorf("the supervisor said no more: %w", err)
		case n.Failure != "":
			return errors.New(n.Failure)
		case n.Over:
			return nil
		}
		step(n.Step)
	}
}
