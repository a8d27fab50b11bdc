package iam_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
)

const otherAccount = "999999999999"

func allowing(actions ...string) string {
	return statement("Allow", `"Action":["`+strings.Join(actions, `","`)+`"],"Resource":"*"`)
}

func userOf(t testing.TB, d *iam.Directory, account, name, policy string) iam.Principal {
	t.Helper()
	u := must[iam.User](t)(d.CreateUser(t.Context(), iam.User{Account: account, Name: name}))
	if policy != "" {
		ok(t, d.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityUser, Name: name}, "p", policy))
	}
	return iam.Principal{Type: iam.TypeUser, Account: account, ID: u.ID, ARN: u.ARN(), UserName: u.Name}
}

// Every condition operator, with a key that has one value, several, and none.
//
// checklist: 199
func TestConditionOperators(t *testing.T) {
	const one, many, none = "k1", "k2", "k3"
	cases := []struct {
		operator, want string // want: T or F for one, many, none
		value, list    string // what the keys have
		policy         string // JSON of the policy's values
	}{
		{"StringEquals", "TTF", "a", "a,b", `"a"`},
		{"StringEquals", "FFF", "A", "c,d", `["a","b"]`},
		{"StringNotEquals", "FFT", "a", "a,b", `"a"`},
		{"StringNotEquals", "TTT", "x", "x,y", `["a","b"]`},
		{"StringEqualsIgnoreCase", "TTF", "A", "B,x", `["a","b"]`},
		{"StringNotEqualsIgnoreCase", "FFT", "A", "B,x", `["a","b"]`},
		{"StringLike", "TTF", "abc", "x,ab", `"a*"`},
		{"StringLike", "FTF", "ab", "abc,x", `"a??"`},
		{"StringNotLike", "FFT", "abc", "x,ab", `"a*"`},
		{"StringLike", "FTF", "", "x,y", `"?"`},
		{"ArnEquals", "TFF", "arn:aws:a:b:c:d/e", "arn:aws:a:b:c:x,y", `"arn:aws:a:*:c:d/*"`},
		{"ArnLike", "FTF", "arn:aws:a:b:c", "arn:aws:a:b:c:d,x", `"arn:aws:a:b:c:?"`},
		{"ArnNotEquals", "FTT", "arn:aws:a:b:c:d", "arn:aws:a:b:c:x,y", `"arn:aws:a:b:c:d"`},
		{"ArnNotLike", "TFT", "arn:aws:a:b:c:e", "arn:aws:a:b:c:d,y", `"arn:aws:*:b:c:d"`},
		{"NumericEquals", "TTF", "5", "1,5", `5`},
		{"NumericNotEquals", "FFT", "5.0", "1,5", `5`},
		{"NumericLessThan", "FTF", "5", "4,6", `5`},
		{"NumericLessThanEquals", "TTF", "5", "4,6", `5`},
		{"NumericGreaterThan", "FTF", "5", "4,6", `5`},
		{"NumericGreaterThanEquals", "TFF", "5", "4,3", `"5"`},
		{"DateEquals", "TTF", "2026-01-01T00:00:00Z", "1767225600,0", `"1767225600"`},
		{"DateNotEquals", "FFT", "2026-01-01T00:00:00Z", "1767225600,0", `"2026-01-01"`},
		{"DateLessThan", "FTF", "2026-01-01T00:00:00Z", "0,1999999999", `"2026-01-01T00:00:00Z"`},
		{"DateLessThanEquals", "TTF", "2026-01-01T00:00:00Z", "0,1", `"2026-01-01T00:00:00Z"`},
		{"DateGreaterThan", "FTF", "2026-01-01T00:00:00Z", "0,1999999999", `"2026-01-01T00:00:00Z"`},
		{"DateGreaterThanEquals", "TFF", "2026-01-01T00:00:00Z", "0,1", `"2026-01-01T00:00:00Z"`},
		{"Bool", "TTF", "true", "false,true", `true`},
		{"Bool", "FFF", "true", "true,1", `"false"`},
		{"IpAddress", "TTF", "10.1.2.3", "192.0.2.1,10.0.0.1", `"10.0.0.0/8"`},
		{"IpAddress", "FTF", "2001:db8::1", "10.0.0.1,2001:db9::1", `["2001:db9::/32"]`},
		{"NotIpAddress", "FFT", "10.1.2.3", "192.0.2.1,10.0.0.1", `"10.0.0.0/8"`},
		{"IpAddress", "TFF", "::ffff:10.1.2.3", "no address,11.0.0.1", `"10.1.2.3"`},
		{"Null", "FFT", "a", "a,b", `true`},
		{"Null", "TTF", "a", "a,b", `"false"`},
		{"StringEqualsIfExists", "FTT", "x", "a,b", `"a"`},
		{"StringNotEqualsIfExists", "TFT", "x", "a,b", `"a"`},
		{"NumericLessThanIfExists", "FTT", "9", "4,6", `5`},
		{"BoolIfExists", "FFT", "false", "false,x", `true`},
		{"IpAddressIfExists", "FFT", "11.0.0.1", "a,b", `"10.0.0.0/8"`},
		{"ArnLikeIfExists", "FFT", "x", "y,z", `"arn:aws:a:b:c:d"`},
		{"ForAllValues:StringEquals", "TFT", "a", "a,c", `["a","b"]`},
		{"ForAllValues:StringLike", "TTT", "ab", "a1,a2", `"a*"`},
		{"ForAllValues:StringNotEquals", "FFT", "a", "x,a", `"a"`},
		{"ForAllValues:NumericLessThan", "TFT", "1", "1,9", `5`},
		{"ForAllValues:StringEqualsIfExists", "FTT", "x", "a,b", `["a","b"]`},
		{"ForAnyValue:StringEquals", "FTF", "x", "x,b", `["a","b"]`},
		{"ForAnyValue:StringNotEquals", "FTF", "a", "a,x", `"a"`},
		{"ForAnyValue:StringLike", "FTF", "b", "b,ab", `"a*"`},
		{"ForAnyValue:IpAddress", "FTF", "11.0.0.1", "11.0.0.1,10.0.0.1", `"10.0.0.0/8"`},
		{"ForAnyValue:StringEqualsIfExists", "FTT", "x", "x,a", `"a"`},
	}
	tried := map[string]bool{}
	for _, tc := range cases {
		tried[tc.operator] = true
		q := iam.Request{Action: "a:B", Resource: "*", Context: map[string][]string{one: {tc.value}, many: strings.Split(tc.list, ",")}}
		got := ""
		for _, key := range []string{one, many, none} {
			doc := parse(t, statement("Allow", fmt.Sprintf(`"Action":"*","Resource":"*","Condition":{%q:{%q:%s}}`, tc.operator, key, tc.policy)))
			if iam.Evaluate([]iam.Document{doc}, q) == iam.Allow {
				got += "T"
			} else {
				got += "F"
			}
		}
		if got != tc.want {
			t.Errorf("%s %s: one %q, many %q, none: %s, want %s", tc.operator, tc.policy, tc.value, tc.list, got, tc.want)
		}
	}
	for _, op := range iam.OperatorNames() {
		if !tried[op] {
			t.Errorf("the operator %s has no case", op)
		}
	}
}

