package meter

import (
	"context"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/observe/metrics"
)

// usage remembers the processor time of instances.
type usage struct {
	at time.Time
	of map[string]used
}

// used is the processor time that an instance had used at a moment.
type used struct {
	cpu time.Duration
	at  time.Time
}

// apart is how far samples of what instances use are apart at least: each counts the same in the average of a minute.
const apart = 10 * time.Second

// due tells whether it is time for a sample.
func (u *usage) due(now time.Time) bool {
	if d := now.Sub(u.at); d >= 0 && d < apart {
		return false
	}
	u.at = now
	return true
}

func (u *usage) forget(st edge.Status) {
	for id := range u.of {
		if _, there := st.Targets[id]; !there {
			delete(u.of, id)
		}
	}
}

// use measures what the instances of a service use, in percent of what they may.
func (m *Meter) use(ctx context.Context, s sample, svc apprunner.Service, rows []apprunner.Instance) (whole []metrics.Addition, each []metrics.Entry) {
	var cpu, memory metrics.Point
	for _, i := range rows {
		st, err := m.conf.Instances.Stats(ctx, i.ID)
		if err != nil {
			continue // it ends at this moment
		}
		now := used{time.Duration(st.CPUUsec) * time.Microsecond, st.At}
		before, known := m.usage.of[i.ID]
		m.usage.of[i.ID] = now
		var own []metrics.Addition
		if span := now.at.Sub(before.at); known && span > 0 && svc.Instance.CPU > 0 {
			p := metrics.Value(100 * float64(max(0, now.cpu-before.cpu)) / float64(span) * 1024 / float64(svc.Instance.CPU))
			own, cpu = append(own, percentage("CPUUtilization", p)), cpu.Plus(p)
		}
		if st.MemoryLimit > 0 {
			p := metrics.Value(100 * float64(st.MemoryBytes) / float64(st.MemoryLimit))
			own, memory = append(own, percentage("MemoryUtilization", p)), memory.Plus(p)
		}
		if len(own) > 0 {
			each = append(each, metrics.Entry{Series: seriesOf(svc, i.ID), Minute: s.minute, Additions: own})
		}
	}
	if cpu.Count > 0 {
		whole = append(whole, percentage("CPUUtilization", cpu))
	}
	if memory.Count > 0 {
		whole = append(whole, percentage("MemoryUtilization", memory))
	}
	return whole, each
}

func percentage(name string, p metrics.Point) metrics.Addition {
	return metrics.Addition{Metric: metrics.Metric{Name: name, Unit: percent}, Point: p}
}
