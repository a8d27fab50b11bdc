package api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addAccount(m map[string]Action) {
	m["CreateAccountAlias"] = order(a, "CreateAccountAlias", func(ctx context.Context, c Call, in *wire.CreateAccountAliasRequest) error {
		return a.dir.CreateAlias(ctx, c.Scope.Account, val(in.AccountAlias))
	})
	m["DeleteAccountAlias"] = order(a, "DeleteAccountAlias", func(ctx context.Context, c Call, in *wire.DeleteAccountAliasRequest) error {
		return a.dir.DeleteAlias(ctx, c.Scope.Account, val(in.AccountAlias))
	})
	m["ListAccountAliases"] = query(a, "ListAccountAliases", a.listAccountAliases)
	m["GetAccountSummary"] = a.accountSummary()
	m["GetAccountAuthorizationDetails"] = query(a, "GetAccountAuthorizationDetails", a.accountDetails)
}

func (a *identity) listAccountAliases(ctx context.Context, c Call, in *wire.ListAccountAliasesRequest) (*wire.ListAccountAliasesResponse, error) {
	alias, err := a.dir.Alias(ctx, c.Scope.Account)
	if err != nil {
		return nil, err
	}
	list := []string{}
	if alias != "" {
		list = append(list, alias)
	}
	list, truncated, next, err := cut(list, func(s string) string { return s }, in.Marker, in.MaxItems)
	return &wire.ListAccountAliasesResponse{AccountAliases: list, IsTruncated: truncated, Marker: next}, err
}

// accountSummary has no input.
func (a *identity) accountSummary() Action {
	return action(anything[struct{}]("iam:GetAccountSummary"), func(ctx context.Context, c Call, _ *struct{}) (*wire.GetAccountSummaryResponse, error) {
		counts, err := a.dir.Summary(ctx, c.Scope.Account)
		if err != nil {
			return nil, err
		}
		out := make(map[string]int32, len(counts))
		for k, n := range counts {
			out[k] = int32(n) //nolint:gosec // counts of entities
		}
		return &wire.GetAccountSummaryResponse{SummaryMap: out}, nil
	})
}

// detail is one entry of the account's details: exactly one member is set. The key is its place in the listing.
type detail struct {
	key    string
	user   *wire.UserDetail
	group  *wire.GroupDetail
	role   *wire.RoleDetail
	policy *wire.ManagedPolicyDetail
}

func (a *identity) accountDetails(ctx context.Context, c Call, in *wire.GetAccountAuthorizationDetailsRequest) (*wire.GetAccountAuthorizationDetailsResponse, error) {
	d, err := a.dir.AccountDetails(ctx, c.Scope.Account)
	if err != nil {
		return nil, err
	}
	list, truncated, next, err := cut(details(d, in.Filter), func(d detail) string { return d.key }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &wire.GetAccountAuthorizationDetailsResponse{
		UserDetailList: []wire.UserDetail{}, GroupDetailList: []wire.GroupDetail{}, RoleDetailList: []wire.RoleDetail{},
		Policies: []wire.ManagedPolicyDetail{}, IsTruncated: truncated, Marker: next,
	}
	for _, d := range list {
		switch {
		case d.user != nil:
			out.UserDetailList = append(out.UserDetailList, *d.user)
		case d.group != nil:
			out.GroupDetailList = append(out.GroupDetailList, *d.group)
		case d.role != nil:
			out.RoleDetailList = append(out.RoleDetailList, *d.role)
		default:
			out.Policies = append(out.Policies, *d.policy)
		}
	}
	return out, nil
}

// details puts the kinds of the filter, or all, into one listing.
func details(d iam.Details, filter []string) (out []detail) {
	wanted := func(kind string) bool { return len(filter) == 0 || slices.Contains(filter, kind) }
	if wanted(wire.EntityTypeUser) {
		for _, u := range d.Users {
			out = append(out, detail{key: "1" + strings.ToLower(u.Name), user: userDetail(u)})
		}
	}
	if wanted(wire.EntityTypeGroup) {
		for _, g := range d.Groups {
			out = append(out, detail{key: "2" + strings.ToLower(g.Name), group: groupDetail(g)})
		}
	}
	if wanted(wire.EntityTypeRole) {
		for _, r := range d.Roles {
			out = append(out, detail{key: "3" + strings.ToLower(r.Name), role: roleDetail(r)})
		}
	}
	for _, p := range d.Policies {
		kind := wire.EntityTypeLocalManagedPolicy
		if p.Account == "" {
			kind = wire.EntityTypeAWSManagedPolicy
		}
		if wanted(kind) {
			out = append(out, detail{key: "4" + p.ARN, policy: policyDetail(p)})
		}
	}
	slices.SortFunc(out, func(a, b detail) int { return strings.Compare(a.key, b.key) })
	return out
}

func inlineOut(list []iam.InlinePolicy) []wire.PolicyDetail {
	out := make([]wire.PolicyDetail, len(list))
	for i, p := range list {
		out[i] = wire.PolicyDetail{PolicyName: &p.Name, PolicyDocument: document(p.Document)}
	}
	return out
}

func attachedOut(list []iam.AttachedPolicy) []wire.AttachedPolicy {
	out := make([]wire.AttachedPolicy, len(list))
	for i, p := range list {
		out[i] = wire.AttachedPolicy{PolicyName: &p.Name, PolicyArn: &p.ARN}
	}
	return out
}

func userDetail(u iam.UserDetails) *wire.UserDetail {
	return &wire.UserDetail{
		Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: new(u.ARN()), CreateDate: &u.Created, UserPolicyList: inlineOut(u.Inline),
		GroupList: slices.Concat([]string{}, u.Groups), AttachedManagedPolicies: attachedOut(u.Attached),
		PermissionsBoundary: boundaryOut(u.Boundary), Tags: tagList(u.Tags),
	}
}

func groupDetail(g iam.GroupDetails) *wire.GroupDetail {
	return &wire.GroupDetail{
		Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: new(g.ARN()), CreateDate: &g.Created, GroupPolicyList: inlineOut(g.Inline),
		AttachedManagedPolicies: attachedOut(g.Attached),
	}
}

func roleDetail(r iam.RoleDetails) *wire.RoleDetail {
	return &wire.RoleDetail{
		Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: new(r.ARN()), CreateDate: &r.Created, AssumeRolePolicyDocument: document(r.Trust),
		InstanceProfileList: []wire.InstanceProfile{}, RolePolicyList: inlineOut(r.Inline), AttachedManagedPolicies: attachedOut(r.Attached),
		PermissionsBoundary: boundaryOut(r.Boundary), Tags: tagList(r.Tags), RoleLastUsed: &wire.RoleLastUsed{},
	}
}

func policyDetail(p iam.PolicyDetails) *wire.ManagedPolicyDetail {
	o := policyOut(p.Policy)
	out := &wire.ManagedPolicyDetail{
		PolicyName: o.PolicyName, PolicyId: o.PolicyId, Arn: o.Arn, Path: o.Path, DefaultVersionId: o.DefaultVersionId, AttachmentCount: o.AttachmentCount,
		PermissionsBoundaryUsageCount: o.PermissionsBoundaryUsageCount, IsAttachable: o.IsAttachable, Description: o.Description,
		CreateDate: o.CreateDate, UpdateDate: o.UpdateDate, PolicyVersionList: []wire.PolicyVersion{},
	}
	for _, v := range p.Versions {
		out.PolicyVersionList = append(out.PolicyVersionList, *versionOut(v, true))
	}
	return out
}

// place is a key for listings whose order is that of the request.
func place(n int) string { return fmt.Sprintf("%06d", n) }
