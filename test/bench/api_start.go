package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What a full store costs before anybody asks: start-up, memory, and work at rest.

// apiStart prints how long the control plane takes from the start of its process, found by kill -9 of the one before, until it is
// ready. The pause of the supervisor, 50 ms, is part of it.
func (h *house) apiStart(ctx context.Context) error {
	var rounds []time.Duration
	for range h.b.rounds {
		before, err := h.pid("control")
		if err != nil {
			return err
		}
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill control: %w", err)
		}
		began := time.Now()
		err = until(ctx, time.Minute, func(ctx context.Context) error {
			if pid, err := h.pid("control"); err != nil || pid == before {
				return fmt.Errorf("control is not started again: %w", err)
			}
			return h.readyz(ctx)
		})
		if err != nil {
			return err
		}
		rounds = append(rounds, time.Since(began))
		if err := sleep(ctx, time.Second); err != nil { // one that ends at once is started again more slowly
			return err
		}
	}
	h.b.milliseconds("api-start", rounds, 0)
	return nil
}

func (h *house) readyz(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Env["AWS_ENDPOINT_URL"]+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", res.Status)
	}
	return nil
}

// apiRest prints the memory of control and edge after the calls, and the processor time that control takes when nobody asks anything.
func (h *house) apiRest(ctx context.Context) error {
	if err := sleep(ctx, pick(h.b, 10*time.Second, time.Second)); err != nil {
		return err
	}
	for _, role := range []string{"control", "edge"} {
		pid, err := h.pid(role)
		if err != nil {
			return err
		}
		n, err := memoryOf(pid)
		if err != nil {
			return err
		}
		h.b.print(figure{name: "api-memory-" + role, value: float64(n) / megabyte, unit: "MB"})
	}
	pid, err := h.pid("control")
	if err != nil {
		return err
	}
	first, err := processorTime(pid)
	if err != nil {
		return err
	}
	length := pick(h.b, 20*time.Second, 2*time.Second)
	if err := sleep(ctx, length); err != nil {
		return err
	}
	last, err := processorTime(pid)
	h.b.print(figure{name: "api-idle-cpu", value: 100 * float64(last-first) / float64(length), unit: "%"})
	return err
}

// processorTime is what a process has used of the processors, in ticks of 10 ms as the kernel counts for programs.
func processorTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc/%d/stat: %w, %w", pid, err1, err2)
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}
