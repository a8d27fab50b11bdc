package api

import (
	"context"
	"maps"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

func (a *identity) addUsers(m map[string]Action) {
	m["CreateUser"] = query(a, "CreateUser", a.createUser)
	m["GetUser"] = query(a, "GetUser", a.getUser)
	m["ListUsers"] = query(a, "ListUsers", a.listUsers)
	m["UpdateUser"] = order(a, "UpdateUser", a.updateUser)
	m["DeleteUser"] = order(a, "DeleteUser", a.deleteUser)
	m["TagUser"] = order(a, "TagUser", a.tagUser)
	m["UntagUser"] = order(a, "UntagUser", a.untagUser)
	m["ListUserTags"] = query(a, "ListUserTags", a.listUserTags)
	m["PutUserPermissionsBoundary"] = order(a, "PutUserPermissionsBoundary", a.putUserBoundary)
	m["DeleteUserPermissionsBoundary"] = order(a, "DeleteUserPermissionsBoundary", a.deleteUserBoundary)
	m["CreateAccessKey"] = query(a, "CreateAccessKey", a.createAccessKey)
	m["ListAccessKeys"] = query(a, "ListAccessKeys", a.listAccessKeys)
	m["UpdateAccessKey"] = order(a, "UpdateAccessKey", a.updateAccessKey)
	m["DeleteAccessKey"] = order(a, "DeleteAccessKey", a.deleteAccessKey)
	m["GetAccessKeyLastUsed"] = query(a, "GetAccessKeyLastUsed", a.getAccessKeyLastUsed)
}

func userOut(u iam.User) *wire.User {
	arn := u.ARN()
	return &wire.User{
		Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: &arn, CreateDate: &u.Created,
		PermissionsBoundary: boundaryOut(u.Boundary), Tags: orNil(tagList(u.Tags)),
	}
}

// usersOut are users in a listing, which shows no tags.
func usersOut(users []iam.User) []wire.User {
	out := make([]wire.User, len(users))
	for i, u := range users {
		out[i] = *userOut(u)
		out[i].Tags = nil
	}
	return out
}

func userKey(u iam.User) string { return strings.ToLower(u.Name) }

func (a *identity) createUser(ctx context.Context, c Call, in *wire.CreateUserRequest) (*wire.CreateUserResponse, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	u, err := a.dir.CreateUser(ctx, iam.User{
		Account: c.Scope.Account, Name: val(in.UserName), Path: val(in.Path), Boundary: val(in.PermissionsBoundary), Tags: tags,
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateUserResponse{User: userOut(u)}, nil
}

func (a *identity) getUser(ctx context.Context, c Call, in *wire.GetUserRequest) (*wire.GetUserResponse, error) {
	name, err := a.userOrSelf(c, val(in.UserName))
	if err != nil {
		return nil, err
	}
	if name == "" { // root asks for itself
		return a.root(ctx, c)
	}
	u, err := a.dir.GetUser(ctx, c.Scope.Account, name)
	if err != nil {
		return nil, err
	}
	return &wire.GetUserResponse{User: userOut(u)}, nil
}

// root is the root identity as GetUser shows it. The model wants a name and a path of every user.
func (a *identity) root(ctx context.Context, c Call) (*wire.GetUserResponse, error) {
	account, err := a.dir.Account(ctx, c.Scope.Account)
	if err != nil {
		return nil, err
	}
	p, name, path := c.Principal, "root", "/"
	return &wire.GetUserResponse{User: &wire.User{UserId: &p.ID, Arn: &p.ARN, UserName: &name, Path: &path, CreateDate: &account.Created}}, nil
}

func (a *identity) listUsers(ctx context.Context, c Call, in *wire.ListUsersRequest) (*wire.ListUsersResponse, error) {
	users, err := a.dir.ListUsers(ctx, c.Scope.Account, val(in.PathPrefix))
	if err != nil {
		return nil, err
	}
	users, truncated, next, err := cut(users, userKey, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &wire.ListUsersResponse{Users: usersOut(users), IsTruncated: truncated, Marker: next}, nil
}

func (a *identity) updateUser(ctx context.Context, c Call, in *wire.UpdateUserRequest) error {
	return a.dir.UpdateUser(ctx, c.Scope.Account, val(in.UserName), val(in.NewUserName), val(in.NewPath))
}

func (a *identity) deleteUser(ctx context.Context, c Call, in *wire.DeleteUserRequest) error {
	return a.dir.DeleteUser(ctx, c.Scope.Account, val(in.UserName))
}

func (a *identity) tagUser(ctx context.Context, c Call, in *wire.TagUserRequest) error {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return err
	}
	return a.dir.TagUser(ctx, c.Scope.Account, val(in.UserName), tags, nil)
}

func (a *identity) untagUser(ctx context.Context, c Call, in *wire.UntagUserRequest) error {
	return a.dir.TagUser(ctx, c.Scope.Account, val(in.UserName), nil, in.TagKeys)
}

func (a *identity) listUserTags(ctx context.Context, c Call, in *wire.ListUserTagsRequest) (*wire.ListUserTagsResponse, error) {
	u, err := a.dir.GetUser(ctx, c.Scope.Account, val(in.UserName))
	if err != nil {
		return nil, err
	}
	tags, truncated, next, err := cut(tagList(u.Tags), tagKey, in.Marker, in.MaxItems)
	return &wire.ListUserTagsResponse{Tags: tags, IsTruncated: truncated, Marker: next}, err
}

func tagKey(t wire.Tag) string { return val(t.Key) }

func (a *identity) putUserBoundary(ctx context.Context, c Call, in *wire.PutUserPermissionsBoundaryRequest) error {
	return a.dir.SetUserBoundary(ctx, c.Scope.Account, val(in.UserName), val(in.PermissionsBoundary))
}

func (a *identity) deleteUserBoundary(ctx context.Context, c Call, in *wire.DeleteUserPermissionsBoundaryRequest) error {
	return a.dir.SetUserBoundary(ctx, c.Scope.Account, val(in.UserName), "")
}

func status(active bool) *string {
	s := wire.StatusTypeInactive
	if active {
		s = wire.StatusTypeActive
	}
	return &s
}

func (a *identity) createAccessKey(ctx context.Context, c Call, in *wire.CreateAccessKeyRequest) (*wire.CreateAccessKeyResponse, error) {
	user, err := a.userOrSelf(c, val(in.UserName))
	if err != nil {
		return nil, err
	}
	k, err := a.dir.CreateAccessKey(ctx, c.Scope.Account, user)
	if err != nil {
		return nil, err
	}
	return &wire.CreateAccessKeyResponse{AccessKey: &wire.AccessKey{
		UserName: &user, AccessKeyId: &k.ID, Status: status(k.Active), SecretAccessKey: &k.Secret, CreateDate: &k.Created,
	}}, nil
}

func (a *identity) listAccessKeys(ctx context.Context, c Call, in *wire.ListAccessKeysRequest) (*wire.ListAccessKeysResponse, error) {
	user, err := a.userOrSelf(c, val(in.UserName))
	if err != nil {
		return nil, err
	}
	keys, err := a.dir.ListAccessKeys(ctx, c.Scope.Account, user)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(keys, func(a, b iam.AccessKey) int { return strings.Compare(a.ID, b.ID) })
	keys, truncated, next, err := cut(keys, func(k iam.AccessKey) string { return k.ID }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := make([]wire.AccessKeyMetadata, len(keys))
	for i, k := range keys {
		out[i] = wire.AccessKeyMetadata{UserName: &user, AccessKeyId: &k.ID, Status: status(k.Active), CreateDate: &k.Created}
	}
	return &wire.ListAccessKeysResponse{AccessKeyMetadata: out, IsTruncated: truncated, Marker: next}, nil
}

func (a *identity) updateAccessKey(ctx context.Context, c Call, in *wire.UpdateAccessKeyRequest) error {
	user, err := a.userOrSelf(c, val(in.UserName))
	if err != nil {
		return err
	}
	return a.dir.SetAccessKeyActive(ctx, c.Scope.Account, user, val(in.AccessKeyId), val(in.Status) == wire.StatusTypeActive)
}

func (a *identity) deleteAccessKey(ctx context.Context, c Call, in *wire.DeleteAccessKeyRequest) error {
	user, err := a.userOrSelf(c, val(in.UserName))
	if err != nil {
		return err
	}
	return a.dir.DeleteAccessKey(ctx, c.Scope.Account, user, val(in.AccessKeyId))
}

func (a *identity) getAccessKeyLastUsed(ctx context.Context, c Call, in *wire.GetAccessKeyLastUsedRequest) (*wire.GetAccessKeyLastUsedResponse, error) {
	use, err := a.dir.AccessKeyLastUsed(ctx, c.Scope.Account, val(in.AccessKeyId))
	if err != nil {
		return nil, err
	}
	never := "N/A"
	last := &wire.AccessKeyLastUsed{ServiceName: &never, Region: &never}
	if !use.At.IsZero() {
		last = &wire.AccessKeyLastUsed{LastUsedDate: &use.At, ServiceName: &use.Service, Region: &use.Region}
	}
	return &wire.GetAccessKeyLastUsedResponse{UserName: given(use.UserName), AccessKeyLastUsed: last}, nil
}

func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
