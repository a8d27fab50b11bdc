package meter

import (
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/observe/metrics"
)

// Namespace is that of the metrics of App Runner.
const Namespace = "AWS/AppRunner"

// The units of the metrics.
const (
	count        = "Count"
	percent      = "Percent"
	milliseconds = "Milliseconds"
)

// seriesOf is what the metrics of a service, or of one of its instances, are told apart by.
func seriesOf(svc apprunner.Service, instance string) metrics.Series {
	s := metrics.Series{Scope: svc.Scope, Namespace: Namespace, Dimensions: []metrics.Dimension{{Name: "ServiceName", Value: svc.Name}, {Name: "ServiceID", Value: svc.ID}}}
	if instance != "" {
		s.Dimensions = append(s.Dimensions, metrics.Dimension{Name: "Instance", Value: instance})
	}
	return s
}

// sample is what is seen at one moment.
type sample struct {
	at     time.Time
	minute time.Time
	first  bool // nothing was seen before by this process
	status edge.Status
}

// elder tells whether something was there long before anything was measured by this process.
func (s sample) elder(created time.Time) bool {
	return s.first && created.Before(s.at.Add(-time.Minute))
}

// traffic counts what a service had to do since the last sample.
func (m *Meter) traffic(s sample, svc apprunner.Service, rows []apprunner.Instance) []metrics.Addition {
	arn := svc.ARN()
	now := s.status.Services[arn]
	before, known := m.known[arn]
	if !known && s.elder(svc.CreatedAt) {
		before = now // what was served before anybody counted belongs to no minute
	}
	d := since(before, now)
	if !known || d.Requests > 0 || d.Busy > 0 || now.Requests < before.Requests {
		now.LatencyBuckets = nil
		m.known[arn] = now
		m.changed[arn] = true
	}
	additions := []metrics.Addition{
		total("Requests", float64(d.Requests)), total("2xxStatusResponses", float64(d.Status2xx)), total("4xxStatusResponses", float64(d.Status4xx)),
		total("5xxStatusResponses", float64(d.Status5xx)), total("Concurrency", d.Busy.Minutes()),
		{Metric: metrics.Metric{Name: "ActiveInstances", Unit: count}, Kind: metrics.Peak, Point: metrics.Value(m.activeOf(s, arn, rows))},
	}
	if p := latency(d); p.Count > 0 {
		additions = append(additions, metrics.Addition{Metric: metrics.Metric{Name: "RequestLatency", Unit: milliseconds}, Point: p})
	}
	return additions
}

func total(name string, v float64) metrics.Addition {
	return metrics.Addition{Metric: metrics.Metric{Name: name, Unit: count}, Kind: metrics.Total, Point: metrics.Value(v)}
}

// since is what was counted after before. Counters that are smaller began anew, in an edge that knew nothing of the one before.
func since(before, now edge.Counters) edge.Counters {
	spread := now.Spread.Since(before.Spread)
	if now.Requests < before.Requests || now.Status2xx < before.Status2xx || now.Status4xx < before.Status4xx || now.Status5xx < before.Status5xx ||
		now.LatencySum < before.LatencySum || now.Busy < before.Busy || spread == nil && before.Spread != nil {
		return now
	}
	now.Requests -= before.Requests
	now.Status2xx, now.Status4xx, now.Status5xx = now.Status2xx-before.Status2xx, now.Status4xx-before.Status4xx, now.Status5xx-before.Status5xx
	now.LatencySum, now.Busy, now.Spread = now.LatencySum-before.LatencySum, now.Busy-before.Busy, spread
	return now
}

// latency is how long the requests took, in milliseconds.
func latency(d edge.Counters) metrics.Point {
	sum := float64(d.LatencySum) / float64(time.Millisecond)
	var values, counts []float64
	requests := 0.0
	for bucket, n := range d.Spread {
		if n > 0 {
			values, counts = append(values, d.Spread.Milliseconds(bucket)), append(counts, float64(n))
			requests += float64(n)
		}
	}
	if requests == 1 {
		return metrics.Value(sum)
	}
	return metrics.Values(values, counts).WithSum(sum)
}

// activeOf is how many instances had requests in the minute of a sample so far.
func (m *Meter) activeOf(s sample, arn string, rows []apprunner.Instance) float64 {
	for _, i := range rows {
		target, routed := s.status.Targets[i.ID]
		before, known := m.served[i.ID]
		m.served[i.ID] = target.Requests
		if !routed || target.InFlight == 0 && (target.Requests == before || !known && s.elder(i.CreatedAt)) {
			continue
		}
		if m.active[arn] == nil {
			m.active[arn] = map[string]bool{}
		}
		m.active[arn][i.ID] = true
	}
	return float64(len(m.active[arn]))
}
