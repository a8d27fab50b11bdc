package api

import (
	"context"
	"errors"
	"maps"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// services is what the App Runner API needs of the control room for services: a method an action.
type services interface {
	CreateService(context.Context, apprunner.Scope, apprunner.CreateServiceInput) (apprunner.Service, string, error)
	DescribeService(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Service, error)
	ListServices(ctx context.Context, sc apprunner.Scope, after apprunner.Place, limit int) ([]apprunner.ServiceSummary, error)
	UpdateService(context.Context, apprunner.Scope, apprunner.UpdateServiceInput) (apprunner.Service, string, error)
	StartDeployment(ctx context.Context, sc apprunner.Scope, arn string, automatic bool, version string) (string, error)
	PauseService(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Service, string, error)
	ResumeService(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Service, string, error)
	DeleteService(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Service, string, error)
	ListOperations(ctx context.Context, sc apprunner.Scope, arn string, after apprunner.Place, limit int) ([]apprunner.Operation, error)
	TagResource(ctx context.Context, sc apprunner.Scope, arn string, tags []apprunner.Tag) error
	UntagResource(ctx context.Context, sc apprunner.Scope, arn string, keys []string) error
	ListTagsForResource(ctx context.Context, sc apprunner.Scope, arn string) ([]apprunner.Tag, error)
}

// actions are all of the control room that the App Runner API needs.
type actions interface {
	services
	autoScalings
	observabilities
	connections
	vpcs
	customDomains
}

// AppRunnerConfig is what the App Runner API needs. Control and Tokens are required.
type AppRunnerConfig struct {
	Control actions
	Tokens  *Tokens
	// RepositoryPolicy is the policy of a repository of the built-in registry; "" where there is none. Nil: no repository has one.
	RepositoryPolicy func(ctx context.Context, sc apprunner.Scope, name string) (string, error)
	// Keys and Rights say who may have a service's copies encrypted with which KMS key; nil: nobody is asked.
	Keys   keyRecords
	Rights rights
	// LowerCaseStatuses spells the statuses of auto scaling configurations in lower case for every client, not only for Terraform
	// (§27, conflict 11).
	LowerCaseStatuses bool
}

type appRunner struct{ AppRunnerConfig }

// maxServiceRequest leaves room for environment variables, of which a single one may have 51,200 characters (§6.1).
const maxServiceRequest = 8 << 20

// NewAppRunner returns the App Runner API.
func NewAppRunner(c AppRunnerConfig) (*Service, error) {
	if c.Control == nil || c.Tokens == nil {
		return nil, errors.New("app runner API: Control and Tokens are required")
	}
	a := &appRunner{c}
	s := &Service{
		API:        &wire.API,
		Constraint: apprunner.CodeInvalidRequest,
		Internal:   apprunner.CodeInternal,
		MaxBody:    maxServiceRequest,
		Actions: map[string]Action{
			"CreateService":       action(a.mayCreate, a.createService),
			"UpdateService":       action(a.mayUpdate, a.updateService),
			"DescribeService":     action(on(a, "DescribeService", func(in *wire.DescribeServiceRequest) *string { return in.ServiceArn }), a.describeService),
			"ListServices":        action(anything[wire.ListServicesRequest]("apprunner:ListServices"), a.listServices),
			"StartDeployment":     action(a.mayDeploy, a.startDeployment),
			"PauseService":        action(on(a, "PauseService", func(in *wire.PauseServiceRequest) *string { return in.ServiceArn }), a.pauseService),
			"ResumeService":       action(on(a, "ResumeService", func(in *wire.ResumeServiceRequest) *string { return in.ServiceArn }), a.resumeService),
			"DeleteService":       action(a.mayDelete, a.deleteService),
			"ListOperations":      action(on(a, "ListOperations", func(in *wire.ListOperationsRequest) *string { return in.ServiceArn }), a.listOperations),
			"TagResource":         action(a.mayTag, a.tagResource),
			"UntagResource":       action(a.mayUntag, a.untagResource),
			"ListTagsForResource": action(on(a, "ListTagsForResource", func(in *wire.ListTagsForResourceRequest) *string { return in.ResourceArn }), a.listTags),
		},
	}
	for _, more := range []map[string]Action{a.autoScalingActions(), a.observabilityActions(), a.connectionActions(), a.vpcActions(), a.domainActions()} {
		maps.Copy(s.Actions, more)
	}
	return listedErrors(s), nil
}

// listedErrors holds every action to the errors that the model lists for it: one that it does not list is an invalid request
// (§1.3). The error of a race, which control words for any action, is such a case.
func listedErrors(s *Service) *Service {
	for name, act := range s.Actions {
		op, do := s.API.Operation(name), act.Do
		act.Do = func(ctx context.Context, c Call, in any) (any, error) {
			out, err := do(ctx, c, in)
			var own *apprunner.Error
			if !errors.As(err, &own) || op.Lists(string(own.Code)) {
				return out, err
			}
			switch own.Code {
			case apprunner.CodeInvalidState, apprunner.CodeNotFound, apprunner.CodeQuotaExceeded:
				return nil, &apprunner.Error{Code: apprunner.CodeInvalidRequest, Message: own.Message, Hint: own.Hint, Err: err}
			}
			return out, err
		}
		s.Actions[name] = act
	}
	return s
}

// to says how the caller wants answers spelt.
func (a *appRunner) to(c Call) answerTo {
	terraform := byTerraform(c)
	return answerTo{lowerCase: a.LowerCaseStatuses || terraform, sparse: terraform}
}

func (a *appRunner) createService(ctx context.Context, c Call, in *wire.CreateServiceRequest) (*wire.CreateServiceResponse, error) {
	if err := a.checkKey(ctx, c, in.EncryptionConfiguration); err != nil {
		return nil, err
	}
	s, op, err := a.Control.CreateService(ctx, c.Scope, createInput(in))
	if err != nil {
		return nil, err
	}
	return &wire.CreateServiceResponse{Service: a.to(c).service(s), OperationId: &op}, nil
}

func (a *appRunner) updateService(ctx context.Context, c Call, in *wire.UpdateServiceRequest) (*wire.UpdateServiceResponse, error) {
	s, op, err := a.Control.UpdateService(ctx, c.Scope, updateInput(c, in))
	if err != nil {
		return nil, err
	}
	return &wire.UpdateServiceResponse{Service: a.to(c).service(s), OperationId: &op}, nil
}

func (a *appRunner) describeService(ctx context.Context, c Call, in *wire.DescribeServiceRequest) (*wire.DescribeServiceResponse, error) {
	s, err := a.Control.DescribeService(ctx, c.Scope, *in.ServiceArn)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeServiceResponse{Service: a.to(c).service(s)}, nil
}

func (a *appRunner) listServices(ctx context.Context, c Call, in *wire.ListServicesRequest) (*wire.ListServicesResponse, error) {
	l := listing{scope: c.Scope, operation: "ListServices", params: in.MaxResults}
	after, err := a.Tokens.after(l, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, err := a.Control.ListServices(ctx, c.Scope, after, oneMore(in.MaxResults))
	if err != nil {
		return nil, err
	}
	list, next := first(a.Tokens, l, list, apprunner.ServiceSummary.Place, in.MaxResults)
	out := &wire.ListServicesResponse{ServiceSummaryList: make([]wire.ServiceSummary, len(list)), NextToken: next}
	for i, s := range list {
		out.ServiceSummaryList[i] = summaryOut(s)
	}
	return out, nil
}

func (a *appRunner) startDeployment(ctx context.Context, c Call, in *wire.StartDeploymentRequest) (*wire.StartDeploymentResponse, error) {
	op, err := a.Control.StartDeployment(ctx, c.Scope, *in.ServiceArn, false, "")
	if err != nil {
		return nil, err
	}
	return &wire.StartDeploymentResponse{OperationId: &op}, nil
}

func (a *appRunner) pauseService(ctx context.Context, c Call, in *wire.PauseServiceRequest) (*wire.PauseServiceResponse, error) {
	s, op, err := a.Control.PauseService(ctx, c.Scope, *in.ServiceArn)
	if err != nil {
		return nil, err
	}
	return &wire.PauseServiceResponse{Service: a.to(c).service(s), OperationId: given(op)}, nil
}

func (a *appRunner) resumeService(ctx context.Context, c Call, in *wire.ResumeServiceRequest) (*wire.ResumeServiceResponse, error) {
	s, op, err := a.Control.ResumeService(ctx, c.Scope, *in.ServiceArn)
	if err != nil {
		return nil, err
	}
	return &wire.ResumeServiceResponse{Service: a.to(c).service(s), OperationId: given(op)}, nil
}

func (a *appRunner) deleteService(ctx context.Context, c Call, in *wire.DeleteServiceRequest) (*wire.DeleteServiceResponse, error) {
	s, op, err := a.Control.DeleteService(ctx, c.Scope, *in.ServiceArn)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteServiceResponse{Service: a.to(c).service(s), OperationId: &op}, nil
}

func (a *appRunner) listOperations(ctx context.Context, c Call, in *wire.ListOperationsRequest) (*wire.ListOperationsResponse, error) {
	l := listing{scope: c.Scope, operation: "ListOperations", params: []any{in.ServiceArn, in.MaxResults}}
	after, err := a.Tokens.after(l, in.NextToken)
	if err != nil {
		return nil, err
	}
	list, err := a.Control.ListOperations(ctx, c.Scope, *in.ServiceArn, after, oneMore(in.MaxResults))
	if err != nil {
		return nil, err
	}
	list, next := first(a.Tokens, l, list, func(op apprunner.Operation) position { return apprunner.PlaceOf(op.StartedAt, op.ID) }, in.MaxResults)
	out := &wire.ListOperationsResponse{OperationSummaryList: make([]wire.OperationSummary, len(list)), NextToken: next}
	for i, op := range list {
		out.OperationSummaryList[i] = operationOut(op)
	}
	return out, nil
}

func (a *appRunner) tagResource(ctx context.Context, c Call, in *wire.TagResourceRequest) (*wire.TagResourceResponse, error) {
	return &wire.TagResourceResponse{}, a.Control.TagResource(ctx, c.Scope, *in.ResourceArn, tagsIn(in.Tags))
}

func (a *appRunner) untagResource(ctx context.Context, c Call, in *wire.UntagResourceRequest) (*wire.UntagResourceResponse, error) {
	return &wire.UntagResourceResponse{}, a.Control.UntagResource(ctx, c.Scope, *in.ResourceArn, in.TagKeys)
}

func (a *appRunner) listTags(ctx context.Context, c Call, in *wire.ListTagsForResourceRequest) (*wire.ListTagsForResourceResponse, error) {
	tags, err := a.Control.ListTagsForResource(ctx, c.Scope, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &wire.ListTagsForResourceResponse{Tags: tagsOut(tags)}, nil
}

// anything asks for an action that knows no resource.
func anything[In any](name string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(context.Context, Call, *In) ([]iam.Request, error) {
		return []iam.Request{{Action: name, Resource: "*"}}, nil
	}
}
