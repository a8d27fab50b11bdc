package control

import (
	"context"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// quota is the value in force: the one it was raised to, else the configured one, else the shipped one (§3).
func (c *Control) quota(tx *store.Tx, sc apprunner.Scope, q apprunner.Quota) (int, error) {
	value, raised, err := tx.QuotaValue(sc, q.Code)
	switch {
	case err != nil:
		return 0, fmt.Errorf("read quota: %w", err)
	case raised:
		return value, nil
	}
	if value, set := c.Quotas[q.Code]; set {
		return value, nil
	}
	return q.Default, nil
}

func quotaOf(code string) (apprunner.Quota, bool) {
	for _, q := range apprunner.Quotas() {
		if q.Code == code {
			return q, true
		}
	}
	return apprunner.Quota{}, false
}

// checkQuota refuses one more where used is what there is already.
func (c *Control) checkQuota(tx *store.Tx, sc apprunner.Scope, code string, used int) error {
	q, _ := quotaOf(code)
	limit, err := c.quota(tx, sc, q)
	if err != nil || used < limit {
		return err
	}
	next := "Delete one first."
	if q.Adjustable {
		next = "Delete one, or raise the quota with the Service Quotas API."
	}
	return apprunner.Errorf(apprunner.CodeQuotaExceeded, "The quota %q (%s) of account %s in region %s is used up: %d of %d.", q.Name, q.Code, sc.Account, sc.Region, used, limit).WithHint("%s", next)
}

// ListQuotas lists every quota with its value in force.
func (c *Control) ListQuotas(ctx context.Context, sc apprunner.Scope) ([]apprunner.QuotaValue, error) {
	var list []apprunner.QuotaValue
	err := c.DB.View(ctx, func(tx *store.Tx) error {
		for _, q := range apprunner.Quotas() {
			if value, set := c.Quotas[q.Code]; set {
				q.Default = value
			}
			value, err := c.quota(tx, sc, q)
			if err != nil {
				return err
			}
			list = append(list, apprunner.QuotaValue{Quota: q, Value: value})
		}
		return nil
	})
	return list, err
}

// RaiseQuota puts a higher value in force at once, up to the installation's ceiling; requester is the ARN of who asks.
func (c *Control) RaiseQuota(ctx context.Context, sc apprunner.Scope, code string, desired int, requester string) (apprunner.QuotaRequest, error) {
	r := apprunner.QuotaRequest{Scope: sc, ID: apprunner.NewID(), Desired: desired, Requester: requester, CreatedAt: c.Now().UTC()}
	q, known := quotaOf(code)
	if r.Quota = q; !known {
		return r, apprunner.Errorf(apprunner.CodeNotFound, "There is no quota %s.", code)
	}
	if !q.Adjustable {
		return r, apprunner.Errorf(apprunner.CodeInvalidState, "The quota %q (%s) cannot be raised.", q.Name, q.Code)
	}
	err := c.DB.Update(ctx, func(tx *store.Tx) error {
		present, err := c.quota(tx, sc, q)
		switch {
		case err != nil:
			return err
		case desired <= present:
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "The quota %q is %d already; ask for more than that.", q.Name, present)
		case desired > c.QuotaCeiling:
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "This installation raises quotas up to %d. Its administrator can allow more.", c.QuotaCeiling)
		}
		return tx.InsertQuotaRequest(r)
	})
	return r, err
}

// ListQuotaRequests lists what was asked for, newest first.
func (c *Control) ListQuotaRequests(ctx context.Context, sc apprunner.Scope) (list []apprunner.QuotaRequest, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		list, err = tx.QuotaRequests(sc)
		return err
	})
	return list, err
}
