package control

import (
	"context"
	"errors"
	"fmt"

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
	settings, err := c.settle(ctx, sc, s.Settings, in.ServicePatch)
	if err != nil {
		return none, "", err
	}
	s.Settings = settings
	var op apprunner.Operation
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if err := c.insert(tx, s, in.Tags); err != nil {
			return err
		}
		op, err = c.begin(tx, &s, apprunner.Operation{Type: apprunner.OpCreateService, Work: apprunner.WorkRebuild})
		return err
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
	if n >= c.ServiceQuota {
		return apprunner.Errorf(apprunner.CodeQuotaExceeded, "The quota of %d services in account %s, region %s is used up; services in status CREATE_FAILED count too. Delete one or raise the quota.", c.ServiceQuota, s.Account, s.Region)
	}
	if err := tx.InsertService(s); err != nil {
		return fmt.Errorf("write service: %w", err)
	}
	return tx.PutTags(s.ARN(), tags)
}

// settle lays a patch over settings and checks everything that needs another room: referenced resources and roles.
func (c *Control) settle(ctx context.Context, sc apprunner.Scope, present apprunner.Settings, p apprunner.ServicePatch) (apprunner.Settings, error) {
	next, err := present.Apply(p)
	if err != nil {
		return next, err
	}
	if next.AutoScaling, err = c.autoScalingFor(ctx, sc, present.AutoScaling, p.AutoScalingARN); err != nil {
		return next, err
	}
	fresh := present.Source.Code == nil && present.Source.Image == nil
	if next.Source, err = autoDeployments(sc, fresh, next.Source, p.Source); err != nil {
		return next, err
	}
	if err := c.checkReferences(sc, &next); err != nil {
		return next, err
	}
	return next, c.checkRoles(ctx, sc, next)
}

// autoDeployments fills the default of AutoDeploymentsEnabled, and refuses it where it cannot work (§6.1).
func autoDeployments(sc apprunner.Scope, fresh bool, src apprunner.SourceConfiguration, p *apprunner.SourcePatch) (apprunner.SourceConfiguration, error) {
	byDefault, allowed := src.AutoDeploymentsDefault(sc)
	switch {
	case p == nil:
	case p.AutoDeployments == nil && fresh:
		src.AutoDeployments = byDefault
	case p.AutoDeployments == nil:
		src.AutoDeployments = src.AutoDeployments && allowed // the source may have moved to one that cannot have it
	case *p.AutoDeployments && !allowed:
		return src, apprunner.Errorf(apprunner.CodeInvalidRequest, "sourceConfiguration.autoDeploymentsEnabled true is not possible for public images and for images of another account; set it to false.")
	default:
		src.AutoDeployments = *p.AutoDeployments
	}
	return src, nil
}

// checkReferences holds what the other records an App Runner service can point to must fulfil.
func (c *Control) checkReferences(sc apprunner.Scope, s *apprunner.Settings) error {
	bad := func(format string, args ...any) error {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, format, args...)
	}
	if s.Source.Code != nil && c.CheckRepository != nil {
		if err := c.CheckRepository(s.Source.Code.URL); err != nil {
			return err
		}
	}
	switch {
	case s.Source.ConnectionARN != "":
		return bad("sourceConfiguration.authenticationConfiguration.connectionArn %s does not name an available connection.", s.Source.ConnectionARN)
	case s.Network.VPCConnectorARN != "":
		return bad("networkConfiguration.egressConfiguration.vpcConnectorArn %s does not name an active VPC connector.", s.Network.VPCConnectorARN)
	case s.KMSKey != "":
		return bad("encryptionConfiguration.kmsKey %s does not name an enabled symmetric key.", s.KMSKey)
	}
	if !s.Observability.Enabled {
		return nil
	}
	provided := apprunner.DefaultObservabilityARN(sc)
	if s.Observability.ARN == "" {
		s.Observability.ARN = provided.String()
		return nil
	}
	a, err := apprunner.ParseARN(s.Observability.ARN)
	if err != nil || !names(a, provided) {
		return bad("observabilityConfiguration.observabilityConfigurationArn %s does not name an active observability configuration.", s.Observability.ARN)
	}
	s.Observability.ARN = provided.String()
	return nil
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
		s, err = c.service(tx, sc, arn, apprunner.ActDescribe)
		return err
	})
	return s, err
}

// ListServices returns the scope's services that are not deleted, newest first (§10.3).
func (c *Control) ListServices(ctx context.Context, sc apprunner.Scope) ([]apprunner.Service, error) {
	var list []apprunner.Service
	err := c.DB.View(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.Services(sc)
		return err
	})
	return list, err
}

// ListOperations returns a service's operations, newest first (§10.4).
func (c *Control) ListOperations(ctx context.Context, sc apprunner.Scope, arn string) ([]apprunner.Operation, error) {
	var list []apprunner.Operation
	err := c.DB.View(ctx, func(tx *store.Tx) error {
		s, err := c.service(tx, sc, arn, apprunner.ActListOperations)
		if err != nil {
			return err
		}
		list, err = tx.Operations(s.ARN())
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
	// Settling asks other rooms, which may read the store themselves, so it happens before the write transaction; the status
	// is judged again inside.
	present, err := c.DescribeService(ctx, sc, in.ServiceARN)
	if err != nil {
		return s, "", err
	}
	if err := c.DB.View(ctx, func(tx *store.Tx) error {
		_, err := c.service(tx, sc, in.ServiceARN, apprunner.ActUpdate)
		return err
	}); err != nil {
		return s, "", err
	}
	next, err := c.settle(ctx, sc, present.Settings, in.ServicePatch)
	if err != nil {
		return s, "", err
	}
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		s, err = c.service(tx, sc, in.ServiceARN, apprunner.ActUpdate)
		if err != nil {
			return err
		}
		before := s.Settings
		work := apprunner.WorkFor(in.ServicePatch, s.Status, before, next)
		s.Settings, s.UpdatedAt = next, c.Now().UTC()
		op, err = c.begin(tx, &s, apprunner.Operation{Type: apprunner.OpUpdateService, Work: work, Before: &before})
		return err
	})
	return s, op.ID, err
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

// DeleteService ends the service (§10.1).
func (c *Control) DeleteService(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Service, string, error) {
	return c.act(ctx, sc, arn, apprunner.ActDelete, apprunner.Operation{Type: apprunner.OpDeleteService})
}

// act starts an operation that takes nothing but the service.
func (c *Control) act(ctx context.Context, sc apprunner.Scope, arn string, act apprunner.Action, op apprunner.Operation) (apprunner.Service, string, error) {
	var s apprunner.Service
	err := c.DB.Update(ctx, func(tx *store.Tx) (err error) {
		s, err = c.service(tx, sc, arn, act)
		if err != nil || apprunner.Judge(act, s.Status) == apprunner.VerdictSame {
			return err
		}
		if act != apprunner.ActStartDeployment { // a deployment moves it when the version has changed (§4)
			s.UpdatedAt = c.Now().UTC()
		}
		op, err = c.begin(tx, &s, op)
		return err
	})
	return s, op.ID, err
}
