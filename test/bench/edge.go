package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// traffic is one kind of request whose cost is measured.
type traffic struct {
	name   string // of the figure
	secure bool
	path   string
	post   bool
	http2  bool
}

var traffics = []traffic{
	{name: "edge-cpu-h1-1k", path: "/1k"},
	{name: "edge-cpu-h1-64k", path: "/64k"},
	{name: "edge-cpu-h1-tls-1k", path: "/1k", secure: true},
	{name: "edge-cpu-h1-tls-64k", path: "/64k", secure: true},
	{name: "edge-cpu-h1-tls-post-1k", path: "/post", secure: true, post: true},
	{name: "edge-cpu-h2-tls-1k", path: "/1k", secure: true, http2: true},
}

// edge measures the front door beside HAProxy, nginx and, where it is installed, Caddy.
func (b *bench) edge(ctx context.Context) error {
	dir := filepath.Join(b.dir, "edge-stage")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s, err := setStage(ctx, dir)
	defer s.strike()
	if err != nil {
		return err
	}
	for _, t := range traffics {
		b.attempt(ctx, t.name, func(ctx context.Context) error { return b.cost(ctx, s, t) })
	}
	b.attempt(ctx, "edge-many-services", func(ctx context.Context) error { return b.manyServices(ctx, s) })
	b.attempt(ctx, "edge-idle-connections", func(ctx context.Context) error { return b.idleConnections(ctx, s) })
	b.attempt(ctx, "edge-latency", func(ctx context.Context) error { return b.latency(ctx, s) })
	return nil
}

// cost prints the CPU time a request of each proxy, in microseconds. A short turn before the first round warms everything up.
func (b *bench) cost(ctx context.Context, s *stage, t traffic) error {
	costs := map[string][]float64{}
	for round := range b.rounds + 1 {
		for _, p := range s.subjects {
			seconds := pick(b, 3, 1)
			if round == 0 {
				seconds = 1
			}
			got, err := s.costOf(ctx, p, t, seconds)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if round > 0 {
				b.note("%s through %s: %v", t.name, p.name, got)
				costs[p.name] = append(costs[p.name], got.each())
			}
		}
	}
	b.beside(t.name, "us", s, costs)
	return nil
}

// costOf is the CPU time that a proxy needs for a request, in microseconds.
func (s *stage) costOf(ctx context.Context, p *proxy, t traffic, seconds int) (spent, error) {
	return p.spending(func() (int, error) {
		if t.http2 {
			return s.h2load(ctx, p, t, seconds)
		}
		return s.wrk(ctx, p, t, seconds)
	})
}

// spent is what a proxy used for a load.
type spent struct {
	requests  int
	cpu, wall time.Duration
}

// each is the CPU time a request, in microseconds.
func (s spent) each() float64 { return float64(s.cpu.Microseconds()) / float64(s.requests) }

func (s spent) String() string {
	return fmt.Sprintf("%d requests, %v CPU, core busy to %.0f %%", s.requests, s.cpu, 100*s.cpu.Seconds()/s.wall.Seconds())
}

// spending measures the proxy over a load.
func (p *proxy) spending(load func() (requests int, err error)) (s spent, err error) {
	pid := p.child.cmd.Process.Pid
	before, err := cpuTime(pid)
	if err != nil {
		return s, err
	}
	began := time.Now()
	if s.requests, err = load(); err != nil {
		return s, err
	}
	s.wall = time.Since(began)
	after, err := cpuTime(pid)
	s.cpu = after - before
	return s, err
}

// beside prints the edge's median beside that of HAProxy, and on lines of their own beside those of the others.
func (b *bench) beside(name, unit string, s *stage, values map[string][]float64) {
	own := median(values[s.subjects[0].name])
	for n, p := range s.subjects[1:] {
		f := figure{name: name, value: own, unit: unit, peer: p.name, other: median(values[p.name])}
		if n > 0 {
			f.name += "-beside-" + p.name
		}
		b.print(f)
	}
}

// latency prints what a proxy adds to the 95th percentile of the time to answer, at a load that leaves it mostly idle, and what
// a request costs it then.
func (b *bench) latency(ctx context.Context, s *stage) error {
	const rate = 1000
	seconds := pick(b, 8.0, 1.0)
	direct := loadPlan{Address: s.backend, Path: "/1k", Rate: rate, Connections: 32, Seconds: seconds}
	added, cpu := map[string][]float64{}, map[string][]float64{}
	for range b.rounds {
		base, err := s.openLoop(ctx, direct)
		if err != nil {
			return fmt.Errorf("backend: %w", err)
		}
		b.note("latency of the backend alone: %v", base)
		for _, p := range s.subjects {
			plan := direct
			plan.Address, plan.Secure = p.secure, true
			var got loadReport
			cost, err := p.spending(func() (n int, err error) {
				got, err = s.openLoop(ctx, plan)
				return got.Count, err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			b.note("latency through %s: %v; %v", p.name, got, cost)
			added[p.name] = append(added[p.name], ms(max(got.P95-base.P95, time.Microsecond)))
			cpu[p.name] = append(cpu[p.name], cost.each())
		}
	}
	b.beside("edge-latency-added-p95-at-1000rps", "ms", s, added)
	b.beside("edge-cpu-h1-tls-1k-at-1000rps", "us", s, cpu)
	return nil
}
