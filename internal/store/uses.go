package store

import (
	"slices"

	"slipway.dev/slipway/internal/apprunner"
)

// putUses keeps up which resources a service points to, so that nothing in use can be deleted and every user is found without
// reading all services. While an operation runs, what the service pointed to before stays in use: the operation may go back to it.
func (t *Tx) putUses(s apprunner.Service) error {
	present, err := t.uses(s.ARN())
	if err != nil {
		return err
	}
	var wanted []string
	if s.Status != apprunner.StatusDeleted {
		wanted = s.References()
	}
	for _, arn := range wanted {
		if slices.Contains(present, arn) {
			continue
		}
		if err := t.Exec(`INSERT INTO service_uses (service_arn, resource_arn) VALUES ($1,$2)`, s.ARN(), arn); err != nil {
			return err
		}
	}
	if s.Status == apprunner.StatusInProgress {
		return nil
	}
	for _, arn := range present {
		if slices.Contains(wanted, arn) {
			continue
		}
		if err := t.Exec(`DELETE FROM service_uses WHERE service_arn = $1 AND resource_arn = $2`, s.ARN(), arn); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) uses(serviceARN string) ([]string, error) {
	var list []string
	err := t.Each(`SELECT resource_arn FROM service_uses WHERE service_arn = $1`, []any{serviceARN}, func(r Row) error {
		var arn string
		err := r.Scan(&arn)
		list = append(list, arn)
		return err
	})
	return list, err
}

// InUse tells whether a live service points to the resource.
func (t *Tx) InUse(resourceARN string) (bool, error) {
	var one int
	return t.Get(`SELECT 1 FROM service_uses WHERE resource_arn = $1 LIMIT 1`, []any{resourceARN}, &one)
}

// ServicesUsing lists the live services that point to the resource, newest first.
func (t *Tx) ServicesUsing(resourceARN string) ([]apprunner.ServiceSummary, error) {
	return t.summaries(`FROM services WHERE arn IN (SELECT service_arn FROM service_uses WHERE resource_arn = $1)
		ORDER BY created_at DESC, arn`, resourceARN)
}
