package server

import (
	"context"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/store"
)

// The services that have roles of their own (§18).
const (
	servicesPrincipal   = "apprunner.amazonaws.com"
	networkingPrincipal = "networking.apprunner.amazonaws.com"
)

// linkedRole makes the service-linked role of a service in an account, unless it is there.
func (s *System) linkedRole(service string) func(ctx context.Context, account string) error {
	return func(ctx context.Context, account string) error {
		return s.iam.EnsureServiceLinkedRole(ctx, account, service)
	}
}

// needLinkedRole tells what still needs a service-linked role of an account (§18), in all regions: the services, or the VPC connectors.
func (s *System) needLinkedRole(ctx context.Context, account, service string) (uses []iam.RoleUse, err error) {
	query, args := `SELECT region, arn FROM services WHERE account = $1 AND status <> $2 ORDER BY region, arn`, []any{account, apprunner.StatusDeleted}
	if service == networkingPrincipal {
		query, args = `SELECT region, arn FROM resources WHERE account = $1 AND kind = $2 AND live = 1 ORDER BY region, arn`, []any{account, apprunner.KindVPCConnector}
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(query, args, func(row store.Row) error {
			var region, arn string
			err := row.Scan(&region, &arn)
			if len(uses) == 0 || uses[len(uses)-1].Region != region {
				uses = append(uses, iam.RoleUse{Region: region})
			}
			last := &uses[len(uses)-1]
			last.Resources = append(last.Resources, arn)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("find what needs the role of %s in account %s: %w", service, account, err)
	}
	return uses, nil
}
