package server

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/observe/events"
)

// busCollector gives the figures of the event bus at each scrape.
type busCollector struct{ bus *events.Bus }

var (
	eventMatchesDesc = prometheus.NewDesc("slipway_event_matches_total", "Times that an event matched a rule.", nil, nil)
	deliveriesDesc   = prometheus.NewDesc("slipway_event_deliveries_total", "Deliveries of events to targets by how they went: delivered, retried (a try that failed and is followed by another), given_up, unserved (the target's ARN has no address here).", []string{"result"}, nil)
	deliveryWaitDesc = prometheus.NewDesc("slipway_event_deliveries_waiting", "Deliveries of events that have not arrived yet.", nil, nil)
	deliveryAgeDesc  = prometheus.NewDesc("slipway_event_delivery_oldest_timestamp_seconds", "When the oldest delivery that has not arrived yet came; 0 without any.", nil, nil)
)

// Describe names the metrics.
func (busCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{eventMatchesDesc, deliveriesDesc, deliveryWaitDesc, deliveryAgeDesc} {
		ch <- d
	}
}

// Collect asks the bus.
func (c busCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	st, err := c.bus.Stats(ctx)
	if err != nil {
		return // the scrape shows the rest
	}
	ch <- prometheus.MustNewConstMetric(eventMatchesDesc, prometheus.CounterValue, float64(st.Matched))
	for result, n := range map[string]uint64{"delivered": st.Delivered, "retried": st.Retried, "given_up": st.GivenUp, "unserved": st.Unserved} {
		ch <- prometheus.MustNewConstMetric(deliveriesDesc, prometheus.CounterValue, float64(n), result)
	}
	ch <- prometheus.MustNewConstMetric(deliveryWaitDesc, prometheus.GaugeValue, float64(st.Waiting))
	oldest := 0.0
	if !st.Oldest.IsZero() {
		oldest = float64(st.Oldest.UnixMicro()) / 1e6
	}
	ch <- prometheus.MustNewConstMetric(deliveryAgeDesc, prometheus.GaugeValue, oldest)
}

// certificateCollector tells when certificates expire.
type certificateCollector struct{ kept *domain.Certificates }

var expiryDesc = prometheus.NewDesc("slipway_certificate_expiry_timestamp_seconds",
	"When a certificate expires. The installation's own ones have no ARN.", []string{"certificate_arn", "domain", "imported"}, nil)

// Describe names the metric.
func (certificateCollector) Describe(ch chan<- *prometheus.Desc) { ch <- expiryDesc }

// Collect reads the records. Those of certificates that were never made have no end.
func (c certificateCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	all, err := c.kept.All(ctx)
	if err != nil {
		return // the scrape shows the rest
	}
	for _, one := range all {
		if one.NotAfter.IsZero() || len(one.Hosts) == 0 {
			continue
		}
		arn := one.ARN
		if one.Standing {
			arn = ""
		}
		ch <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(one.NotAfter.Unix()), arn, one.Hosts[0], strconv.FormatBool(one.Imported))
	}
}
