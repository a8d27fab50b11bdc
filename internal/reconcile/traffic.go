package reconcile

import (
	"context"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/scale"
)

// traffic remembers what every service had to do, and how many instances that takes. It lives in memory only: a new process keeps
// what runs until it has watched for a whole quiet time.
type traffic struct {
	since time.Time // when watching began
	quiet time.Duration

	mu sync.Mutex
	of map[string]*load // by service ARN
}

// load is the traffic of one service.
type load struct {
	samples []scale.Sample
	busy    meter
	cpu     map[string]time.Duration // what each instance had used when it was last looked at
	cpuSum  time.Duration
	want    int
	hurry   bool // requests wait: look again soon
	seen    bool // one of its instances was healthy

	start   time.Duration   // mean time from record to health of the instances started so far; 0 while unknown
	started map[string]bool // instances that are in start
}

// meter turns a sum that begins anew when its owner does into one that never falls.
type meter struct {
	owner     time.Time // when the owner began to count
	last, sum time.Duration
}

// read takes the owner's sum and tells whether it is newer than what was read before: two who look at once may come in any order.
func (m *meter) read(owner time.Time, sum time.Duration) bool {
	if owner.Before(m.owner) || owner.Equal(m.owner) && sum < m.last {
		return false
	}
	if owner.After(m.owner) {
		m.owner, m.last = owner, 0
	}
	m.sum += sum - m.last
	m.last = sum
	return true
}

func newTraffic(since time.Time, quiet time.Duration) *traffic {
	return &traffic{since: since, quiet: quiet, of: map[string]*load{}}
}

// apart is how far the samples that are kept are apart at least.
const apart = 20 * time.Millisecond

// observe takes what is seen of a service at now into account and returns how many instances it is to have, and how many of them are
// not to stand in reserve.
func (t *traffic) observe(now time.Time, v view, cpu map[string]time.Duration) (want, up int) {
	have, roused := v.have()
	conf := t.limits(v)
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.of[v.svc.ARN()]
	if l == nil {
		l = &load{cpu: map[string]time.Duration{}, started: map[string]bool{}}
		t.of[v.svc.ARN()] = l
	}
	if v.edgeKnown {
		l.note(v, cpu, t.since)
	}
	d := scale.Decide(now, l.samples, have, conf)
	if roused { // there was a moment at which all of them were needed
		d.Need, d.Active = max(d.Need, have.Active), max(d.Active, min(have.Active, d.Want))
	}
	if n := len(l.samples); n > 0 {
		l.samples[n-1].Need = max(l.samples[n-1].Need, d.Need)
		l.samples = scale.Trim(now, l.samples, conf)
	}
	l.want = d.Want
	return d.Want, min(max(d.Active, v.extras.Awake()), d.Want)
}

// have are the instances of a service; roused tells whether some of the active ones were in reserve a moment ago.
func (v view) have() (set scale.Set, roused bool) {
	for _, i := range v.rows {
		if i.Phase != apprunner.PhaseActive {
			continue
		}
		set.Running++
		if !i.Reserve || v.roused(i) {
			set.Active++
		}
		roused = roused || v.roused(i)
	}
	return set, roused
}

func (t *traffic) limits(v view) scale.Config {
	s := v.svc.AutoScaling
	return scale.Config{
		Min: s.MinSize, Max: s.MaxSize, ToZero: v.extras.ScaleToZero, Concurrency: s.MaxConcurrency,
		CPUTarget: v.extras.ScaleCPU, Processors: float64(v.svc.Instance.CPU) / 1024, Quiet: t.quiet,
	}
}

