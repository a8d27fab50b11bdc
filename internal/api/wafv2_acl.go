package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/wafv2"
)

func (w *wafAPI) mayGetACL(ctx context.Context, c Call, in *wire.GetWebACLRequest) ([]iam.Request, error) {
	if in.ARN != nil {
		return w.about(ctx, c, "GetWebACL", *in.ARN), nil
	}
	return w.about(ctx, c, "GetWebACL", entity(c, webacl.KindACL, in.Name, in.Id, nil).ARN()), nil
}

func (w *wafAPI) createACL(ctx context.Context, c Call, in *wire.CreateWebACLRequest) (*wire.CreateWebACLResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	rest := *in // without what is no part of the definition
	rest.Name, rest.Scope, rest.Description, rest.Tags = nil, nil, nil, nil
	d, err := fromWire[webacl.Definition](rest)
	if err != nil {
		return nil, err
	}
	r := webacl.Record{Entity: entity(c, webacl.KindACL, in.Name, nil, nil), ACL: &d}
	r.Description = val(in.Description)
	r, err = w.control.CreateWAF(ctx, r, wafTags(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreateWebACLResponse{Summary: aclSummary(r)}, nil
}

func aclSummary(r webacl.Record) *wire.WebACLSummary {
	s := summaryOf(r)
	return &wire.WebACLSummary{Name: s.name, Id: s.id, Description: s.description, LockToken: s.token, ARN: s.arn}
}

func (w *wafAPI) getACL(ctx context.Context, c Call, in *wire.GetWebACLRequest) (*wire.GetWebACLResponse, error) {
	e := entity(c, webacl.KindACL, in.Name, in.Id, nil)
	if in.ARN != nil {
		named, known := webacl.ParseARN(*in.ARN)
		if !known || named.Scope != c.Scope || named.Kind != webacl.KindACL {
			return nil, apprunner.Errorf(webacl.CodeNonexistent, "There is no web ACL %s.", clip(*in.ARN, 256))
		}
		e = named
	} else if err := regional(in.Scope); err != nil {
		return nil, err
	}
	r, err := w.control.GetWAF(ctx, e)
	if err != nil {
		return nil, err
	}
	acl, err := aclOut(r)
	if err != nil {
		return nil, err
	}
	return &wire.GetWebACLResponse{WebACL: acl, LockToken: &r.LockToken}, nil
}

// aclOut is a whole ACL for an answer.
func aclOut(r webacl.Record) (*wire.WebACL, error) {
	out, err := toWire[wire.WebACL](r.ACL)
	if err != nil {
		return nil, err
	}
	capacity, err := webacl.Capacity(r.ACL.Rules)
	if err != nil {
		return nil, err
	}
	out.Name, out.Id, out.ARN, out.Description = &r.Name, &r.ID, new(r.ARN()), given(r.Description)
	out.Capacity, out.ManagedByFirewallManager, out.LabelNamespace = &capacity, new(false), new(r.LabelNamespace())
	return &out, nil
}

func (w *wafAPI) updateACL(ctx context.Context, c Call, in *wire.UpdateWebACLRequest) (*wire.UpdateWebACLResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	rest := *in // without what is no part of the definition
	rest.Name, rest.Scope, rest.Id, rest.Description, rest.LockToken = nil, nil, nil, nil, nil
	d, err := fromWire[webacl.Definition](rest)
	if err != nil {
		return nil, err
	}
	r, err := w.control.UpdateWAF(ctx, entity(c, webacl.KindACL, in.Name, in.Id, in.LockToken), func(r *webacl.Record) {
		r.ACL, r.Description = &d, val(in.Description)
	})
	if err != nil {
		return nil, err
	}
	return &wire.UpdateWebACLResponse{NextLockToken: &r.LockToken}, nil
}

func (w *wafAPI) deleteACL(ctx context.Context, c Call, in *wire.DeleteWebACLRequest) (*wire.DeleteWebACLResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	return &wire.DeleteWebACLResponse{}, w.control.DeleteWAF(ctx, entity(c, webacl.KindACL, in.Name, in.Id, in.LockToken))
}

func (w *wafAPI) listACLs(ctx context.Context, c Call, in *wire.ListWebACLsRequest) (*wire.ListWebACLsResponse, error) {
	list, next, err := w.list(ctx, c, "ListWebACLs", webacl.KindACL, in.Scope, in.Limit, in.NextMarker)
	if err != nil {
		return nil, err
	}
	out := &wire.ListWebACLsResponse{WebACLs: make([]wire.WebACLSummary, len(list)), NextMarker: next}
	for i, r := range list {
		out.WebACLs[i] = *aclSummary(r)
	}
	return out, nil
}

// list is one page of the entities of a kind.
func (w *wafAPI) list(ctx context.Context, c Call, operation string, kind webacl.Kind, scope *string, limit *int32, marker *string) ([]webacl.Record, *string, error) {
	if err := regional(scope); err != nil {
		return nil, nil, err
	}
	all, err := w.control.ListWAF(ctx, c.Scope, kind)
	if err != nil {
		return nil, nil, err
	}
	return wafPage(w, c, operation, all, recordID, limit, marker)
}

func (w *wafAPI) checkCapacity(ctx context.Context, c Call, in *wire.CheckCapacityRequest) (*wire.CheckCapacityResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	rules, err := fromWire[[]webacl.Rule](in.Rules)
	if err != nil {
		return nil, err
	}
	n, err := w.control.CheckWebACLCapacity(ctx, c.Scope, rules)
	if err != nil {
		return nil, err
	}
	return &wire.CheckCapacityResponse{Capacity: &n}, nil
}

func (w *wafAPI) listGroups(_ context.Context, c Call, in *wire.ListAvailableManagedRuleGroupsRequest) (*wire.ListAvailableManagedRuleGroupsResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	list, next, err := wafPage(w, c, "ListAvailableManagedRuleGroups", webacl.Groups(), func(g webacl.RuleGroup) string { return g.Name }, in.Limit, in.NextMarker)
	if err != nil {
		return nil, err
	}
	out := &wire.ListAvailableManagedRuleGroupsResponse{ManagedRuleGroups: make([]wire.ManagedRuleGroupSummary, len(list)), NextMarker: next}
	for i, g := range list {
		out.ManagedRuleGroups[i] = wire.ManagedRuleGroupSummary{
			VendorName: new(webacl.ManagedVendor), Name: &g.Name, Description: &g.Description, VersioningSupported: new(false),
		}
	}
	return out, nil
}

// The association with services (§25).

func (w *wafAPI) mayAssociate(ctx context.Context, c Call, in *wire.AssociateWebACLRequest) ([]iam.Request, error) {
	return append(w.about(ctx, c, "AssociateWebACL", val(in.WebACLArn)), onService(c, "AssociateWebAcl", val(in.ResourceArn))), nil
}

func (w *wafAPI) associate(ctx context.Context, c Call, in *wire.AssociateWebACLRequest) (*wire.AssociateWebACLResponse, error) {
	return &wire.AssociateWebACLResponse{}, w.control.AssociateWebACL(ctx, c.Scope, *in.WebACLArn, *in.ResourceArn)
}

// asking asks for an action of this API on a service, and for the right that App Runner has for it.
func asking(c Call, name, right, service string) []iam.Request {
	q := onService(c, right, service)
	return []iam.Request{{Action: "wafv2:" + name, Resource: q.Resource}, q}
}

func (w *wafAPI) mayDisassociate(_ context.Context, c Call, in *wire.DisassociateWebACLRequest) ([]iam.Request, error) {
	return asking(c, "DisassociateWebACL", "DisassociateWebAcl", val(in.ResourceArn)), nil
}

func (w *wafAPI) disassociate(ctx context.Context, c Call, in *wire.DisassociateWebACLRequest) (*wire.DisassociateWebACLResponse, error) {
	return &wire.DisassociateWebACLResponse{}, w.control.DisassociateWebACL(ctx, c.Scope, *in.ResourceArn)
}

func (w *wafAPI) mayGetForResource(_ context.Context, c Call, in *wire.GetWebACLForResourceRequest) ([]iam.Request, error) {
	return asking(c, "GetWebACLForResource", "DescribeWebAclForService", val(in.ResourceArn)), nil
}

func (w *wafAPI) getForResource(ctx context.Context, c Call, in *wire.GetWebACLForResourceRequest) (*wire.GetWebACLForResourceResponse, error) {
	r, found, err := w.control.WebACLForService(ctx, c.Scope, *in.ResourceArn)
	if err != nil || !found {
		return &wire.GetWebACLForResourceResponse{}, err
	}
	acl, err := aclOut(r)
	return &wire.GetWebACLForResourceResponse{WebACL: acl}, err
}

func (w *wafAPI) mayListResources(ctx context.Context, c Call, in *wire.ListResourcesForWebACLRequest) ([]iam.Request, error) {
	asked := w.about(ctx, c, "ListResourcesForWebACL", val(in.WebACLArn))
	return append(asked, iam.Request{Action: "apprunner:ListAssociatedServicesForWebAcl", Resource: asked[0].Resource}), nil
}

func (w *wafAPI) listResources(ctx context.Context, c Call, in *wire.ListResourcesForWebACLRequest) (*wire.ListResourcesForWebACLResponse, error) {
	arns, err := w.control.ServicesForWebACL(ctx, c.Scope, *in.WebACLArn)
	if val(in.ResourceType) != wire.ResourceTypeAppRunnerService || arns == nil {
		arns = []string{} // of the other types there are none
	}
	return &wire.ListResourcesForWebACLResponse{ResourceArns: arns}, err
}
