package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// stored is how many services the API is measured with.
const stored = 1000

// clients is how many callers there are at a time, each waiting for its answer before it asks again.
const clients = 2

// api measures the latency of App Runner actions, as the stock SDK sees it.
func (b *bench) api(ctx context.Context) (err error) {
	dir := filepath.Join(b.dir, "api-house")
	arns, err := seed(ctx, dir, stored)
	if err != nil {
		return fmt.Errorf("seed the store: %w", err)
	}
	h, err := b.up(dir, "--service-quota", fmt.Sprint(stored), "--api-rate", "off")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.down()) }()
	reads, writes := h.calls(arns)
	b.attempt(ctx, "api-p99-reads", func(ctx context.Context) error { return b.calls(ctx, "reads", reads) })
	b.attempt(ctx, "api-p99-writes", func(ctx context.Context) error { return b.calls(ctx, "writes", writes) })
	b.attempt(ctx, "api-rest", h.apiRest)
	b.attempt(ctx, "api-start", h.apiStart)
	return nil
}

// call is one action.
type call struct {
	name string
	do   func(ctx context.Context, arn string) error
	arns []string
}

// calls are the actions measured.
func (h *house) calls(arns []string) (reads, writes []call) {
	reads = []call{
		{"describe-service", func(ctx context.Context, arn string) error {
			_, err := h.Apps.DescribeService(ctx, &sdk.DescribeServiceInput{ServiceArn: &arn}, once)
			return err
		}, arns},
		// Without `once`: with retries switched off this version of the SDK may close a long answer while it reads it.
		{"list-services", func(ctx context.Context, _ string) error {
			_, err := h.Apps.ListServices(ctx, &sdk.ListServicesInput{MaxResults: aws.Int32(20)})
			return err
		}, arns},
		{"list-operations", func(ctx context.Context, arn string) error {
			_, err := h.Apps.ListOperations(ctx, &sdk.ListOperationsInput{ServiceArn: &arn}, once)
			return err
		}, arns},
		{"list-tags-for-resource", func(ctx context.Context, arn string) error {
			_, err := h.Apps.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &arn}, once)
			return err
		}, arns},
	}
	writes = []call{
		{"tag-resource", func(ctx context.Context, arn string) error {
			_, err := h.Apps.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("bench"), Value: aws.String(apprunner.NewID())}}}, once)
			return err
		}, arns},
		{"untag-resource", func(ctx context.Context, arn string) error {
			_, err := h.Apps.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"bench"}}, once)
			return err
		}, arns},
		{"update-default-auto-scaling-configuration", func(ctx context.Context, _ string) error {
			_, err := h.Apps.UpdateDefaultAutoScalingConfiguration(ctx, &sdk.UpdateDefaultAutoScalingConfigurationInput{AutoScalingConfigurationArn: aws.String(
				apprunner.DefaultAutoScalingARN(apprunner.Scope{Account: "123456789012", Region: "us-east-1"}).String())}, once)
			return err
		}, arns},
	}
	return reads, writes
}

// calls prints the 99th percentile of each action, and of all of them together.
func (b *bench) calls(ctx context.Context, kind string, actions []call) error {
	each, all := map[string][]float64{}, []float64{}
	for range b.rounds {
		var together histogram
		for _, a := range actions {
			h, err := a.run(ctx, pick(b, 2000, 100))
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			b.note("%s: p50 %v p99 %v", a.name, h.quantile(0.5), h.quantile(0.99))
			each[a.name] = append(each[a.name], ms(h.quantile(0.99)))
			together.add(h)
		}
		all = append(all, ms(together.quantile(0.99)))
	}
	for _, a := range actions {
		b.print(figure{name: "api-p99-" + a.name, value: median(each[a.name]), unit: "ms"})
	}
	b.print(figure{name: "api-p99-" + kind, value: median(all), unit: "ms"})
	return nil
}

// run makes the call count times on services picked at random, after some that are not counted.
func (c call) run(ctx context.Context, count int) (*histogram, error) {
	if _, err := c.several(ctx, 20); err != nil {
		return nil, err
	}
	var (
		mu  sync.Mutex
		all histogram
		bad error
		wg  sync.WaitGroup
	)
	for range clients {
		wg.Go(func() {
			h, err := c.several(ctx, count/clients)
			mu.Lock()
			defer mu.Unlock()
			all.add(h)
			bad = errors.Join(bad, err)
		})
	}
	wg.Wait()
	return &all, bad
}

func (c call) several(ctx context.Context, count int) (*histogram, error) {
	h := &histogram{}
	for range count {
		arn := c.arns[rand.IntN(len(c.arns))] //nolint:gosec // any will do
		began := time.Now()
		if err := c.do(ctx, arn); err != nil {
			return h, err
		}
		h.record(time.Since(began))
	}
	return h, nil
}

// seed writes services into the store of an installation that has not been started yet, and returns their ARNs. They are
// paused, with the records a paused service has, so that the store is full and nothing else is at work.
func seed(ctx context.Context, dir string, count int) (arns []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, filepath.Join(dir, "slipway.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	begin := time.Now().UTC().Add(-24 * time.Hour)
	return arns, db.Update(ctx, func(tx *store.Tx) error {
		for n := range count {
			s := seeded(n, begin.Add(time.Duration(n)*time.Second))
			arns = append(arns, s.ARN())
			if err := insert(tx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// seeded is a service as it stands after it was created and paused.
func seeded(n int, at time.Time) apprunner.Service {
	sc := apprunner.Scope{Account: "123456789012", Region: "us-east-1"}
	s := apprunner.Service{
		Scope: sc, ID: apprunner.NewID(), Name: fmt.Sprintf("bench-%04d", n), URL: apprunner.NewDomainLabel() + "." + sc.Region + ".apprunner.localhost",
		Status: apprunner.StatusPaused, CreatedAt: at, UpdatedAt: at.Add(time.Minute), Settings: apprunner.DefaultSettings(),
	}
	s.AutoScaling = apprunner.DefaultAutoScaling(sc, at)
	s.Source.Code = &apprunner.CodeRepository{
		URL: "https://git.example.com/bench/" + s.Name, Branch: "main", SourceDirectory: "/",
		Configuration: apprunner.CodeConfiguration{Source: apprunner.ConfigurationFromAPI, Values: &apprunner.CodeConfigurationValues{
			Runtime: "PYTHON_311", BuildCommand: "pip3 install -r requirements.txt", StartCommand: "python3 server.py", Port: 8080,
			Env: map[string]string{"NAME": s.Name, "LOG_LEVEL": "info"},
		}},
	}
	return s
}

func insert(tx *store.Tx, s apprunner.Service) error {
	err := errors.Join(tx.InsertService(s), tx.PutTags(s.ARN(), []apprunner.Tag{{Key: "team", Value: "bench"}, {Key: "stage", Value: "test"}}))
	for n, kind := range []apprunner.OperationType{apprunner.OpCreateService, apprunner.OpPauseService} {
		at := s.CreatedAt.Add(time.Duration(n) * time.Minute)
		err = errors.Join(err, tx.InsertOperation(apprunner.Operation{
			ID: apprunner.NewUUID(), ServiceARN: s.ARN(), Type: kind, Status: apprunner.OpSucceeded, StartedAt: at, UpdatedAt: at, EndedAt: at,
		}))
	}
	return err
}
