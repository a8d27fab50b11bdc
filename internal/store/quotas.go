package store

import (
	"encoding/json"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
)

// QuotaValue reads the value a quota was raised to.
func (t *Tx) QuotaValue(sc apprunner.Scope, code string) (value int, found bool, err error) {
	found, err = t.Get(`SELECT value FROM quota_values WHERE account = $1 AND region = $2 AND code = $3`, []any{sc.Account, sc.Region, code}, &value)
	return value, found, err
}

// InsertQuotaRequest keeps a request to raise a quota and puts the value in force.
func (t *Tx) InsertQuotaRequest(r apprunner.QuotaRequest) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode quota request: %w", err)
	}
	err = t.Exec(`INSERT INTO quota_requests (id, account, region, code, created_at, body) VALUES ($1,$2,$3,$4,$5,$6)`,
		r.ID, r.Account, r.Region, r.Quota.Code, Micros(r.CreatedAt), body)
	if err != nil {
		return err
	}
	return t.Exec(`INSERT INTO quota_values (account, region, code, value) VALUES ($1,$2,$3,$4)
		ON CONFLICT (account, region, code) DO UPDATE SET value = excluded.value`, r.Account, r.Region, r.Quota.Code, r.Desired)
}

// QuotaRequests lists the scope's requests to raise quotas, newest first.
func (t *Tx) QuotaRequests(sc apprunner.Scope) ([]apprunner.QuotaRequest, error) {
	return bodies[apprunner.QuotaRequest](t, `SELECT body FROM quota_requests WHERE account = $1 AND region = $2 ORDER BY created_at DESC, id`, sc.Account, sc.Region)
}
