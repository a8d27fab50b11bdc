package iam_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/store"
)

const trustTasks = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"tasks.apprunner.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func user(t testing.TB, d *iam.Directory, name string) iam.Principal {
	t.Helper()
	u := must[iam.User](t)(d.CreateUser(t.Context(), iam.User{Account: account, Name: name, Tags: map[string]string{"team": "red"}}))
	return iam.Principal{Type: iam.TypeUser, Account: account, ID: u.ID, ARN: u.ARN(), UserName: name}
}

var describe = iam.Request{Action: "apprunner:DescribeService", Resource: service1}

// checklist: 10, 192, 213
func TestAuthorizeDeniesByDefault(t *testing.T) {
	d, _ := newDirectory(t)
	err := d.Authorize(t.Context(), user(t, d, "alice"), describe)
	wantCode(t, err, apprunner.CodeAccessDenied)
	want := "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: apprunner:DescribeService on resource: " + service1
	if err.Error() != want {
		t.Errorf("message %q, want %q", err, want)
	}
	root := iam.Principal{Type: iam.TypeRoot, Account: account, ID: account, ARN: iam.RootARN(account)}
	ok(t, d.Authorize(t.Context(), root, describe))
	other := root
	other.Account, other.ARN = "999999999999", iam.RootARN("999999999999")
	wantCode(t, d.Authorize(t.Context(), other, describe), apprunner.CodeAccessDenied)
}

// checklist: 12, 193
func TestAdministratorsGroup(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	p := user(t, d, "Administrator")
	must[iam.Group](t)(d.CreateGroup(ctx, iam.Group{Account: account, Name: "Administrators"}))
	group := iam.Entity{Account: account, Kind: iam.EntityGroup, Name: "Administrators"}
	ok(t, d.AttachPolicy(ctx, group, "arn:aws:iam::aws:policy/AdministratorAccess"))
	wantCode(t, d.Authorize(ctx, p, describe), apprunner.CodeAccessDenied)
	ok(t, d.AddUserToGroup(ctx, account, "Administrators", "Administrator"))
	ok(t, d.Authorize(ctx, p, describe))
	ok(t, d.PutInlinePolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityUser, Name: "Administrator"}, "no", statement("Deny", `"Action":"apprunner:Describe*","Resource":"*"`)))
	wantCode(t, d.Authorize(ctx, p, describe), apprunner.CodeAccessDenied)
	ok(t, d.Authorize(ctx, p, iam.Request{Action: "apprunner:ListServices", Resource: "*"}))
}

func first[A, B any](a A, _ B) A { return a }

func TestAuthorizeKnowsThePrincipal(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	p := user(t, d, "alice")
	e := iam.Entity{Account: account, Kind: iam.EntityUser, Name: "alice"}
	for _, condition := range []string{
		`{"StringEquals":{"aws:username":"alice"}}`, `{"StringEquals":{"aws:PrincipalTag/Team":"red"}}`, `{"StringEquals":{"aws:PrincipalType":"User"}}`,
		`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::123456789012:user/alice"}}`, `{"DateGreaterThan":{"aws:CurrentTime":"2026-11-21T09:59:59Z"}}`,
		`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`,
	} {
		ok(t, d.PutInlinePolicy(ctx, e, "p", statement("Allow", `"Action":"*","Resource":"*","Condition":`+condition)))
		q := describe
		q.Context = map[string][]string{"aws:SourceIp": {"10.0.0.1"}}
		if err := d.Authorize(ctx, p, q); err != nil {
			t.Errorf("%s: %v", condition, err)
		}
	}
}

func TestBoundaryLimits(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	p := user(t, d, "alice")
	ok(t, d.AttachPolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityUser, Name: "alice"}, "arn:aws:iam::aws:policy/AdministratorAccess"))
	limit := must[iam.Policy](t)(d.CreatePolicy(ctx, iam.Policy{Account: account, Name: "limit"}, statement("Allow", `"Action":"apprunner:List*","Resource":"*"`)))
	ok(t, d.Authorize(ctx, p, describe))
	ok(t, d.SetUserBoundary(ctx, account, "alice", limit.ARN))
	wantCode(t, d.Authorize(ctx, p, describe), apprunner.CodeAccessDenied)
	ok(t, d.Authorize(ctx, p, iam.Request{Action: "apprunner:ListServices", Resource: "*"}))
}

