package rig

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Load is a steady stream of requests to a service.
type Load struct {
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	sent    int
	failed  int
	reasons []string
	slowest time.Duration
	bodies  map[string]int
}

// Report is what became of the requests.
type Report struct {
	Sent, Failed int
	Reasons      []string // of the first failures
	Slowest      time.Duration
	Bodies       map[string]int // how often each answer came
}

func (r Report) String() string {
	return fmt.Sprintf("%d requests, %d failed, slowest %s %v", r.Sent, r.Failed, r.Slowest.Round(time.Millisecond), r.Reasons)
}

// Pressure says how Load asks.
type Pressure struct {
	Path    string
	Rate    int  // requests a second, whether or not earlier ones are answered
	Count   int  // ends after so many; 0 goes on until Stop
	Forgive bool // a connection that broke is tried once more, as browsers and proxies do: for tests that kill the edge
}

// Load starts asking. A request has failed when it brings no answer, or another than 200.
func (s Service) Load(p Pressure) *Load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{stop: cancel, done: make(chan struct{}), bodies: map[string]int{}}
	client := s.House.Client()
	client.Timeout = 30 * time.Second
	url := "https://" + s.Host() + p.Path
	go func() {
		defer close(l.done)
		defer client.CloseIdleConnections()
		var wg sync.WaitGroup
		tick := time.NewTicker(time.Second / time.Duration(p.Rate))
		defer tick.Stop()
		for n := 0; p.Count == 0 || n < p.Count; n++ {
			select {
			case <-ctx.Done():
				wg.Wait()
				return
			case <-tick.C:
			}
			wg.Go(func() { l.one(client, url, p.Forgive) })
		}
		wg.Wait()
	}()
	return l
}

func (l *Load) one(client *http.Client, url string, forgive bool) {
	start := time.Now()
	body, broken, err := ask(client, url)
	if broken && forgive {
		body, _, err = ask(client, url)
	}
	took := time.Since(start)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.slowest = max(l.slowest, took)
	if err == nil {
		l.bodies[body]++
		return
	}
	l.failed++
	if len(l.reasons) < 10 {
		l.reasons = append(l.reasons, fmt.Sprintf("%s after %s: %v", start.Format("15:04:05.000"), took.Round(time.Millisecond), err))
	}
}

// ask makes one request; broken tells that no whole answer came.
func ask(client *http.Client, url string) (body string, broken bool, err error) {
	res, err := client.Get(url)
	if err != nil {
		return "", true, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "", true, err
	}
	if res.StatusCode != http.StatusOK {
		return "", false, fmt.Errorf("status %d: %.200s", res.StatusCode, b)
	}
	return string(b), false, nil
}

// Stop ends the stream, waits for the answers and tells what became of it.
func (l *Load) Stop() Report {
	l.stop()
	return l.Wait()
}

// Wait waits until Count requests are answered.
func (l *Load) Wait() Report {
	<-l.done
	return l.Report()
}

// Report tells what became of it so far.
func (l *Load) Report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	bodies := map[string]int{}
	for b, n := range l.bodies {
		bodies[b] = n
	}
	return Report{l.sent, l.failed, append([]string(nil), l.reasons...), l.slowest, bodies}
}

// Unharmed checks that there were requests and none failed.
func (r Report) Unharmed(t testing.TB) {
	t.Helper()
	t.Log(r)
	if r.Sent == 0 || r.Failed > 0 {
		t.Error(r)
	}
}
