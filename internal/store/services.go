package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// ErrTaken means that a unique promise of the schema would break: the name is in use, or an operation is running.
var ErrTaken = errors.New("already taken")

// taken recognises the driver's report of a broken unique index.
func taken(err error) error {
	if err != nil && strings.Contains(err.Error(), "UNIQUE constraint failed") {
		return fmt.Errorf("%w: %w", ErrTaken, err)
	}
	return err
}

// InsertService adds a new service; ErrTaken when a live one has the name.
func (t *Tx) InsertService(s apprunner.Service) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode service: %w", err)
	}
	return taken(t.Exec(`INSERT INTO services (arn, account, region, name, status, created_at, deleted_at, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)`,
		s.ARN(), s.Account, s.Region, s.Name, s.Status, Micros(s.CreatedAt), Micros(s.DeletedAt), body))
}

// PutService writes the service as it is now.
func (t *Tx) PutService(s apprunner.Service) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode service: %w", err)
	}
	return taken(t.Exec(`UPDATE services SET status = $1, deleted_at = $2, body = $3 WHERE arn = $4`, s.Status, Micros(s.DeletedAt), body, s.ARN()))
}

// Service reads one service by its full ARN.
func (t *Tx) Service(arn string) (s apprunner.Service, found bool, err error) {
	var body []byte
	found, err = t.Get(`SELECT body FROM services WHERE arn = $1`, []any{arn}, &body)
	if err != nil || !found {
		return s, false, err
	}
	return s, true, json.Unmarshal(body, &s)
}

// LiveServiceNamed reads the one service of the scope that has the name and is not deleted.
func (t *Tx) LiveServiceNamed(sc apprunner.Scope, name string) (s apprunner.Service, found bool, err error) {
	var body []byte
	found, err = t.Get(`SELECT body FROM services WHERE account = $1 AND region = $2 AND name = $3 AND status <> 'DELETED'`,
		[]any{sc.Account, sc.Region, name}, &body)
	if err != nil || !found {
		return s, false, err
	}
	return s, true, json.Unmarshal(body, &s)
}

// Services lists the scope's services that are not deleted, newest first; an empty scope lists every account and region.
func (t *Tx) Services(sc apprunner.Scope) ([]apprunner.Service, error) {
	query := `SELECT body FROM services WHERE status <> 'DELETED' AND account = $1 AND region = $2 ORDER BY created_at DESC, arn`
	args := []any{sc.Account, sc.Region}
	if sc == (apprunner.Scope{}) {
		query, args = `SELECT body FROM services WHERE status <> 'DELETED' ORDER BY created_at DESC, arn`, nil
	}
	return bodies[apprunner.Service](t, query, args...)
}

// CountServices counts the scope's services that are not deleted (§3).
func (t *Tx) CountServices(sc apprunner.Scope) (n int, err error) {
	_, err = t.Get(`SELECT count(*) FROM services WHERE status <> 'DELETED' AND account = $1 AND region = $2`, []any{sc.Account, sc.Region}, &n)
	return n, err
}

// ForgetServices drops services deleted before the given time (microseconds), with their operations and tags, and returns
// their ARNs.
func (t *Tx) ForgetServices(before int64) ([]string, error) {
	var arns []string
	err := t.Each(`DELETE FROM services WHERE status = 'DELETED' AND deleted_at < $1 RETURNING arn`, []any{before}, func(r Row) error {
		var arn string
		arns = append(arns, "")
		err := r.Scan(&arn)
		arns[len(arns)-1] = arn
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, arn := range arns {
		for _, q := range []string{`DELETE FROM operations WHERE service_arn = $1`, `DELETE FROM tags WHERE arn = $1`} {
			if err := t.Exec(q, arn); err != nil {
				return nil, err
			}
		}
	}
	return arns, nil
}

// bodies reads rows whose only column is a JSON body.
func bodies[T any](t *Tx, query string, args ...any) ([]T, error) {
	var list []T
	err := t.Each(query, args, func(r Row) error {
		var (
			body []byte
			v    T
		)
		if err := r.Scan(&body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &v); err != nil {
			return fmt.Errorf("decode a stored record: %w", err)
		}
		list = append(list, v)
		return nil
	})
	return list, err
}