// note adds a sample, or takes the newest one's place when that is very young.
func (l *load) note(v view, cpu map[string]time.Duration, since time.Time) {
	now := v.edge.at
	c := v.edge.Services[v.svc.ARN()]
	n := len(l.samples)
	if !l.busy.read(v.edge.StartedAt, c.Busy) || n > 0 && !now.After(l.samples[n-1].At) {
		return
	}
	l.hurry = c.Waiting > 0
	for id, used := range cpu {
		if before, known := l.cpu[id]; known {
			l.cpuSum += max(used-before, 0)
		}
		l.cpu[id] = used
	}
	s := scale.Sample{At: now, Busy: l.busy.sum, CPU: l.cpuSum}
	if n >= 2 && l.samples[n-1].At.Sub(l.samples[n-2].At) < apart {
		s.Need = l.samples[n-1].Need
		l.samples[n-1] = s
	} else {
		l.samples = append(l.samples, s)
	}
	l.forget(v)
	for _, i := range v.rows {
		target := v.edge.Targets[i.ID]
		if target.Health != edge.Healthy || l.started[i.ID] {
			continue
		}
		l.started[i.ID], l.seen = true, true
		if took := target.HealthySince.Sub(i.CreatedAt); i.CreatedAt.After(since) && took > 0 {
			l.start = mean(l.start, took)
		}
	}
}

// mean lets a new value count for a quarter, the first one for all.
func mean(before, now time.Duration) time.Duration {
	if before == 0 {
		return now
	}
	return (3*before + now) / 4
}

// forget drops what is known of instances that are gone.
func (l *load) forget(v view) {
	present := map[string]bool{}
	for _, i := range v.rows {
		present[i.ID] = true
	}
	for id := range l.started {
		if !present[id] {
			delete(l.started, id)
		}
	}
	for id := range l.cpu {
		if !present[id] {
			delete(l.cpu, id)
		}
	}
}

// wanted is how many instances the service was last found to need; 0 when nothing is known.
func (t *traffic) wanted(arn string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.of[arn]; l != nil {
		return l.want
	}
	return 0
}

// hurry tells whether requests of any service wait.
func (t *traffic) hurry() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.of {
		if l.hurry {
			return true
		}
	}
	return false
}

const (
	leastPatience = 10 * time.Second
	// mostPatience leaves a request that waited time for its answer within the usual 120 s.
	mostPatience = 100 * time.Second
)

// patience is how long requests of each service of which an instance was seen healthy wait in line (design §5.9): 3.5 times the mean
// start of its instances in whole seconds, at least 10 s. The instances of others are on their way.
func (t *traffic) patience() map[string]time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string]time.Duration{}
	for arn, l := range t.of {
		if l.seen {
			all[arn] = patienceFor(l.start)
		}
	}
	return all
}

func patienceFor(start time.Duration) time.Duration {
	wait := start * 7 / 2
	wait = (wait + time.Second - 1).Truncate(time.Second)
	return min(max(wait, leastPatience), mostPatience)
}

// keep forgets the services that are not named.
func (t *traffic) keep(services []apprunner.Service) {
	named := arnsOf(services)
	t.mu.Lock()
	defer t.mu.Unlock()
	for arn := range t.of {
		if !named[arn] {
			delete(t.of, arn)
		}
	}
}

// measure finds out how many instances every service is to have.
func (r *Reconciler) measure(ctx context.Context, v *overview) {
	now := r.Now()
	v.want, v.awake = make(map[string]int, len(v.services)), make(map[string]int, len(v.services))
	for _, svc := range v.services {
		one, arn := v.of(svc), svc.ARN()
		v.want[arn], v.awake[arn] = r.traffic.observe(now, one, r.cpuOf(ctx, one))
	}
	r.traffic.keep(v.services)
	r.back.keep(v.services)
}

// cpuOf reads the processor time of a service's running instances, for a service that scales by it.
func (r *Reconciler) cpuOf(ctx context.Context, v view) map[string]time.Duration {
	if v.extras.ScaleCPU == 0 {
		return nil
	}
	used := map[string]time.Duration{}
	for _, i := range v.rows {
		if i.Phase != apprunner.PhaseActive || v.real[i.ID].State != instance.Running {
			continue
		}
		if s, err := r.Instances.Stats(ctx, i.ID); err == nil { // one that ends at this moment has none
			used[i.ID] = time.Duration(s.CPUUsec) * time.Microsecond
		}
	}
	return used
}
