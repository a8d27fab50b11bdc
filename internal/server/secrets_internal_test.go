package server

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/secret/runtimeenv"
	"slipway.dev/slipway/internal/store"
)

// TestWhatInstanceRolesMayRead: the role has to exist, to trust App Runner for this service and to be allowed, and so has the use of a key.
func TestWhatInstanceRolesMayRead(t *testing.T) {
	const account = "123456789012"
	ctx, sc := t.Context(), apprunner.Scope{Account: account, Region: "us-east-1"}
	db, err := store.Open(ctx, filepath.Join(t.TempDir(), "slipway.db"))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	dir, err := iam.Open(ctx, iam.Config{DB: db, KeyFile: filepath.Join(t.TempDir(), "iam.key")})
	must(t, err)
	_, err = dir.EnsureRoot(ctx, account)
	must(t, err)
	keys, err := kms.Open(ctx, kms.Config{DB: db, Root: make([]byte, 32), Now: time.Now})
	must(t, err)
	own, err := keys.Create(ctx, sc, kms.New{})
	must(t, err)
	const service = "arn:aws:apprunner:us-east-1:" + account + ":service/a/b"
	for name, principal := range map[string]string{"reader": iam.TasksPrincipal, "stranger": "ec2.amazonaws.com"} {
		_, err = dir.CreateRole(ctx, iam.Role{Account: account, Name: name, Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"` + principal +
			`"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceArn":"` + service + `"}}}}`})
		must(t, err)
		must(t, dir.PutInlinePolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityRole, Name: name}, "read",
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ssm:GetParameters","Resource":"arn:aws:ssm:*:*:parameter/app/*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}}`))
	}
	relaxed := false
	guard := instanceRoles{&System{conf: Config{StrictRoles: &relaxed}, iam: dir, keys: keys}}
	open := runtimeenv.Access{Action: "ssm:GetParameters", Resource: "arn:aws:ssm:us-east-1:" + account + ":parameter/app/x", Tags: map[string]string{"team": "a"}}
	with := func(change func(*runtimeenv.Access)) runtimeenv.Access { a := open; change(&a); return a }
	for what, c := range map[string]struct {
		role, service string
		access        runtimeenv.Access
		want          string // of the refusal; empty: allowed
	}{
		"allowed":                    {"reader", service, open, ""},
		"another parameter":          {"reader", service, with(func(a *runtimeenv.Access) { a.Resource = strings.Replace(a.Resource, "/app/", "/other/", 1) }), "ssm:GetParameters on it"},
		"another tag":                {"reader", service, with(func(a *runtimeenv.Access) { a.Tags = nil }), "is not authorized to perform: ssm:GetParameters"},
		"under a key":                {"reader", service, with(func(a *runtimeenv.Access) { a.Key = own.ID }), "kms:Decrypt on resource: " + own.ARN()},
		"denied by the resource":     {"reader", service, with(func(a *runtimeenv.Access) { a.Policy = denyAll }), "ssm:GetParameters"},
		"a service it does not know": {"reader", service + "c", open, "sts:AssumeRole"},
		"a role of others":           {"stranger", service, open, "sts:AssumeRole"},
		"no such role":               {"nobody", service, open, "sts:AssumeRole"},
	} {
		err := guard.Allow(ctx, runtimeenv.Service{Scope: sc, ARN: c.service, RoleARN: "arn:aws:iam::" + account + ":role/" + c.role}, c.access)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

const denyAll = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`
