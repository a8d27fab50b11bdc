package api

import (
	"context"
	"errors"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/slipway"
)

// NewSlipway returns Slipway's own API: what a person does in a console and AWS has no action for. It is called, signed, authorised
// and recorded like the others.
func NewSlipway(c AppRunnerConfig) (*Service, error) {
	if c.Control == nil {
		return nil, errors.New("slipway API: Control is required")
	}
	a := &appRunner{c}
	return listedErrors(&Service{
		API: &wire.API, Constraint: apprunner.CodeInvalidRequest, Internal: apprunner.CodeInternal,
		Actions: map[string]Action{"CompleteConnection": action(a.mayComplete, a.completeConnection)},
	}), nil
}

// mayComplete asks for an action of App Runner, so that whoever may do everything there may also do this.
func (a *appRunner) mayComplete(ctx context.Context, c Call, in *wire.CompleteConnectionRequest) ([]iam.Request, error) {
	arn, keys := a.resource(ctx, c, val(in.ConnectionArn))
	return []iam.Request{{Action: "apprunner:CompleteConnection", Resource: arn, Context: keys}}, nil
}

func (a *appRunner) completeConnection(ctx context.Context, c Call, in *wire.CompleteConnectionRequest) (*wire.CompleteConnectionResponse, error) {
	conn, err := a.Control.CompleteHandshake(ctx, c.Scope, apprunner.Handshake{
		ConnectionARN: *in.ConnectionArn, Repository: val(in.RepositoryUrl), Branch: val(in.Branch),
		Credential: apprunner.ProviderCredential{
			Token: val(in.Credential.Token), User: val(in.Credential.User), Password: val(in.Credential.Password),
			PrivateKey: val(in.Credential.PrivateKey), KnownHosts: val(in.Credential.KnownHosts),
		},
	})
	if err != nil {
		return nil, err
	}
	return &wire.CompleteConnectionResponse{Connection: (*wire.Connection)(connectionOut(conn))}, nil
}
