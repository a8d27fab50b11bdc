package control

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
	"slipway.dev/slipway/internal/store"
)

// wafQuotas are how many of each kind an account may have in a region.
var wafQuotas = map[webacl.Kind]int{webacl.KindACL: 100, webacl.KindIPSet: 100, webacl.KindRegexSet: 10}

// checkWAF tells what is wrong with what an entity holds.
func (c *Control) checkWAF(tx *store.Tx, r webacl.Record) error {
	switch r.Kind {
	case webacl.KindIPSet:
		return r.IPs.Check()
	case webacl.KindRegexSet:
		return r.Regex.Check()
	case webacl.KindACL:
	}
	if err := r.ACL.Check(); err != nil {
		return err
	}
	_, err := c.capacity(tx, r.Scope, *r.ACL)
	return err
}

// capacity is what the rules of an ACL cost. The sets they name have to exist.
func (c *Control) capacity(tx *store.Tx, sc apprunner.Scope, acl webacl.Definition) (int64, error) {
	for _, arn := range acl.References() {
		e, known := webacl.ParseARN(arn)
		if known && e.Scope == sc && e.Kind != webacl.KindACL {
			_, found, err := tx.WAF(arn)
			if err != nil {
				return 0, fmt.Errorf("read %s: %w", arn, err)
			}
			known = found
		}
		if !known || e.Scope != sc {
			return 0, apprunner.Errorf(webacl.CodeNonexistent, "%s, which a rule names, does not exist in account %s, region %s.", arn, sc.Account, sc.Region)
		}
	}
	return webacl.Capacity(acl.Rules)
}

// CheckWebACLCapacity tells what rules would cost, in web ACL capacity units.
func (c *Control) CheckWebACLCapacity(ctx context.Context, sc apprunner.Scope, rules []webacl.Rule) (n int64, err error) {
	acl := webacl.Definition{DefaultAction: webacl.Action{Allow: &webacl.Insert{}}, Rules: rules}
	if err := acl.Check(); err != nil {
		return 0, err
	}
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		n, err = c.capacity(tx, sc, acl)
		return err
	})
	return n, err
}

// CreateWAF makes a web ACL or a set. ID and lock token are given here.
func (c *Control) CreateWAF(ctx context.Context, r webacl.Record, tags []apprunner.Tag) (webacl.Record, error) {
	r.ID, r.LockToken = apprunner.NewUUID(), apprunner.NewUUID()
	if err := checkWAFTags(tags); err != nil {
		return r, err
	}
	err := c.DB.Update(ctx, func(tx *store.Tx) error {
		if err := c.checkWAF(tx, r); err != nil {
			return err
		}
		all, err := tx.WAFs(r.Scope, r.Kind)
		if err != nil {
			return fmt.Errorf("read web ACLs: %w", err)
		}
		if limit := wafQuotas[r.Kind]; len(all) >= limit {
			return apprunner.Errorf(webacl.CodeLimits, "Account %s has %d of this kind in region %s, which is as many as it may have. Delete one first.", r.Account, limit, r.Region)
		}
		err = tx.InsertWAF(r)
		if errors.Is(err, store.ErrTaken) {
			return apprunner.Errorf(webacl.CodeDuplicate, "There is a %s with the name %s already.", r.Kind, r.Name)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", r.Kind, err)
		}
		return tx.PutTags(r.ARN(), tags)
	})
	return r, err
}

// waf finds an entity by scope, kind, name and id.
func (c *Control) waf(tx *store.Tx, e webacl.Entity) (webacl.Record, error) {
	r, found, err := tx.WAF(e.ARN())
	switch {
	case err != nil:
		return r, fmt.Errorf("read %s: %w", e.Kind, err)
	case !found:
		return r, apprunner.Errorf(webacl.CodeNonexistent, "There is no %s with the name %s and the id %s in account %s, region %s.", e.Kind, e.Name, e.ID, e.Account, e.Region)
	}
	return r, nil
}

// locked is waf for a change: the caller must have seen the present state.
func (c *Control) locked(tx *store.Tx, e webacl.Entity) (webacl.Record, error) {
	r, err := c.waf(tx, e)
	if err == nil && r.LockToken != e.LockToken {
		err = apprunner.Errorf(webacl.CodeOptimisticLock, "The %s %s was changed since the lock token was given out. Get it again and repeat the change.", e.Kind, e.Name)
	}
	return r, err
}

// GetWAF reads a web ACL or a set; of e, scope, kind, name and id count.
func (c *Control) GetWAF(ctx context.Context, e webacl.Entity) (r webacl.Record, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		r, err = c.waf(tx, e)
		return err
	})
	return r, err
}

// UpdateWAF changes a web ACL or a set whose lock token is e's, and returns it with the next one.
func (c *Control) UpdateWAF(ctx context.Context, e webacl.Entity, change func(*webacl.Record)) (r webacl.Record, err error) {
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if r, err = c.locked(tx, e); err != nil {
			return err
		}
		change(&r)
		r.LockToken = apprunner.NewUUID()
		if err := c.checkWAF(tx, r); err != nil {
			return err
		}
		return tx.PutWAF(r)
	})
	return r, err
}

