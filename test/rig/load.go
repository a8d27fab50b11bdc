package rig

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
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
	failed  []Failure
	slowest time.Duration
	bodies  map[string]int
}

// Failure is one request that failed.
type Failure struct {
	Start, End time.Time
	Err        error
}

func (f Failure) String() string {
	return fmt.Sprintf("%s after %s: %v", f.Start.Format("15:04:05.000"), f.End.Sub(f.Start).Round(time.Millisecond), f.Err)
}

// Report is what became of the requests.
type Report struct {
	Sent, Failed int
	Failures     []Failure
	Slowest      time.Duration
	Bodies       map[string]int // how often each answer came
}

func (r Report) String() string {
	return fmt.Sprintf("%d requests, %d failed, slowest %s %v", r.Sent, r.Failed, r.Slowest.Round(time.Millisecond), r.Failures[:min(len(r.Failures), 10)])
}

// Pressure says how Load asks.
type Pressure struct {
	Path    string
	Post    bool // asks with POST, which nobody may send again, instead of GET
	HTTP2   bool
	Rate    int          // requests a second, whether or not earlier ones are answered
	Count   int          // ends after so many; 0 goes on until Stop
	Client  *http.Client // who asks; default [House.Client]
	Forgive bool         // a connection that broke is tried once more, as browsers and proxies do: for tests that kill the edge
}

// Load starts asking. A request has failed when it brings no answer, or another than 200.
func (s Service) Load(p Pressure) *Load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{stop: cancel, done: make(chan struct{}), bodies: map[string]int{}}
	client := p.Client
	if client == nil {
		client = s.House.Client()
	}
	client.Timeout = 30 * time.Second
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = p.HTTP2
	ask := p.ask(client, "https://"+s.Host()+p.Path)
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
			wg.Go(func() { l.one(ask, p.Forgive) })
		}
		wg.Wait()
	}()
	return l
}

// ask is one request of the kind.
func (p Pressure) ask(client *http.Client, url string) func() (*http.Response, error) {
	if p.Post {
		return func() (*http.Response, error) { return client.Post(url, "text/plain", strings.NewReader("a body")) }
	}
	return func() (*http.Response, error) { return client.Get(url) }
}

func (l *Load) one(ask func() (*http.Response, error), forgive bool) {
	start := time.Now()
	body, broken, err := answer(ask())
	if broken && forgive {
		body, _, err = answer(ask())
	}
	end := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.slowest = max(l.slowest, end.Sub(start))
	if err == nil {
		l.bodies[body]++
		return
	}
	l.failed = append(l.failed, Failure{start, end, err})
}

// answer reads an answer; broken tells that no whole one came.
func answer(res *http.Response, err error) (body string, broken bool, _ error) {
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
	return Report{l.sent, len(l.failed), slices.Clone(l.failed), l.slowest, bodies}
}

// Unharmed checks that there were requests and none failed.
func (r Report) Unharmed(t testing.TB) {
	t.Helper()
	t.Log(r)
	if r.Sent == 0 || r.Failed > 0 {
		t.Error(r)
	}
}
