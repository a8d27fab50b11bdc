package network

import (
	"encoding/json"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// kind is the type of a record, as the EC2 API names it in ARNs and tags.
type kind = string

// The types of records.
const (
	TypeVPC       kind = "vpc"
	TypeSubnet    kind = "subnet"
	TypeGroup     kind = "security-group"
	TypeRule      kind = "security-group-rule" // rules are kept in their groups
	TypeEndpoint  kind = "vpc-endpoint"
	TypeInterface kind = "network-interface"
	TypeTable     kind = "route-table"
	TypeGateway   kind = "internet-gateway"
	TypeNAT       kind = "natgateway"
	TypeAddress   kind = "elastic-ip"
	TypeACL       kind = "network-acl"
	TypeOptions   kind = "dhcp-options"
)

// migrations are the room's own steps, oldest first. See [store.DB.Migrate] for the rule.
var migrations = []string{
	`CREATE TABLE network_records (
		id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, created_at BIGINT NOT NULL, body TEXT NOT NULL)`,
	`CREATE INDEX network_records_scope ON network_records (account, region, kind, created_at, id)`,
	`CREATE INDEX network_records_kind ON network_records (kind, created_at, id)`,
	// The scopes that were given their default VPC, so that one who deletes it stays without.
	`CREATE TABLE network_scopes (account TEXT NOT NULL, region TEXT NOT NULL, PRIMARY KEY (account, region))`,
}

// record is a pointer to one of the types of records.
type record interface {
	head() *Head
	kind() kind
}

func (*VPC) kind() kind             { return TypeVPC }
func (*Subnet) kind() kind          { return TypeSubnet }
func (*SecurityGroup) kind() kind   { return TypeGroup }
func (*Endpoint) kind() kind        { return TypeEndpoint }
func (*Interface) kind() kind       { return TypeInterface }
func (*RouteTable) kind() kind      { return TypeTable }
func (*InternetGateway) kind() kind { return TypeGateway }
func (*NATGateway) kind() kind      { return TypeNAT }
func (*Address) kind() kind         { return TypeAddress }
func (*ACL) kind() kind             { return TypeACL }
func (*DHCPOptions) kind() kind     { return TypeOptions }

// pointer is a record type T behind a pointer.
type pointer[T any] interface {
	*T
	record
}

// put adds a record or writes it again.
func put(tx *store.Tx, r record) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode %s: %w", r.kind(), err)
	}
	h := r.head()
	err = tx.Exec(`INSERT INTO network_records (id, account, region, kind, created_at, body) VALUES ($1,$2,$3,$4,$5,$6)
		ON CONFLICT (id) DO UPDATE SET body = excluded.body`, h.ID, h.Scope.Account, h.Scope.Region, r.kind(), store.Micros(h.CreatedAt), body)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", r.kind(), h.ID, err)
	}
	return nil
}

// drop forgets a record.
func drop(tx *store.Tx, id string) error {
	if err := tx.Exec(`DELETE FROM network_records WHERE id = $1`, id); err != nil {
		return fmt.Errorf("delete %s: %w", id, err)
	}
	return nil
}

// one reads a record of a scope; of any scope, where that is empty.
func one[T any, P pointer[T]](tx *store.Tx, sc apprunner.Scope, id string) (v T, found bool, err error) {
	query, args := `SELECT body FROM network_records WHERE id = $1 AND kind = $2`, []any{id, P(&v).kind()}
	if sc != (apprunner.Scope{}) {
		query += ` AND account = $3 AND region = $4`
		args = append(args, sc.Account, sc.Region)
	}
	var body []byte
	found, err = tx.Get(query, args, &body)
	if err == nil && found {
		err = json.Unmarshal(body, &v)
	}
	if err != nil {
		return v, false, fmt.Errorf("read %s: %w", id, err)
	}
	return v, found, nil
}

// all lists the records of a scope, oldest first; of all scopes, where that is empty.
func all[T any, P pointer[T]](tx *store.Tx, sc apprunner.Scope) (list []T, err error) {
	k := P(new(T)).kind()
	query, args := `SELECT body FROM network_records WHERE kind = $1`, []any{k}
	if sc != (apprunner.Scope{}) {
		query += ` AND account = $2 AND region = $3`
		args = append(args, sc.Account, sc.Region)
	}
	err = tx.Each(query+` ORDER BY created_at, id`, args, func(r store.Row) error {
		var (
			body []byte
			v    T
		)
		if err := r.Scan(&body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &v); err != nil {
			return err
		}
		list = append(list, v)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the records of %s: %w", k, err)
	}
	return list, nil
}