// A brace before a variable does not hide it.
func TestVariablesAreFilledInWhereverTheyStand(t *testing.T) {
	q := iam.Request{Action: "a:B", Resource: "arn:aws:s3:::b/}x-alice-y", Context: map[string][]string{"aws:username": {"alice"}}}
	for resource, want := range map[string]iam.Decision{
		"arn:aws:s3:::b/}x-${aws:username}-y": iam.Allow, "arn:aws:s3:::b/}x-${aws:username}-${*}": iam.ImplicitDeny, "arn:aws:s3:::b/${?}x-${aws:username}-y": iam.ImplicitDeny,
		"arn:aws:s3:::b/}x-${aws:username": iam.ImplicitDeny, "arn:aws:s3:::b/*-${aws:username}-*": iam.Allow,
	} {
		if got := iam.Evaluate([]iam.Document{parse(t, statement("Allow", fmt.Sprintf(`"Action":"*","Resource":%q`, resource)))}, q); got != want {
			t.Errorf("%s: %v, want %v", resource, got, want)
		}
	}
}

// What an account may not do, nobody in it may, root included; a service's own role is not bound.
//
// checklist: 196
func TestLimitsBindAWholeAccount(t *testing.T) {
	d, _ := newDirectory(t)
	must[iam.AccessKey](t)(d.EnsureRoot(t.Context(), account))
	root := iam.Principal{Type: iam.TypeRoot, Account: account, ID: account, ARN: iam.RootARN(account)}
	alice := userOf(t, d, account, "alice", allowing("*"))
	ok(t, d.EnsureServiceLinkedRole(t.Context(), account, "apprunner.amazonaws.com"))
	linked := must[iam.Principal](t)(d.PrincipalOf(t.Context(), "arn:aws:iam::123456789012:role/aws-service-role/apprunner.amazonaws.com/AWSServiceRoleForAppRunner"))
	log := iam.Request{Action: "logs:CreateLogGroup", Resource: "arn:aws:logs:us-east-1:123456789012:log-group:/aws/apprunner/x"}
	ok(t, d.SetAccountPolicies(t.Context(), account, []string{allowing("*"), statement("Deny", `"Action":"apprunner:DescribeService","Resource":"*"`)}))
	for _, p := range []iam.Principal{root, alice} {
		wantCode(t, d.Authorize(t.Context(), p, describe), apprunner.CodeAccessDenied)
		ok(t, d.Authorize(t.Context(), p, log))
	}
	ok(t, d.SetAccountPolicies(t.Context(), account, []string{allowing("apprunner:*")}))
	for _, p := range []iam.Principal{root, alice} {
		ok(t, d.Authorize(t.Context(), p, describe))
		wantCode(t, d.Authorize(t.Context(), p, log), apprunner.CodeAccessDenied)
	}
	ok(t, d.Authorize(t.Context(), linked, log))
	ok(t, d.SetAccountPolicies(t.Context(), account, nil))
	ok(t, d.Authorize(t.Context(), root, log))
	wantCode(t, d.SetAccountPolicies(t.Context(), otherAccount, nil), iam.CodeNoSuchEntity)
	wantCode(t, d.SetAccountPolicies(t.Context(), account, []string{"{}"}), iam.CodeMalformedPolicyDocument)
}

