package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addPolicies(m map[string]Action) {
	m["CreatePolicy"] = query(a, "CreatePolicy", a.createPolicy)
	m["GetPolicy"] = query(a, "GetPolicy", a.getPolicy)
	m["ListPolicies"] = query(a, "ListPolicies", a.listPolicies)
	m["DeletePolicy"] = order(a, "DeletePolicy", a.deletePolicy)
	m["TagPolicy"] = order(a, "TagPolicy", a.tagPolicy)
	m["UntagPolicy"] = order(a, "UntagPolicy", a.untagPolicy)
	m["ListPolicyTags"] = query(a, "ListPolicyTags", a.listPolicyTags)
	m["CreatePolicyVersion"] = query(a, "CreatePolicyVersion", a.createPolicyVersion)
	m["GetPolicyVersion"] = query(a, "GetPolicyVersion", a.getPolicyVersion)
	m["ListPolicyVersions"] = query(a, "ListPolicyVersions", a.listPolicyVersions)
	m["SetDefaultPolicyVersion"] = order(a, "SetDefaultPolicyVersion", a.setDefaultPolicyVersion)
	m["DeletePolicyVersion"] = order(a, "DeletePolicyVersion", a.deletePolicyVersion)
	m["ListEntitiesForPolicy"] = query(a, "ListEntitiesForPolicy", a.listEntitiesForPolicy)
	a.addAttachments(m)
	a.addInline(m)
}

func policyOut(p iam.Policy) *wire.Policy {
	version, attached, bounded := iam.VersionID(p.DefaultVersion), int32(p.Attachments), int32(p.Boundaries) //nolint:gosec // counts of entities
	return &wire.Policy{
		PolicyName: &p.Name, PolicyId: &p.ID, Arn: &p.ARN, Path: &p.Path, DefaultVersionId: &version, AttachmentCount: &attached,
		PermissionsBoundaryUsageCount: &bounded, IsAttachable: &p.Attachable, Description: given(p.Description),
		CreateDate: &p.Created, UpdateDate: &p.Updated, Tags: orNil(tagList(p.Tags)),
	}
}

func (a *identity) createPolicy(ctx context.Context, c Call, in *wire.CreatePolicyRequest) (*wire.CreatePolicyResponse, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	p, err := a.dir.CreatePolicy(ctx, iam.Policy{
		Account: c.Scope.Account, Name: val(in.PolicyName), Path: val(in.Path), Description: val(in.Description), Tags: tags,
	}, val(in.PolicyDocument))
	if err != nil {
		return nil, err
	}
	return &wire.CreatePolicyResponse{Policy: policyOut(p)}, nil
}

func (a *identity) getPolicy(ctx context.Context, c Call, in *wire.GetPolicyRequest) (*wire.GetPolicyResponse, error) {
	p, err := a.dir.GetPolicy(ctx, c.Scope.Account, val(in.PolicyArn))
	if err != nil {
		return nil, err
	}
	return &wire.GetPolicyResponse{Policy: policyOut(p)}, nil
}

func (a *identity) listPolicies(ctx context.Context, c Call, in *wire.ListPoliciesRequest) (*wire.ListPoliciesResponse, error) {
	scope := val(in.Scope)
	all, err := a.dir.ListPolicies(ctx, c.Scope.Account, iam.PolicyFilter{
		AWS: scope == wire.PolicyScopeTypeAws, Local: scope == wire.PolicyScopeTypeLocal, OnlyAttached: val(in.OnlyAttached), PathPrefix: val(in.PathPrefix),
		Use: iam.PolicyUse(val(in.PolicyUsageFilter)),
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b iam.Policy) int { return strings.Compare(a.ARN, b.ARN) })
	all, truncated, next, err := cut(all, func(p iam.Policy) string { return p.ARN }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Policy, len(all))
	for i, p := range all {
		out[i] = *policyOut(p)
		out[i].Tags, out[i].Description = nil, nil // listings leave them out
	}
	return &wire.ListPoliciesResponse{Policies: out, IsTruncated: truncated, Marker: next}, nil
}

func (a *identity) deletePolicy(ctx context.Context, c Call, in *wire.DeletePolicyRequest) error {
	return a.dir.DeletePolicy(ctx, c.Scope.Account, val(in.PolicyArn))
}

func (a *identity) tagPolicy(ctx context.Context, c Call, in *wire.TagPolicyRequest) error {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return err
	}
	return a.dir.TagPolicy(ctx, c.Scope.Account, val(in.PolicyArn), tags, nil)
}

func (a *identity) untagPolicy(ctx context.Context, c Call, in *wire.UntagPolicyRequest) error {
	return a.dir.TagPolicy(ctx, c.Scope.Account, val(in.PolicyArn), nil, in.TagKeys)
}

