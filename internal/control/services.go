package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// CreateService records a new service and the operation that will create it (§6). The answer's status is
// OPERATION_IN_PROGRESS.
func (c *Control) CreateService(ctx context.Context, sc apprunner.Scope, in apprunner.CreateServiceInput) (apprunner.Service, string, error) {
	var none apprunner.Service
	if err := errors.Join(apprunner.CheckServiceName(in.Name), apprunner.CheckTags(in.Tags)); err != nil {
		return none, "", err
	}
	s := apprunner.Service{Scope: sc, ID: apprunner.NewID(), Name: in.Name, CreatedAt: c.Now().UTC(), Settings: apprunner.DefaultSettings()}
	s.UpdatedAt = s.CreatedAt
	s.URL = apprunner.NewDomainLabel() + "." + sc.Region + "." + c.Suffix
	if in.Source == nil {
		return none, "", apprunner.Errorf(apprunner.CodeInvalidRequest, "sourceConfiguration is required.")
	}
	extras, err := apprunner.ParseExtras(in.Tags)
	if err != nil {
		return none, "", err
	}
	s.Source.CallerPulls = extras.CallerPulls
	present := s.Settings
	settings, err := settle(sc, present, in.ServicePatch)
	if err != nil {
		return none, "", err
	}
	s.Settings = settings
	if err := c.consult(ctx, s.ARN(), s.Settings); err != nil {
		return none, "", err
	}
	var op apprunner.Operation
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if err := c.refer(tx, sc, present, in.ServicePatch, &s.Settings); err != nil {
			return err
		}
		if err := c.entrust(tx, s); err != nil {
			return err
		}
		if err := c.insert(tx, s, in.Tags); err != nil {
			return err
		}
		if op, err = c.begin(tx, &s, apprunner.Operation{Type: apprunner.OpCreateService, Work: apprunner.WorkRebuild}); err != nil {
			return err
		}
		return c.shown(tx, &s)
	})
	return s, op.ID, err
}

func (c *Control) insert(tx *store.Tx, s apprunner.Service, tags []apprunner.Tag) error {
	if _, exists, err := tx.LiveServiceNamed(s.Scope, s.Name); err != nil {
		return fmt.Errorf("look for the name: %w", err)
	} else if exists {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "Service with the provided name already exists: %s. Choose another name, or delete that service first.", s.Name)
	}
	n, err := tx.CountServices(s.Scope)
	if err != nil {
		return fmt.Errorf("count services: %w", err)
	}
	if err := c.checkQuota(tx, s.Scope, apprunner.QuotaServices, n); err != nil {
		return err
	}
	if err := tx.InsertService(s); err != nil {
		return fmt.Errorf("write service: %w", err)
	}
	return tx.PutTags(s.ARN(), tags)
}

// settle lays a patch over settings and checks all that can be known without asking anybody.
func settle(sc apprunner.Scope, present apprunner.Settings, p apprunner.ServicePatch) (apprunner.Settings, error) {
	next, err := present.Apply(p)
	if err != nil {
		return next, err
	}
	if err := next.CheckSecretsOf(sc); err != nil {
		return next, err
	}
	fresh := present.Source.Code == nil && present.Source.Image == nil
	next.Source, err = autoDeployments(sc, fresh, next.Source, p.Source)
	return next, err
}

// consult asks other rooms about the settings of a service: can this be a repository, may these roles be assumed. They may read the store
// themselves, so it must not run inside a write transaction.
func (c *Control) consult(ctx context.Context, service string, s apprunner.Settings) error {
	if s.Source.Code != nil && c.CheckRepository != nil {
		if err := c.CheckRepository(s.Source.Code.URL); err != nil {
			return err
		}
	}
	return c.checkRoles(ctx, service, s)
}