// checklist: 194, 195
func TestRolesAcrossAccounts(t *testing.T) {
	d, _ := newDirectory(t)
	alice := userOf(t, d, account, "alice", allowing("sts:AssumeRole"))
	bob := userOf(t, d, account, "bob", "")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:user/bob"]},"Action":"sts:AssumeRole",
		"Condition":{"StringEquals":{"sts:ExternalId":"secret word"}}}]}`
	role := must[iam.Role](t)(d.CreateRole(t.Context(), iam.Role{Account: otherAccount, Name: "visitor", Trust: trust}))
	ok(t, d.PutInlinePolicy(t.Context(), iam.Entity{Account: otherAccount, Kind: iam.EntityRole, Name: "visitor"}, "p", allowing("apprunner:*")))
	ask := iam.AssumeRoleInput{RoleARN: role.ARN(), SessionName: "visit", ExternalID: "secret word"}
	c := must[iam.Credentials](t)(d.AssumeRole(t.Context(), alice, ask))
	// A session is of the role's account, and has none of the caller's rights.
	if c.Principal.Account != otherAccount {
		t.Errorf("session of account %s", c.Principal.Account)
	}
	wantCode(t, d.Authorize(t.Context(), c.Principal, describe), apprunner.CodeAccessDenied)
	ok(t, d.Authorize(t.Context(), c.Principal, iam.Request{Action: "apprunner:DescribeService", Resource: strings.ReplaceAll(service1, account, otherAccount)}))
	// Across accounts being named does not replace a right of one's own.
	_, err := d.AssumeRole(t.Context(), bob, ask)
	wantCode(t, err, apprunner.CodeAccessDenied)
	_, err = d.AssumeRole(t.Context(), alice, iam.AssumeRoleInput{RoleARN: role.ARN(), SessionName: "visit"})
	wantCode(t, err, apprunner.CodeAccessDenied)
	_, err = d.AssumeRole(t.Context(), userOf(t, d, "111111111111", "eve", allowing("*")), ask)
	wantCode(t, err, apprunner.CodeAccessDenied)
}

// Named directly by a resource, a caller is not limited by its boundary, but a session stays as narrow as it is.
//
// checklist: 195
func TestNamedDirectly(t *testing.T) {
	d, _ := newDirectory(t)
	alice := userOf(t, d, account, "alice", allowing("iam:*"))
	ok(t, d.SetUserBoundary(t.Context(), account, "alice", must[iam.Policy](t)(d.CreatePolicy(t.Context(), iam.Policy{Account: account, Name: "limit"}, allowing("iam:*"))).ARN))
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:user/alice","arn:aws:iam::123456789012:role/first"]},
		"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	for _, name := range []string{"first", "second"} {
		must[iam.Role](t)(d.CreateRole(t.Context(), iam.Role{Account: account, Name: name, Trust: trust}))
	}
	first, second := "arn:aws:iam::123456789012:role/first", "arn:aws:iam::123456789012:role/second"
	wide := must[iam.Credentials](t)(d.AssumeRole(t.Context(), alice, iam.AssumeRoleInput{RoleARN: first, SessionName: "wide"}))
	must[iam.Credentials](t)(d.AssumeRole(t.Context(), wide.Principal, iam.AssumeRoleInput{RoleARN: second, SessionName: "next"}))
	narrow := must[iam.Credentials](t)(d.AssumeRole(t.Context(), alice, iam.AssumeRoleInput{RoleARN: first, SessionName: "narrow", Policies: []string{allowing("apprunner:*")}}))
	_, err := d.AssumeRole(t.Context(), narrow.Principal, iam.AssumeRoleInput{RoleARN: second, SessionName: "next"})
	wantCode(t, err, apprunner.CodeAccessDenied)
}

func TestSessionsHandOnTagsAndSource(t *testing.T) {
	d, _ := newDirectory(t)
	alice := userOf(t, d, account, "alice", "")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:user/alice","arn:aws:iam::123456789012:role/r"]},
		"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	must[iam.Role](t)(d.CreateRole(t.Context(), iam.Role{Account: account, Name: "r", Trust: trust}))
	ok(t, d.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityRole, Name: "r"}, "p",
		statement("Allow", `"Action":"apprunner:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"ops","aws:SourceIdentity":"Alice"}}`)))
	ask := iam.AssumeRoleInput{RoleARN: "arn:aws:iam::123456789012:role/r", SessionName: "one", Tags: map[string]string{"team": "ops", "own": "x"}, Transitive: []string{"team"}, SourceIdentity: "Alice"}
	one := must[iam.Credentials](t)(d.AssumeRole(t.Context(), alice, ask))
	ok(t, d.Authorize(t.Context(), one.Principal, describe))
	two := must[iam.Credentials](t)(d.AssumeRole(t.Context(), one.Principal, iam.AssumeRoleInput{RoleARN: ask.RoleARN, SessionName: "two"}))
	ok(t, d.Authorize(t.Context(), two.Principal, describe))
	if s := two.Principal.Session; s.Tags["team"] != "ops" || s.Tags["own"] != "" || s.SourceIdentity != "Alice" {
		t.Errorf("the second session is %+v", s)
	}
	_, err := d.AssumeRole(t.Context(), one.Principal, iam.AssumeRoleInput{RoleARN: ask.RoleARN, SessionName: "two", Tags: map[string]string{"team": "dev"}})
	wantCode(t, err, iam.CodeInvalidInput)
	_, err = d.AssumeRole(t.Context(), one.Principal, iam.AssumeRoleInput{RoleARN: ask.RoleARN, SessionName: "two", SourceIdentity: "Bob"})
	wantCode(t, err, apprunner.CodeAccessDenied)
}

