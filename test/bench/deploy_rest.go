package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
)

// The figures of an installation at rest, and of one that was hurt.

// megabyte is the unit the design counts memory in.
const megabyte = 1e6

// memory prints what supervisor, control and edge take together after a while without work.
func (h *house) memory(ctx context.Context, name string) error {
	if err := sleep(ctx, pick(h.b, 20*time.Second, 2*time.Second)); err != nil {
		return err
	}
	var sum int64
	for _, role := range []string{"supervisor", "control", "edge"} {
		pid, err := h.pid(role)
		if err != nil {
			return err
		}
		n, err := memoryOf(pid)
		if err != nil {
			return err
		}
		h.b.note("%s: %s takes %.1f MB", name, role, float64(n)/megabyte)
		sum += n
	}
	h.b.print(figure{name: name, value: float64(sum) / megabyte, unit: "MB"})
	return nil
}

// pid is the process id of a part of the installation.
func (h *house) pid(role string) (int, error) {
	if role != "supervisor" {
		return h.PID(role)
	}
	b, err := os.ReadFile(h.path("run", "supervisor.json"))
	if err != nil {
		return 0, err
	}
	var running struct{ PID int }
	return running.PID, json.Unmarshal(b, &running)
}

// shimMemory prints what the platform keeps beside each idle instance.
func (h *house) shimMemory(context.Context) error {
	pids, err := shims(h.Dir)
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return errors.New("no instance runs")
	}
	var sizes []float64
	for _, pid := range pids {
		n, err := memoryOf(pid)
		if err != nil {
			return err
		}
		sizes = append(sizes, float64(n)/megabyte)
	}
	h.b.print(figure{name: "idle-instance-memory", value: median(sizes), unit: "MB"})
	return nil
}

// controlRecovery: kill -9 of control until the API answers. The listener stays open, so the first call made may be the one
// that is answered.
func (d *deployments) controlRecovery(ctx context.Context) error {
	return d.recovery(ctx, "control", func(ctx context.Context) error {
		_, err := d.Apps.ListServices(ctx, &apprunner.ListServicesInput{}, once)
		return err
	})
}

// edgeRecovery: kill -9 of the edge until a service answers.
func (d *deployments) edgeRecovery(ctx context.Context) error {
	if d.kept == nil {
		return errNoService
	}
	return d.recovery(ctx, "edge", func(ctx context.Context) error {
		_, err := d.ask(ctx, *d.kept.ServiceUrl)
		return err
	})
}

func (d *deployments) recovery(ctx context.Context, role string, ask func(context.Context) error) error {
	var rounds []time.Duration
	for range d.b.rounds {
		pid, err := d.PID(role)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
		if err := until(ctx, time.Minute, func(ctx context.Context) error { return ask(ctx) }); err != nil {
			return err
		}
		rounds = append(rounds, time.Since(began))
		if err := until(ctx, time.Minute, func(context.Context) error { return d.Ready() }); err != nil {
			return err
		}
	}
	d.b.milliseconds(role+"-recovery", rounds, 0)
	return nil
}

// until tries until it succeeds.
func until(ctx context.Context, limit time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		short, done := context.WithTimeout(ctx, 5*time.Second)
		err := try(short)
		done()
		if err == nil {
			return nil
		}
		if serr := sleep(ctx, look); serr != nil {
			return errors.Join(serr, err)
		}
	}
}
