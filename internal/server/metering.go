package server

import (
	"context"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/reconcile/meter"
)

// defaultMetricRetention is how long the minutes of metrics are kept.
const defaultMetricRetention = 15 * 24 * time.Hour

// openMetrics opens the metrics and what measures services for them.
func (s *System) openMetrics(ctx context.Context) (err error) {
	s.metricData, err = metrics.Open(ctx, metrics.Config{DB: s.db, Retention: orDefault(s.conf.MetricRetention, defaultMetricRetention), Now: time.Now})
	if err != nil {
		return fmt.Errorf("open the metrics: %w", err)
	}
	s.meter, err = meter.Open(ctx, meter.Config{DB: s.db, Edge: s.edge, Instances: s.driver, Metrics: s.metricData, Now: time.Now, Log: s.log})
	return err
}

// runMeter measures services.
func (s *System) runMeter(ctx context.Context) error {
	return s.meter.Run(ctx, func(time.Time) {})
}
