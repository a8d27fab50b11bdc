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
		imported BIGINT NOT NULL, chain TEXT NOT NULL DEFAULT '', sealed TEXT NOT NULL DEFAULT '')`,
	`CREATE INDEX certificates_newest ON certificates (account, region, created_at)`,
}

// Certificates keeps the records of certificates with their chains and keys.
type Certificates struct {
	db   *store.DB
	seal sealer
	now  func() time.Time

	mu     sync.Mutex
	opened map[string]openedKey // by ARN: unsealing a thousand keys for each table would only cost
	last   lastServed
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
	imported := 0
	if c.Imported {
		imported = 1
	}
	err = tx.Exec(`INSERT INTO certificates (arn, account, region, created_at, body, imported) VALUES ($1,$2,$3,$4,$5,$6)
		ON CONFLICT (arn) DO UPDATE SET body = excluded.body`, c.ARN, c.Account, c.Region, store.Micros(c.CreatedAt), body, imported)
	return errors.Join(err, tx.TouchDomains())
}

// putPair writes what clients are shown.
func (s *Certificates) putPair(tx *store.Tx, arn string, p Pair) error {
	err := tx.Exec(`UPDATE certificates SET chain = $1, sealed = $2 WHERE arn = $3`, p.Chain, s.seal.lock(arn, p.Key), arn)
	return errors.Join(err, tx.TouchDomains())
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

const newestFirst = ` ORDER BY created_at DESC, arn`

// list reads the records of a scope, newest first; the zero scope is all there are.
func list(tx *store.Tx, sc apprunner.Scope) ([]Certificate, error) {
	if sc == (apprunner.Scope{}) {
		return bodies(tx, `SELECT body FROM certificates`+newestFirst)
	}
	return bodies(tx, `SELECT body FROM certificates WHERE account = $1 AND region = $2`+newestFirst, sc.Account, sc.Region)
}

// candidates reads what an association may be served with: its own certificate and the imported ones.
func candidates(tx *store.Tx, d apprunner.CustomDomain) ([]Certificate, error) {
	sc := scopeOf(d.ServiceARN)
	return bodies(tx, `SELECT body FROM certificates WHERE arn = $1 OR (account = $2 AND region = $3 AND imported = 1)`+newestFirst, d.CertificateARN, sc.Account, sc.Region)
}

func bodies(tx *store.Tx, query string, args ...any) (all []Certificate, err error) {
	err = tx.Each(query, args, func(row store.Row) error {
		var body []byte
		if err := row.Scan(&body); err != nil {
			return err
		}
		all = append(all, Certificate{})
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

// pairs reads all chains and keys that can be opened.
func (s *Certificates) pairs(tx *store.Tx) (map[string]Pair, error) {
	pairs := map[string]Pair{}
	err := tx.Each(`SELECT arn, chain, sealed FROM certificates WHERE sealed <> ''`, nil, func(row store.Row) error {
		var arn, sealed string
		var p Pair
		if err := row.Scan(&arn, &p.Chain, &sealed); err != nil {
			return err
		}
		key, err := s.open(arn, sealed)
		if p.Key = key; err == nil {
			pairs[arn] = p
		}
		return nil
	})
	return pairs, err
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

// servedFor is how long what was read is served again while no record changes; certificates begin and end meanwhile.
const servedFor = time.Minute

// lastServed is what was read last.
type lastServed struct {
	version string
	until   time.Time
	list    []Served
}

// Served gives the certificates of all routed associations, in a settled order. One whose key cannot be opened is left out, so that the
// others are served; the registrar says so and has it made anew.
func (s *Certificates) Served(ctx context.Context) (out []Served, err error) {
	s.mu.Lock()
	last, now := s.last, s.now()
	s.mu.Unlock()
	err = s.db.View(ctx, func(tx *store.Tx) error {
		version, err := tx.DomainsVersion()
		if err != nil || version == last.version && now.Before(last.until) {
			return err
		}
		last = lastServed{version: version, until: now.Add(servedFor)}
		last.list, err = s.readServed(tx, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = last
	return last.list, nil
}

func (s *Certificates) readServed(tx *store.Tx, now time.Time) (out []Served, err error) {
	domains, err := tx.Domains("")
	if err != nil || len(domains) == 0 {
		return nil, err
	}
	all, err := list(tx, apprunner.Scope{})
	if err != nil {
		return nil, err
	}
	pairs, err := s.pairs(tx)
	held := hold(all, now)
	for _, d := range domains {
		c, found := held.chosen(d)
		if p, opened := pairs[c.ARN]; found && opened && d.Routed() {
			out = append(out, Served{d.Hosts(), p})
		}
	}
	slices.SortFunc(out, func(a, b Served) int { return slices.Compare(a.Hosts, b.Hosts) })
	return out, err
}
