package iam_test

import (
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
)

// checklist: 13
func TestRootSignsInByMail(t *testing.T) {
	d, c := newDirectory(t)
	ctx := t.Context()
	must[iam.AccessKey](t)(d.EnsureRoot(ctx, account))
	must[iam.AccessKey](t)(d.EnsureRoot(ctx, "999999999999"))
	login := must[iam.RootLogin](t)(d.NewRootLogin(ctx, account, "Owner@example.com", false))
	_, err := d.NewRootLogin(ctx, "999999999999", "owner@EXAMPLE.com", false)
	wantCode(t, err, iam.CodeEntityAlreadyExists)
	_, err = d.NewRootLogin(ctx, account, "not an address", false)
	wantCode(t, err, iam.CodeValidationError)
	_, err = d.NewRootLogin(ctx, "111111111111", "", false)
	wantCode(t, err, iam.CodeNoSuchEntity)

	first := must[iam.SignInAnswer](t)(d.SignIn(ctx, iam.SignInInput{Mail: "owner@example.com", Password: login.Password}))
	if first.Done() || !first.NeedsNewPassword || first.Ticket == "" {
		t.Fatalf("first sign-in: %+v", first)
	}
	for _, bad := range []string{"short", login.Password, "OWNER@example.com"} {
		a, err := d.SignIn(ctx, iam.SignInInput{Ticket: first.Ticket, NewPassword: bad})
		wantCode(t, err, iam.CodePasswordPolicyViolation)
		if !a.NeedsNewPassword || a.Done() {
			t.Errorf("after %q: %+v", bad, a)
		}
	}
	done := must[iam.SignInAnswer](t)(d.SignIn(ctx, iam.SignInInput{Ticket: first.Ticket, NewPassword: "Another-one-9"}))
	p := done.Credentials.Principal
	if p.ARN != iam.RootARN(account) || p.Type != iam.TypeRoot || done.Credentials.ExpiresAt.Sub(c.Now()) > time.Hour {
		t.Errorf("signed in as %+v until %s", p, done.Credentials.ExpiresAt)
	}
	_, err = d.SignIn(ctx, iam.SignInInput{Ticket: first.Ticket, NewPassword: "Another-one-10"})
	wantCode(t, err, apprunner.CodeAccessDenied) // the ticket was for the password before
	_, err = d.SignIn(ctx, iam.SignInInput{Mail: "owner@example.com", Password: login.Password})
	wantCode(t, err, apprunner.CodeAccessDenied)
	kept := must[iam.RootLogin](t)(d.NewRootLogin(ctx, account, "", true))
	if kept.Mail != "Owner@example.com" || kept.Password == login.Password {
		t.Errorf("lost access: %+v", kept)
	}
}

func TestTicketsEnd(t *testing.T) {
	d, c := newDirectory(t)
	ctx := t.Context()
	must[iam.AccessKey](t)(d.EnsureRoot(ctx, account))
	login := must[iam.RootLogin](t)(d.NewRootLogin(ctx, account, "", false))
	if !strings.Contains(login.Mail, account) {
		t.Errorf("address %s", login.Mail)
	}
	a := must[iam.SignInAnswer](t)(d.SignIn(ctx, iam.SignInInput{Mail: login.Mail, Password: login.Password}))
	for _, forged := range []string{"x", a.Ticket[:len(a.Ticket)-2] + "AA"} {
		_, err := d.SignIn(ctx, iam.SignInInput{Ticket: forged, NewPassword: "Another-one-9"})
		wantCode(t, err, apprunner.CodeAccessDenied)
	}
	c.Advance(6 * time.Minute)
	_, err := d.SignIn(ctx, iam.SignInInput{Ticket: a.Ticket, NewPassword: "Another-one-9"})
	wantCode(t, err, apprunner.CodeAccessDenied)
}

func TestGuessesAreSlowedUnderEveryName(t *testing.T) {
	d, _ := newDirectory(t)
	ctx := t.Context()
	must[iam.AccessKey](t)(d.EnsureRoot(ctx, account))
	ok(t, d.CreateAlias(ctx, account, "shop"))
	userOf(t, d, account, "alice", "")
	must[iam.Login](t)(d.CreateLogin(ctx, account, "alice", "First-pass1", false))
	for i := range 5 { // an alias is no further name to guess at
		_, _ = d.SignIn(ctx, iam.SignInInput{Account: []string{account, "shop"}[i%2], UserName: "alice", Password: "guess"})
	}
	_, err := d.SignIn(ctx, iam.SignInInput{Account: "shop", UserName: "ALICE", Password: "First-pass1"})
	wantCode(t, err, apprunner.CodeThrottling)
}
