package api

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"reflect"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/iam"
)

// IAMConfig is what the IAM API needs. Directory is required.
type IAMConfig struct {
	Directory *iam.Directory
	// InUse tells what still needs the service-linked role of a service, such as apprunner.amazonaws.com; nil: nothing ever does.
	InUse func(ctx context.Context, account, service string) ([]iam.RoleUse, error)
}

// NewIAM returns Identity and Access Management (adjacent §2).
func NewIAM(c IAMConfig) (*Service, error) {
	if c.Directory == nil {
		return nil, errors.New("iam: a directory is required")
	}
	a := &identity{IAMConfig: c, dir: c.Directory}
	actions := map[string]Action{}
	a.addUsers(actions)
	a.addGroups(actions)
	a.addRoles(actions)
	a.addPolicies(actions)
	a.addLogins(actions)
	a.addMFA(actions)
	a.addProviders(actions)
	a.addAccount(actions)
	a.addSimulation(actions)
	a.addLinkedRoles(actions)
	return &Service{API: &wire.API, Actions: actions, Constraint: iam.CodeValidationError, Internal: "ServiceFailure"}, nil
}

type identity struct {
	IAMConfig
	dir *iam.Directory
}

// query makes an action of IAM that answers with something; the permissions it needs follow from its name and input.
func query[In, Out any](a *identity, name string, do func(context.Context, Call, *In) (*Out, error)) Action {
	return action(func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		return a.permissions(ctx, c, name, in)
	}, do)
}

// order makes an action of IAM that answers with nothing.
func order[In any](a *identity, name string, do func(context.Context, Call, *In) error) Action {
	return command(func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		return a.permissions(ctx, c, name, in)
	}, do)
}

// permissions asks for an action on what a request is about. IAM's requests name that by the same members throughout, so the
// members are read by name here; a table of a hundred functions would say the same.
func (a *identity) permissions(ctx context.Context, c Call, name string, in any) ([]iam.Request, error) {
	arn, keys := a.subject(ctx, c, name, in)
	if keys == nil {
		keys = map[string][]string{}
	}
	set := func(key, name string) {
		if v := member(in, name); v != "" {
			keys[key] = []string{v}
		}
	}
	if member(in, "UserName")+member(in, "RoleName")+member(in, "GroupName") != "" {
		set("iam:PolicyARN", "PolicyArn")
	}
	if has(in, "PermissionsBoundary") {
		delete(keys, boundaryKey) // what will be, not what is
	}
	set(boundaryKey, "PermissionsBoundary")
	set("iam:AWSServiceName", "AWSServiceName")
	for _, t := range tagsOf(in) {
		keys["aws:RequestTag/"+val(t.Key)] = []string{val(t.Value)}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], val(t.Key))
	}
	if f := reflect.ValueOf(in).Elem().FieldByName("TagKeys"); f.IsValid() {
		if removed, ok := f.Interface().([]string); ok {
			keys["aws:TagKeys"] = append(keys["aws:TagKeys"], removed...)
		}
	}
	return []iam.Request{{Action: "iam:" + name, Resource: arn, Context: keys}}, nil
}

// boundaryKey lets policies demand that who is given rights is limited by a boundary: the one being set, or the one there is.
const boundaryKey = "iam:PermissionsBoundary"

// subject is the ARN a request is about, and the tags of what there is.
func (a *identity) subject(ctx context.Context, c Call, name string, in any) (arn string, keys map[string][]string) {
	account, path := c.Scope.Account, member(in, "Path")
	if path == "" {
		path = "/"
	}
	prefix := "arn:aws:iam::" + account + ":"
	switch {
	case name == "CreateServiceLinkedRole":
		service := member(in, "AWSServiceName")
		role, _ := iam.ServiceLinkedRoleName(service)
		return prefix + "role/aws-service-role/" + service + "/" + role, nil
	case name == "CreatePolicy":
		return prefix + "policy" + path + member(in, "PolicyName"), nil
	case name == "GetAccessKeyLastUsed":
		if use, err := a.dir.AccessKeyLastUsed(ctx, account, member(in, "AccessKeyId")); err == nil && use.UserName != "" {
			return a.userSubject(ctx, account, "/", use.UserName)
		}
		return prefix + "user/*", nil
	case name == "CreateVirtualMFADevice":
		return prefix + "mfa" + path + member(in, "VirtualMFADeviceName"), nil
	case name == "CreateOpenIDConnectProvider":
		return prefix + "oidc-provider/" + strings.TrimPrefix(member(in, "Url"), "https://"), nil
	case has(in, "OpenIDConnectProviderArn"):
		return member(in, "OpenIDConnectProviderArn"), nil
	case name == "DeleteVirtualMFADevice":
		return member(in, "SerialNumber"), nil
	case has(in, "RoleName"):
		if r, err := a.dir.GetRole(ctx, account, member(in, "RoleName")); err == nil {
			return r.ARN(), withBoundary(resourceTags(r.Tags), r.Boundary)
		}
		return prefix + "role" + path + member(in, "RoleName"), nil
	case has(in, "GroupName"):
		if g, _, err := a.dir.GetGroup(ctx, account, member(in, "GroupName")); err == nil {
			return g.ARN(), nil
		}
		return prefix + "group" + path + member(in, "GroupName"), nil
	case has(in, "UserName"):
		user, err := a.userOrSelf(c, member(in, "UserName"))
		if err != nil || user == "" {
			return c.Principal.ARN, nil
		}
		return a.userSubject(ctx, account, path, user)
	case has(in, "PolicyArn"):
		arn = member(in, "PolicyArn")
		if p, err := a.dir.GetPolicy(ctx, account, arn); err == nil {
			return arn, resourceTags(p.Tags)
		}
		return arn, nil
	}
	for list, kind := range map[string]string{"ListUsers": "user", "ListGroups": "group", "ListRoles": "role", "ListPolicies": "policy", "ListVirtualMFADevices": "mfa"} {
		if name == list {
			return prefix + kind + iamPath(member(in, "PathPrefix")), nil
		}
	}
	return "*", nil
}

