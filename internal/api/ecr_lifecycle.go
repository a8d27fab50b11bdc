package api

import (
	"context"

	wire "slipway.dev/slipway/internal/wire/ecr"
)

func (e *ecrAPI) lifecycleActions() map[string]Action {
	return map[string]Action{
		"PutLifecyclePolicy": action(onRepository("PutLifecyclePolicy", func(in *wire.PutLifecyclePolicyRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.putLifecycle),
		"GetLifecyclePolicy": action(onRepository("GetLifecyclePolicy", func(in *wire.GetLifecyclePolicyRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.getLifecycle),
		"DeleteLifecyclePolicy": action(onRepository("DeleteLifecyclePolicy", func(in *wire.DeleteLifecyclePolicyRequest) (registry, name *string) {
			return in.RegistryId, in.RepositoryName
		}), e.deleteLifecycle),
	}
}

func (e *ecrAPI) putLifecycle(ctx context.Context, c Call, in *wire.PutLifecyclePolicyRequest) (*wire.PutLifecyclePolicyResponse, error) {
	r, err := e.store.SetLifecycle(ctx, registry(c, in.RegistryId), *in.RepositoryName, *in.LifecyclePolicyText)
	if err != nil {
		return nil, err
	}
	return &wire.PutLifecyclePolicyResponse{RegistryId: &r.Scope.Account, RepositoryName: &r.Name, LifecyclePolicyText: in.LifecyclePolicyText}, nil
}

func (e *ecrAPI) getLifecycle(ctx context.Context, c Call, in *wire.GetLifecyclePolicyRequest) (*wire.GetLifecyclePolicyResponse, error) {
	l, err := e.store.GetLifecycle(ctx, registry(c, in.RegistryId), *in.RepositoryName)
	if err != nil {
		return nil, err
	}
	return &wire.GetLifecyclePolicyResponse{
		RegistryId: &l.Repository.Scope.Account, RepositoryName: &l.Repository.Name, LifecyclePolicyText: &l.Text, LastEvaluatedAt: moment(l.Evaluated),
	}, nil
}

func (e *ecrAPI) deleteLifecycle(ctx context.Context, c Call, in *wire.DeleteLifecyclePolicyRequest) (*wire.DeleteLifecyclePolicyResponse, error) {
	l, err := e.store.DeleteLifecycle(ctx, registry(c, in.RegistryId), *in.RepositoryName)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteLifecyclePolicyResponse{
		RegistryId: &l.Repository.Scope.Account, RepositoryName: &l.Repository.Name, LifecyclePolicyText: &l.Text, LastEvaluatedAt: moment(l.Evaluated),
	}, nil
}
