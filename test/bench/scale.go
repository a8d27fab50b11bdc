package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/test/rig"
)

// scale measures how soon instances are there when requests come: from zero, from frozen, and when the load is ten times as high
// from one moment to the next.
func (b *bench) scale(ctx context.Context) (err error) {
	start, err := b.ownStart(ctx)
	if err != nil {
		return fmt.Errorf("the application's own start: %w", err)
	}
	h, err := b.up(filepath.Join(b.dir, "scale-house"), "--quiet-time", "2s")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.down()) }()
	if err := h.pushImage(ctx, "v1"); err != nil {
		return err
	}
	s := &scaling{house: h, start: start}
	b.attempt(ctx, "wake-from-zero-beyond-start", s.fromZero)
	b.attempt(ctx, "wake-from-frozen", s.fromFrozen)
	b.attempt(ctx, "load-step", s.loadStep)
	return nil
}

// scaling measures on one installation with a short quiet time.
type scaling struct {
	*house
	start time.Duration // what the application itself takes to start
}

// service makes a service of the test application.
func (s *scaling) service(ctx context.Context, name string, change func(*sdk.CreateServiceInput)) (*types.Service, error) {
	in := &sdk.CreateServiceInput{ServiceName: &name, SourceConfiguration: rig.ImageSource(repository, "v1", nil)}
	rig.Small(in)
	change(in)
	out, err := s.Apps.CreateService(ctx, in, once)
	if err != nil {
		return nil, err
	}
	return s.settled(ctx, out.Service.ServiceArn, types.ServiceStatusRunning)
}

func tag(name, value string) func(*sdk.CreateServiceInput) {
	return func(in *sdk.CreateServiceInput) {
		in.Tags = []types.Tag{{Key: aws.String("slipway:" + name), Value: &value}}
	}
}

// targets waits until the edge's view of a service's instances is as wanted.
func (s *scaling) targets(ctx context.Context, svc *types.Service, want func([]edge.TargetStatus) bool) error {
	door := edge.NewClient(s.path("run", "edge.sock"))
	return until(ctx, time.Minute, func(ctx context.Context) error {
		st, err := door.Status(ctx)
		if err != nil {
			return err
		}
		var mine []edge.TargetStatus
		for _, t := range st.Targets {
			if t.ServiceARN == *svc.ServiceArn {
				mine = append(mine, t)
			}
		}
		if !want(mine) {
			return fmt.Errorf("the instances of %s are %+v", *svc.ServiceName, mine)
		}
		return nil
	})
}

// fromZero: a request to a service that has no instance, until its answer.
func (s *scaling) fromZero(ctx context.Context) error {
	rounds, err := s.wakes(ctx, "zero", tag("scale-to-zero", "on"), func(list []edge.TargetStatus) bool { return len(list) == 0 })
	if err == nil {
		s.b.milliseconds("wake-from-zero-beyond-start", rounds, s.start)
	}
	return err
}

// fromFrozen: a request to a service whose only instance is frozen, until its answer.
func (s *scaling) fromFrozen(ctx context.Context) error {
	rounds, err := s.wakes(ctx, "frozen", tag("min-active", "0"), func(list []edge.TargetStatus) bool {
		return len(list) == 1 && list[0].Frozen
	})
	if err == nil {
		s.b.milliseconds("wake-from-frozen", rounds, 0)
	}
	return err
}

// wakes makes a service, and whenever it sleeps asks it once.
func (s *scaling) wakes(ctx context.Context, name string, change func(*sdk.CreateServiceInput), sleeps func([]edge.TargetStatus) bool) (rounds []time.Duration, err error) {
	svc, err := s.service(ctx, name, change)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.remove(ctx, svc.ServiceArn)) }()
	for range 2*s.b.rounds + 1 {
		if err := s.targets(ctx, svc, sleeps); err != nil {
			return rounds, err
		}
		began := time.Now()
		if _, err := s.ask(ctx, *svc.ServiceUrl); err != nil {
			return rounds, err
		}
		rounds = append(rounds, time.Since(began))
	}
	return rounds[1:], nil // the first one makes the connection too
}

// The load step: from what one instance holds to ten times that, as requests of a tenth of a second.
const (
	stepPath = "/slow?ms=100"
	stepOne  = 20 // requests a second that one instance holds with stepRoom places
	stepRoom = 2
	stepMost = 10
)

// loadStep: the step until there are as many healthy instances as it needs, and how many requests failed.
func (s *scaling) loadStep(ctx context.Context) error {
	conf, err := s.Apps.CreateAutoScalingConfiguration(ctx, &sdk.CreateAutoScalingConfigurationInput{
		AutoScalingConfigurationName: aws.String("step"), MaxConcurrency: aws.Int32(stepRoom), MinSize: aws.Int32(1), MaxSize: aws.Int32(stepMost),
	}, once)
	if err != nil {
		return err
	}
	var rounds []time.Duration
	failed := 0
	for n := range s.b.rounds {
		svc, err := s.service(ctx, fmt.Sprintf("step-%d", n), func(in *sdk.CreateServiceInput) {
			in.AutoScalingConfigurationArn = conf.AutoScalingConfiguration.AutoScalingConfigurationArn
		})
		if err != nil {
			return err
		}
		took, report, err := s.step(ctx, svc)
		if err := errors.Join(err, s.remove(ctx, svc.ServiceArn)); err != nil {
			return err
		}
		s.b.note("load-step: %s", report)
		rounds, failed = append(rounds, took), failed+report.Failed
	}
	s.b.milliseconds("load-step-capacity-beyond-start", rounds, s.start)
	s.b.print(figure{name: "load-step-failed", value: float64(failed), unit: "requests"})
	return nil
}

// step is one round: half of what an instance holds for a second, then 9 and a half times as much as one holds.
func (s *scaling) step(ctx context.Context, svc *types.Service) (time.Duration, rig.Report, error) {
	asked := rig.Service{Service: svc, House: s.House}
	asked.Load(rig.Pressure{Path: stepPath, Rate: stepOne / 2, Count: stepOne / 2}).Wait()
	began := time.Now()
	load := asked.Load(rig.Pressure{Path: stepPath, Rate: stepOne*stepMost - stepOne/2})
	err := s.targets(ctx, svc, func(list []edge.TargetStatus) bool {
		healthy := 0
		for _, t := range list {
			if t.Health == edge.Healthy {
				healthy++
			}
		}
		return healthy == stepMost
	})
	took := time.Since(began)
	serr := sleep(ctx, 2*time.Second)
	return took, load.Stop(), errors.Join(err, serr)
}