// checklist: 194, 195
func TestFederatedUsers(t *testing.T) {
	d, _ := newDirectory(t)
	alice := userOf(t, d, account, "alice", allowing("apprunner:*"))
	vouched := must[iam.Credentials](t)(d.FederationToken(t.Context(), alice, iam.FederationInput{Name: "guest", Policies: []string{allowing("apprunner:Describe*", "iam:*")}}))
	if p := vouched.Principal; p.ARN != "arn:aws:sts::123456789012:federated-user/guest" || p.ID != "123456789012:guest" || p.Type != iam.TypeFederatedUser {
		t.Errorf("principal %+v", p)
	}
	ok(t, d.Authorize(t.Context(), vouched.Principal, describe))
	for _, action := range []string{"apprunner:DeleteService", "iam:ListUsers"} { // one side alone is not enough
		wantCode(t, d.Authorize(t.Context(), vouched.Principal, iam.Request{Action: action, Resource: "*"}), apprunner.CodeAccessDenied)
	}
	bare := must[iam.Credentials](t)(d.FederationToken(t.Context(), alice, iam.FederationInput{Name: "guest"}))
	wantCode(t, d.Authorize(t.Context(), bare.Principal, describe), apprunner.CodeAccessDenied)
	root := iam.Principal{Type: iam.TypeRoot, Account: account, ID: account, ARN: iam.RootARN(account)}
	byRoot := must[iam.Credentials](t)(d.FederationToken(t.Context(), root, iam.FederationInput{Name: "guest", Policies: []string{allowing("apprunner:*")}}))
	ok(t, d.Authorize(t.Context(), byRoot.Principal, describe))
	wantCode(t, d.Authorize(t.Context(), byRoot.Principal, iam.Request{Action: "iam:ListUsers", Resource: "*"}), apprunner.CodeAccessDenied)
	if life := byRoot.ExpiresAt.Sub(byRoot.Principal.Session.IssuedAt); life != time.Hour {
		t.Errorf("root's token lives %v", life)
	}
	_, err := d.FederationToken(t.Context(), vouched.Principal, iam.FederationInput{Name: "next"})
	wantCode(t, err, apprunner.CodeAccessDenied)
}

