package reconcile

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"slipway.dev/slipway/internal/edge"
)

// teller is an edge that only tells what it knows.
type teller struct {
	reads atomic.Int64
	hangs atomic.Bool
	news  chan edge.Status
}

func (e *teller) Publish(context.Context, edge.Table) error { return nil }

func (e *teller) Status(ctx context.Context) (edge.Status, error) {
	if e.hangs.Load() {
		<-ctx.Done()
		return edge.Status{}, ctx.Err()
	}
	return edge.Status{Version: uint64(e.reads.Add(1)), TableVersion: 1}, nil
}

func (e *teller) News(ctx context.Context, _ edge.Status) (edge.Status, error) {
	select {
	case st := <-e.news:
		return st, nil
	case <-ctx.Done():
		return edge.Status{}, ctx.Err()
	}
}

// TestSight: all who ask within a while get what was read once, unless a newer table was published or the edge went away; one that
// hangs holds up nobody for longer than he waits.
func TestSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &teller{news: make(chan edge.Status)}
		s := newSight(e, time.Now)
		ask := func(age time.Duration, reads int64) {
			t.Helper()
			if _, err := s.status(t.Context(), age); err != nil || e.reads.Load() != reads {
				t.Errorf("read %d times, want %d (%v)", e.reads.Load(), reads, err)
			}
		}
		ask(time.Second, 1)
		ask(time.Second, 1)
		time.Sleep(600 * time.Millisecond)
		ask(time.Second, 1)
		ask(lately, 2)
		s.table.Store(2)
		ask(time.Second, 3)
		s.table.Store(1)
		ask(time.Second, 3)
		s.lose()
		ask(time.Second, 4)

		ctx, cancel := context.WithCancel(t.Context())
		told := make(chan edge.Status, 1)
		go s.watch(ctx, func(st edge.Status) { told <- st })
		e.news <- edge.Status{Version: 99, TableVersion: 1}
		<-told
		if st, _ := s.status(ctx, time.Second); st.Version != 99 || e.reads.Load() != 4 {
			t.Errorf("after the news: version %d, read %d times", st.Version, e.reads.Load())
		}
		s.await(ctx, 4) // it is another one already
		cancel()

		e.hangs.Store(true)
		s.lose()
		go s.status(t.Context(), 0)
		synctest.Wait()
		short, stop := context.WithTimeout(t.Context(), look)
		defer stop()
		began := time.Now()
		if _, err := s.status(short, 0); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > look {
			t.Errorf("with an edge that hangs: %v after %s", err, time.Since(began))
		}
		time.Sleep(readPatience)
	})
}
