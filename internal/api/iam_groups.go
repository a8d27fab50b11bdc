package api

import (
	"context"
	"strings"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addGroups(m map[string]Action) {
	m["CreateGroup"] = query(a, "CreateGroup", a.createGroup)
	m["GetGroup"] = query(a, "GetGroup", a.getGroup)
	m["ListGroups"] = query(a, "ListGroups", a.listGroups)
	m["ListGroupsForUser"] = query(a, "ListGroupsForUser", a.listGroupsForUser)
	m["UpdateGroup"] = order(a, "UpdateGroup", a.updateGroup)
	m["DeleteGroup"] = order(a, "DeleteGroup", a.deleteGroup)
	m["AddUserToGroup"] = order(a, "AddUserToGroup", a.addUserToGroup)
	m["RemoveUserFromGroup"] = order(a, "RemoveUserFromGroup", a.removeUserFromGroup)
}

func iamGroupOut(g iam.Group) *wire.Group {
	arn := g.ARN()
	return &wire.Group{Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: &arn, CreateDate: &g.Created}
}

func iamGroupsOut(groups []iam.Group) []wire.Group {
	out := make([]wire.Group, len(groups))
	for i, g := range groups {
		out[i] = *iamGroupOut(g)
	}
	return out
}

func groupKey(g iam.Group) string { return strings.ToLower(g.Name) }

func (a *identity) createGroup(ctx context.Context, c Call, in *wire.CreateGroupRequest) (*wire.CreateGroupResponse, error) {
	g, err := a.dir.CreateGroup(ctx, iam.Group{Account: c.Scope.Account, Name: val(in.GroupName), Path: val(in.Path)})
	if err != nil {
		return nil, err
	}
	return &wire.CreateGroupResponse{Group: iamGroupOut(g)}, nil
}

func (a *identity) getGroup(ctx context.Context, c Call, in *wire.GetGroupRequest) (*wire.GetGroupResponse, error) {
	g, users, err := a.dir.GetGroup(ctx, c.Scope.Account, val(in.GroupName))
	if err != nil {
		return nil, err
	}
	users, truncated, next, err := cut(users, userKey, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &wire.GetGroupResponse{Group: iamGroupOut(g), Users: usersOut(users), IsTruncated: truncated, Marker: next}, nil
}

func (a *identity) listGroups(ctx context.Context, c Call, in *wire.ListGroupsRequest) (*wire.ListGroupsResponse, error) {
	groups, err := a.dir.ListGroups(ctx, c.Scope.Account, val(in.PathPrefix))
	if err != nil {
		return nil, err
	}
	groups, truncated, next, err := cut(groups, groupKey, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &wire.ListGroupsResponse{Groups: iamGroupsOut(groups), IsTruncated: truncated, Marker: next}, nil
}

func (a *identity) listGroupsForUser(ctx context.Context, c Call, in *wire.ListGroupsForUserRequest) (*wire.ListGroupsForUserResponse, error) {
	groups, err := a.dir.ListGroupsForUser(ctx, c.Scope.Account, val(in.UserName))
	if err != nil {
		return nil, err
	}
	groups, truncated, next, err := cut(groups, groupKey, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &wire.ListGroupsForUserResponse{Groups: iamGroupsOut(groups), IsTruncated: truncated, Marker: next}, nil
}

func (a *identity) updateGroup(ctx context.Context, c Call, in *wire.UpdateGroupRequest) error {
	return a.dir.UpdateGroup(ctx, c.Scope.Account, val(in.GroupName), val(in.NewGroupName), val(in.NewPath))
}

func (a *identity) deleteGroup(ctx context.Context, c Call, in *wire.DeleteGroupRequest) error {
	return a.dir.DeleteGroup(ctx, c.Scope.Account, val(in.GroupName))
}

func (a *identity) addUserToGroup(ctx context.Context, c Call, in *wire.AddUserToGroupRequest) error {
	return a.dir.AddUserToGroup(ctx, c.Scope.Account, val(in.GroupName), val(in.UserName))
}

func (a *identity) removeUserFromGroup(ctx context.Context, c Call, in *wire.RemoveUserFromGroupRequest) error {
	return a.dir.RemoveUserFromGroup(ctx, c.Scope.Account, val(in.GroupName), val(in.UserName))
}
