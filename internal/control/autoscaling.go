package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// The provided configuration of a scope has no record until the first change to its name: as long as that name never had a revision
// number, it is there as shipped.

// CreateAutoScalingConfiguration records the next revision of a name (§12.3).
func (c *Control) CreateAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, in apprunner.AutoScalingConfigurationInput) (apprunner.AutoScalingConfiguration, error) {
	conf, err := in.Settle(c.MaxInstances)
	if err != nil {
		return conf, err
	}
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet() // services keep the revision they have
		if err := c.recordProvided(tx, sc, in.Name); err != nil {
			return err
		}
		all, err := c.autoScalings(tx, sc, "")
		if err != nil {
			return err
		}
		names := revisionsByName(all, func(conf apprunner.AutoScalingConfiguration) string { return conf.Name })
		if err := c.checkRevisions(tx, sc, in.Name, names, apprunner.QuotaAutoScalingNames, apprunner.QuotaAutoScalingRevisions); err != nil {
			return err
		}
		if conf.Revision, err = tx.NextRevision(sc, apprunner.KindAutoScaling, in.Name); err != nil {
			return fmt.Errorf("take a revision number: %w", err)
		}
		conf.ARN = apprunner.ARN{Scope: sc, Kind: apprunner.KindAutoScaling, Name: in.Name, Revision: conf.Revision, ID: apprunner.NewID()}.String()
		conf.Latest, conf.CreatedAt = true, c.Now().UTC()
		return c.insertResource(tx, conf, in.Tags)
	})
	return conf, err
}

// DescribeAutoScalingConfiguration returns the revision that a full or partial ARN names; deleted ones by their full ARN while they
// are kept (§12.4).
func (c *Control) DescribeAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (conf apprunner.AutoScalingConfiguration, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		conf, err = c.autoScaling(tx, sc, arn)
		return err
	})
	return conf, err
}

// ListAutoScalingConfigurations returns active revisions, by name and then newest first: of one name or, where it is empty, of all;
// only the latest of each name if latestOnly (§12.4).
func (c *Control) ListAutoScalingConfigurations(ctx context.Context, sc apprunner.Scope, name string, latestOnly bool) (list []apprunner.AutoScalingConfiguration, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		list, err = c.autoScalings(tx, sc, name)
		return err
	})
	if latestOnly {
		list = slices.DeleteFunc(list, func(conf apprunner.AutoScalingConfiguration) bool { return !conf.Latest })
	}
	return list, err
}

// ListServicesForAutoScalingConfiguration returns the live services that use a revision, newest first (§12.4).
func (c *Control) ListServicesForAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (list []apprunner.ServiceSummary, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		conf, err := c.autoScaling(tx, sc, arn)
		if err != nil {
			return err
		}
		list, err = tx.ServicesUsing(conf.ARN)
		return err
	})
	return list, err
}

// UpdateDefaultAutoScalingConfiguration makes an active revision the one that new services get which name none (§12.5).
func (c *Control) UpdateDefaultAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (conf apprunner.AutoScalingConfiguration, err error) {
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet() // services keep the revision they have
		conf, err = c.autoScaling(tx, sc, arn)
		switch {
		case err != nil:
			return err
		case !conf.Active:
			return noAutoScaling(sc, arn)
		}
		conf.IsDefault = true
		return tx.PutDefaultAutoScaling(sc, conf.ARN)
	})
	return conf, err
}

// DeleteAutoScalingConfiguration deletes one active revision: the named one, or the latest where the ARN names no revision (§12.7).
func (c *Control) DeleteAutoScalingConfiguration(ctx context.Context, sc apprunner.Scope, arn string) (conf apprunner.AutoScalingConfiguration, err error) {
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet() // services keep the revision they have
		conf, err = c.autoScaling(tx, sc, arn)
		switch {
		case err != nil:
			return err
		case !conf.Active:
			return noAutoScaling(sc, arn)
		}
		if err := c.recordProvided(tx, sc, conf.Name); err != nil {
			return err
		}
		return c.retire(tx, &conf)
	})
	return conf, err
}

// DeleteAllAutoScalingRevisions deletes every active revision of the name that an ARN ends in, or none of them (§12.7). What it
// returns has only ARN, name and status.
func (c *Control) DeleteAllAutoScalingRevisions(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.AutoScalingConfiguration, error) {
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return apprunner.AutoScalingConfiguration{}, err
	}
	if a.Kind != apprunner.KindAutoScaling || a.Scope != sc {
		return apprunner.AutoScalingConfiguration{}, noAutoScaling(sc, arn)
	}
	if a.Revision != 0 || a.ID != "" {
		return apprunner.AutoScalingConfiguration{}, apprunner.Errorf(apprunner.CodeInvalidRequest,
			"deleteAllRevisions is only possible with an ARN that ends in the name, without revision and id: %s.", apprunner.ARN{Scope: sc, Kind: a.Kind, Name: a.Name})
	}
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet() // services keep the revision they have
		if err := c.recordProvided(tx, sc, a.Name); err != nil {
			return err
		}
		list, err := c.autoScalings(tx, sc, a.Name)
		if err == nil && len(list) == 0 {
			err = noAutoScaling(sc, arn)
		}
		for i := 0; i < len(list) && err == nil; i++ {
			err = c.retire(tx, &list[i])
		}
		return err
	})
	return apprunner.AutoScalingConfiguration{ARN: a.String(), Name: a.Name}, err
}

