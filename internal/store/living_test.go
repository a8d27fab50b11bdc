package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

var errChanged = errors.New("changed my mind")

// all reads every service as a reader does, and as a writer does, who knows nothing from before.
func all(t *testing.T, db *store.DB) (reader, writer []apprunner.Service) {
	t.Helper()
	read := func(into *[]apprunner.Service) func(*store.Tx) error {
		return func(tx *store.Tx) (err error) {
			*into, err = tx.Services(apprunner.Scope{})
			return err
		}
	}
	if err := errors.Join(db.View(t.Context(), read(&reader)), db.UpdateQuietly(t.Context(), read(&writer))); err != nil {
		t.Fatal(err)
	}
	return reader, writer
}

// Whatever is written, kept or thrown away, a reader sees what is stored and nothing else.
func TestServicesAreNeverStale(t *testing.T) {
	db, rnd := open(t), rand.New(rand.NewPCG(7, 7))
	var stored []apprunner.Service
	for round := range 300 {
		keep := rnd.IntN(3) > 0
		s := service(fmt.Sprintf("app-%d", round), int64(rnd.IntN(50)))
		at := -1
		write := func(tx *store.Tx) error { return tx.InsertService(s) }
		if len(stored) > 0 && rnd.IntN(2) == 0 {
			at = rnd.IntN(len(stored))
			s = stored[at]
			s.Status = []apprunner.ServiceStatus{apprunner.StatusPaused, apprunner.StatusRunning, apprunner.StatusDeleted}[rnd.IntN(3)]
			write = func(tx *store.Tx) error { return tx.PutService(s) }
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if err := write(tx); err != nil || keep {
				return err
			}
			if _, err := tx.Services(apprunner.Scope{}); err != nil { // what is seen here is never stored
				return err
			}
			return errChanged
		})
		switch {
		case errors.Is(err, errChanged):
		case err != nil:
			t.Fatal(err)
		case at < 0:
			stored = append(stored, s)
		case s.Status == apprunner.StatusDeleted:
			stored = append(stored[:at], stored[at+1:]...)
		default:
			stored[at] = s
		}
		reader, writer := all(t, db)
		if len(reader) != len(stored) || len(reader) > 0 && !reflect.DeepEqual(reader, writer) {
			t.Fatalf("round %d: %d services stored, a reader sees %d, a writer %d", round, len(stored), len(reader), len(writer))
		}
	}
}

// Readers that begin while others write see at least what was stored when they began.
func TestServicesAmongWriters(t *testing.T) {
	db, s := open(t), service("app", 1)
	update(t, db, func(tx *store.Tx) error { return tx.InsertService(s) })
	const writes = 200
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		last int
	)
	wg.Go(func() {
		for n := 1; n <= writes; n++ {
			s.HealthCheck.Interval = n
			if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.PutService(s) }); err != nil {
				t.Error(err)
			}
			mu.Lock()
			last = n
			mu.Unlock()
		}
	})
	for range 3 {
		wg.Go(func() {
			for seen := 0; seen < writes && !t.Failed(); {
				mu.Lock()
				least := last
				mu.Unlock()
				err := db.View(t.Context(), func(tx *store.Tx) error {
					list, err := tx.Services(scope)
					if err == nil {
						seen = list[0].HealthCheck.Interval
					}
					return err
				})
				if err != nil || seen < least {
					t.Errorf("%d was written before, %d is read, %v", least, seen, err)
				}
			}
		})
	}
	wg.Wait()
}

// A snapshot stays what it is while others see newer things.
func TestServicesOfAnOldSnapshot(t *testing.T) {
	db := open(t)
	err := db.View(t.Context(), func(tx *store.Tx) error {
		if _, _, err := tx.Setting("begin"); err != nil {
			return err
		}
		update(t, db, func(tx *store.Tx) error { return tx.InsertService(service("app", 1)) })
		if reader, _ := all(t, db); len(reader) != 1 {
			t.Errorf("a new reader sees %d services", len(reader))
		}
		list, err := tx.Services(scope)
		if len(list) != 0 {
			t.Errorf("an old snapshot shows %d services of later", len(list))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
