package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// taggable finds the full ARN of a live resource that can hold tags: one of any of the six kinds (§10.5).
func (c *Control) taggable(tx *store.Tx, sc apprunner.Scope, arn string) (string, error) {
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return "", err
	}
	switch a.Kind {
	case apprunner.KindService:
		s, err := c.service(tx, sc, arn, apprunner.ActTags)
		return s.ARN(), err
	case apprunner.KindAutoScaling:
		conf, err := c.autoScaling(tx, sc, arn)
		return live(sc, conf, arn, err)
	case apprunner.KindObservability:
		conf, err := c.observability(tx, sc, arn)
		return live(sc, conf, arn, err)
	case apprunner.KindConnection:
		conn, err := c.connection(tx, sc, arn)
		return live(sc, conn, arn, err)
	case apprunner.KindVPCConnector:
		conn, err := c.vpcConnector(tx, sc, arn)
		return live(sc, conn, arn, err)
	case apprunner.KindVPCIngress:
		conn, err := c.ingress(tx, sc, arn)
		return live(sc, conn, arn, err)
	}
	return "", missing(sc, arn)
}

// live gives the full ARN of a resource that is not deleted.
func live(sc apprunner.Scope, r record, arn string, err error) (string, error) {
	switch {
	case err != nil:
		return "", err
	case !r.Record().Live:
		return "", missing(sc, arn)
	}
	return r.Record().ARN, nil
}

// isExtra tells whether a tag is a setting: only these mean something to those who watch the store.
func isExtra(key string) bool { return strings.HasPrefix(key, apprunner.ExtraPrefix) }

// TagResource adds tags or replaces their values; it starts no operation (§10.5).
func (c *Control) TagResource(ctx context.Context, sc apprunner.Scope, arn string, tags []apprunner.Tag) error {
	if err := apprunner.CheckTags(tags); err != nil {
		return err
	}
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		if !slices.ContainsFunc(tags, func(t apprunner.Tag) bool { return isExtra(t.Key) }) {
			tx.Quiet()
		}
		full, err := c.taggable(tx, sc, arn)
		if err != nil {
			return err
		}
		if err := tx.PutTags(full, tags); err != nil {
			return fmt.Errorf("write tags: %w", err)
		}
		all, err := tx.Tags(full)
		if err != nil {
			return fmt.Errorf("read tags: %w", err)
		}
		if len(all) > apprunner.MaxTags {
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "Resource %s would have %d tags; at most %d are allowed.", full, len(all), apprunner.MaxTags)
		}
		return nil
	})
}

// UntagResource removes tags; keys that are not there are ignored (§10.5).
func (c *Control) UntagResource(ctx context.Context, sc apprunner.Scope, arn string, keys []string) error {
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		if !slices.ContainsFunc(keys, isExtra) {
			tx.Quiet()
		}
		full, err := c.taggable(tx, sc, arn)
		if err != nil {
			return err
		}
		return tx.DeleteTags(full, keys)
	})
}

// ListTagsForResource returns a resource's tags by key (§10.5).
func (c *Control) ListTagsForResource(ctx context.Context, sc apprunner.Scope, arn string) ([]apprunner.Tag, error) {
	var tags []apprunner.Tag
	err := c.DB.View(ctx, func(tx *store.Tx) error {
		full, err := c.taggable(tx, sc, arn)
		if err != nil {
			return err
		}
		tags, err = tx.Tags(full)
		return err
	})
	return tags, err
}
