//go:build chaos

package chaos

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestEverythingKilled ends every process of an installation at one moment, as a power cut does (the kernel's own things stay, which
// a power cut would take), at rest and in the middle of operations. The next start brings back what was to run.
func TestEverythingKilled(t *testing.T) {
	h := raise(t)
	for name, begin := range map[string]func(rig.Service) error{
		"at rest": func(rig.Service) error { return nil },
		"in a deployment": func(s rig.Service) error {
			_, err := h.Apps.StartDeployment(t.Context(), &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn})
			time.Sleep(60 * time.Millisecond)
			return err
		},
		"in an update": func(s rig.Service) error {
			_, err := h.Apps.UpdateService(t.Context(), &apprunner.UpdateServiceInput{ServiceArn: s.ServiceArn, SourceConfiguration: rig.ImageSource("app", "v2", nil)})
			time.Sleep(150 * time.Millisecond)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, sleeping := running(t, h, "serves"), paused(t, h, "sleeps")
			if err := begin(s); err != nil {
				t.Fatal(err)
			}
			killAll(t, h)
			if err := h.Start(); err != nil {
				t.Fatal(err)
			}
			s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
			answers(t, s)
			h.NoOrphans(t)
			sleeping = h.Await(t, sleeping.ARN(), types.ServiceStatusPaused)
			fits(t, sleeping, "")
			sleeping.Resume(t)
			answers(t, sleeping)
		})
	}
}

// killAll kills the supervisor first, so that it starts nothing again.
func killAll(t *testing.T, h *rig.House) {
	t.Helper()
	pid, err := h.Supervisor()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		all, err := h.Traces()
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, trace := range all {
			if text, ok := strings.CutPrefix(trace.String(), "process "); ok {
				left++
				first, _, _ := strings.Cut(text, " ")
				if pid, err := strconv.Atoi(first); err == nil {
					_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended with another one
				}
			}
		}
		if left == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the processes do not end")
}

// answers waits until a service answers: its instances are started again after the installation is ready.
func answers(t *testing.T, s rig.Service) {
	t.Helper()
	for range 150 {
		if status, _, err := s.Get("/"); err == nil && status == 200 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.Says(t, "/", "hello")
}
