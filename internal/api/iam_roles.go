package api

import (
	"context"
	"strings"
	"time"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addRoles(m map[string]Action) {
	m["CreateRole"] = query(a, "CreateRole", a.createRole)
	m["GetRole"] = query(a, "GetRole", a.getRole)
	m["ListRoles"] = query(a, "ListRoles", a.listRoles)
	m["UpdateRole"] = query(a, "UpdateRole", a.updateRole)
	m["UpdateRoleDescription"] = query(a, "UpdateRoleDescription", a.updateRoleDescription)
	m["UpdateAssumeRolePolicy"] = order(a, "UpdateAssumeRolePolicy", a.updateAssumeRolePolicy)
	m["DeleteRole"] = order(a, "DeleteRole", a.deleteRole)
	m["TagRole"] = order(a, "TagRole", a.tagRole)
	m["UntagRole"] = order(a, "UntagRole", a.untagRole)
	m["ListRoleTags"] = query(a, "ListRoleTags", a.listRoleTags)
	m["PutRolePermissionsBoundary"] = order(a, "PutRolePermissionsBoundary", a.putRoleBoundary)
	m["DeleteRolePermissionsBoundary"] = order(a, "DeleteRolePermissionsBoundary", a.deleteRoleBoundary)
	m["ListInstanceProfilesForRole"] = query(a, "ListInstanceProfilesForRole", a.listInstanceProfiles)
}

func roleOut(r iam.Role) *wire.Role {
	arn, seconds := r.ARN(), int32(r.MaxSession/time.Second)
	return &wire.Role{
		Path: &r.Path, RoleName: &r.Name, RoleId: &r.ID, Arn: &arn, CreateDate: &r.Created, AssumeRolePolicyDocument: document(r.Trust),
		Description: given(r.Description), MaxSessionDuration: &seconds, PermissionsBoundary: boundaryOut(r.Boundary), Tags: orNil(tagList(r.Tags)),
	}
}

func (a *identity) createRole(ctx context.Context, c Call, in *wire.CreateRoleRequest) (*wire.CreateRoleResponse, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	r, err := a.dir.CreateRole(ctx, iam.Role{
		Account: c.Scope.Account, Name: val(in.RoleName), Path: val(in.Path), Description: val(in.Description), Trust: val(in.AssumeRolePolicyDocument),
		MaxSession: time.Duration(val(in.MaxSessionDuration)) * time.Second, Boundary: val(in.PermissionsBoundary), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateRoleResponse{Role: roleOut(r)}, nil
}

func (a *identity) getRole(ctx context.Context, c Call, in *wire.GetRoleRequest) (*wire.GetRoleResponse, error) {
	r, err := a.dir.GetRole(ctx, c.Scope.Account, val(in.RoleName))
	if err != nil {
		return nil, err
	}
	out := roleOut(r)
	out.RoleLastUsed = &wire.RoleLastUsed{}
	return &wire.GetRoleResponse{Role: out}, nil
}

func (a *identity) listRoles(ctx context.Context, c Call, in *wire.ListRolesRequest) (*wire.ListRolesResponse, error) {
	roles, err := a.dir.ListRoles(ctx, c.Scope.Account, val(in.PathPrefix))
	if err != nil {
		return nil, err
	}
	roles, truncated, next, err := cut(roles, func(r iam.Role) string { return strings.ToLower(r.Name) }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Role, len(roles))
	for i, r := range roles {
		out[i] = *roleOut(r)
		out[i].Tags, out[i].PermissionsBoundary = nil, nil // listings leave them out
	}
	return &wire.ListRolesResponse{Roles: out, IsTruncated: truncated, Marker: next}, nil
}

func (a *identity) updateRole(ctx context.Context, c Call, in *wire.UpdateRoleRequest) (*wire.UpdateRoleResponse, error) {
	change := iam.RoleChange{Description: in.Description}
	if in.MaxSessionDuration != nil {
		d := time.Duration(*in.MaxSessionDuration) * time.Second
		change.MaxSession = &d
	}
	_, err := a.dir.UpdateRole(ctx, c.Scope.Account, val(in.RoleName), change)
	return &wire.UpdateRoleResponse{}, err
}

func (a *identity) updateRoleDescription(ctx context.Context, c Call, in *wire.UpdateRoleDescriptionRequest) (*wire.UpdateRoleDescriptionResponse, error) {
	r, err := a.dir.UpdateRole(ctx, c.Scope.Account, val(in.RoleName), iam.RoleChange{Description: in.Description})
	if err != nil {
		return nil, err
	}
	return &wire.UpdateRoleDescriptionResponse{Role: roleOut(r)}, nil
}

func (a *identity) updateAssumeRolePolicy(ctx context.Context, c Call, in *wire.UpdateAssumeRolePolicyRequest) error {
	return a.dir.UpdateAssumeRolePolicy(ctx, c.Scope.Account, val(in.RoleName), val(in.PolicyDocument))
}

func (a *identity) deleteRole(ctx context.Context, c Call, in *wire.DeleteRoleRequest) error {
	return a.dir.DeleteRole(ctx, c.Scope.Account, val(in.RoleName))
}

func (a *identity) tagRole(ctx context.Context, c Call, in *wire.TagRoleRequest) error {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return err
	}
	return a.dir.TagRole(ctx, c.Scope.Account, val(in.RoleName), tags, nil)
}

func (a *identity) untagRole(ctx context.Context, c Call, in *wire.UntagRoleRequest) error {
	return a.dir.TagRole(ctx, c.Scope.Account, val(in.RoleName), nil, in.TagKeys)
}

func (a *identity) listRoleTags(ctx context.Context, c Call, in *wire.ListRoleTagsRequest) (*wire.ListRoleTagsResponse, error) {
	r, err := a.dir.GetRole(ctx, c.Scope.Account, val(in.RoleName))
	if err != nil {
		return nil, err
	}
	tags, truncated, next, err := cut(tagList(r.Tags), tagKey, in.Marker, in.MaxItems)
	return &wire.ListRoleTagsResponse{Tags: tags, IsTruncated: truncated, Marker: next}, err
}

func (a *identity) putRoleBoundary(ctx context.Context, c Call, in *wire.PutRolePermissionsBoundaryRequest) error {
	return a.dir.SetRoleBoundary(ctx, c.Scope.Account, val(in.RoleName), val(in.PermissionsBoundary))
}

func (a *identity) deleteRoleBoundary(ctx context.Context, c Call, in *wire.DeleteRolePermissionsBoundaryRequest) error {
	return a.dir.SetRoleBoundary(ctx, c.Scope.Account, val(in.RoleName), "")
}

// listInstanceProfiles is always empty: there are no EC2 instances here. Terraform calls it before it deletes a role.
func (a *identity) listInstanceProfiles(ctx context.Context, c Call, in *wire.ListInstanceProfilesForRoleRequest) (*wire.ListInstanceProfilesForRoleResponse, error) {
	if _, err := a.dir.GetRole(ctx, c.Scope.Account, val(in.RoleName)); err != nil {
		return nil, err
	}
	return &wire.ListInstanceProfilesForRoleResponse{InstanceProfiles: []wire.InstanceProfile{}, IsTruncated: new(bool)}, nil
}
