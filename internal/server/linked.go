package server

import (
	"context"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/store"
)

// needLinkedRole tells what still needs a service-linked role of an account (§18): the services, in all regions.
func (s *System) needLinkedRole(ctx context.Context, account, service string) (uses []iam.RoleUse, err error) {
	if service != "apprunner.amazonaws.com" {
		return nil, nil // of networks nothing is served yet that would need the other one
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT region, arn FROM services WHERE account = $1 AND status <> $2 ORDER BY region, arn`,
			[]any{account, apprunner.StatusDeleted}, func(row store.Row) error {
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
		return nil, fmt.Errorf("find the services of account %s: %w", account, err)
	}
	return uses, nil
}
