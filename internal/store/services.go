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
	version, err := t.nextVersion()
	if err != nil {
		return err
	}
	err = taken(t.Exec(`INSERT INTO services (arn, account, region, name, status, created_at, deleted_at, url, updated_at, version, body)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)`,
		s.ARN(), s.Account, s.Region, s.Name, s.Status, Micros(s.CreatedAt), Micros(s.DeletedAt), s.URL, Micros(s.UpdatedAt), version, body))
	if err != nil {
		return err
	}
	return t.putUses(s)
}

// PutService writes the service as it is now.
func (t *Tx) PutService(s apprunner.Service) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode service: %w", err)
	}
	version, err := t.nextVersion()
	if err != nil {
		return err
	}
	err = taken(t.Exec(`UPDATE services SET status = $1, deleted_at = $2, url = $3, updated_at = $4, version = $5, body = $6 WHERE arn = $7`,
		s.Status, Micros(s.DeletedAt), s.URL, Micros(s.UpdatedAt), version, body, s.ARN()))
	if err != nil {
		return err
	}
	return t.putUses(s)
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

// ServiceSummaries lists the scope's services that are not deleted, newest first: those after a place, at most limit (0: all). Only
// what a list shows is read.
func (t *Tx) ServiceSummaries(sc apprunner.Scope, after apprunner.Place, limit int) ([]apprunner.ServiceSummary, error) {
	query, args := `FROM services WHERE status <> 'DELETED' AND account = $1 AND region = $2`, []any{sc.Account, sc.Region}
	if after != (apprunner.Place{}) {
		query += ` AND (created_at < $3 OR created_at = $3 AND arn > $4)`
		args = append(args, after.At, after.Name)
	}
	query += ` ORDER BY created_at DESC, arn`
	if limit > 0 {
		query += fmt.Sprintf(` LIMIT %d`, limit)
	}
	return t.summaries(query, args...)
}

// summaries reads services as lists show them. A row that was written before lists had columns of their own has no URL there.
func (t *Tx) summaries(from string, args ...any) ([]apprunner.ServiceSummary, error) {
	var list []apprunner.ServiceSummary
	err := t.Each(`SELECT arn, name, status, created_at, updated_at, url, CASE WHEN url = '' THEN body ELSE '' END `+from, args, func(r Row) error {
		var (
			s                apprunner.ServiceSummary
			created, updated int64
			body             []byte
		)
		if err := r.Scan(&s.ARN, &s.Name, &s.Status, &created, &updated, &s.URL, &body); err != nil {
			return err
		}
		s.ID, s.CreatedAt, s.UpdatedAt = s.ARN[strings.LastIndex(s.ARN, "/")+1:], Time(created), Time(updated)
		if s.URL == "" {
			var whole apprunner.Service
			if err := json.Unmarshal(body, &whole); err != nil {
				return fmt.Errorf("decode a stored service: %w", err)
			}
			s = whole.Summary()
		}
		list = append(list, s)
		return nil
	})
	return list, err
}

// CountServices counts the scope's services that are not deleted (§3).
func (t *Tx) CountServices(sc apprunner.Scope) (n int, err error) {
	_, err = t.Get(`SELECT count(*) FROM services WHERE status <> 'DELETED' AND account = $1 AND region = $2`, []any{sc.Account, sc.Region}, &n)
	return n, err
}

// ForgetServices drops services deleted before the given time (microseconds), with their operations and tags, and returns
// their ARNs. Other resources deleted before then go too.
func (t *Tx) ForgetServices(before int64) ([]string, error) {
	if err := t.Exec(`DELETE FROM resources WHERE live = 0 AND deleted_at < $1`, before); err != nil {
		return nil, err
	}
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
