package scale

import (
	"math"
	"time"
)

// Sample is what a service had done up to one moment. The sums count from a moment that is the same for all samples of a service,
// and never fall.
type Sample struct {
	At time.Time
	// Busy is the time integral of the requests in flight and in line: the difference of two samples divided by the time between
	// them is the mean concurrency.
	Busy time.Duration
	// CPU is the processor time the instances used; only looked at with Config.CPUTarget.
	CPU time.Duration
	// Need is what [Decide] found to be needed at that moment.
	Need int
}

// Config are a service's limits. Windows that are zero take their defaults.
type Config struct {
	Min, Max    int  // instances (§12.1)
	ToZero      bool // after a quiet time without any request, none need run
	Concurrency int  // requests one instance may hold, from 1
	// CPUTarget is the share of its processors an instance may use, in percent; 0 does not look at CPU.
	CPUTarget  int
	Processors float64 // of one instance

	Quiet time.Duration // how long less must have been needed before instances go; default 60 s
	Panic time.Duration // the mean that tells the need; default 6 s, at most Quiet
	Burst time.Duration // the mean that tells an overload; default 250 ms
}

// The windows of a service that sets none (§12.2).
const (
	DefaultQuiet = time.Minute
	DefaultPanic = 6 * time.Second
	DefaultBurst = 250 * time.Millisecond
)

func (c Config) withDefaults() Config {
	fill(&c.Quiet, DefaultQuiet)
	fill(&c.Panic, DefaultPanic)
	fill(&c.Burst, DefaultBurst)
	c.Panic = min(c.Panic, c.Quiet)
	c.Concurrency = max(c.Concurrency, 1)
	return c
}

func fill(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}

// Decision is the outcome of [Decide].
type Decision struct {
	// Want is how many instances are to run: Min to Max, or 0 with ToZero.
	Want int
	// Active is how many of them the load needs, 0 to Want: the rest may stand by.
	Active int
	// Need is what the present load needs, without regard to limits and to what was needed before. It belongs into the newest sample.
	Need int
}

// Set is the instances a service has.
type Set struct {
	Running int // those being started included
	Active  int // those of them that do not stand by
}

// Decide tells how many instances are to run now. Samples are ordered by time, the newest last and not later than now. Before they
// cover a whole quiet time nothing is let go.
func Decide(now time.Time, samples []Sample, have Set, c Config) Decision {
	c = c.withDefaults()
	d := Decision{Need: need(samples, have.Active, c)}
	d.Want = d.Need
	for _, s := range samples {
		if now.Sub(s.At) < c.Quiet {
			d.Want = max(d.Want, s.Need)
		}
	}
	d.Active = d.Want
	if len(samples) == 0 || now.Sub(samples[0].At) < c.Quiet {
		d.Want, d.Active = max(d.Want, have.Running), max(d.Active, have.Active)
	}
	if c.ToZero && d.Want == 0 {
		return d
	}
	d.Want = min(max(d.Want, c.Min, 1), max(c.Max, 1))
	d.Active = min(d.Active, d.Want)
	return d
}

// need is what the load up to the newest sample needs.
func need(samples []Sample, active int, c Config) int {
	n := instances(rate(samples, c.Panic, busy), float64(c.Concurrency))
	if burst := instances(rate(samples, c.Burst, busy), float64(c.Concurrency)); burst > active {
		n = max(n, burst)
	}
	if c.CPUTarget > 0 && c.Processors > 0 {
		n = max(n, instances(rate(samples, c.Panic, cpu), c.Processors*float64(c.CPUTarget)/100))
	}
	return n
}

func busy(s Sample) time.Duration { return s.Busy }

func cpu(s Sample) time.Duration { return s.CPU }

// slack is what a mean may exceed a whole number of instances by: clocks and sums are not exact.
const slack = 1e-6

// instances is how many hold the load when each holds so much. Any load at all needs one.
func instances(load, each float64) int {
	if load <= 0 {
		return 0
	}
	return max(1, int(math.Ceil(load/each-slack)))
}

// rate is how fast a sum grew over the window before the newest sample, as far as the samples reach back.
func rate(samples []Sample, window time.Duration, sum func(Sample) time.Duration) float64 {
	last := len(samples) - 1
	if last < 1 {
		return 0
	}
	from := samples[last].At.Add(-window)
	n := last - 1
	for n > 0 && samples[n].At.After(from) {
		n--
	}
	at, begin := samples[n].At, float64(sum(samples[n]))
	if next := samples[n+1]; at.Before(from) { // the window begins between two samples
		share := float64(from.Sub(at)) / float64(next.At.Sub(at))
		at, begin = from, begin+share*(float64(sum(next))-begin)
	}
	took := samples[last].At.Sub(at)
	if took <= 0 {
		return 0
	}
	return (float64(sum(samples[last])) - begin) / float64(took)
}

// Trim drops the samples that no decision from now on needs, and those in the middle of a time in which nothing happened.
func Trim(now time.Time, samples []Sample, c Config) []Sample {
	c = c.withDefaults()
	first := 0
	for first+1 < len(samples) && now.Sub(samples[first+1].At) >= c.Quiet {
		first++
	}
	kept := samples[:0]
	for n := first; n < len(samples); n++ {
		if k := len(kept); k >= 2 && same(kept[k-2], kept[k-1]) && same(kept[k-1], samples[n]) {
			kept[k-1] = samples[n]
			continue
		}
		kept = append(kept, samples[n])
	}
	return kept
}

func same(a, b Sample) bool { return a.Busy == b.Busy && a.CPU == b.CPU && a.Need == b.Need }