// A user made again under a deleted one's name must not inherit anything, nor lend anything to the old one's sessions.
func TestSameNameIsAnotherUser(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	old := user(t, d, "alice")
	ok(t, d.DeleteUser(ctx, account, "alice"))
	again := user(t, d, "alice")
	ok(t, d.AttachPolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityUser, Name: "alice"}, "arn:aws:iam::aws:policy/AdministratorAccess"))
	ok(t, d.Authorize(ctx, again, describe))
	wantCode(t, d.Authorize(ctx, old, describe), apprunner.CodeAccessDenied)
}

// checklist: 15, 16
func TestAccessKeys(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	d, ctx := open(t, dir, c), t.Context()
	user(t, d, "alice")
	one := must[iam.AccessKey](t)(d.CreateAccessKey(ctx, account, "alice"))
	two := must[iam.AccessKey](t)(d.CreateAccessKey(ctx, account, "alice"))
	if _, err := d.CreateAccessKey(ctx, account, "alice"); apprunner.CodeOf(err) != iam.CodeLimitExceeded {
		t.Errorf("a third key: %v", err)
	}
	if one.ID == two.ID || !strings.HasPrefix(one.ID, "AKIA") || len(one.ID) != 20 || len(one.Secret) != 40 {
		t.Errorf("keys %+v, %+v", one, two)
	}
	for _, k := range must[[]iam.AccessKey](t)(d.ListAccessKeys(ctx, account, "alice")) {
		if k.Secret != "" || !k.Active {
			t.Errorf("listed %+v", k)
		}
	}
	wantCode(t, d.DeleteUser(ctx, account, "alice"), iam.CodeDeleteConflict)
	wantCode(t, d.DeleteAccessKey(ctx, account, "alice", "AKIANOTHERE"), iam.CodeNoSuchEntity)
	wantCode(t, d.DeleteAccessKey(ctx, "999999999999", "alice", one.ID), iam.CodeNoSuchEntity)
	ok(t, d.DeleteAccessKey(ctx, account, "alice", two.ID))

	raw := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "slipway.db")))
	wal := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "slipway.db-wal")))
	if strings.Contains(string(raw)+string(wal), one.Secret) {
		t.Error("the secret stands in the database in clear")
	}
	info, err := os.Stat(filepath.Join(dir, "iam.key"))
	ok(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("key file has mode %v", info.Mode())
	}
}

