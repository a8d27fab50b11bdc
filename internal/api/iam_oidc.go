package api

import (
	"context"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addProviders(m map[string]Action) {
	m["CreateOpenIDConnectProvider"] = query(a, "CreateOpenIDConnectProvider", a.createProvider)
	m["GetOpenIDConnectProvider"] = query(a, "GetOpenIDConnectProvider", a.getProvider)
	m["ListOpenIDConnectProviders"] = query(a, "ListOpenIDConnectProviders", a.listProviders)
	m["DeleteOpenIDConnectProvider"] = order(a, "DeleteOpenIDConnectProvider", func(ctx context.Context, c Call, in *wire.DeleteOpenIDConnectProviderRequest) error {
		return a.dir.DeleteOIDCProvider(ctx, c.Scope.Account, val(in.OpenIDConnectProviderArn))
	})
}

func (a *identity) createProvider(ctx context.Context, c Call, in *wire.CreateOpenIDConnectProviderRequest) (*wire.CreateOpenIDConnectProviderResponse, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	p, err := a.dir.CreateOIDCProvider(ctx, iam.OIDCProvider{Account: c.Scope.Account, URL: val(in.Url), Clients: in.ClientIDList, Tags: tags})
	if err != nil {
		return nil, err
	}
	return &wire.CreateOpenIDConnectProviderResponse{OpenIDConnectProviderArn: new(p.ARN()), Tags: orNil(tagList(p.Tags))}, nil
}

func (a *identity) getProvider(ctx context.Context, c Call, in *wire.GetOpenIDConnectProviderRequest) (*wire.GetOpenIDConnectProviderResponse, error) {
	p, err := a.dir.OIDCProvider(ctx, c.Scope.Account, val(in.OpenIDConnectProviderArn))
	if err != nil {
		return nil, err
	}
	// Certificates are held against the authorities of the system, so there are no thumbprints.
	return &wire.GetOpenIDConnectProviderResponse{Url: &p.URL, ClientIDList: p.Clients, ThumbprintList: []string{}, CreateDate: &p.Created, Tags: orNil(tagList(p.Tags))}, nil
}

func (a *identity) listProviders(ctx context.Context, c Call, _ *wire.ListOpenIDConnectProvidersRequest) (*wire.ListOpenIDConnectProvidersResponse, error) {
	list, err := a.dir.OIDCProviders(ctx, c.Scope.Account)
	if err != nil {
		return nil, err
	}
	out := make([]wire.OpenIDConnectProviderListEntry, len(list))
	for i, p := range list {
		out[i].Arn = new(p.ARN())
	}
	return &wire.ListOpenIDConnectProvidersResponse{OpenIDConnectProviderList: out}, nil
}
