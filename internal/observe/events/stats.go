package events

import (
	"context"
	"sync/atomic"
	"time"

	"slipway.dev/slipway/internal/store"
)

// counters count since the process began.
type counters struct{ matched, delivered, retried, givenUp, unserved atomic.Uint64 }

// Stats are figures of the bus of all accounts. The counts begin anew with the process.
type Stats struct {
	Matched   uint64 // times that an event matched a rule
	Delivered uint64 // deliveries that arrived
	Retried   uint64 // tries that failed and were followed by another
	GivenUp   uint64 // deliveries that are not tried again
	Unserved  uint64 // deliveries to targets that nothing is sent to

	Waiting int64     // deliveries that have not arrived yet
	Oldest  time.Time // when the event of the oldest of them was held against the rules; zero without any
}

// Stats gives the figures of this moment.
func (b *Bus) Stats(ctx context.Context) (s Stats, err error) {
	s = Stats{
		Matched: b.count.matched.Load(), Delivered: b.count.delivered.Load(), Retried: b.count.retried.Load(),
		GivenUp: b.count.givenUp.Load(), Unserved: b.count.unserved.Load(),
	}
	err = b.conf.DB.View(ctx, func(tx *store.Tx) error {
		var oldest int64
		_, err := tx.Get(`SELECT count(*), coalesce(min(arrived), 0) FROM event_deliveries`, nil, &s.Waiting, &oldest)
		s.Oldest = store.Time(oldest)
		return err
	})
	return s, err
}

// Prune drops what is left in the outbox of events that go nowhere any more.
func (b *Bus) Prune(ctx context.Context) error {
	return b.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		var matched int64
		if _, err := tx.Get(`SELECT value FROM event_places WHERE name = 'matched'`, nil, &matched); err != nil {
			return err
		}
		return forgetEvents(tx, 0, matched)
	})
}
