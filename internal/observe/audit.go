package observe

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// AuditAge is how long audit records are kept without a trail (adjacent §7).
const AuditAge = 90 * 24 * time.Hour

// AuditConfig is what an Audit needs. DB is required.
type AuditConfig struct {
	DB *store.DB
	// ChainKey binds each record to those before it (see [Audit.Verify]); without one there is no chain. It must stay the same and
	// should not lie in the database.
	ChainKey []byte
	// TrailDir is where trails write, each below a directory with the name of its bucket. Without it no trails can be made.
	TrailDir string
	// S3 is where trails write instead, each into the bucket of its name.
	S3  *S3
	Log *slog.Logger
	Now func() time.Time // default time.Now
}

// Audit keeps the records of API calls and finds them again. Records are written in batches; [Audit.Run] must run for that.
type Audit struct {
	conf    AuditConfig
	limiter auditLimiter

	mu      sync.Mutex
	queue   []*queuedRecord
	stopped bool          // Run has ended: records are written at once
	space   chan struct{} // closes when the queue was emptied
	urgent  chan struct{} // somebody waits for a record to be durable
	writing sync.Mutex    // one batch at a time, in the order of the queue
}

type queuedRecord struct {
	AuditRecord
	begun bool         // a pending record in the database gives way to it
	done  chan<- error // told when the record is durable; nil: nobody waits
}

// OpenAudit opens the audit trail.
func OpenAudit(ctx context.Context, c AuditConfig) (*Audit, error) {
	if c.DB == nil {
		return nil, errors.New("observe: AuditConfig needs DB")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &Audit{conf: c, space: make(chan struct{}), urgent: make(chan struct{}, 1)}
	return a, c.DB.Migrate(ctx, "observe", migrations)
}

const (
	// flushEvery is how long a record of a call that changed nothing may wait for company.
	flushEvery = 100 * time.Millisecond
	// maxAuditQueue is how many records may wait; then calls wait for the database.
	maxAuditQueue = 8192
	// maxAuditBatch keeps a batch short: actions that write wait for it, and take their turns between two.
	maxAuditBatch = 32
)

// Record keeps the record of a call. With durable it returns when the record is in the database; otherwise the record follows
// within a moment, and only a crash can lose it. Of unknown callers, and of calls refused for their number, only so many are kept
// that a flood of them fills no disk; the next that is kept says how many were not.
func (a *Audit) Record(ctx context.Context, r AuditRecord, durable bool) error {
	return a.record(ctx, &queuedRecord{AuditRecord: r}, durable)
}

// Finish is Record for a call whose record was begun in the transaction of its action ([Audit.Begin]).
func (a *Audit) Finish(ctx context.Context, r AuditRecord) error {
	return a.record(ctx, &queuedRecord{AuditRecord: r, begun: true}, false)
}

func (a *Audit) record(ctx context.Context, q *queuedRecord, durable bool) error {
	q.EventID = cmp.Or(q.EventID, apprunner.NewUUID())
	if !q.begun {
		keep, omitted := a.limiter.admit(q.AuditRecord, a.conf.Now())
		if !keep {
			return nil
		}
		if omitted > 0 {
			q.AdditionalEventData = map[string]any{"omittedSimilarRecords": omitted}
		}
	}
	var done chan error
	if durable {
		done = make(chan error, 1)
		q.done = done
	}
	if err := a.enqueue(ctx, q); err != nil || !durable {
		return err // with durable, q belongs to the writer from here on
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("keep an audit record: %w", ctx.Err())
	}
}

func (a *Audit) enqueue(ctx context.Context, q *queuedRecord) error {
	for {
		a.mu.Lock()
		if a.stopped || len(a.queue) < maxAuditQueue {
			stopped, urgent := a.stopped, q.done != nil
			a.queue = append(a.queue, q)
			a.mu.Unlock()
			if stopped {
				return a.Flush(ctx)
			}
			if urgent {
				select {
				case a.urgent <- struct{}{}:
				default:
				}
			}
			return nil
		}
		space := a.space
		a.mu.Unlock()
		select {
		case <-space:
		case <-ctx.Done():
			return fmt.Errorf("keep an audit record: the database does not keep up: %w", ctx.Err())
		}
	}
}

// Run writes records until ctx ends; those that come later are written as they come.
func (a *Audit) Run(ctx context.Context) error {
	if err := a.promote(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-a.urgent:
		case <-tick.C:
		}
		if err := a.flush(ctx); err != nil {
			a.conf.Log.Error("keep audit records; they are tried again", "waiting", a.waiting(), "error", err)
		}
	}
	a.mu.Lock()
	a.stopped = true
	a.mu.Unlock()
	return a.flush(ctx)
}

// flush is Flush whose batches are finished when ctx ends: somebody may wait for them.
func (a *Audit) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return a.Flush(ctx)
}

