package server

import (
	"context"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/observe/alarms"
	"slipway.dev/slipway/internal/observe/dashboards"
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
	if s.alarms, err = alarms.Open(ctx, alarms.Config{DB: s.db, Metrics: s.metricData, Now: time.Now, Log: s.log}); err != nil {
		return fmt.Errorf("open the alarms: %w", err)
	}
	if s.dashboards, err = dashboards.Open(ctx, dashboards.Config{DB: s.db, Now: time.Now}); err != nil {
		return fmt.Errorf("open the dashboards: %w", err)
	}
	s.meter, err = meter.Open(ctx, meter.Config{DB: s.db, Edge: s.edge, Instances: s.driver, Metrics: s.metricData, Now: time.Now, Log: s.log})
	return err
}

// runMeter measures services, and has alarms evaluated when a minute is complete.
func (s *System) runMeter(ctx context.Context) error {
	return s.meter.Run(ctx, s.alarms.Look)
}

// cloudWatch is the API of all that.
func (s *System) cloudWatch(tokens *api.Tokens) (*api.Service, error) {
	return api.NewCloudWatch(api.CloudWatchConfig{
		Metrics: s.metricData, Alarms: s.alarms, Dashboards: s.dashboards, Tokens: tokens, Catch: s.meter.Catch, Now: time.Now,
	})
}