// autoDeployments fills the default of AutoDeploymentsEnabled, and refuses it where it cannot work (§6.1).
func autoDeployments(sc apprunner.Scope, fresh bool, src apprunner.SourceConfiguration, p *apprunner.SourcePatch) (apprunner.SourceConfiguration, error) {
	byDefault, allowed := src.AutoDeploymentsDefault(sc)
	if src.CallerPulls && src.Image != nil {
		if of, _ := apprunner.ECRAccount(src.Image.Identifier); of.Account != sc.Account {
			return src, apprunner.Errorf(apprunner.CodeInvalidRequest, "sourceConfiguration.authenticationConfiguration.accessRoleArn is required for an image of another account.")
		}
	}
	switch {
	case p == nil:
	case p.AutoDeployments == nil && fresh:
		src.AutoDeployments = byDefault
	case p.AutoDeployments == nil:
		src.AutoDeployments = src.AutoDeployments && allowed // the source may have moved to one that cannot have it
	case *p.AutoDeployments && !allowed:
		return src, apprunner.Errorf(apprunner.CodeInvalidRequest, "sourceConfiguration.autoDeploymentsEnabled true is not possible for public images, for images of another account and without an access role; set it to false.")
	default:
		src.AutoDeployments = *p.AutoDeployments
	}
	return src, nil
}

// names tells whether a full or partial ARN names the given resource.
func names(a, full apprunner.ARN) bool {
	return a.Scope == full.Scope && a.Kind == full.Kind && a.Name == full.Name &&
		(a.Revision == 0 || a.Revision == full.Revision) && (a.ID == "" || a.ID == full.ID)
}

// DescribeService returns a service in any status, deleted ones while they are kept (§10.2).
func (c *Control) DescribeService(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Service, error) {
	var s apprunner.Service
	err := c.DB.View(ctx, func(tx *store.Tx) (err error) {
		if s, err = c.service(tx, sc, arn, apprunner.ActDescribe); err != nil {
			return err
		}
		return c.shown(tx, &s)
	})
	return s, err
}

// ListServices returns the scope's services that are not deleted, newest first: those after a place, at most limit (0: all)
// (§10.3).
func (c *Control) ListServices(ctx context.Context, sc apprunner.Scope, after apprunner.Place, limit int) (list []apprunner.ServiceSummary, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		list, err = tx.ServiceSummaries(sc, after, limit)
		return err
	})
	return list, err
}

// ListOperations returns a service's operations, newest first: those after a place, at most limit (0: all) (§10.4).
func (c *Control) ListOperations(ctx context.Context, sc apprunner.Scope, arn string, after apprunner.Place, limit int) ([]apprunner.Operation, error) {
	var list []apprunner.Operation
	err := c.DB.View(ctx, func(tx *store.Tx) error {
		s, err := c.service(tx, sc, arn, apprunner.ActListOperations)
		if err != nil {
			return err
		}
		list, err = tx.OperationsAfter(s.ARN(), after, limit)
		return err
	})
	return list, err
}

// UpdateService lays the patch over the service and starts the operation that makes it so (§7).
func (c *Control) UpdateService(ctx context.Context, sc apprunner.Scope, in apprunner.UpdateServiceInput) (apprunner.Service, string, error) {
	var (
		s  apprunner.Service
		op apprunner.Operation
	)
	// Consulting asks other rooms, so it happens before the write transaction; everything else is judged inside.
	present, err := c.updatable(ctx, sc, in.ServiceARN)
	if err != nil {
		return s, "", err
	}
	next, err := settle(sc, present.Settings, in.ServicePatch)
	if err == nil {
		err = c.consult(ctx, present.ARN(), next)
	}
	if err != nil {
		return s, "", err
	}
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if s, err = c.service(tx, sc, in.ServiceARN, apprunner.ActUpdate); err != nil {
			return err
		}
		before := s.Settings
		if next, err = settle(sc, before, in.ServicePatch); err != nil {
			return err
		}
		if err := c.refer(tx, sc, before, in.ServicePatch, &next); err != nil {
			return err
		}
		if err := c.checkMadePublic(tx, s, next); err != nil {
			return err
		}
		work := apprunner.WorkFor(in.ServicePatch, s.Status, before, next)
		s.Settings, s.UpdatedAt = next, c.Now().UTC()
		if op, err = c.begin(tx, &s, apprunner.Operation{Type: apprunner.OpUpdateService, Work: work, Before: &before}); err != nil {
			return err
		}
		return c.shown(tx, &s)
	})
	return s, op.ID, err
}