func (a *identity) listPolicyTags(ctx context.Context, c Call, in *wire.ListPolicyTagsRequest) (*wire.ListPolicyTagsResponse, error) {
	p, err := a.dir.GetPolicy(ctx, c.Scope.Account, val(in.PolicyArn))
	if err != nil {
		return nil, err
	}
	tags, truncated, next, err := cut(tagList(p.Tags), tagKey, in.Marker, in.MaxItems)
	return &wire.ListPolicyTagsResponse{Tags: tags, IsTruncated: truncated, Marker: next}, err
}

func versionOut(v iam.PolicyVersion, withDocument bool) *wire.PolicyVersion {
	id := v.ID()
	out := &wire.PolicyVersion{VersionId: &id, IsDefaultVersion: &v.Default, CreateDate: &v.Created}
	if withDocument {
		out.Document = document(v.Document)
	}
	return out
}

func (a *identity) createPolicyVersion(ctx context.Context, c Call, in *wire.CreatePolicyVersionRequest) (*wire.CreatePolicyVersionResponse, error) {
	v, err := a.dir.CreatePolicyVersion(ctx, c.Scope.Account, val(in.PolicyArn), val(in.PolicyDocument), val(in.SetAsDefault))
	if err != nil {
		return nil, err
	}
	return &wire.CreatePolicyVersionResponse{PolicyVersion: versionOut(v, false)}, nil
}

func (a *identity) getPolicyVersion(ctx context.Context, c Call, in *wire.GetPolicyVersionRequest) (*wire.GetPolicyVersionResponse, error) {
	v, err := a.dir.GetPolicyVersion(ctx, c.Scope.Account, val(in.PolicyArn), val(in.VersionId))
	if err != nil {
		return nil, err
	}
	return &wire.GetPolicyVersionResponse{PolicyVersion: versionOut(v, true)}, nil
}

func (a *identity) listPolicyVersions(ctx context.Context, c Call, in *wire.ListPolicyVersionsRequest) (*wire.ListPolicyVersionsResponse, error) {
	versions, err := a.dir.ListPolicyVersions(ctx, c.Scope.Account, val(in.PolicyArn))
	if err != nil {
		return nil, err
	}
	newestFirst := func(v iam.PolicyVersion) string { return fmt.Sprintf("%09d", 999_999_999-v.Number) }
	versions, truncated, next, err := cut(versions, newestFirst, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := make([]wire.PolicyVersion, len(versions))
	for i, v := range versions {
		out[i] = *versionOut(v, false)
	}
	return &wire.ListPolicyVersionsResponse{Versions: out, IsTruncated: truncated, Marker: next}, nil
}

func (a *identity) setDefaultPolicyVersion(ctx context.Context, c Call, in *wire.SetDefaultPolicyVersionRequest) error {
	return a.dir.SetDefaultPolicyVersion(ctx, c.Scope.Account, val(in.PolicyArn), val(in.VersionId))
}

func (a *identity) deletePolicyVersion(ctx context.Context, c Call, in *wire.DeletePolicyVersionRequest) error {
	return a.dir.DeletePolicyVersion(ctx, c.Scope.Account, val(in.PolicyArn), val(in.VersionId))
}

// holder is an entity that has a policy, in the listing of all of them.
type holder struct {
	kind, name, id string
}

func (a *identity) listEntitiesForPolicy(ctx context.Context, c Call, in *wire.ListEntitiesForPolicyRequest) (*wire.ListEntitiesForPolicyResponse, error) {
	users, groups, roles, err := a.dir.EntitiesOf(ctx, c.Scope.Account, val(in.PolicyArn), iam.PolicyUse(val(in.PolicyUsageFilter)))
	if err != nil {
		return nil, err
	}
	var all []holder
	add := func(kind, path, name, id string) {
		if filter := val(in.EntityFilter); (filter == "" || filter == kind) && strings.HasPrefix(path, val(in.PathPrefix)) {
			all = append(all, holder{kind, name, id})
		}
	}
	for _, g := range groups {
		add(wire.EntityTypeGroup, g.Path, g.Name, g.ID)
	}
	for _, r := range roles {
		add(wire.EntityTypeRole, r.Path, r.Name, r.ID)
	}
	for _, u := range users {
		add(wire.EntityTypeUser, u.Path, u.Name, u.ID)
	}
	all, truncated, next, err := cut(all, func(h holder) string { return h.kind + "/" + strings.ToLower(h.name) }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &wire.ListEntitiesForPolicyResponse{
		PolicyGroups: []wire.PolicyGroup{}, PolicyRoles: []wire.PolicyRole{}, PolicyUsers: []wire.PolicyUser{}, IsTruncated: truncated, Marker: next,
	}
	for _, h := range all {
		switch h.kind {
		case wire.EntityTypeGroup:
			out.PolicyGroups = append(out.PolicyGroups, wire.PolicyGroup{GroupName: &h.name, GroupId: &h.id})
		case wire.EntityTypeRole:
			out.PolicyRoles = append(out.PolicyRoles, wire.PolicyRole{RoleName: &h.name, RoleId: &h.id})
		default:
			out.PolicyUsers = append(out.PolicyUsers, wire.PolicyUser{UserName: &h.name, UserId: &h.id})
		}
	}
	return out, nil
}
