package api

import (
	"context"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

// Users, groups and roles have the same seven actions for the policies they hold; only the names of members differ.

func (a *identity) addAttachments(m map[string]Action) {
	m["AttachUserPolicy"] = order(a, "AttachUserPolicy", func(ctx context.Context, c Call, in *wire.AttachUserPolicyRequest) error {
		return a.dir.AttachPolicy(ctx, userEntity(c, in.UserName), val(in.PolicyArn))
	})
	m["AttachGroupPolicy"] = order(a, "AttachGroupPolicy", func(ctx context.Context, c Call, in *wire.AttachGroupPolicyRequest) error {
		return a.dir.AttachPolicy(ctx, groupEntity(c, in.GroupName), val(in.PolicyArn))
	})
	m["AttachRolePolicy"] = order(a, "AttachRolePolicy", func(ctx context.Context, c Call, in *wire.AttachRolePolicyRequest) error {
		return a.dir.AttachPolicy(ctx, roleEntity(c, in.RoleName), val(in.PolicyArn))
	})
	m["DetachUserPolicy"] = order(a, "DetachUserPolicy", func(ctx context.Context, c Call, in *wire.DetachUserPolicyRequest) error {
		return a.dir.DetachPolicy(ctx, userEntity(c, in.UserName), val(in.PolicyArn))
	})
	m["DetachGroupPolicy"] = order(a, "DetachGroupPolicy", func(ctx context.Context, c Call, in *wire.DetachGroupPolicyRequest) error {
		return a.dir.DetachPolicy(ctx, groupEntity(c, in.GroupName), val(in.PolicyArn))
	})
	m["DetachRolePolicy"] = order(a, "DetachRolePolicy", func(ctx context.Context, c Call, in *wire.DetachRolePolicyRequest) error {
		return a.dir.DetachPolicy(ctx, roleEntity(c, in.RoleName), val(in.PolicyArn))
	})
	m["ListAttachedUserPolicies"] = query(a, "ListAttachedUserPolicies",
		func(ctx context.Context, c Call, in *wire.ListAttachedUserPoliciesRequest) (*wire.ListAttachedUserPoliciesResponse, error) {
			list, truncated, next, err := a.attached(ctx, userEntity(c, in.UserName), in.PathPrefix, in.Marker, in.MaxItems)
			return &wire.ListAttachedUserPoliciesResponse{AttachedPolicies: list, IsTruncated: truncated, Marker: next}, err
		})
	m["ListAttachedGroupPolicies"] = query(a, "ListAttachedGroupPolicies",
		func(ctx context.Context, c Call, in *wire.ListAttachedGroupPoliciesRequest) (*wire.ListAttachedGroupPoliciesResponse, error) {
			list, truncated, next, err := a.attached(ctx, groupEntity(c, in.GroupName), in.PathPrefix, in.Marker, in.MaxItems)
			return &wire.ListAttachedGroupPoliciesResponse{AttachedPolicies: list, IsTruncated: truncated, Marker: next}, err
		})
	m["ListAttachedRolePolicies"] = query(a, "ListAttachedRolePolicies",
		func(ctx context.Context, c Call, in *wire.ListAttachedRolePoliciesRequest) (*wire.ListAttachedRolePoliciesResponse, error) {
			list, truncated, next, err := a.attached(ctx, roleEntity(c, in.RoleName), in.PathPrefix, in.Marker, in.MaxItems)
			return &wire.ListAttachedRolePoliciesResponse{AttachedPolicies: list, IsTruncated: truncated, Marker: next}, err
		})
}

func userEntity(c Call, name *string) iam.Entity {
	return iam.Entity{Account: c.Scope.Account, Kind: iam.EntityUser, Name: val(name)}
}

func groupEntity(c Call, name *string) iam.Entity {
	return iam.Entity{Account: c.Scope.Account, Kind: iam.EntityGroup, Name: val(name)}
}

func roleEntity(c Call, name *string) iam.Entity {
	return iam.Entity{Account: c.Scope.Account, Kind: iam.EntityRole, Name: val(name)}
}

func (a *identity) attached(ctx context.Context, e iam.Entity, prefix, marker *string, limit *int32) ([]wire.AttachedPolicy, *bool, *string, error) {
	policies, err := a.dir.AttachedPolicies(ctx, e, val(prefix))
	if err != nil {
		return nil, nil, nil, err
	}
	policies, truncated, next, err := cut(policies, func(p iam.AttachedPolicy) string { return p.ARN }, marker, limit)
	out := make([]wire.AttachedPolicy, len(policies))
	for i, p := range policies {
		out[i] = wire.AttachedPolicy{PolicyName: &p.Name, PolicyArn: &p.ARN}
	}
	return out, truncated, next, err
}

func (a *identity) addInline(m map[string]Action) {
	m["PutUserPolicy"] = order(a, "PutUserPolicy", func(ctx context.Context, c Call, in *wire.PutUserPolicyRequest) error {
		return a.dir.PutInlinePolicy(ctx, userEntity(c, in.UserName), val(in.PolicyName), val(in.PolicyDocument))
	})
	m["PutGroupPolicy"] = order(a, "PutGroupPolicy", func(ctx context.Context, c Call, in *wire.PutGroupPolicyRequest) error {
		return a.dir.PutInlinePolicy(ctx, groupEntity(c, in.GroupName), val(in.PolicyName), val(in.PolicyDocument))
	})
	m["PutRolePolicy"] = order(a, "PutRolePolicy", func(ctx context.Context, c Call, in *wire.PutRolePolicyRequest) error {
		return a.dir.PutInlinePolicy(ctx, roleEntity(c, in.RoleName), val(in.PolicyName), val(in.PolicyDocument))
	})
	m["DeleteUserPolicy"] = order(a, "DeleteUserPolicy", func(ctx context.Context, c Call, in *wire.DeleteUserPolicyRequest) error {
		return a.dir.DeleteInlinePolicy(ctx, userEntity(c, in.UserName), val(in.PolicyName))
	})
	m["DeleteGroupPolicy"] = order(a, "DeleteGroupPolicy", func(ctx context.Context, c Call, in *wire.DeleteGroupPolicyRequest) error {
		return a.dir.DeleteInlinePolicy(ctx, groupEntity(c, in.GroupName), val(in.PolicyName))
	})
	m["DeleteRolePolicy"] = order(a, "DeleteRolePolicy", func(ctx context.Context, c Call, in *wire.DeleteRolePolicyRequest) error {
		return a.dir.DeleteInlinePolicy(ctx, roleEntity(c, in.RoleName), val(in.PolicyName))
	})
	m["GetUserPolicy"] = query(a, "GetUserPolicy", func(ctx context.Context, c Call, in *wire.GetUserPolicyRequest) (*wire.GetUserPolicyResponse, error) {
		doc, err := a.dir.InlinePolicy(ctx, userEntity(c, in.UserName), val(in.PolicyName))
		return &wire.GetUserPolicyResponse{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: document(doc)}, err
	})
	m["GetGroupPolicy"] = query(a, "GetGroupPolicy", func(ctx context.Context, c Call, in *wire.GetGroupPolicyRequest) (*wire.GetGroupPolicyResponse, error) {
		doc, err := a.dir.InlinePolicy(ctx, groupEntity(c, in.GroupName), val(in.PolicyName))
		return &wire.GetGroupPolicyResponse{GroupName: in.GroupName, PolicyName: in.PolicyName, PolicyDocument: document(doc)}, err
	})
	m["GetRolePolicy"] = query(a, "GetRolePolicy", func(ctx context.Context, c Call, in *wire.GetRolePolicyRequest) (*wire.GetRolePolicyResponse, error) {
		doc, err := a.dir.InlinePolicy(ctx, roleEntity(c, in.RoleName), val(in.PolicyName))
		return &wire.GetRolePolicyResponse{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: document(doc)}, err
	})
	m["ListUserPolicies"] = query(a, "ListUserPolicies", func(ctx context.Context, c Call, in *wire.ListUserPoliciesRequest) (*wire.ListUserPoliciesResponse, error) {
		names, truncated, next, err := a.inline(ctx, userEntity(c, in.UserName), in.Marker, in.MaxItems)
		return &wire.ListUserPoliciesResponse{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
	})
	m["ListGroupPolicies"] = query(a, "ListGroupPolicies", func(ctx context.Context, c Call, in *wire.ListGroupPoliciesRequest) (*wire.ListGroupPoliciesResponse, error) {
		names, truncated, next, err := a.inline(ctx, groupEntity(c, in.GroupName), in.Marker, in.MaxItems)
		return &wire.ListGroupPoliciesResponse{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
	})
	m["ListRolePolicies"] = query(a, "ListRolePolicies", func(ctx context.Context, c Call, in *wire.ListRolePoliciesRequest) (*wire.ListRolePoliciesResponse, error) {
		names, truncated, next, err := a.inline(ctx, roleEntity(c, in.RoleName), in.Marker, in.MaxItems)
		return &wire.ListRolePoliciesResponse{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
	})
}

func (a *identity) inline(ctx context.Context, e iam.Entity, marker *string, limit *int32) (names []string, truncated *bool, next *string, err error) {
	if names, err = a.dir.InlinePolicies(ctx, e); err != nil {
		return nil, nil, nil, err
	}
	names, truncated, next, err = cut(names, func(n string) string { return n }, marker, limit)
	if names == nil {
		names = []string{}
	}
	return names, truncated, next, err
}