// retire makes a revision inactive, unless it is in use or the default.
func (c *Control) retire(tx *store.Tx, conf *apprunner.AutoScalingConfiguration) error {
	switch {
	case conf.HasAssociatedService:
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "Auto scaling configuration %s is in use. ListServicesForAutoScalingConfiguration tells by which services; give them another one first.", conf.ARN)
	case conf.IsDefault:
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "Auto scaling configuration %s is the default of the account in this region. Make another one the default first.", conf.ARN)
	}
	conf.Active, conf.Latest, conf.DeletedAt = false, false, c.Now().UTC()
	if err := tx.PutResource(*conf); err != nil {
		return fmt.Errorf("write auto scaling configuration: %w", err)
	}
	return nil
}

func noAutoScaling(sc apprunner.Scope, arn string) error {
	return apprunner.Errorf(apprunner.CodeNotFound, "Auto scaling configuration %s does not exist in account %s, region %s.", arn, sc.Account, sc.Region)
}

// recordProvided writes the provided configuration down before the first change to its name.
func (c *Control) recordProvided(tx *store.Tx, sc apprunner.Scope, name string) error {
	if name != apprunner.DefaultConfigName {
		return nil
	}
	last, err := tx.LastRevision(sc, apprunner.KindAutoScaling, name)
	if err != nil || last > 0 {
		return err
	}
	if _, err := tx.NextRevision(sc, apprunner.KindAutoScaling, name); err != nil {
		return fmt.Errorf("take a revision number: %w", err)
	}
	return tx.PutResource(apprunner.DefaultAutoScaling(sc, c.Epoch))
}

// autoScaling finds the revision that an ARN names: an inactive one only by its full ARN.
func (c *Control) autoScaling(tx *store.Tx, sc apprunner.Scope, arn string) (apprunner.AutoScalingConfiguration, error) {
	var none apprunner.AutoScalingConfiguration
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return none, err
	}
	if a.Kind != apprunner.KindAutoScaling || a.Scope != sc {
		return none, noAutoScaling(sc, arn)
	}
	list, err := c.autoScalings(tx, sc, a.Name)
	if err != nil {
		return none, err
	}
	conf, found, err := revisionOf(c, tx, a, list)
	if err == nil && !found {
		err = noAutoScaling(sc, arn)
	}
	return conf, err
}

// autoScalings lists active revisions of a name, or of all names, by name and then newest first, with all that is not part of the
// record itself.
func (c *Control) autoScalings(tx *store.Tx, sc apprunner.Scope, name string) ([]apprunner.AutoScalingConfiguration, error) {
	list, err := store.Resources[apprunner.AutoScalingConfiguration](tx, sc, apprunner.KindAutoScaling, name)
	if err != nil {
		return nil, fmt.Errorf("read auto scaling configurations: %w", err)
	}
	if name == "" || name == apprunner.DefaultConfigName {
		last, err := tx.LastRevision(sc, apprunner.KindAutoScaling, apprunner.DefaultConfigName)
		if err != nil {
			return nil, fmt.Errorf("read revisions: %w", err)
		}
		if last == 0 {
			list = append(list, apprunner.DefaultAutoScaling(sc, c.Epoch))
		}
	}
	slices.SortFunc(list, func(a, b apprunner.AutoScalingConfiguration) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(b.Revision, a.Revision))
	})
	for i := range list {
		list[i].Latest = i == 0 || list[i-1].Name != list[i].Name
		if err := c.circumstances(tx, sc, &list[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// circumstances fills what a revision is to others: the default, and in use.
func (c *Control) circumstances(tx *store.Tx, sc apprunner.Scope, conf *apprunner.AutoScalingConfiguration) (err error) {
	standard, err := c.defaultAutoScaling(tx, sc)
	if err != nil {
		return err
	}
	conf.IsDefault = conf.ARN == standard
	if conf.HasAssociatedService, err = tx.InUse(conf.ARN); err != nil {
		return fmt.Errorf("look for users of %s: %w", conf.ARN, err)
	}
	return nil
}

// defaultAutoScaling is the ARN of the revision that new services get.
func (c *Control) defaultAutoScaling(tx *store.Tx, sc apprunner.Scope) (string, error) {
	arn, err := tx.DefaultAutoScaling(sc)
	if err != nil {
		return "", fmt.Errorf("read the default auto scaling configuration: %w", err)
	}
	return cmp.Or(arn, apprunner.DefaultAutoScalingARN(sc).String()), nil
}

// shown gives a service as it is answered: what it says about its auto scaling configuration is as of now.
func (c *Control) shown(tx *store.Tx, s *apprunner.Service) error {
	if err := c.circumstances(tx, s.Scope, &s.AutoScaling); err != nil {
		return err
	}
	if s.AutoScaling.HasAssociatedService {
		s.AutoScaling.Active = true // nothing in use can be deleted
		return nil
	}
	_, err := c.autoScaling(tx, s.Scope, s.AutoScaling.ARN)
	if apprunner.CodeOf(err) == apprunner.CodeNotFound {
		s.AutoScaling.Active = false
		return nil
	}
	return err
}
