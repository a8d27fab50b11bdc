package store

import (
	"encoding/json"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
)

// recorded is a resource beside services: a connection, an auto scaling or observability configuration, a VPC connector or a VPC
// ingress connection.
type recorded interface{ Record() apprunner.Record }

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// PutResource adds a resource or writes it again; ErrTaken when a live one has the name (and revision). The tags of one that is no
// longer live go.
func (t *Tx) PutResource(v recorded) error {
	r := v.Record()
	a, err := apprunner.ParseARN(r.ARN)
	if err != nil {
		return fmt.Errorf("write resource: %w", err)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", a.Kind, err)
	}
	if !r.Live {
		if err := t.Exec(`DELETE FROM tags WHERE arn = $1`, r.ARN); err != nil {
			return err
		}
	}
	return taken(t.Exec(`INSERT INTO resources (arn, account, region, kind, name, revision, live, created_at, deleted_at, body)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)
		ON CONFLICT (arn) DO UPDATE SET live = excluded.live, deleted_at = excluded.deleted_at, body = excluded.body`,
		r.ARN, a.Account, a.Region, a.Kind, a.Name, a.Revision, flag(r.Live), Micros(r.CreatedAt), Micros(r.DeletedAt), body))
}

// DropResource forgets a resource and its tags at once.
func (t *Tx) DropResource(arn string) error {
	if err := t.Exec(`DELETE FROM tags WHERE arn = $1`, arn); err != nil {
		return err
	}
	return t.Exec(`DELETE FROM resources WHERE arn = $1`, arn)
}

// Resource reads one resource by its full ARN, deleted ones included while they are kept.
func Resource[T recorded](t *Tx, arn string) (v T, found bool, err error) {
	var body []byte
	found, err = t.Get(`SELECT body FROM resources WHERE arn = $1`, []any{arn}, &body)
	if err != nil || !found {
		return v, false, err
	}
	return v, true, json.Unmarshal(body, &v)
}

// Resources lists the live resources of a kind, newest first: those of one scope, or of every account and region where the scope is
// empty; those of one name, or of all where the name is empty.
func Resources[T recorded](t *Tx, sc apprunner.Scope, kind, name string) ([]T, error) {
	query, args := `SELECT body FROM resources WHERE kind = $1 AND live = 1`, []any{kind}
	if sc != (apprunner.Scope{}) {
		query += ` AND account = $2 AND region = $3`
		args = append(args, sc.Account, sc.Region)
	}
	if name != "" {
		query += fmt.Sprintf(` AND name = $%d`, len(args)+1)
		args = append(args, name)
	}
	return bodies[T](t, query+` ORDER BY created_at DESC, arn`, args...)
}

// LastRevision is the highest revision number a name ever had; 0 when it never had one.
func (t *Tx) LastRevision(sc apprunner.Scope, kind, name string) (n int, err error) {
	_, err = t.Get(`SELECT last FROM revisions WHERE account = $1 AND region = $2 AND kind = $3 AND name = $4`, []any{sc.Account, sc.Region, kind, name}, &n)
	return n, err
}

// NextRevision takes the next revision number of a name. Numbers are never given twice, whatever is deleted (§12.3).
func (t *Tx) NextRevision(sc apprunner.Scope, kind, name string) (n int, err error) {
	_, err = t.Get(`INSERT INTO revisions (account, region, kind, name, last) VALUES ($1,$2,$3,$4,1)
		ON CONFLICT (account, region, kind, name) DO UPDATE SET last = revisions.last + 1 RETURNING last`, []any{sc.Account, sc.Region, kind, name}, &n)
	return n, err
}

// DefaultAutoScaling is the ARN of the configuration that was made the scope's default; empty when none ever was.
func (t *Tx) DefaultAutoScaling(sc apprunner.Scope) (arn string, err error) {
	_, err = t.Get(`SELECT arn FROM autoscaling_defaults WHERE account = $1 AND region = $2`, []any{sc.Account, sc.Region}, &arn)
	return arn, err
}

// PutDefaultAutoScaling makes a configuration the scope's default.
func (t *Tx) PutDefaultAutoScaling(sc apprunner.Scope, arn string) error {
	return t.Exec(`INSERT INTO autoscaling_defaults (account, region, arn) VALUES ($1,$2,$3)
		ON CONFLICT (account, region) DO UPDATE SET arn = excluded.arn`, sc.Account, sc.Region, arn)
}

// Credential reads the sealed provider credential of a connection.
func (t *Tx) Credential(connectionARN string) (sealed string, found bool, err error) {
	found, err = t.Get(`SELECT sealed FROM connection_credentials WHERE arn = $1`, []any{connectionARN}, &sealed)
	return sealed, found, err
}

// PutCredential keeps the sealed provider credential of a connection; an empty one erases it.
func (t *Tx) PutCredential(connectionARN, sealed string) error {
	if sealed == "" {
		return t.Exec(`DELETE FROM connection_credentials WHERE arn = $1`, connectionARN)
	}
	return t.Exec(`INSERT INTO connection_credentials (arn, sealed) VALUES ($1,$2) ON CONFLICT (arn) DO UPDATE SET sealed = excluded.sealed`, connectionARN, sealed)
}
