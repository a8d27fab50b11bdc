package control_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/store"
)

// crowded is a control room with 1,000 services.
func crowded(b *testing.B) (*control.Control, *store.DB, []string) {
	b.Helper()
	db, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "slipway.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	c, err := control.New(control.Config{DB: db, Suffix: "apprunner.test", Log: slog.New(slog.DiscardHandler), ServiceQuota: 100000})
	if err != nil {
		b.Fatal(err)
	}
	var arns []string
	for i := range 1000 {
		in := codeInput(fmt.Sprintf("service-%d", i))
		in.Source.Code.Configuration = &apprunner.CodeConfigurationPatch{Source: p(apprunner.ConfigurationFromAPI), Values: &apprunner.CodeValuesPatch{
			Runtime: p(apprunner.Runtime("PYTHON_311")), StartCommand: p("python server.py"), Env: map[string]string{},
		}}
		for v := range 20 {
			in.Source.Code.Configuration.Values.Env[fmt.Sprintf("VARIABLE_%d", v)] = "a value of some length, as they are"
		}
		in.Tags = []apprunner.Tag{{Key: "team", Value: "web"}}
		s, _, err := c.CreateService(b.Context(), scope, in)
		if err != nil {
			b.Fatal(err)
		}
		arns = append(arns, s.ARN())
	}
	return c, db, arns
}

// measure runs do as a benchmark and reports the slowest hundredth.
func measure(b *testing.B, do func(i int) error) {
	b.Helper()
	var times []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if err := do(i); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

func BenchmarkThousandServices(b *testing.B) {
	c, db, arns := crowded(b)
	b.Run("Describe", func(b *testing.B) {
		measure(b, func(i int) error {
			_, err := c.DescribeService(b.Context(), scope, arns[i%len(arns)])
			return err
		})
	})
	b.Run("ListAll", func(b *testing.B) {
		measure(b, func(int) error {
			list, err := c.ListServices(b.Context(), scope, apprunner.Place{}, 0)
			if len(list) < 1000 {
				b.Fatal(len(list))
			}
			return err
		})
	})
	b.Run("ListPage", func(b *testing.B) {
		var after apprunner.Place
		measure(b, func(int) error {
			list, err := c.ListServices(b.Context(), scope, after, 21)
			if after = (apprunner.Place{}); len(list) == 21 {
				after = list[19].Place()
			}
			return err
		})
	})
	b.Run("DescribeAutoScaling", func(b *testing.B) {
		arn := apprunner.DefaultAutoScalingARN(scope).String()
		measure(b, func(int) error {
			_, err := c.DescribeAutoScalingConfiguration(b.Context(), scope, arn)
			return err
		})
	})
	b.Run("Tag", func(b *testing.B) {
		measure(b, func(i int) error {
			return c.TagResource(b.Context(), scope, arns[i%len(arns)], []apprunner.Tag{{Key: "round", Value: fmt.Sprint(i)}})
		})
	})
	b.Run("Create", func(b *testing.B) {
		measure(b, func(i int) error {
			_, _, err := c.CreateService(b.Context(), scope, codeInput(fmt.Sprintf("new-%d-%d", b.N, i)))
			return err
		})
	})
	b.Run("Start", func(b *testing.B) {
		measure(b, func(int) error {
			return db.View(b.Context(), func(tx *store.Tx) error {
				_, err := tx.Services(apprunner.Scope{})
				return err
			})
		})
	})
}
