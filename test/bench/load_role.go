package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loadPlan is an open loop: requests leave by the clock, whether or not earlier ones are answered, and each is timed from the
// moment it should have left. A server that stalls is charged for every request it held up.
type loadPlan struct {
	Address     string // host:port
	Secure      bool
	Path        string
	Rate        int // requests a second
	Connections int // kept open; a request that finds all of them busy waits, and that counts
	Seconds     float64
}

// loadReport is what became of it.
type loadReport struct {
	Count         int
	P50, P95, P99 time.Duration
}

func (r loadReport) String() string {
	return fmt.Sprintf("p50 %v p95 %v p99 %v of %d", r.P50, r.P95, r.P99, r.Count)
}

// openLoop runs a plan in a process of its own on the core of the load.
func (s *stage) openLoop(ctx context.Context, plan loadPlan) (r loadReport, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return r, err
	}
	cmd := pinned(ctx, s.load, self, "load-role", string(text))
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("load: %w: %s", err, faults.String())
	}
	return r, json.Unmarshal(out, &r)
}

// loadRole carries a plan out and prints the report; any request that fails fails all.
func loadRole(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("load-role takes a plan")
	}
	var plan loadPlan
	if err := json.Unmarshal([]byte(args[0]), &plan); err != nil {
		return err
	}
	h, err := plan.run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(loadReport{h.total, h.quantile(0.50), h.quantile(0.95), h.quantile(0.99)})
}

func (p loadPlan) run(ctx context.Context) (*histogram, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tickets := make(chan time.Time, p.Rate) // when each request should leave
	all := &histogram{}
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range p.Connections {
		conn, err := p.dial()
		if err != nil {
			return nil, err
		}
		workers.Go(func() {
			defer conn.Close()
			h, err := p.work(conn, tickets)
			if err != nil {
				cancel(err)
			}
			mu.Lock()
			defer mu.Unlock()
			all.add(h)
		})
	}
	pace(ctx, p.Rate, int(p.Seconds*float64(p.Rate)), tickets)
	close(tickets)
	workers.Wait()
	return all, context.Cause(ctx)
}

func (p loadPlan) dial() (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", p.Address, 5*time.Second)
	if err != nil || !p.Secure {
		return conn, err
	}
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}) //nolint:gosec // our own certificate on loopback
	return c, c.Handshake()
}

// work asks once for each ticket, one after the other.
func (p loadPlan) work(conn net.Conn, tickets <-chan time.Time) (*histogram, error) {
	h := &histogram{}
	request := []byte("GET " + p.Path + " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: slipway-bench\r\nAccept: */*\r\n\r\n")
	r := bufio.NewReader(conn)
	for due := range tickets {
		if err := conn.SetDeadline(due.Add(10 * time.Second)); err != nil {
			return h, err
		}
		if _, err := conn.Write(request); err != nil {
			return h, err
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return h, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %s", res.Status)
		}
		if err != nil {
			return h, err
		}
		h.record(time.Since(due))
	}
	return h, nil
}

// pace hands out tickets on time. Go's timers are as coarse as a millisecond, so a thread of its own sleeps in the kernel.
func pace(ctx context.Context, rate, count int, tickets chan<- time.Time) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1000, 0, 0, 0) // without it a sleep is 50 us longer, for everything measured alike
	start := time.Now().Add(10 * time.Millisecond)
	for n := range count {
		due := start.Add(time.Duration(n) * time.Second / time.Duration(rate))
		for wait := time.Until(due); wait > 0; wait = time.Until(due) {
			ts := unix.NsecToTimespec(int64(wait))
			_ = unix.Nanosleep(&ts, nil) // interrupted: the loop sleeps the rest
		}
		select {
		case tickets <- due:
		case <-ctx.Done():
			return
		}
	}
}