func TestAccounts(t *testing.T) {
	d, _ := newDirectory(t)
	first, id, err := d.CreateAccount(t.Context(), otherAccount)
	ok(t, err)
	if id != otherAccount || first.Secret == "" {
		t.Errorf("account %s, key %+v", id, first)
	}
	_, _, err = d.CreateAccount(t.Context(), otherAccount)
	wantCode(t, err, iam.CodeEntityAlreadyExists)
	_, chosen, err := d.CreateAccount(t.Context(), "")
	ok(t, err)
	if len(chosen) != 12 {
		t.Errorf("chose the account id %q", chosen)
	}
	ok(t, d.CreateAlias(t.Context(), otherAccount, "shop"))
	ok(t, d.CreateAlias(t.Context(), otherAccount, "shop-2"))
	wantCode(t, d.CreateAlias(t.Context(), chosen, "shop-2"), iam.CodeEntityAlreadyExists)
	list := must[[]iam.Account](t)(d.Accounts(t.Context()))
	if len(list) != 2 || list[len(list)-1].ID != max(chosen, otherAccount) || must[string](t)(d.AccountOfAlias(t.Context(), "shop-2")) != otherAccount {
		t.Errorf("accounts %+v", list)
	}
	second := must[iam.AccessKey](t)(d.NewRootKey(t.Context(), otherAccount, false))
	_, err = d.NewRootKey(t.Context(), otherAccount, false)
	wantCode(t, err, iam.CodeLimitExceeded)
	third := must[iam.AccessKey](t)(d.NewRootKey(t.Context(), otherAccount, true))
	for key, want := range map[iam.AccessKey]apprunner.Code{first: apprunner.CodeUnrecognizedKey, second: apprunner.CodeUnrecognizedKey, third: ""} {
		if _, err := d.Password(t.Context(), key.ID, key.Secret); apprunner.CodeOf(err) != want && (want != "" || err != nil) {
			t.Errorf("key %s: %v, want %s", key.ID, err, want)
		}
	}
	_, err = d.NewRootKey(t.Context(), "111111111111", false)
	wantCode(t, err, iam.CodeNoSuchEntity)
}