func (a *Audit) waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.queue)
}

// Flush writes every record that waits.
func (a *Audit) Flush(ctx context.Context) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	for {
		a.mu.Lock()
		batch := slices.Clone(a.queue[:min(len(a.queue), maxAuditBatch)])
		a.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		err := a.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error { return a.insert(tx, batch) })
		if err == nil {
			a.mu.Lock()
			a.queue = slices.Clone(a.queue[len(batch):])
			close(a.space)
			a.space = make(chan struct{})
			a.mu.Unlock()
		}
		for _, q := range batch {
			q.tell(err)
		}
		if err != nil {
			return err
		}
	}
}

// tell lets who waits for the record know, once. The record itself stays in the queue until it is written.
func (q *queuedRecord) tell(err error) {
	if q.done != nil {
		q.done <- err
		q.done = nil
	}
}

// insert writes a batch, each record bound to the one before it.
func (a *Audit) insert(tx *store.Tx, batch []*queuedRecord) error {
	c, err := a.openChain(tx)
	if err != nil {
		return err
	}
	for _, q := range batch {
		if q.begun {
			if err := tx.Exec(`DELETE FROM audit_pending WHERE id = $1`, q.EventID); err != nil {
				return err
			}
		}
		if err := c.add(tx, &q.AuditRecord); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
	}
	return c.close(tx)
}

// add writes one record. One that is there already stays as it is.
func (c *chain) add(tx *store.Tx, r *AuditRecord) error {
	record, err := json.Marshal(r)
	if err != nil {
		return err
	}
	resources, err := json.Marshal(slices.Concat([]AuditResource{}, r.Resources))
	if err != nil {
		return err
	}
	seq, link := c.next(record)
	n, err := tx.ExecCount(`INSERT INTO audit_records (id, account, region, time, event_name, event_source, username, access_key, read_only, resources, record, seq, chain)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING`, r.EventID, r.RecipientAccountID, r.AWSRegion, store.Micros(r.Time),
		r.EventName, r.EventSource, r.UserIdentity.username(), r.UserIdentity.AccessKeyID, fmt.Sprint(r.ReadOnly), string(resources), string(record), seq, link)
	if err != nil || n == 0 {
		return err
	}
	c.seq, c.link = seq, link
	for _, res := range r.Resources {
		if err := tx.Exec(`INSERT INTO audit_resources (record_id, resource_type, resource_name) VALUES ($1, $2, $3)`, r.EventID, res.Type, res.Name); err != nil {
			return err
		}
	}
	return nil
}

// pendingRecord is what Begin keeps of a record beside the record itself.
type pendingRecord struct {
	Record    AuditRecord
	Time      time.Time
	Resources []AuditResource
}

// Begin writes a record in the transaction of the action it is about: the change and its record are kept together or not at all.
// The record lacks only what the action answers, which Finish adds; if a crash comes between, it stands without.
func Begin(tx *store.Tx, r AuditRecord) error {
	body, err := json.Marshal(pendingRecord{r, r.Time, r.Resources})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return tx.Exec(`INSERT INTO audit_pending (id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING`, r.EventID, string(body))
}

// promote makes records of those that a crash left without their answer.
func (a *Audit) promote(ctx context.Context) error {
	return a.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		var batch []*queuedRecord
		err := tx.Each(`SELECT body FROM audit_pending ORDER BY id`, nil, func(row store.Row) error {
			var body string
			if err := row.Scan(&body); err != nil {
				return err
			}
			var p pendingRecord
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				return err
			}
			p.Record.Time, p.Record.Resources = p.Time, p.Resources
			batch = append(batch, &queuedRecord{AuditRecord: p.Record, begun: true})
			return nil
		})
		if err != nil || len(batch) == 0 {
			return err
		}
		slices.SortFunc(batch, func(x, y *queuedRecord) int { return x.Time.Compare(y.Time) })
		return a.insert(tx, batch)
	})
}

// Prune deletes records that are older than [AuditAge], but none that an earlier record is younger than: the chain stays whole.
func (a *Audit) Prune(ctx context.Context, now time.Time) error {
	return a.conf.DB.UpdateQuietly(ctx, func(tx *store.Tx) error {
		var kept, last int64
		if _, err := tx.Get(`SELECT coalesce(min(seq), 0) FROM audit_records WHERE time >= $1`, []any{now.Add(-AuditAge).UnixMicro()}, &kept); err != nil {
			return err
		}
		if _, err := tx.Get(`SELECT coalesce(max(seq), 0) FROM audit_records`, nil, &last); err != nil {
			return err
		}
		if kept == 0 {
			kept = last + 1
		}
		if delivered, found, err := slowestTrail(tx); err != nil {
			return err
		} else if found {
			kept = min(kept, delivered+1)
		}
		return a.cut(tx, kept-1)
	})
}
