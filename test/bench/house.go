package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// house is an installation under measurement.
type house struct {
	*rig.House
	b *bench
}

// patience bounds every wait. The first build of a runtime's base image takes minutes on a fresh machine.
const patience = 12 * time.Minute

// look is how often a service is asked whether it answers yet: what is measured is up to this much too long.
const look = 2 * time.Millisecond

// up starts an installation over dir.
func (b *bench) up(dir string, args ...string) (*house, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	h, err := rig.UpIn(dir, nil, args...)
	if err != nil {
		return nil, err
	}
	return &house{h, b}, nil
}

// down takes the installation down, also when the bench was interrupted, and complains about everything it leaves. Processes
// that have ended may wait a moment for the system to note that.
func (h *house) down() error {
	h.HTTP.CloseIdleConnections()
	if err := h.Down(); err != nil {
		return err
	}
	return until(context.Background(), 3*time.Second, func(context.Context) error {
		if left := h.Leftovers(); len(left) > 0 {
			return fmt.Errorf("slipway down left behind: %q", left)
		}
		return nil
	})
}

// once makes a call of the SDK fail where it would try again.
func once(o *apprunner.Options) { o.Retryer = aws.NopRetryer{} }

// settled waits until no operation works on a service, which must then be in the status wanted.
func (h *house) settled(ctx context.Context, arn *string, want types.ServiceStatus) (*types.Service, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		out, err := h.Apps.DescribeService(ctx, &apprunner.DescribeServiceInput{ServiceArn: arn})
		if err != nil {
			return nil, err
		}
		switch out.Service.Status {
		case want:
			return out.Service, nil
		case types.ServiceStatusOperationInProgress:
		default:
			return nil, fmt.Errorf("service %s is %s, want %s; its logs:\n%s", *out.Service.ServiceName, out.Service.Status, want,
				rig.Service{Service: out.Service, House: h.House}.Story())
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// answer waits until a service answers 200 with a body that is accepted, and returns the body.
func (h *house) answer(ctx context.Context, host string, accept func(body string) bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		body, err := h.ask(ctx, host)
		if err == nil && accept(body) {
			return body, nil
		}
		if serr := sleep(ctx, look); serr != nil {
			return "", fmt.Errorf("%s did not answer as expected; the last answer was %q: %w", host, body, errors.Join(serr, err))
		}
	}
}

func anything(string) bool { return true }

// ask asks once.
func (h *house) ask(ctx context.Context, host string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		return "", err
	}
	res, err := h.HTTP.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d", res.StatusCode)
	}
	return string(b), err
}

// remove deletes a service and waits until it is gone.
func (h *house) remove(ctx context.Context, arn *string) error {
	if _, err := h.Apps.DeleteService(ctx, &apprunner.DeleteServiceInput{ServiceArn: arn}); err != nil {
		return err
	}
	_, err := h.settled(ctx, arn, types.ServiceStatusDeleted)
	return err
}

// path is a place inside the data directory.
func (h *house) path(parts ...string) string {
	return filepath.Join(append([]string{h.Dir}, parts...)...)
}