// checklist: 13
func TestConsolePasswords(t *testing.T) {
	d, c := newDirectory(t)
	userOf(t, d, account, "alice", "")
	must[iam.AccessKey](t)(d.EnsureRoot(t.Context(), account))
	ok(t, d.CreateAlias(t.Context(), account, "shop"))
	for _, weak := range []string{"short1A", "onlyletters", strings.Repeat("aA1", 50)} {
		_, err := d.CreateLogin(t.Context(), account, "alice", weak, true)
		wantCode(t, err, iam.CodePasswordPolicyViolation)
	}
	must[iam.Login](t)(d.CreateLogin(t.Context(), account, "alice", "First-pass1", true))
	_, err := d.CreateLogin(t.Context(), account, "alice", "First-pass1", true)
	wantCode(t, err, iam.CodeEntityAlreadyExists)
	signIn := func(account, user, password string) (iam.SignInAnswer, error) {
		return d.SignIn(t.Context(), iam.SignInInput{Account: account, UserName: user, Password: password})
	}
	if a := must[iam.SignInAnswer](t)(signIn(account, "alice", "First-pass1")); !a.NeedsNewPassword || a.NeedsCode || a.Done() || a.Ticket == "" {
		t.Errorf("first sign-in: %+v", a)
	}
	wantCode(t, d.ChangePassword(t.Context(), account, "alice", "First-pass1", "First-pass1"), iam.CodePasswordPolicyViolation)
	ok(t, d.ChangePassword(t.Context(), account, "alice", "First-pass1", "Second-pass2"))
	p := must[iam.SignInAnswer](t)(signIn("shop", "Alice", "Second-pass2")).Credentials.Principal
	if p.ARN != "arn:aws:iam::123456789012:user/alice" {
		t.Errorf("signed in as %+v", p)
	}
	wantCode(t, d.DeleteUser(t.Context(), account, "alice"), iam.CodeDeleteConflict)
	for _, try := range [][3]string{{account, "alice", "First-pass1"}, {account, "bob", "Second-pass2"}, {"nowhere", "alice", "Second-pass2"}} {
		_, err := signIn(try[0], try[1], try[2])
		wantCode(t, err, apprunner.CodeAccessDenied)
	}
	for range 4 {
		_, _ = signIn(account, "alice", "guess")
	}
	_, err = signIn(account, "alice", "Second-pass2")
	wantCode(t, err, apprunner.CodeThrottling)
	c.Advance(time.Minute)
	must[iam.SignInAnswer](t)(signIn(account, "alice", "Second-pass2"))
	yes := true
	ok(t, d.UpdateLogin(t.Context(), account, "alice", nil, &yes))
	if l := must[iam.Login](t)(d.GetLogin(t.Context(), account, "alice")); !l.Reset {
		t.Errorf("login %+v", l)
	}
	ok(t, d.DeleteLogin(t.Context(), account, "alice"))
	wantCode(t, d.DeleteLogin(t.Context(), account, "alice"), iam.CodeNoSuchEntity)
}
