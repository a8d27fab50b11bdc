package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// roles answers whether App Runner may assume a role (§18).
type roles interface {
	// RoleTrusts tells whether the role exists and whether its trust policy lets the service principal assume it for a resource.
	RoleTrusts(ctx context.Context, roleARN, servicePrincipal, resource string) (exists, trusts bool, err error)
}

// Config is what Control needs. DB, Suffix and Log are required.
type Config struct {
	DB     *store.DB
	Suffix string // the last part of default domains, for example "apprunner.localhost"
	Log    *slog.Logger
	Now    func() time.Time // default time.Now
	Roles  roles            // nil: roles are not checked
	// StrictRoles refuses roles that do not exist. Off, only the trust policy of existing roles counts.
	StrictRoles bool
	// CheckRepository refuses URLs that can never be a repository of this installation; nil accepts all.
	CheckRepository func(url string) error
	ServiceQuota    int           // services per account and region; default 10 (§3)
	Epoch           time.Time     // when the account was made; the provided configurations show it
	Retention       time.Duration // how long a deleted service or configuration is still described; default 1 h (§10.1)

	// Quotas are values other than the shipped ones, by code ([apprunner.QuotaServices] and so on).
	Quotas map[string]int
	// QuotaCeiling is the highest value that the Service Quotas API raises an adjustable quota to; default 1000.
	QuotaCeiling int
	// MaxInstances is the upper bound of MaxSize in auto scaling configurations; default 25 (§12.1).
	MaxInstances int
	// Keys lets App Runner use customers' KMS keys; nil knows none.
	Keys keys
	// Networks knows VPCs; nil believes every id of a subnet, group or endpoint.
	Networks networks
	// IngressWork says that somebody does the work of pending ingress connections and settles them
	// ([Control.SettleVPCIngressConnection]). Without, there is no work, and they are settled at once.
	IngressWork bool
	// FirstConnector makes what an account's VPC connectors need before there is one: the service-linked role (§18). It is called for
	// each and must bear that. Nil: they need nothing.
	FirstConnector func(ctx context.Context, account string) error
	// SealKey, 32 bytes that lie outside the database, seals provider credentials; nil takes none.
	SealKey []byte
	// Providers asks whether a provider accepts a credential, where a handshake names a repository; nil believes all of them.
	Providers providers
	// ProviderHosts are hosts of a provider beside its own, such as those of an enterprise server.
	ProviderHosts map[apprunner.ProviderType][]string
}

// Control carries out App Runner actions.
type Control struct {
	Config
	vault *vault
}

// New checks the configuration and fills its defaults.
func New(c Config) (*Control, error) {
	if c.DB == nil || c.Suffix == "" || c.Log == nil {
		return nil, errors.New("control: DB, Suffix and Log are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.ServiceQuota > 0 {
		c.Quotas = maps.Clone(c.Quotas)
		if c.Quotas == nil {
			c.Quotas = map[string]int{}
		}
		c.Quotas[apprunner.QuotaServices] = c.ServiceQuota
	}
	if c.QuotaCeiling == 0 {
		c.QuotaCeiling = 1000
	}
	if c.MaxInstances == 0 {
		c.MaxInstances = apprunner.DefaultMaxSize
	}
	if c.Retention == 0 {
		c.Retention = time.Hour
	}
	v, err := newVault(c.SealKey)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	return &Control{Config: c, vault: v}, nil
}

// The principals that App Runner assumes roles as (§18).
const (
	principalBuild = "build.apprunner.amazonaws.com"
	principalTasks = "tasks.apprunner.amazonaws.com"
)

// checkRoles asks about the roles of a service. Trust policies may name it (aws:SourceArn), so its ARN must be known.
func (c *Control) checkRoles(ctx context.Context, service string, s apprunner.Settings) error {
	if err := c.checkRole(ctx, service, "access", s.Source.AccessRoleARN, principalBuild); err != nil {
		return err
	}
	return c.checkRole(ctx, service, "instance", s.Instance.RoleARN, principalTasks)
}

// checkRole holds §18. The words "Error in assuming … role" are what Terraform waits for while IAM settles.
func (c *Control) checkRole(ctx context.Context, service, kind, arn, principal string) error {
	if arn == "" || c.Roles == nil {
		return nil
	}
	exists, trusts, err := c.Roles.RoleTrusts(ctx, arn, principal, service)
	switch {
	case err != nil:
		return fmt.Errorf("check role %s: %w", arn, err)
	case !exists && c.StrictRoles:
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "Error in assuming %s role %s: the role does not exist.", kind, arn)
	case exists && !trusts:
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "Error in assuming %s role %s: its trust policy does not allow %s to call sts:AssumeRole for this service.", kind, arn, principal)
	}
	return nil
}