// updatable reads a service that may be updated now.
func (c *Control) updatable(ctx context.Context, sc apprunner.Scope, arn string) (s apprunner.Service, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		s, err = c.service(tx, sc, arn, apprunner.ActUpdate)
		return err
	})
	return s, err
}

// StartDeployment starts a deployment of the newest version (§8). automatic marks one that a push started, for the given
// commit or image.
func (c *Control) StartDeployment(ctx context.Context, sc apprunner.Scope, arn string, automatic bool, version string) (string, error) {
	op := apprunner.Operation{Type: apprunner.OpStartDeployment, Work: apprunner.WorkRebuild, Automatic: automatic, Commit: version}
	_, id, err := c.act(ctx, sc, arn, apprunner.ActStartDeployment, op)
	return id, err
}

// PauseService takes all instances away and keeps everything else (§9). The operation id is empty when the service is paused
// already.
func (c *Control) PauseService(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Service, string, error) {
	return c.act(ctx, sc, arn, apprunner.ActPause, apprunner.Operation{Type: apprunner.OpPauseService})
}

// ResumeService starts the stored version again (§9). The operation id is empty when the service is running already.
func (c *Control) ResumeService(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Service, string, error) {
	return c.act(ctx, sc, arn, apprunner.ActResume, apprunner.Operation{Type: apprunner.OpResumeService, Work: apprunner.WorkRestart})
}

// DeleteService ends the service (§10.1). Its custom domains are given free; one with a VPC ingress connection is not deleted.
func (c *Control) DeleteService(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Service, string, error) {
	return c.act(ctx, sc, arn, apprunner.ActDelete, apprunner.Operation{Type: apprunner.OpDeleteService})
}

// act starts an operation that takes nothing but the service.
func (c *Control) act(ctx context.Context, sc apprunner.Scope, arn string, act apprunner.Action, op apprunner.Operation) (apprunner.Service, string, error) {
	var s apprunner.Service
	err := c.DB.Update(ctx, func(tx *store.Tx) (err error) {
		s, err = c.service(tx, sc, arn, act)
		if err != nil {
			return err
		}
		if apprunner.Judge(act, s.Status) == apprunner.VerdictSame {
			return c.shown(tx, &s)
		}
		if act == apprunner.ActDelete {
			if err := c.detach(tx, s); err != nil {
				return err
			}
		}
		if act != apprunner.ActStartDeployment && act != apprunner.ActMaintain { // a deployment moves it when the version has changed (§4)
			s.UpdatedAt = c.Now().UTC()
		}
		if op, err = c.begin(tx, &s, op); err != nil {
			return err
		}
		return c.shown(tx, &s)
	})
	return s, op.ID, err
}

// detach takes a service that will be deleted from what points to it.
func (c *Control) detach(tx *store.Tx, s apprunner.Service) error {
	live, err := c.liveIngress(tx, s)
	if err != nil {
		return err
	}
	if live != "" {
		return apprunner.Errorf(apprunner.CodeInvalidState, "Service %s has the VPC ingress connection %s. Delete that first, and wait until it is gone.", s.Name, live)
	}
	return dropDomains(tx, s.ARN())
}

// Forget drops what was deleted longer ago than it is described: services, with all that belongs to them, and configurations.
func (c *Control) Forget(ctx context.Context, now time.Time) error {
	return c.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.ForgetServices(store.Micros(now.Add(-c.Retention)))
		return err
	})
}
