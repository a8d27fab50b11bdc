package network

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Snapshot is all there is of one account in one region, each list oldest first. Rules are asked of it.
type Snapshot struct {
	Scope      apprunner.Scope
	VPCs       []VPC
	Subnets    []Subnet
	Groups     []SecurityGroup
	Endpoints  []Endpoint // deleted ones while they are shown
	Interfaces []Interface
	Tables     []RouteTable
	Gateways   []InternetGateway
	NATs       []NATGateway // deleted ones while they are shown
	Addresses  []Address
	ACLs       []ACL
	Options    []DHCPOptions

	expired []string // ids of what was deleted long ago
}

// shownDeleted is how long endpoints and NAT gateways are shown after they are deleted.
const shownDeleted = 10 * time.Minute

// snapshot reads a scope.
func snapshot(tx *store.Tx, sc apprunner.Scope, now time.Time) (*Snapshot, error) {
	s := &Snapshot{Scope: sc}
	err := errors.Join(
		fill(tx, sc, &s.VPCs), fill(tx, sc, &s.Subnets), fill(tx, sc, &s.Groups), fill(tx, sc, &s.Endpoints), fill(tx, sc, &s.Interfaces),
		fill(tx, sc, &s.Tables), fill(tx, sc, &s.Gateways), fill(tx, sc, &s.NATs), fill(tx, sc, &s.Addresses), fill(tx, sc, &s.ACLs), fill(tx, sc, &s.Options))
	if err != nil {
		return nil, err
	}
	past := now.Add(-shownDeleted)
	s.Endpoints = forget(s, s.Endpoints, func(e Endpoint) bool { return e.State == EndpointDeleted && e.DeletedAt.Before(past) })
	s.NATs = forget(s, s.NATs, func(g NATGateway) bool { return g.State == NATDeleted && g.DeletedAt.Before(past) })
	joinInterfaces(s.Endpoints, s.NATs, s.Interfaces)
	return s, nil
}

// forget leaves out of a list what was deleted long ago, and notes it for the next change, which drops the records.
func forget[T any, P pointer[T]](s *Snapshot, list []T, over func(T) bool) []T {
	for i := range list {
		if over(list[i]) {
			s.expired = append(s.expired, P(&list[i]).head().ID)
		}
	}
	return slices.DeleteFunc(list, over)
}

func fill[T any, P pointer[T]](tx *store.Tx, sc apprunner.Scope, list *[]T) (err error) {
	*list, err = all[T, P](tx, sc)
	return err
}

// joinInterfaces gives endpoints and NAT gateways their interfaces.
func joinInterfaces(endpoints []Endpoint, nats []NATGateway, interfaces []Interface) {
	for i := range endpoints {
		endpoints[i].Interfaces = ownedBy(interfaces, endpoints[i].ID)
	}
	for i := range nats {
		if own := ownedBy(interfaces, nats[i].ID); len(own) > 0 {
			nats[i].Interface = own[0]
		}
	}
}

func ownedBy(list []Interface, owner string) (own []Interface) {
	for _, i := range list {
		if i.Owner == owner {
			own = append(own, i)
		}
	}
	return own
}

// find returns the record of that id in a list; nil when there is none.
func find[T any, P pointer[T]](list []T, id string) P {
	for i := range list {
		if P(&list[i]).head().ID == id {
			return &list[i]
		}
	}
	return nil
}

// need is find for a record that must be there.
func need[T any, P pointer[T]](list []T, id string) (P, error) {
	if p := find[T, P](list, id); p != nil {
		return p, nil
	}
	return nil, noRecord(P(new(T)).kind(), id)
}

// Snapshot reads all there is of a scope. The first time it gives the scope its default VPC.
func (n *Network) Snapshot(ctx context.Context, sc apprunner.Scope) (s *Snapshot, err error) {
	known := false
	read := func(tx *store.Tx) error {
		if known, err = begun(tx, sc); err == nil && known {
			s, err = snapshot(tx, sc, n.Now())
		}
		return err
	}
	if err := n.DB.View(ctx, read); err != nil || known {
		return s, err
	}
	err = n.change(rehearsalOver(store.Apart(ctx)), sc, func(e *edit) error {
		s = e.Snapshot
		return nil
	})
	return s, err
}

