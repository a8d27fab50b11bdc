package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/image"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// A service without an access role has its image pulled in the name of whoever makes it pull (slipway:image-access, §14). The pull comes
// later and asks nobody, so the caller's rights are asked for here, with the request.

// pullsOfNew are the rights to pull that a creation needs of its caller.
func (a *appRunner) pullsOfNew(ctx context.Context, in apprunner.CreateServiceInput) ([]iam.Request, error) {
	extras, err := apprunner.ParseExtras(in.Tags)
	if err != nil || !extras.CallerPulls {
		return nil, nil //nolint:nilerr // the action itself refuses the tags
	}
	present := apprunner.DefaultSettings()
	present.Source.CallerPulls = true
	return a.pullsAfter(ctx, present, in.ServicePatch)
}

// pullsOfUpdate are the rights to pull that an update needs of its caller; one that leaves the source alone pulls nothing.
func (a *appRunner) pullsOfUpdate(ctx context.Context, s apprunner.Service, p apprunner.ServicePatch) ([]iam.Request, error) {
	if p.Source == nil && s.Status != apprunner.StatusCreateFailed {
		return nil, nil
	}
	return a.pullsAfter(ctx, s.Settings, p)
}

func (a *appRunner) pullsAfter(ctx context.Context, present apprunner.Settings, p apprunner.ServicePatch) ([]iam.Request, error) {
	next, err := present.Apply(p)
	if err != nil {
		return nil, nil //nolint:nilerr // the action itself refuses the settings
	}
	return a.pulls(ctx, next.Source)
}

// mayDeploy asks for the deployment, and for the rights to pull where the caller's count.
func (a *appRunner) mayDeploy(ctx context.Context, c Call, in *wire.StartDeploymentRequest) ([]iam.Request, error) {
	arn, keys := a.resource(ctx, c, val(in.ServiceArn))
	asked := []iam.Request{{Action: "apprunner:StartDeployment", Resource: arn, Context: keys}}
	s, err := a.Control.DescribeService(ctx, c.Scope, arn)
	if err != nil {
		return asked, nil //nolint:nilerr // the action itself says that there is no such service
	}
	pull, err := a.pulls(ctx, s.Source)
	return append(asked, pull...), err
}

// pulls are the rights that pulling the image needs of the caller: none where a role has them.
func (a *appRunner) pulls(ctx context.Context, src apprunner.SourceConfiguration) ([]iam.Request, error) {
	if !src.CallerPulls || src.Image == nil {
		return nil, nil
	}
	ref, err := image.ParseReference(src.Image.Identifier)
	sc, private := apprunner.ECRAccount(src.Image.Identifier)
	if err != nil || !private {
		return nil, nil //nolint:nilerr // the action itself refuses the image
	}
	var policy string
	if a.RepositoryPolicy != nil {
		if policy, err = a.RepositoryPolicy(ctx, sc, ref.Repository); err != nil {
			return nil, err
		}
	}
	asked := []iam.Request{{Action: "ecr:GetAuthorizationToken", Resource: "*"}}
	for _, action := range image.PullActions() {
		asked = append(asked, iam.Request{Action: action, Resource: image.RepositoryARN(sc, ref.Repository), ResourcePolicy: policy})
	}
	return asked, nil
}