func TestLastUseSurvivesRestart(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	d := open(t, dir, c)
	user(t, d, "alice")
	key := must[iam.AccessKey](t)(d.CreateAccessKey(t.Context(), account, "alice"))
	if use := must[iam.KeyUse](t)(d.AccessKeyLastUsed(t.Context(), account, key.ID)); !use.At.IsZero() || use.UserName != "alice" {
		t.Errorf("before any use: %+v", use)
	}
	_, err := verify(t, d, signed(t, credentials(key), "{}", c.Now()), "{}")
	ok(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ok(t, d.Run(ctx))
	use := must[iam.KeyUse](t)(open(t, dir, c).AccessKeyLastUsed(t.Context(), account, key.ID))
	if !use.At.Equal(c.Now()) || use.Service != "apprunner" || use.Region != "us-east-1" {
		t.Errorf("after a use and a restart: %+v", use)
	}
}

// checklist: 208
func TestRoleTrusts(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	role := must[iam.Role](t)(d.CreateRole(ctx, iam.Role{Account: account, Name: "app", Path: "/x/", Trust: trustTasks}))
	cases := []struct {
		arn, service   string
		exists, trusts bool
	}{
		{role.ARN(), "tasks.apprunner.amazonaws.com", true, true},
		{role.ARN(), "build.apprunner.amazonaws.com", true, false},
		{"arn:aws:iam::123456789012:role/app", "tasks.apprunner.amazonaws.com", false, false},
		{"arn:aws:iam::999999999999:role/x/app", "tasks.apprunner.amazonaws.com", false, false},
		{"nonsense", "tasks.apprunner.amazonaws.com", false, false},
	}
	for _, tc := range cases {
		exists, trusts, err := d.RoleTrusts(ctx, tc.arn, tc.service, "")
		ok(t, err)
		if exists != tc.exists || trusts != tc.trusts {
			t.Errorf("%s for %s: exists %v, trusts %v", tc.arn, tc.service, exists, trusts)
		}
	}
	ok(t, d.UpdateAssumeRolePolicy(ctx, account, "app", strings.Replace(trustTasks, `"Allow"`, `"Deny"`, 1)))
	if _, trusts, _ := d.RoleTrusts(ctx, role.ARN(), "tasks.apprunner.amazonaws.com", ""); trusts {
		t.Error("trusts although the policy denies")
	}
}

// checklist: 194
func TestAssumeRole(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	alice, bob := user(t, d, "alice"), user(t, d, "bob")
	trust := func(principal string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}]}`
	}
	role := must[iam.Role](t)(d.CreateRole(ctx, iam.Role{Account: account, Name: "reader", Trust: trust(alice.ARN)}))
	ok(t, d.AttachPolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityRole, Name: "reader"}, "arn:aws:iam::aws:policy/AWSAppRunnerReadOnlyAccess"))
	in := iam.AssumeRoleInput{RoleARN: role.ARN(), SessionName: "work"}

	_, err := d.AssumeRole(ctx, bob, in)
	wantCode(t, err, apprunner.CodeAccessDenied)
	session := must[iam.Credentials](t)(d.AssumeRole(ctx, alice, in))
	if session.Principal.ARN != "arn:aws:sts::123456789012:assumed-role/reader/work" {
		t.Errorf("session %+v", session.Principal)
	}
	ok(t, d.Authorize(ctx, session.Principal, describe))
	wantCode(t, d.Authorize(ctx, session.Principal, iam.Request{Action: "apprunner:DeleteService", Resource: service1}), apprunner.CodeAccessDenied)

	in.Tags = map[string]string{"team": "blue"}
	_, err = d.AssumeRole(ctx, alice, in)
	wantCode(t, err, apprunner.CodeAccessDenied) // tags are a right of their own
	in.Tags = nil
	in.Policies = []string{statement("Allow", `"Action":"apprunner:List*","Resource":"*"`)}
	narrow := must[iam.Credentials](t)(d.AssumeRole(ctx, alice, in))
	wantCode(t, d.Authorize(ctx, narrow.Principal, describe), apprunner.CodeAccessDenied)
	ok(t, d.Authorize(ctx, narrow.Principal, iam.Request{Action: "apprunner:ListServices", Resource: "*"}))

	// Trust in the account leaves the choice to the identity policies of its users.
	ok(t, d.UpdateAssumeRolePolicy(ctx, account, "reader", trust(account)))
	in.Policies = nil
	_, err = d.AssumeRole(ctx, bob, in)
	wantCode(t, err, apprunner.CodeAccessDenied)
	ok(t, d.PutInlinePolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityUser, Name: "bob"}, "may", statement("Allow", `"Action":"sts:AssumeRole","Resource":"*"`)))
	must[iam.Credentials](t)(d.AssumeRole(ctx, bob, in))
	in.Duration = 2 * time.Hour
	_, err = d.AssumeRole(ctx, bob, in)
	wantCode(t, err, iam.CodeValidationError)

	// A role deleted, or made again, ends what its sessions may do.
	ok(t, d.DetachPolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityRole, Name: "reader"}, "arn:aws:iam::aws:policy/AWSAppRunnerReadOnlyAccess"))
	wantCode(t, d.Authorize(ctx, session.Principal, describe), apprunner.CodeAccessDenied)
}

func TestServiceLinkedRole(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	role := must[iam.Role](t)(d.CreateServiceLinkedRole(ctx, account, "apprunner.amazonaws.com", ""))
	if role.ARN() != "arn:aws:iam::123456789012:role/aws-service-role/apprunner.amazonaws.com/AWSServiceRoleForAppRunner" {
		t.Errorf("ARN %s", role.ARN())
	}
	_, err := d.CreateServiceLinkedRole(ctx, account, "apprunner.amazonaws.com", "")
	wantCode(t, err, iam.CodeInvalidInput)
	ok(t, d.EnsureServiceLinkedRole(ctx, account, "apprunner.amazonaws.com"))
	wantCode(t, d.DeleteRole(ctx, account, role.Name), iam.CodeUnmodifiableEntity)
	wantCode(t, d.UpdateAssumeRolePolicy(ctx, account, role.Name, trustTasks), iam.CodeUnmodifiableEntity)
	text := "mine"
	must[iam.Role](t)(d.UpdateRole(ctx, account, role.Name, iam.RoleChange{Description: &text}))
	wantCode(t, d.AttachPolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityRole, Name: role.Name}, "arn:aws:iam::aws:policy/AdministratorAccess"), iam.CodeUnmodifiableEntity)
	ok(t, d.RemoveServiceLinkedRole(ctx, account, role.Name))
}

func TestPolicyVersions(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	text := statement("Allow", `"Action":"a:b","Resource":"*"`)
	p := must[iam.Policy](t)(d.CreatePolicy(ctx, iam.Policy{Account: account, Name: "p", Path: "/x/"}, text))
	for range 4 {
		must[iam.PolicyVersion](t)(d.CreatePolicyVersion(ctx, account, p.ARN, text, true))
	}
	_, err := d.CreatePolicyVersion(ctx, account, p.ARN, text, true)
	wantCode(t, err, iam.CodeLimitExceeded)
	wantCode(t, d.DeletePolicyVersion(ctx, account, p.ARN, "v5"), iam.CodeDeleteConflict)
	wantCode(t, d.DeletePolicy(ctx, account, p.ARN), iam.CodeDeleteConflict)
	for _, id := range []string{"v1", "v2", "v3", "v4"} {
		ok(t, d.DeletePolicyVersion(ctx, account, p.ARN, id))
	}
	if v := must[iam.PolicyVersion](t)(d.CreatePolicyVersion(ctx, account, p.ARN, text, false)); v.ID() != "v6" || v.Default {
		t.Errorf("the next version is %+v", v)
	}
	ok(t, d.SetDefaultPolicyVersion(ctx, account, p.ARN, "v6"))
	ok(t, d.DeletePolicyVersion(ctx, account, p.ARN, "v5"))
	ok(t, d.DeletePolicy(ctx, account, p.ARN))
	wantCode(t, d.DeletePolicy(ctx, account, "arn:aws:iam::aws:policy/AdministratorAccess"), apprunner.CodeAccessDenied)
	_, err = d.GetPolicy(ctx, "999999999999", p.ARN)
	wantCode(t, err, iam.CodeNoSuchEntity)
}

func TestNamesHaveNoCase(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	user(t, d, "Alice")
	_, err := d.CreateUser(ctx, iam.User{Account: account, Name: "alice"})
	wantCode(t, err, iam.CodeEntityAlreadyExists)
	if u := must[iam.User](t)(d.GetUser(ctx, account, "ALICE")); u.Name != "Alice" {
		t.Errorf("found %+v", u)
	}
	must[iam.User](t)(d.CreateUser(ctx, iam.User{Account: "999999999999", Name: "alice"}))
	ok(t, d.UpdateUser(ctx, account, "alice", "ALICE", "/new/"))
	if u := must[iam.User](t)(d.GetUser(ctx, account, "alice")); u.ARN() != "arn:aws:iam::123456789012:user/new/ALICE" {
		t.Errorf("renamed to %s", u.ARN())
	}
}

// The database alone, without its key file, must not start with a fresh key and fail at the first signature.
func TestOpenWithoutItsKeyFile(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	d := open(t, dir, c)
	must[iam.AccessKey](t)(d.EnsureRoot(t.Context(), account))
	ok(t, os.Remove(filepath.Join(dir, "iam.key")))
	db := must[*store.DB](t)(store.Open(t.Context(), filepath.Join(dir, "slipway.db")))
	defer db.Close()
	if _, err := iam.Open(t.Context(), iam.Config{DB: db, KeyFile: filepath.Join(dir, "iam.key")}); err == nil {
		t.Fatal("opened")
	}
}

// checklist: 195
func TestAuthorizeResource(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	alice, bob := user(t, d, "alice"), user(t, d, "bob")
	ok(t, d.AttachPolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityUser, Name: "bob"}, "arn:aws:iam::aws:policy/AdministratorAccess"))
	stranger := iam.Principal{Type: iam.TypeUser, Account: "999999999999", ID: "AIDANOBODY", ARN: "arn:aws:iam::999999999999:user/eve", UserName: "eve"}
	policy := func(effect, principal string) string {
		return `{"Version":"2008-10-17","Statement":[{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"ecr:BatchGetImage"}]}`
	}
	q := iam.Request{Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:us-east-1:123456789012:repository/web"}
	cases := []struct {
		name   string
		p      iam.Principal
		policy string
		want   bool
	}{
		{"no policy, no rights", alice, "", false},
		{"no policy, identity rights", bob, "", true},
		{"named itself", alice, policy("Allow", `{"AWS":"`+alice.ARN+`"}`), true},
		{"its account named", alice, policy("Allow", `{"AWS":"`+account+`"}`), false},
		{"its account named, identity rights", bob, policy("Allow", `{"AWS":"`+account+`"}`), true},
		{"another named, identity rights", bob, policy("Allow", `{"AWS":"`+alice.ARN+`"}`), true},
		{"denied, identity rights", bob, policy("Deny", `"*"`), false},
		{"another account, named, no rights there", stranger, policy("Allow", `{"AWS":"`+stranger.ARN+`"}`), false},
	}
	for _, tc := range cases {
		if err := d.AuthorizeResource(ctx, tc.p, q, tc.policy); (err == nil) != tc.want {
			t.Errorf("%s: %v, want allowed %v", tc.name, err, tc.want)
		}
	}
	limit := must[iam.Policy](t)(d.CreatePolicy(ctx, iam.Policy{Account: account, Name: "limit"}, statement("Allow", `"Action":"a:b","Resource":"*"`)))
	ok(t, d.SetUserBoundary(ctx, account, "alice", limit.ARN))
	ok(t, d.AuthorizeResource(ctx, alice, q, policy("Allow", `{"AWS":"`+alice.ARN+`"}`)))
}

// What a session may not do it may not do by way of a right handed out under its name either.
func TestHandleKeepsSessionNarrow(t *testing.T) {
	d, ctx := first(newDirectory(t)), t.Context()
	alice := user(t, d, "alice")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + alice.ARN + `"},"Action":"sts:AssumeRole"}]}`
	role := must[iam.Role](t)(d.CreateRole(ctx, iam.Role{Account: account, Name: "admin", Trust: trust}))
	ok(t, d.AttachPolicy(ctx, iam.Entity{Account: account, Kind: iam.EntityRole, Name: "admin"}, "arn:aws:iam::aws:policy/AdministratorAccess"))
	session := must[iam.Credentials](t)(d.AssumeRole(ctx, alice, iam.AssumeRoleInput{
		RoleARN: role.ARN(), SessionName: "work", Policies: []string{statement("Allow", `"Action":"ecr:GetAuthorizationToken","Resource":"*"`)},
	})).Principal
	back := must[iam.Principal](t)(d.PrincipalOf(ctx, session.Handle()))
	ok(t, d.Authorize(ctx, back, iam.Request{Action: "ecr:GetAuthorizationToken", Resource: "*"}))
	wantCode(t, d.Authorize(ctx, back, iam.Request{Action: "ecr:PutImage", Resource: "*"}), apprunner.CodeAccessDenied)
	_, err := d.PrincipalOf(ctx, session.ARN)
	wantCode(t, err, apprunner.CodeUnrecognizedKey)
	asRole := must[iam.Principal](t)(d.PrincipalOf(ctx, role.ARN()))
	ok(t, d.Authorize(ctx, asRole, iam.Request{Action: "ecr:PutImage", Resource: "*"}))
	key := must[iam.AccessKey](t)(d.CreateAccessKey(ctx, account, "alice"))
	if p := must[iam.Principal](t)(d.Password(ctx, key.ID, key.Secret)); p.ARN != alice.ARN {
		t.Errorf("password of %+v", p)
	}
	_, err = d.Password(ctx, key.ID, key.Secret[1:])
	wantCode(t, err, apprunner.CodeUnrecognizedKey)
}