// Peek is Snapshot for one who must not write: a scope that has no default VPC yet has nothing.
func (n *Network) Peek(ctx context.Context, sc apprunner.Scope) (s *Snapshot, err error) {
	err = n.DB.View(ctx, func(tx *store.Tx) error {
		s, err = snapshot(tx, sc, n.Now())
		return err
	})
	return s, err
}

func begun(tx *store.Tx, sc apprunner.Scope) (bool, error) {
	var one int
	return tx.Get(`SELECT 1 FROM network_scopes WHERE account = $1 AND region = $2`, []any{sc.Account, sc.Region}, &one)
}

// edit is one change of a scope under way: what there is, and the transaction that takes what changes.
type edit struct {
	*Snapshot
	tx  *store.Tx
	now time.Time
	n   *Network
}

// change runs an action on a scope in one transaction. All it does is kept when it returns nil, nothing otherwise, and nothing in a
// rehearsal.
func (n *Network) change(ctx context.Context, sc apprunner.Scope, do func(*edit) error) error {
	return n.DB.Update(ctx, func(tx *store.Tx) error {
		known, err := begun(tx, sc)
		if err != nil {
			return fmt.Errorf("read the scope: %w", err)
		}
		e := &edit{tx: tx, now: n.Now().UTC(), n: n}
		if e.Snapshot, err = snapshot(tx, sc, e.now); err != nil {
			return err
		}
		for _, id := range e.expired {
			if err := drop(tx, id); err != nil {
				return err
			}
		}
		if !known {
			if err := e.begin(); err != nil {
				return fmt.Errorf("make the default VPC: %w", err)
			}
		}
		if err := do(e); err != nil {
			return err
		}
		if rehearsing(ctx) {
			return Rehearsed()
		}
		return nil
	})
}

// begin gives a scope what every account has from its beginning.
func (e *edit) begin() error {
	if err := e.tx.Exec(`INSERT INTO network_scopes (account, region) VALUES ($1,$2)`, e.Scope.Account, e.Scope.Region); err != nil {
		return err
	}
	if err := add(e, &e.Options, DHCPOptions{Head: e.newHead(TypeOptions, nil)}); err != nil {
		return err
	}
	_, err := e.makeDefaultVPC()
	return err
}

func (e *edit) newHead(k kind, tags map[string]string) Head {
	return Head{ID: newID(prefixes[k]), Scope: e.Scope, CreatedAt: e.now, Tags: tags}
}

// put writes a record as it is now.
func (e *edit) put(r record) error { return put(e.tx, r) }

// add keeps a new record.
func add[T any, P pointer[T]](e *edit, list *[]T, v T) error {
	*list = append(*list, v)
	return put(e.tx, P(&v))
}

// remove forgets the records of a list for which is holds.
func remove[T any, P pointer[T]](e *edit, list *[]T, is func(T) bool) error {
	for i := range *list {
		if !is((*list)[i]) {
			continue
		}
		if err := drop(e.tx, P(&(*list)[i]).head().ID); err != nil {
			return err
		}
	}
	*list = slices.DeleteFunc(*list, is)
	return nil
}

type rehearsalKey struct{}

// Rehearse returns a context under which actions are only tried: one that would succeed answers with [Rehearsed], and nothing changes.
func Rehearse(ctx context.Context) context.Context {
	return context.WithValue(ctx, rehearsalKey{}, true)
}

// rehearsalOver is for what is made on the way, rehearsal or not.
func rehearsalOver(ctx context.Context) context.Context {
	return context.WithValue(ctx, rehearsalKey{}, false)
}

func rehearsing(ctx context.Context) bool {
	on, _ := ctx.Value(rehearsalKey{}).(bool)
	return on
}

// Rehearsed is the answer to an action that was only tried and would have succeeded.
func Rehearsed() error {
	return apprunner.Errorf(CodeDryRun, "Request would have succeeded, but DryRun flag is set.")
}