// DeleteWAF deletes a web ACL that is associated with no service, or a set that no ACL names.
func (c *Control) DeleteWAF(ctx context.Context, e webacl.Entity) error {
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := c.locked(tx, e)
		if err != nil {
			return err
		}
		users, err := wafUsers(tx, r)
		switch {
		case err != nil:
			return fmt.Errorf("look for users of %s: %w", r.Name, err)
		case len(users) > 0:
			return apprunner.Errorf(webacl.CodeAssociated, "The %s %s is used by %s. Take it away from there first.", r.Kind, r.Name, users[0])
		}
		return tx.DropWAF(r.ARN())
	})
}

// wafUsers are the services behind an ACL, or the ACLs that name a set.
func wafUsers(tx *store.Tx, r webacl.Record) (arns []string, err error) {
	if r.Kind == webacl.KindACL {
		return tx.Associated(r.ARN())
	}
	acls, err := tx.WAFs(r.Scope, webacl.KindACL)
	for _, acl := range acls {
		if slices.Contains(acl.ACL.References(), r.ARN()) {
			arns = append(arns, acl.ARN())
		}
	}
	return arns, err
}

// ListWAF lists the web ACLs or the sets of a scope by name.
func (c *Control) ListWAF(ctx context.Context, sc apprunner.Scope, kind webacl.Kind) (list []webacl.Record, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		list, err = tx.WAFs(sc, kind)
		return err
	})
	return list, err
}

// guarded finds a service that a web ACL may stand in front of (§25): one that neither failed to be created or deleted nor is deleted or
// being deleted.
func (c *Control) guarded(tx *store.Tx, sc apprunner.Scope, arn string) (apprunner.Service, error) {
	none := apprunner.Errorf(webacl.CodeNonexistent, "There is no service %s in account %s, region %s that a web ACL can stand in front of.", arn, sc.Account, sc.Region)
	a, err := apprunner.ParseARN(arn)
	if err != nil || a.Kind != apprunner.KindService || a.Scope != sc {
		return apprunner.Service{}, none
	}
	s, found, err := tx.Service(a.String())
	if err != nil {
		return s, fmt.Errorf("read service: %w", err)
	}
	if !found {
		return s, none
	}
	switch s.Status {
	case apprunner.StatusCreateFailed, apprunner.StatusDeleteFailed, apprunner.StatusDeleted:
		return s, none
	case apprunner.StatusRunning, apprunner.StatusPaused:
		return s, nil
	case apprunner.StatusInProgress:
	}
	running, err := tx.RunningOperations()
	if err != nil {
		return s, fmt.Errorf("read operations: %w", err)
	}
	if slices.ContainsFunc(running, func(op apprunner.Operation) bool {
		return op.ServiceARN == s.ARN() && op.Type == apprunner.OpDeleteService
	}) {
		return s, none
	}
	return s, nil
}

// webACL finds the ACL that an ARN names.
func (c *Control) webACL(tx *store.Tx, sc apprunner.Scope, arn string) (webacl.Record, error) {
	e, known := webacl.ParseARN(arn)
	if !known || e.Scope != sc || e.Kind != webacl.KindACL {
		return webacl.Record{}, apprunner.Errorf(webacl.CodeNonexistent, "There is no web ACL %s in account %s, region %s.", arn, sc.Account, sc.Region)
	}
	return c.waf(tx, e)
}

// AssociateWebACL puts a web ACL in front of a service, in the place of the one it may have. It is in force a moment later.
func (c *Control) AssociateWebACL(ctx context.Context, sc apprunner.Scope, aclARN, serviceARN string) error {
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := c.webACL(tx, sc, aclARN)
		if err != nil {
			return err
		}
		s, err := c.guarded(tx, sc, serviceARN)
		if err != nil {
			return err
		}
		return tx.Associate(s.ARN(), r.ARN())
	})
}

// DisassociateWebACL takes the web ACL of a service away; without one nothing happens.
func (c *Control) DisassociateWebACL(ctx context.Context, sc apprunner.Scope, serviceARN string) error {
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		s, err := c.guarded(tx, sc, serviceARN)
		if err != nil {
			return err
		}
		return tx.Disassociate(s.ARN())
	})
}

// WebACLForService is the web ACL in front of a service; false for none.
func (c *Control) WebACLForService(ctx context.Context, sc apprunner.Scope, serviceARN string) (r webacl.Record, found bool, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		s, err := c.guarded(tx, sc, serviceARN)
		if err != nil {
			return err
		}
		arn, err := tx.Association(s.ARN())
		if err != nil || arn == "" {
			return err
		}
		r, found, err = tx.WAF(arn)
		return err
	})
	return r, found, err
}

// ServicesForWebACL lists the ARNs of the services behind a web ACL.
func (c *Control) ServicesForWebACL(ctx context.Context, sc apprunner.Scope, aclARN string) (arns []string, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		r, err := c.webACL(tx, sc, aclARN)
		if err != nil {
			return err
		}
		arns, err = tx.Associated(r.ARN())
		return err
	})
	return arns, err
}
