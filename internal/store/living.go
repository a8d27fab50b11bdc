package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// living is every service that is not deleted, as of one version of the services. It is never changed.
type living struct {
	version int64
	list    []apprunner.Service // newest first
}

// nextVersion takes the number of a write. The row stays locked until the transaction ends, so numbers become visible in their order.
func (t *Tx) nextVersion() (n int64, err error) {
	_, err = t.Get(`UPDATE changes SET last = last + 1 WHERE kind = 'service' RETURNING last`, nil, &n)
	return n, err
}

// Services lists the scope's services that are not deleted, newest first; an empty scope lists every account and region. What they
// point to (their source, their maps) is shared with other readers and must not be changed.
//
// All of them are decoded once: a reader compares the version of its snapshot with that of the last one, and reads what was written
// since.
func (t *Tx) Services(sc apprunner.Scope) ([]apprunner.Service, error) {
	var version int64
	if _, err := t.Get(`SELECT last FROM changes WHERE kind = 'service'`, nil, &version); err != nil {
		return nil, err
	}
	known := t.db.known()
	if !t.snapshot || known.version > version { // what is not committed must not be known to others; what is newer does not help
		known = &living{}
	}
	if known.version < version {
		next, err := t.advance(known, version)
		if err != nil {
			return nil, err
		}
		if known = next; t.snapshot {
			t.db.learn(next)
		}
	}
	if sc == (apprunner.Scope{}) {
		return slices.Clone(known.list), nil
	}
	var list []apprunner.Service
	for _, s := range known.list {
		if s.Scope == sc {
			list = append(list, s)
		}
	}
	return list, nil
}

// advance brings what is known to the version of this transaction.
func (t *Tx) advance(known *living, version int64) (*living, error) {
	changed := map[string]bool{}
	var written []apprunner.Service
	err := t.Each(`SELECT arn, CASE WHEN status = 'DELETED' THEN '' ELSE body END FROM services WHERE version > $1`, []any{known.version}, func(r Row) error {
		var (
			arn  string
			body []byte
			s    apprunner.Service
		)
		if err := r.Scan(&arn, &body); err != nil {
			return err
		}
		changed[arn] = true
		if len(body) == 0 {
			return nil
		}
		if err := json.Unmarshal(body, &s); err != nil {
			return fmt.Errorf("decode a stored service: %w", err)
		}
		written = append(written, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, s := range known.list {
		if !changed[s.ARN()] {
			written = append(written, s)
		}
	}
	slices.SortFunc(written, newestFirst)
	return &living{version, written}, nil
}

func newestFirst(a, b apprunner.Service) int {
	if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(a.ARN(), b.ARN())
}

func (db *DB) known() *living {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.living == nil {
		return &living{}
	}
	return db.living
}

// learn keeps what a reader saw, unless another one saw more.
func (db *DB) learn(l *living) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.living == nil || db.living.version < l.version {
		db.living = l
	}
}
