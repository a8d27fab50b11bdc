package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// InsertDomain adds the association of a custom domain; ErrTaken when one of its hosts is associated with any service already.
func (t *Tx) InsertDomain(d apprunner.CustomDomain) error {
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode custom domain: %w", err)
	}
	for _, host := range d.Hosts() {
		if err := taken(t.Exec(`INSERT INTO domain_hosts (host, name) VALUES ($1,$2)`, host, d.Name)); err != nil {
			return err
		}
	}
	err = taken(t.Exec(`INSERT INTO domains (name, service_arn, status, created_at, body) VALUES ($1,$2,$3,$4,$5)`,
		d.Name, d.ServiceARN, d.Status, Micros(d.CreatedAt), body))
	if err != nil {
		return err
	}
	return t.TouchDomains()
}

const domainsVersion = "domains-version"

// TouchDomains notes that an association, or something that belongs to associations, has changed.
func (t *Tx) TouchDomains() error {
	return t.Exec(`INSERT INTO settings (name, value) VALUES ($1, '1')
		ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT)`, domainsVersion)
}

// DomainsVersion is another one after each change that [Tx.TouchDomains] noted, so that who knows it need not read all of them again.
func (t *Tx) DomainsVersion() (string, error) {
	v, _, err := t.Setting(domainsVersion)
	return v, err
}

// PutDomain writes an association as it is now.
func (t *Tx) PutDomain(d apprunner.CustomDomain) error {
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode custom domain: %w", err)
	}
	if err := t.Exec(`UPDATE domains SET status = $1, body = $2 WHERE name = $3`, d.Status, body, d.Name); err != nil {
		return err
	}
	return t.TouchDomains()
}

// Domain reads the association of a name.
func (t *Tx) Domain(name string) (d apprunner.CustomDomain, found bool, err error) {
	var body []byte
	found, err = t.Get(`SELECT body FROM domains WHERE name = $1`, []any{name}, &body)
	if err != nil || !found {
		return d, false, err
	}
	return d, true, json.Unmarshal(body, &d)
}

// Domains lists the associations of a service, newest first; an empty ARN lists all there are.
func (t *Tx) Domains(serviceARN string) ([]apprunner.CustomDomain, error) {
	if serviceARN == "" {
		return bodies[apprunner.CustomDomain](t, `SELECT body FROM domains ORDER BY created_at DESC, name`)
	}
	return bodies[apprunner.CustomDomain](t, `SELECT body FROM domains WHERE service_arn = $1 ORDER BY created_at DESC, name`, serviceARN)
}

// ValidationValues are the values that the validation records of an account's associations have, by the records' names.
func (t *Tx) ValidationValues(account string) (map[string]string, error) {
	all, err := t.Domains("")
	values := map[string]string{}
	for _, d := range all {
		if strings.Contains(d.ServiceARN, ":"+account+":") {
			for _, r := range d.Records {
				values[r.Name] = r.Value
			}
		}
	}
	return values, err
}

// DeleteDomain forgets the association of a name, which is free from then on.
func (t *Tx) DeleteDomain(name string) error {
	if err := t.Exec(`DELETE FROM domain_hosts WHERE name = $1`, name); err != nil {
		return err
	}
	if err := t.Exec(`DELETE FROM domains WHERE name = $1`, name); err != nil {
		return err
	}
	return t.TouchDomains()
}
