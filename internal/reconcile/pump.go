package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// pumpEvery is how often the new log lines of all instances are stored.
const pumpEvery = 300 * time.Millisecond

// pump moves what instances write into their log streams. Lines are stored first, then the place is noted, then the driver may
// drop them: a crash between repeats lines rather than losing them.
type pump struct {
	*Reconciler
	places map[string]instance.Cursor
	groups map[string]apprunner.Service // by service ARN: whose log group it is never changes
}

// pumpLogs stores what instances write, those that were stopped with lines unread included.
func (r *Reconciler) pumpLogs(ctx context.Context) error {
	p := &pump{Reconciler: r, places: map[string]instance.Cursor{}, groups: map[string]apprunner.Service{}}
	if err := p.load(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(pumpEvery)
	defer tick.Stop()
	for {
		if err := p.round(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("application logs", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (p *pump) load(ctx context.Context) error {
	var kept map[string]string
	err := p.DB.View(ctx, func(tx *store.Tx) (err error) {
		kept, err = tx.LogPlaces()
		return err
	})
	for id, text := range kept {
		if p.places[id], err = instance.ParseCursor(text); err != nil {
			return fmt.Errorf("log of instance %s: %w", id, err)
		}
	}
	return err
}

// round stores everything there is now.
func (p *pump) round(ctx context.Context) error {
	list, err := p.Instances.List(ctx)
	if err != nil {
		return fmt.Errorf("list instances: %w", err)
	}
	stopped, err := p.Instances.Unread(ctx)
	if err != nil {
		return fmt.Errorf("list instances with unread logs: %w", err)
	}
	moved := map[string]instance.Cursor{}
	for _, i := range append(list, stopped...) {
		to, err := p.one(ctx, p.owner(ctx, i.ServiceARN), i.ID)
		if err != nil && !errors.Is(err, instance.ErrUnknown) {
			return fmt.Errorf("log of instance %s: %w", i.ID, err)
		}
		if to != p.places[i.ID] {
			moved[i.ID] = to
		}
	}
	if err := p.settle(ctx, moved); err != nil {
		return err
	}
	return p.forget(ctx, list, stopped)
}

// one stores an instance's new lines and returns the place after them.
func (p *pump) one(ctx context.Context, svc apprunner.Service, id string) (instance.Cursor, error) {
	place := p.places[id]
	for {
		records, next, err := p.Instances.Logs(ctx, id, place)
		if err != nil || len(records) == 0 {
			return next, err
		}
		list := make([]observe.Event, 0, len(records))
		for _, rec := range records {
			list = append(list, observe.Event{Time: rec.Time, Message: rec.Line})
		}
		if err := p.Logs.Append(ctx, svc.Scope, svc.LogGroup("application"), "instance/"+id, list); err != nil {
			return place, err
		}
		place = next
	}
}

// settle notes how far the logs are stored and lets the driver drop what came before.
func (p *pump) settle(ctx context.Context, moved map[string]instance.Cursor) error {
	if len(moved) == 0 {
		return nil
	}
	err := p.DB.UpdateQuietly(ctx, func(tx *store.Tx) (err error) {
		for id, place := range moved {
			err = errors.Join(err, tx.PutLogPlace(id, place.String()))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("note how far logs are stored: %w", err)
	}
	maps.Copy(p.places, moved)
	for id, place := range moved {
		if terr := p.Instances.TrimLogs(ctx, id, place); terr != nil && !errors.Is(terr, instance.ErrUnknown) {
			err = errors.Join(err, terr)
		}
	}
	return err
}

// forget drops the places of instances that are gone, and the last trace of stopped ones whose log is stored to its end.
func (p *pump) forget(ctx context.Context, list, stopped []instance.Instance) error {
	live := map[string]bool{}
	for _, i := range append(list, stopped...) {
		live[i.ID] = true
	}
	var errs []error
	for _, i := range stopped {
		if err := p.Instances.TrimLogs(ctx, i.ID, p.places[i.ID]); err != nil && !errors.Is(err, instance.ErrUnknown) {
			errs = append(errs, err)
		}
	}
	for id := range p.places {
		if live[id] {
			continue
		}
		delete(p.places, id)
		errs = append(errs, p.DB.UpdateQuietly(ctx, func(tx *store.Tx) error { return tx.PutLogPlace(id, "") }))
	}
	return errors.Join(errs...)
}

// owner is the service whose log group takes an instance's lines. One that is forgotten already still gives the name.
func (p *pump) owner(ctx context.Context, arn string) apprunner.Service {
	if svc, ok := p.groups[arn]; ok {
		return svc
	}
	var svc apprunner.Service
	err := p.DB.View(ctx, func(tx *store.Tx) (err error) {
		svc, _, err = tx.Service(arn)
		return err
	})
	if err != nil || svc.ID == "" {
		a, _ := apprunner.ParseARN(arn) // our own label: it parses
		return apprunner.Service{Scope: a.Scope, Name: a.Name, ID: a.ID}
	}
	p.groups[arn] = svc
	return svc
}
