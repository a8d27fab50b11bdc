package store

import (
	"encoding/json"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
)

// InsertWAF adds a web ACL or a set; ErrTaken when one of its kind has the name.
func (t *Tx) InsertWAF(r webacl.Record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode %s: %w", r.Kind, err)
	}
	return taken(t.Exec(`INSERT INTO waf_entities (arn, account, region, kind, name, body) VALUES ($1,$2,$3,$4,$5,$6)`,
		r.ARN(), r.Account, r.Region, string(r.Kind), r.Name, body))
}

// PutWAF writes a web ACL or a set as it is now.
func (t *Tx) PutWAF(r webacl.Record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode %s: %w", r.Kind, err)
	}
	return t.Exec(`UPDATE waf_entities SET body = $1 WHERE arn = $2`, body, r.ARN())
}

// DropWAF forgets a web ACL or a set, and its tags.
func (t *Tx) DropWAF(arn string) error {
	if err := t.Exec(`DELETE FROM tags WHERE arn = $1`, arn); err != nil {
		return err
	}
	return t.Exec(`DELETE FROM waf_entities WHERE arn = $1`, arn)
}

// WAF reads a web ACL or a set.
func (t *Tx) WAF(arn string) (r webacl.Record, found bool, err error) {
	var body []byte
	found, err = t.Get(`SELECT body FROM waf_entities WHERE arn = $1`, []any{arn}, &body)
	if err != nil || !found {
		return r, false, err
	}
	return r, true, json.Unmarshal(body, &r)
}

// WAFs lists the web ACLs or sets of a scope by name.
func (t *Tx) WAFs(sc apprunner.Scope, kind webacl.Kind) ([]webacl.Record, error) {
	return bodies[webacl.Record](t, `SELECT body FROM waf_entities WHERE account = $1 AND region = $2 AND kind = $3 ORDER BY name`, sc.Account, sc.Region, string(kind))
}

// Associate puts a web ACL in front of a service, in the place of any other. What services that are gone had is forgotten with it.
func (t *Tx) Associate(serviceARN, aclARN string) error {
	err := t.Exec(`DELETE FROM waf_associations WHERE service_arn NOT IN (SELECT arn FROM services WHERE status <> 'DELETED')`)
	if err != nil {
		return err
	}
	return t.Exec(`INSERT INTO waf_associations (service_arn, acl_arn) VALUES ($1,$2) ON CONFLICT (service_arn) DO UPDATE SET acl_arn = excluded.acl_arn`,
		serviceARN, aclARN)
}

// Disassociate takes the web ACL of a service away, if it has one.
func (t *Tx) Disassociate(serviceARN string) error {
	return t.Exec(`DELETE FROM waf_associations WHERE service_arn = $1`, serviceARN)
}

// Association is the ARN of the web ACL in front of a service; empty for none.
func (t *Tx) Association(serviceARN string) (aclARN string, err error) {
	_, err = t.Get(`SELECT acl_arn FROM waf_associations WHERE service_arn = $1`, []any{serviceARN}, &aclARN)
	return aclARN, err
}

// Associated lists the live services behind a web ACL by ARN.
func (t *Tx) Associated(aclARN string) (arns []string, err error) {
	err = t.Each(`SELECT a.service_arn FROM waf_associations a JOIN services s ON s.arn = a.service_arn
		WHERE a.acl_arn = $1 AND s.status <> 'DELETED' ORDER BY a.service_arn`, []any{aclARN}, func(r Row) error {
		var arn string
		err := r.Scan(&arn)
		arns = append(arns, arn)
		return err
	})
	return arns, err
}

// WebACLs are the ACLs in front of services, by the ARN of the service, with the sets they name.
func (t *Tx) WebACLs() (map[string]*webacl.Resolved, error) {
	byService := map[string]string{}
	err := t.Each(`SELECT service_arn, acl_arn FROM waf_associations`, nil, func(r Row) error {
		var service, acl string
		err := r.Scan(&service, &acl)
		byService[service] = acl
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read web ACL associations: %w", err)
	}
	resolved, out := map[string]*webacl.Resolved{}, map[string]*webacl.Resolved{}
	for service, arn := range byService {
		if resolved[arn] == nil {
			if resolved[arn], err = t.resolve(arn); err != nil {
				return nil, fmt.Errorf("web ACL %s: %w", arn, err)
			}
		}
		out[service] = resolved[arn]
	}
	return out, nil
}

// resolve reads an ACL with the sets that its rules name. A set that is missing stays so: the edge blocks what it cannot judge.
func (t *Tx) resolve(arn string) (*webacl.Resolved, error) {
	r, found, err := t.WAF(arn)
	if err != nil || !found || r.ACL == nil {
		return &webacl.Resolved{Definition: webacl.Definition{DefaultAction: webacl.Action{Block: &webacl.Block{}}}}, err
	}
	out := &webacl.Resolved{Entity: r.Entity, Definition: *r.ACL, Logging: r.Logging}
	for _, ref := range r.ACL.References() {
		set, found, err := t.WAF(ref)
		switch {
		case err != nil:
			return nil, err
		case found && set.IPs != nil:
			if out.IPSets == nil {
				out.IPSets = map[string][]string{}
			}
			out.IPSets[ref] = append([]string{}, set.IPs.Addresses...)
		case found && set.Regex != nil:
			if out.RegexSets == nil {
				out.RegexSets = map[string][]string{}
			}
			out.RegexSets[ref] = set.Regex.Expressions()
		}
	}
	return out, nil
}
