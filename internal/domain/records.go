package domain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// migrations are the room's own tables. Keys are sealed, see [sealer].
var migrations = []string{
	`CREATE TABLE certificates (
		arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL,
		chain TEXT NOT NULL DEFAULT '', sealed TEXT NOT NULL DEFAULT '')`,
	`CREATE INDEX certificates_newest ON certificates (account, region, created_at)`,
}

// Certificates keeps the records of certificates with their chains and keys.
type Certificates struct {
	db   *store.DB
	seal sealer
	now  func() time.Time

	mu     sync.Mutex
	opened map[string]openedKey // by ARN: unsealing a thousand keys for each table would only cost
}

type openedKey struct {
	sealed string
	key    []byte
}

// OpenCertificates makes the tables where they are missing. The key has 32 bytes and seals the certificates' keys.
func OpenCertificates(ctx context.Context, db *store.DB, key []byte, now func() time.Time) (*Certificates, error) {
	if db == nil || now == nil {
		return nil, errors.New("domain: the database and the clock are required")
	}
	seal, err := newSealer(key)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "domain", migrations); err != nil {
		return nil, err
	}
	return &Certificates{db: db, seal: seal, now: now, opened: map[string]openedKey{}}, nil
}

// put writes a record, new or not.
func put(tx *store.Tx, c Certificate) error {
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode certificate: %w", err)
	}
	return tx.Exec(`INSERT INTO certificates (arn, account, region, created_at, body) VALUES ($1,$2,$3,$4,$5)
		ON CONFLICT (arn) DO UPDATE SET body = excluded.body`, c.ARN, c.Account, c.Region, store.Micros(c.CreatedAt), body)
}

// putPair writes what clients are shown.
func (s *Certificates) putPair(tx *store.Tx, arn string, p Pair) error {
	return tx.Exec(`UPDATE certificates SET chain = $1, sealed = $2 WHERE arn = $3`, p.Chain, s.seal.lock(arn, p.Key), arn)
}

func forget(tx *store.Tx, arn string) error {
	return tx.Exec(`DELETE FROM certificates WHERE arn = $1`, arn)
}

// read reads one record.
func read(tx *store.Tx, arn string) (c Certificate, found bool, err error) {
	var body []byte
	if found, err = tx.Get(`SELECT body FROM certificates WHERE arn = $1`, []any{arn}, &body); err != nil || !found {
		return c, false, err
	}
	return c, true, json.Unmarshal(body, &c)
}

// list reads the records of a scope, newest first; the zero scope is all there are.
func list(tx *store.Tx, sc apprunner.Scope) (all []Certificate, err error) {
	query, args := `SELECT body FROM certificates ORDER BY created_at DESC, arn`, []any(nil)
	if sc != (apprunner.Scope{}) {
		query, args = `SELECT body FROM certificates WHERE account = $1 AND region = $2 ORDER BY created_at DESC, arn`, []any{sc.Account, sc.Region}
	}
	err = tx.Each(query, args, func(row store.Row) error {
		var body []byte
		var c Certificate
		if err := row.Scan(&body); err != nil {
			return err
		}
		all = append(all, c)
		return json.Unmarshal(body, &all[len(all)-1])
	})
	return all, err
}

// pair reads chain and key of a certificate.
func (s *Certificates) pair(tx *store.Tx, arn string) (p Pair, err error) {
	var sealed string
	found, err := tx.Get(`SELECT chain, sealed FROM certificates WHERE arn = $1`, []any{arn}, &p.Chain, &sealed)
	if err != nil || !found || sealed == "" {
		return Pair{}, errors.Join(err, fmt.Errorf("certificate %s has no key here", arn))
	}
	p.Key, err = s.open(arn, sealed)
	return p, err
}

func (s *Certificates) open(arn, sealed string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.opened[arn]; ok && o.sealed == sealed {
		return o.key, nil
	}
	key, err := s.seal.open(arn, sealed)
	if err != nil {
		return nil, fmt.Errorf("key of certificate %s: %w", arn, err)
	}
	s.opened[arn] = openedKey{sealed, key}
	return key, nil
}

// Served is what the front door shows for the hosts of one association.
type Served struct {
	Hosts []string
	Pair
}

// Served gives the certificates of all routed associations, in a settled order. One whose key cannot be opened is left out, so that the
// others are served; the registrar says so and has it made anew.
func (s *Certificates) Served(ctx context.Context) (out []Served, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		domains, err := tx.Domains("")
		if err != nil {
			return err
		}
		all, err := list(tx, apprunner.Scope{})
		if err != nil {
			return err
		}
		for _, d := range domains {
			c, found := chosen(d, all, s.now())
			if !found || !d.Routed() {
				continue
			}
			if p, err := s.pair(tx, c.ARN); err == nil {
				out = append(out, Served{d.Hosts(), p})
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Served) int { return slices.Compare(a.Hosts, b.Hosts) })
	return out, err
}