func iamPath(prefix string) string {
	if prefix == "" {
		return "/"
	}
	return prefix
}

func (a *identity) userSubject(ctx context.Context, account, path, name string) (string, map[string][]string) {
	if u, err := a.dir.GetUser(ctx, account, name); err == nil {
		return u.ARN(), withBoundary(resourceTags(u.Tags), u.Boundary)
	}
	return "arn:aws:iam::" + account + ":user" + path + name, nil
}

func withBoundary(keys map[string][]string, arn string) map[string][]string {
	if arn != "" {
		keys[boundaryKey] = []string{arn}
	}
	return keys
}

func resourceTags(tags map[string]string) map[string][]string {
	keys := map[string][]string{}
	for k, v := range tags {
		keys["aws:ResourceTag/"+k] = []string{v}
		keys["iam:ResourceTag/"+k] = []string{v}
	}
	return keys
}

// userOrSelf is the user a request names, else the caller's own; it is empty for root, whose keys have no user.
func (a *identity) userOrSelf(c Call, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	switch c.Principal.Type {
	case iam.TypeRoot:
		return "", nil
	case iam.TypeUser:
		return c.Principal.UserName, nil
	default:
		return "", apprunner.Errorf(iam.CodeValidationError, "Must specify userName when calling with non-User credentials")
	}
}

func has(in any, member string) bool {
	return reflect.ValueOf(in).Elem().FieldByName(member).IsValid()
}

// member reads a string member by name; it is empty where it is absent or the request has no such member.
func member(in any, name string) string {
	f := reflect.ValueOf(in).Elem().FieldByName(name)
	if !f.IsValid() {
		return ""
	}
	s, ok := f.Interface().(*string)
	if !ok {
		return ""
	}
	return val(s)
}

func tagsOf(in any) []wire.Tag {
	f := reflect.ValueOf(in).Elem().FieldByName("Tags")
	if !f.IsValid() {
		return nil
	}
	tags, _ := f.Interface().([]wire.Tag)
	return tags
}

func tagMap(tags []wire.Tag) (map[string]string, error) {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		if _, dup := out[val(t.Key)]; dup {
			return nil, apprunner.Errorf(iam.CodeInvalidInput, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		out[val(t.Key)] = val(t.Value)
	}
	return out, nil
}

func tagList(tags map[string]string) []wire.Tag {
	out := make([]wire.Tag, 0, len(tags))
	for _, k := range sortedKeys(tags) {
		v := tags[k]
		out = append(out, wire.Tag{Key: &k, Value: &v})
	}
	return out
}

// document is a policy as IAM's answers carry it: percent-encoded as RFC 3986 says (adjacent §2.3).
func document(doc string) *string {
	s := strings.ReplaceAll(url.QueryEscape(doc), "+", "%20")
	return &s
}

func boundaryOut(arn string) *wire.AttachedPermissionsBoundary {
	if arn == "" {
		return nil
	}
	kind := wire.PermissionsBoundaryAttachmentTypePermissionsBoundaryPolicy
	return &wire.AttachedPermissionsBoundary{PermissionsBoundaryType: &kind, PermissionsBoundaryArn: &arn}
}

// defaultItems is how many entries a page of an IAM listing has where the request does not say.
const defaultItems = 100

// cut takes a page out of a listing that is sorted by key, ascending. The marker is the key of the last item shown, so that
// nothing shows twice whatever comes and goes between pages.
func cut[T any](items []T, key func(T) string, marker *string, limit *int32) (list []T, truncated *bool, next *string, err error) {
	if marker != nil {
		after, err := base64.RawURLEncoding.DecodeString(*marker)
		if err != nil {
			return nil, nil, nil, apprunner.Errorf(iam.CodeValidationError, "The Marker is not valid. Use the one of the answer before unchanged, or none.")
		}
		for len(items) > 0 && key(items[0]) <= string(after) {
			items = items[1:]
		}
	}
	size := defaultItems
	if limit != nil {
		size = int(*limit)
	}
	more := len(items) > size
	if more {
		items = items[:size]
		m := base64.RawURLEncoding.EncodeToString([]byte(key(items[size-1])))
		next = &m
	}
	return items, &more, next, nil
}
