package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// deploy measures how long people wait, what an idle installation takes, and how soon it is back after kill -9.
func (b *bench) deploy(ctx context.Context) (err error) {
	start, err := b.ownStart(ctx)
	if err != nil {
		return fmt.Errorf("the application's own start: %w", err)
	}
	h, err := b.up(filepath.Join(b.dir, "house"), "--service-quota", "50")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.down()) }()
	d := &deployments{house: h, start: start}
	for _, m := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"create-beyond-start", d.create},
		{"idle-memory", func(ctx context.Context) error { return h.memory(ctx, "idle-memory") }},
		{"idle-instance-memory", h.shimMemory},
		{"pause-resume", d.pauseResume},
		{"redeploy", d.redeploy},
		{"rollback", d.rollback},
		{"push-beyond-build-and-start", d.push},
		{"control-recovery", d.controlRecovery},
		{"edge-recovery", d.edgeRecovery},
		{"idle-memory-after-work", func(ctx context.Context) error { return h.memory(ctx, "idle-memory-after-work") }},
	} {
		b.attempt(ctx, m.name, m.measure)
	}
	return nil
}

// deployments measures on one installation. The first service made stays and is what later figures work on.
type deployments struct {
	*house
	start time.Duration  // what the application itself takes to start
	kept  *types.Service // nil until the first figure is made
}

// create: an image that lies in the registry, not yet unpacked, until the service answers.
func (d *deployments) create(ctx context.Context) error {
	var rounds []time.Duration
	for n := range d.b.rounds {
		version := fmt.Sprintf("v%d", n+1)
		if err := d.pushImage(ctx, version); err != nil {
			return err
		}
		began := time.Now()
		out, err := d.Apps.CreateService(ctx, &apprunner.CreateServiceInput{
			ServiceName: aws.String("bench-" + version), SourceConfiguration: rig.ImageSource(repository, version, nil),
		}, once)
		if err != nil {
			return err
		}
		_, err = d.answer(ctx, *out.Service.ServiceUrl, serves(version))
		took := time.Since(began)
		svc, serr := d.settled(ctx, out.Service.ServiceArn, types.ServiceStatusRunning)
		if err := errors.Join(err, serr); err != nil {
			return err
		}
		rounds = append(rounds, took)
		if n == 0 {
			d.kept = svc
		} else if err := d.remove(ctx, svc.ServiceArn); err != nil {
			return err
		}
	}
	d.b.milliseconds("create-beyond-start", rounds, d.start)
	return nil
}

// serves accepts the answer of a version of the application.
func serves(version string) func(string) bool {
	return func(body string) bool { return strings.HasPrefix(body, "hello "+version+" ") }
}

var errNoService = errors.New("there is no service to measure on")

// pauseResume: the call until the service is paused, and the call until it answers again. The application's start is in it:
// the design promises the whole.
func (d *deployments) pauseResume(ctx context.Context) error {
	if d.kept == nil {
		return errNoService
	}
	var pauses, resumes []time.Duration
	for range d.b.rounds {
		began := time.Now()
		if _, err := d.Apps.PauseService(ctx, &apprunner.PauseServiceInput{ServiceArn: d.kept.ServiceArn}, once); err != nil {
			return err
		}
		if _, err := d.settled(ctx, d.kept.ServiceArn, types.ServiceStatusPaused); err != nil {
			return err
		}
		pauses = append(pauses, time.Since(began))
		began = time.Now()
		if _, err := d.Apps.ResumeService(ctx, &apprunner.ResumeServiceInput{ServiceArn: d.kept.ServiceArn}, once); err != nil {
			return err
		}
		if _, err := d.answer(ctx, *d.kept.ServiceUrl, anything); err != nil {
			return err
		}
		resumes = append(resumes, time.Since(began))
		if _, err := d.settled(ctx, d.kept.ServiceArn, types.ServiceStatusRunning); err != nil {
			return err
		}
	}
	d.b.milliseconds("pause", pauses, 0)
	d.b.milliseconds("resume", resumes, 0)
	return nil
}

// redeploy: StartDeployment of an image that has not changed, until a new instance answers.
func (d *deployments) redeploy(ctx context.Context) error {
	if d.kept == nil {
		return errNoService
	}
	var rounds []time.Duration
	for range d.b.rounds {
		before, err := d.answer(ctx, *d.kept.ServiceUrl, anything) // it names its instance
		if err != nil {
			return err
		}
		began := time.Now()
		if _, err := d.Apps.StartDeployment(ctx, &apprunner.StartDeploymentInput{ServiceArn: d.kept.ServiceArn}, once); err != nil {
			return err
		}
		_, err = d.answer(ctx, *d.kept.ServiceUrl, func(body string) bool { return body != before })
		rounds = append(rounds, time.Since(began))
		_, serr := d.settled(ctx, d.kept.ServiceArn, types.ServiceStatusRunning)
		if err := errors.Join(err, serr); err != nil {
			return err
		}
	}
	d.b.milliseconds("redeploy", rounds, 0)
	return nil
}

// rollback: UpdateService to the image of an earlier deployment, until that version answers.
func (d *deployments) rollback(ctx context.Context) error {
	if d.kept == nil {
		return errNoService
	}
	const older, newer = "v1", "newer"
	if err := d.pushImage(ctx, newer); err != nil {
		return err
	}
	var rounds []time.Duration
	for range d.b.rounds {
		if _, err := d.moveTo(ctx, newer); err != nil {
			return err
		}
		took, err := d.moveTo(ctx, older)
		if err != nil {
			return err
		}
		rounds = append(rounds, took)
	}
	d.b.milliseconds("rollback", rounds, 0)
	return nil
}

// moveTo updates the service to a version and tells how long it took until that answered.
func (d *deployments) moveTo(ctx context.Context, version string) (time.Duration, error) {
	began := time.Now()
	_, err := d.Apps.UpdateService(ctx, &apprunner.UpdateServiceInput{
		ServiceArn: d.kept.ServiceArn, SourceConfiguration: rig.ImageSource(repository, version, nil),
	}, once)
	if err != nil {
		return 0, err
	}
	_, err = d.answer(ctx, *d.kept.ServiceUrl, serves(version))
	took := time.Since(began)
	_, serr := d.settled(ctx, d.kept.ServiceArn, types.ServiceStatusRunning)
	return took, errors.Join(err, serr)
}