// service finds the service that an ARN names for an action, full or partial (§2), in the caller's account and region.
func (c *Control) service(tx *store.Tx, sc apprunner.Scope, arn string, act apprunner.Action) (apprunner.Service, error) {
	notFound := apprunner.Errorf(apprunner.CodeNotFound, "Service %s does not exist in account %s, region %s.", arn, sc.Account, sc.Region)
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return apprunner.Service{}, err
	}
	if a.Kind != apprunner.KindService || a.Scope != sc {
		return apprunner.Service{}, notFound
	}
	var (
		s     apprunner.Service
		found bool
	)
	if a.ID == "" {
		s, found, err = tx.LiveServiceNamed(sc, a.Name)
	} else {
		s, found, err = tx.Service(a.String())
	}
	if err != nil {
		return s, fmt.Errorf("read service: %w", err)
	}
	if !found || s.Status == apprunner.StatusDeleted && c.over(s.DeletedAt) {
		return s, notFound
	}
	return s, judge(act, s, notFound)
}

func judge(act apprunner.Action, s apprunner.Service, notFound error) error {
	switch apprunner.Judge(act, s.Status) {
	case apprunner.VerdictOK, apprunner.VerdictSame:
		return nil
	case apprunner.VerdictNotFound:
		return notFound
	case apprunner.VerdictInvalidRequest:
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "%s", refusal(act, s))
	case apprunner.VerdictInvalidState:
		return apprunner.Errorf(apprunner.CodeInvalidState, "%s", refusal(act, s))
	}
	return nil
}

func refusal(act apprunner.Action, s apprunner.Service) string {
	msg := fmt.Sprintf("%s is not possible while service %s is in status %s.", act, s.Name, s.Status)
	switch s.Status {
	case apprunner.StatusInProgress:
		msg += " Wait until the running operation has ended and try again."
	case apprunner.StatusPaused:
		msg += " Resume the service first."
	case apprunner.StatusCreateFailed:
		msg += " Update the service to build it again, or delete it."
	case apprunner.StatusDeleteFailed:
		msg += " Delete the service again."
	case apprunner.StatusRunning, apprunner.StatusDeleted:
	}
	return msg
}

// begin writes the service in its busy status together with the operation that will do the work.
func (c *Control) begin(tx *store.Tx, s *apprunner.Service, op apprunner.Operation) (apprunner.Operation, error) {
	now := c.Now().UTC()
	op.ID, op.ServiceARN, op.Status = apprunner.NewUUID(), s.ARN(), apprunner.OpPending
	op.StartedAt, op.UpdatedAt, op.StatusBefore = now, now, s.Status
	s.Status = apprunner.StatusInProgress
	if err := tx.PutService(*s); err != nil {
		return op, fmt.Errorf("write service: %w", err)
	}
	err := tx.InsertOperation(op)
	if errors.Is(err, store.ErrTaken) {
		code := apprunner.CodeInvalidState
		if op.Type == apprunner.OpStartDeployment { // its model has no InvalidStateException (§1.3)
			code = apprunner.CodeInvalidRequest
		}
		return op, apprunner.Errorf(code, "Service %s has an operation in progress. Wait until it has ended and try again.", s.Name)
	}
	if err != nil {
		return op, fmt.Errorf("write operation: %w", err)
	}
	return op, nil
}
