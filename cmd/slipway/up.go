package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"slipway.dev/slipway/cmd/slipway/internal/show"
	"slipway.dev/slipway/internal/server"
)

// startTimeout is how long a detached Slipway may take until it is ready.
const startTimeout = 2 * time.Minute

func (p *program) up() *cobra.Command {
	var detach, demo bool
	c := &cobra.Command{
		Use: "up", Short: "Start Slipway",
		Long: "Starts Slipway and runs it in the foreground. Ctrl-C stops it together with its applications; SIGTERM leaves the applications\n" +
			"running for the next start.",
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, _, err := p.load(cmd)
			if err != nil {
				return err
			}
			p.tellStray()
			if detach {
				return p.upDetached(cmd, conf, demo)
			}
			return p.upForeground(cmd.Context(), conf, demo)
		},
	}
	c.Flags().BoolVar(&detach, "detach", false, "run in the background; return when it is ready")
	c.Flags().BoolVar(&demo, "demo", false, "deploy the sample application once it is ready")
	p.settingFlags(c.Flags())
	return c
}

func (p *program) upForeground(ctx context.Context, conf server.Config, demo bool) error {
	if err := os.Setenv(server.EnvName("log-level"), conf.LogLevel); err != nil { // the roles inherit it
		return err
	}
	// Signals are the supervisor's business: what they mean there differs.
	err := server.Supervise(context.WithoutCancel(ctx), server.Supervision{
		Config: conf, Version: version, Log: p.logger(conf.LogLevel), Ready: func(r server.Running) {
			p.welcome(r)
			if demo {
				if err := p.demo(ctx, r.Config); err != nil {
					fmt.Fprintf(p.err, "slipway: the sample is not running: %v\n", err)
				}
			}
		},
	})
	if errors.Is(err, server.ErrRunning) {
		return fmt.Errorf("%w; `slipway status` tells about it and `slipway down` stops it", err)
	}
	return err
}

// welcome tells where everything is.
func (p *program) welcome(r server.Running) {
	t := show.Detect(p.out, p.env)
	fmt.Fprintf(p.out, "%s\n\n", t.Paint(show.Good, "Slipway is ready."))
	for _, row := range [][2]string{
		{"API, registry, git", r.Config.APIURL()},
		{"console", r.Config.APIURL() + "/console/"},
		{"applications", "https://" + r.Addresses.HTTPS},
		{"data", r.Config.DataDir},
		{"credentials", ". " + r.Config.CredentialsFile()},
	} {
		fmt.Fprintf(p.out, "  %s%s\n", t.Paint(show.Dim, fmt.Sprintf("%-20s", row[0])), row[1])
	}
	fmt.Fprintln(p.out)
}

// upDetached starts a supervisor of its own session and waits until it is ready.
func (p *program) upDetached(cmd *cobra.Command, conf server.Config, demo bool) error {
	if r, running, err := server.ReadRunning(conf.DataDir); err != nil {
		return err
	} else if running && r.Ready {
		fmt.Fprintln(p.out, "Slipway is running already.")
		return p.afterStart(cmd.Context(), r, demo)
	}
	logPath := filepath.Join(conf.DataDir, "slipway.log")
	child, err := p.spawn(cmd, conf, logPath)
	if err != nil {
		return err
	}
	progress := show.NewProgress(p.err, show.Detect(p.err, p.env), time.Now)
	defer progress.Close()
	progress.Step("Starting Slipway")
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	r, err := awaitReady(cmd.Context(), conf.DataDir, ended)
	if err != nil {
		progress.Fail()
		return fmt.Errorf("%w\n%s", err, lastLines(logPath, 20))
	}
	progress.Done()
	progress.Close()
	return p.afterStart(cmd.Context(), r, demo)
}

func (p *program) afterStart(ctx context.Context, r server.Running, demo bool) error {
	p.welcome(r)
	if demo {
		return p.demo(ctx, r.Config)
	}
	return nil
}

// spawn starts this program again, without --detach and --demo, away from the terminal.
func (p *program) spawn(cmd *cobra.Command, conf server.Config, logPath string) (*exec.Cmd, error) {
	if err := os.MkdirAll(conf.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("--data-dir: %w", err)
	}
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"up", "--data-dir=" + conf.DataDir}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name != "detach" && f.Name != "demo" && f.Name != "data-dir" {
			args = append(args, "--"+f.Name+"="+f.Value.String())
		}
	})
	child := exec.Command(self, args...) //nolint:noctx // it outlives this process
	child.Stdout, child.Stderr = log, log
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return child, child.Start()
}

func awaitReady(ctx context.Context, dataDir string, ended <-chan error) (server.Running, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, running, err := server.ReadRunning(dataDir)
		if err == nil && running && r.Ready {
			return r, nil
		}
		select {
		case err := <-ended:
			return r, fmt.Errorf("Slipway ended before it was ready: %w", err)
		case <-ctx.Done():
			return r, fmt.Errorf("Slipway was not ready in time: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func lastLines(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
