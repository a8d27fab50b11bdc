package api

import (
	"context"
	"maps"
	"slices"

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
	a.addProviderChanges(m)
}

func (a *identity) addProviderChanges(m map[string]Action) {
	m["UpdateOpenIDConnectProviderThumbprint"] = order(a, "UpdateOpenIDConnectProviderThumbprint", func(ctx context.Context, c Call, in *wire.UpdateOpenIDConnectProviderThumbprintRequest) error {
		return a.dir.ChangeOIDCProvider(ctx, c.Scope.Account, val(in.OpenIDConnectProviderArn), func(p *iam.OIDCProvider) { p.Thumbprints = in.ThumbprintList })
	})
	m["AddClientIDToOpenIDConnectProvider"] = order(a, "AddClientIDToOpenIDConnectProvider", func(ctx context.Context, c Call, in *wire.AddClientIDToOpenIDConnectProviderRequest) error {
		return a.dir.ChangeOIDCProvider(ctx, c.Scope.Account, val(in.OpenIDConnectProviderArn), func(p *iam.OIDCProvider) {
			if !slices.Contains(p.Clients, val(in.ClientID)) {
				p.Clients = append(p.Clients, val(in.ClientID))
			}
		})
	})
	m["RemoveClientIDFromOpenIDConnectProvider"] = order(a, "RemoveClientIDFromOpenIDConnectProvider", func(ctx context.Context, c Call, in *wire.RemoveClientIDFromOpenIDConnectProviderRequest) error {
		return a.dir.ChangeOIDCProvider(ctx, c.Scope.Account, val(in.OpenIDConnectProviderArn), func(p *iam.OIDCProvider) {
			p.Clients = slices.DeleteFunc(p.Clients, func(c string) bool { return c == val(in.ClientID) })
		})
	})
	m["TagOpenIDConnectProvider"] = order(a, "TagOpenIDConnectProvider", a.tagProvider)
	m["UntagOpenIDConnectProvider"] = order(a, "UntagOpenIDConnectProvider", func(ctx context.Context, c Call, in *wire.UntagOpenIDConnectProviderRequest) error {
		return a.dir.ChangeOIDCProvider(ctx, c.Scope.Account, val(in.OpenIDConnectProviderArn), func(p *iam.OIDCProvider) {
			maps.DeleteFunc(p.Tags, func(k, _ string) bool { return slices.Contains(in.TagKeys, k) })
		})
	})
	m["ListOpenIDConnectProviderTags"] = query(a, "ListOpenIDConnectProviderTags", a.listProviderTags)
}

func (a *identity) tagProvider(ctx context.Context, c Call, in *wire.TagOpenIDConnectProviderRequest) error {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return err
	}
	return a.dir.ChangeOIDCProvider(ctx, c.Scope.Account, val(in.OpenIDConnectProviderArn), func(p *iam.OIDCProvider) {
		for k, v := range p.Tags {
			if _, sent := tags[k]; !sent {
				tags[k] = v
			}
		}
		p.Tags = tags
	})
}

// listProviderTags answers all tags at once: there are never more than one page of them.
func (a *identity) listProviderTags(ctx context.Context, c Call, in *wire.ListOpenIDConnectProviderTagsRequest) (*wire.ListOpenIDConnectProviderTagsResponse, error) {
	p, err := a.dir.OIDCProvider(ctx, c.Scope.Account, val(in.OpenIDConnectProviderArn))
	if err != nil {
		return nil, err
	}
	return &wire.ListOpenIDConnectProviderTagsResponse{Tags: tagList(p.Tags), IsTruncated: new(false)}, nil
}

func (a *identity) createProvider(ctx context.Context, c Call, in *wire.CreateOpenIDConnectProviderRequest) (*wire.CreateOpenIDConnectProviderResponse, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	p, err := a.dir.CreateOIDCProvider(ctx, iam.OIDCProvider{Account: c.Scope.Account, URL: val(in.Url), Clients: in.ClientIDList, Thumbprints: in.ThumbprintList, Tags: tags})
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
	return &wire.GetOpenIDConnectProviderResponse{Url: &p.URL, ClientIDList: p.Clients, ThumbprintList: p.Thumbprints, CreateDate: &p.Created, Tags: orNil(tagList(p.Tags))}, nil
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
