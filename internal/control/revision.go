package control

import (
	"errors"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// record is a resource beside services.
type record interface{ Record() apprunner.Record }

// revisionOf finds the revision that an ARN names among the active ones of its name, which are given newest first; one that is not active
// any more is found by its full ARN until its retention is over.
func revisionOf[T record](c *Control, tx *store.Tx, a apprunner.ARN, active []T) (conf T, found bool, err error) {
	for n, r := range active {
		full, err := apprunner.ParseARN(r.Record().ARN)
		if err == nil && names(a, full) && (a.Revision != 0 || n == 0) {
			return r, true, nil
		}
	}
	gone, found, err := store.Resource[T](tx, a.String())
	if err != nil || !found || gone.Record().Live || c.over(gone.Record().DeletedAt) {
		return conf, false, err
	}
	return gone, true, nil
}

// insertResource adds a resource with its tags.
func (c *Control) insertResource(tx *store.Tx, r record, tags []apprunner.Tag) error {
	if err := tx.PutResource(r); err != nil {
		return fmt.Errorf("write %s: %w", r.Record().ARN, err)
	}
	return tx.PutTags(r.Record().ARN, tags)
}

// over tells whether something deleted at that time is not described any more.
func (c *Control) over(deletedAt time.Time) bool { return c.Now().Sub(deletedAt) > c.Retention }

// revisionsByName counts active revisions by name.
func revisionsByName[T any](list []T, name func(T) string) map[string]int {
	count := map[string]int{}
	for _, v := range list {
		count[name(v)]++
	}
	return count
}

// checkRevisions holds the two quotas of a kind with revisions: a new name counts towards the one of names, a new revision towards
// the one of its name (§3). The provided configurations are a gift: their name is not counted.
func (c *Control) checkRevisions(tx *store.Tx, sc apprunner.Scope, name string, active map[string]int, ofNames, perName string) error {
	if n := active[name]; n > 0 {
		return c.checkQuota(tx, sc, perName, n)
	}
	used := len(active)
	if active[apprunner.DefaultConfigName] > 0 {
		used--
	}
	return c.checkQuota(tx, sc, ofNames, used)
}

// taken turns the store's report of a name in use into one for the caller.
func taken(err error, format string, args ...any) error {
	if errors.Is(err, store.ErrTaken) {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, format, args...)
	}
	return err
}

// exactly parses an ARN that must be the full one of a kind, in the caller's account and region.
func exactly(sc apprunner.Scope, kind, arn string) (apprunner.ARN, error) {
	a, err := apprunner.ParseARN(arn)
	switch {
	case err != nil:
		return a, err
	case a.Kind != kind || a.Scope != sc:
		return a, missing(sc, arn)
	case a.ID == "":
		return a, apprunner.Errorf(apprunner.CodeInvalidRequest, "%s is not the full ARN of a %s, which ends in an id of 32 digits.", arn, kind)
	}
	return a, nil
}

func missing(sc apprunner.Scope, arn string) error {
	return apprunner.Errorf(apprunner.CodeNotFound, "Resource %s does not exist in account %s, region %s.", arn, sc.Account, sc.Region)
}
