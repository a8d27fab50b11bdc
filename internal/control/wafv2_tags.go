package control

import (
	"context"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
	"slipway.dev/slipway/internal/store"
)

// WebACLLogging reads the logging configuration of a web ACL.
func (c *Control) WebACLLogging(ctx context.Context, sc apprunner.Scope, aclARN string) (l webacl.Logging, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		r, err := c.webACL(tx, sc, aclARN)
		switch {
		case err != nil:
			return err
		case r.Logging == nil:
			return apprunner.Errorf(webacl.CodeNonexistent, "The web ACL %s has no logging configuration.", r.Name)
		}
		l = *r.Logging
		return nil
	})
	return l, err
}

// PutWebACLLogging says where the requests that a web ACL judges are told; nil: nowhere.
func (c *Control) PutWebACLLogging(ctx context.Context, sc apprunner.Scope, aclARN string, l *webacl.Logging) error {
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := c.webACL(tx, sc, aclARN)
		switch {
		case err != nil:
			return err
		case l == nil && r.Logging == nil:
			return apprunner.Errorf(webacl.CodeNonexistent, "The web ACL %s has no logging configuration.", r.Name)
		case l != nil:
			if err := l.Check(r.Entity); err != nil {
				return err
			}
		}
		r.Logging = l
		return tx.PutWAF(r)
	})
}

// checkWAFTags holds the rules of tags, with the error of this API.
func checkWAFTags(tags []apprunner.Tag) error {
	if err := apprunner.CheckTags(tags); err != nil {
		return apprunner.Errorf(webacl.CodeInvalidParameter, "%v", err)
	}
	return nil
}

// tagged finds a web ACL or set by its ARN.
func (c *Control) tagged(tx *store.Tx, sc apprunner.Scope, arn string) (webacl.Record, error) {
	e, known := webacl.ParseARN(arn)
	if !known || e.Scope != sc {
		return webacl.Record{}, apprunner.Errorf(webacl.CodeNonexistent, "There is no %s in account %s, region %s.", arn, sc.Account, sc.Region)
	}
	return c.waf(tx, e)
}

// TagWAF adds tags to a web ACL or a set, or replaces their values.
func (c *Control) TagWAF(ctx context.Context, sc apprunner.Scope, arn string, tags []apprunner.Tag) error {
	if err := checkWAFTags(tags); err != nil {
		return err
	}
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := c.tagged(tx, sc, arn)
		if err != nil {
			return err
		}
		if err := tx.PutTags(r.ARN(), tags); err != nil {
			return fmt.Errorf("write tags: %w", err)
		}
		all, err := tx.Tags(r.ARN())
		if err == nil && len(all) > apprunner.MaxTags {
			err = apprunner.Errorf(webacl.CodeLimits, "%s would have %d tags; at most %d are allowed.", r.ARN(), len(all), apprunner.MaxTags)
		}
		return err
	})
}

// UntagWAF removes tags; keys that are not there are ignored.
func (c *Control) UntagWAF(ctx context.Context, sc apprunner.Scope, arn string, keys []string) error {
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := c.tagged(tx, sc, arn)
		if err != nil {
			return err
		}
		return tx.DeleteTags(r.ARN(), keys)
	})
}

// WAFTags lists the tags of a web ACL or a set by key.
func (c *Control) WAFTags(ctx context.Context, sc apprunner.Scope, arn string) (tags []apprunner.Tag, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		r, err := c.tagged(tx, sc, arn)
		if err != nil {
			return err
		}
		tags, err = tx.Tags(r.ARN())
		return err
	})
	return tags, err
}
