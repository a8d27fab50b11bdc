package control

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Maintain moves a running service to new instances of the version it runs, without a failed request (§5.1). While that lasts the service
// is in OPERATION_IN_PROGRESS and every change is refused; no operation is listed.
func (c *Control) Maintain(ctx context.Context, sc apprunner.Scope, arn string) error {
	op := apprunner.Operation{Type: apprunner.OpMaintenance, Work: apprunner.WorkRestart}
	_, _, err := c.act(ctx, sc, arn, apprunner.ActMaintain, op)
	return err
}

// Maintained lists the services of all accounts that maintenance may move now.
func (c *Control) Maintained(ctx context.Context) ([]apprunner.Service, error) {
	var list []apprunner.Service
	err := c.DB.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Services(apprunner.Scope{})
		for _, s := range all {
			if apprunner.Judge(apprunner.ActMaintain, s.Status) == apprunner.VerdictOK {
				list = append(list, s)
			}
		}
		return err
	})
	return list, err
}
