package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// CreateObservabilityConfiguration records the next revision of a name (§23).
func (c *Control) CreateObservabilityConfiguration(ctx context.Context, sc apprunner.Scope, in apprunner.ObservabilityConfigurationInput) (apprunner.ObservabilityConfiguration, error) {
	conf := apprunner.ObservabilityConfiguration{Name: in.Name, Vendor: in.Vendor, Latest: true, Active: true, CreatedAt: c.Now().UTC()}
	if err := in.Check(); err != nil {
		return conf, err
	}
	err := c.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet() // services keep the revision they have
		all, err := c.observabilities(tx, sc, "")
		if err != nil {
			return err
		}
		names := revisionsByName(all, func(conf apprunner.ObservabilityConfiguration) string { return conf.Name })
		if err := c.checkRevisions(tx, sc, in.Name, names, apprunner.QuotaObservabilityNames, apprunner.QuotaObservabilityRevisions); err != nil {
			return err
		}
		if conf.Revision, err = tx.NextRevision(sc, apprunner.KindObservability, in.Name); err != nil {
			return fmt.Errorf("take a revision number: %w", err)
		}
		conf.ARN = apprunner.ARN{Scope: sc, Kind: apprunner.KindObservability, Name: in.Name, Revision: conf.Revision, ID: apprunner.NewID()}.String()
		return c.insertResource(tx, conf, in.Tags)
	})
	return conf, err
}

// DescribeObservabilityConfiguration returns the revision that a full or partial ARN names; deleted ones by their full ARN while
// they are kept.
func (c *Control) DescribeObservabilityConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (conf apprunner.ObservabilityConfiguration, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		conf, err = c.observability(tx, sc, arn)
		return err
	})
	return conf, err
}

// ListObservabilityConfigurations returns active revisions, by name and then newest first: of one name or, where it is empty, of
// all; only the latest of each name if latestOnly.
func (c *Control) ListObservabilityConfigurations(ctx context.Context, sc apprunner.Scope, name string, latestOnly bool) (list []apprunner.ObservabilityConfiguration, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		list, err = c.observabilities(tx, sc, name)
		return err
	})
	if latestOnly {
		list = slices.DeleteFunc(list, func(conf apprunner.ObservabilityConfiguration) bool { return !conf.Latest })
	}
	return list, err
}

// DeleteObservabilityConfiguration deletes one active revision: the named one, or the latest where the ARN names no revision.
func (c *Control) DeleteObservabilityConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (conf apprunner.ObservabilityConfiguration, err error) {
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet() // services keep the revision they have
		conf, err = c.observability(tx, sc, arn)
		switch {
		case err != nil:
			return err
		case !conf.Active:
			return noObservability(sc, arn)
		case conf.Name == apprunner.DefaultConfigName:
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "Observability configuration %s is provided and cannot be deleted.", conf.ARN)
		}
		used, err := tx.InUse(conf.ARN)
		switch {
		case err != nil:
			return fmt.Errorf("look for users of %s: %w", conf.ARN, err)
		case used:
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "Observability configuration %s is in use by a service. Give the service another one first.", conf.ARN)
		}
		conf.Active, conf.Latest, conf.DeletedAt = false, false, c.Now().UTC()
		return tx.PutResource(conf)
	})
	return conf, err
}

func noObservability(sc apprunner.Scope, arn string) error {
	return apprunner.Errorf(apprunner.CodeNotFound, "Observability configuration %s does not exist in account %s, region %s.", arn, sc.Account, sc.Region)
}

// observability finds the revision that an ARN names: an inactive one only by its full ARN.
func (c *Control) observability(tx *store.Tx, sc apprunner.Scope, arn string) (apprunner.ObservabilityConfiguration, error) {
	var none apprunner.ObservabilityConfiguration
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return none, err
	}
	if a.Kind != apprunner.KindObservability || a.Scope != sc {
		return none, noObservability(sc, arn)
	}
	list, err := c.observabilities(tx, sc, a.Name)
	if err != nil {
		return none, err
	}
	conf, found, err := revisionOf(c, tx, a, list)
	if err == nil && !found {
		err = noObservability(sc, arn)
	}
	return conf, err
}

// observabilities lists active revisions of a name, or of all names, by name and then newest first. The provided one is always
// there: its name is reserved.
func (c *Control) observabilities(tx *store.Tx, sc apprunner.Scope, name string) ([]apprunner.ObservabilityConfiguration, error) {
	list, err := store.Resources[apprunner.ObservabilityConfiguration](tx, sc, apprunner.KindObservability, name)
	if err != nil {
		return nil, fmt.Errorf("read observability configurations: %w", err)
	}
	if name == "" || name == apprunner.DefaultConfigName {
		list = append(list, apprunner.DefaultObservability(sc, c.Epoch))
	}
	slices.SortFunc(list, func(a, b apprunner.ObservabilityConfiguration) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(b.Revision, a.Revision))
	})
	for i := range list {
		list[i].Latest = i == 0 || list[i-1].Name != list[i].Name
	}
	return list, nil
}
