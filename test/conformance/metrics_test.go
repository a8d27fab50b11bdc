package conformance

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/observe/alarms"
	"slipway.dev/slipway/internal/observe/dashboards"
	"slipway.dev/slipway/internal/observe/metrics"
	"slipway.dev/slipway/internal/store"
)

// figures serves CloudWatch.
func figures(t *testing.T, db *store.DB, tokens *api.Tokens) *api.Service {
	t.Helper()
	data, err := metrics.Open(t.Context(), metrics.Config{DB: db, Retention: 15 * 24 * time.Hour, Now: time.Now})
	check(t, err)
	watch, err := alarms.Open(t.Context(), alarms.Config{DB: db, Metrics: data, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	boards, err := dashboards.Open(t.Context(), dashboards.Config{DB: db, Now: time.Now})
	check(t, err)
	service, err := api.NewCloudWatch(api.CloudWatchConfig{
		Metrics: data, Alarms: watch, Dashboards: boards, Tokens: tokens, Now: time.Now, Catch: func(context.Context) error { return nil },
	})
	check(t, err)
	return service
}
