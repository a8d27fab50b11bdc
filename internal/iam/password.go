package iam

import (
	"context"
	"crypto/subtle"
	"strings"
	"time"
)

// Password verifies an access key given as a user name and password, as git clients do over Basic authentication: the key's id
// and its secret. Temporary keys are refused: their token has no place there.
func (d *Directory) Password(ctx context.Context, keyID, secret string) (Principal, error) {
	want, p, err := d.keyOwner(ctx, keyID)
	if err != nil {
		return Principal{}, err
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(secret)) != 1 {
		return Principal{}, unknownKey()
	}
	d.used(keyID, keyUse{At: d.now(), Service: "git"})
	return p, nil
}

// PrincipalOf finds the root identity, user or role session that an ARN names, for rights that were handed out earlier under that
// ARN, such as registry passwords. What it may do is looked up afresh, so rights that were taken away since are gone.
func (d *Directory) PrincipalOf(ctx context.Context, arn string) (Principal, error) {
	account := AccountOf(arn)
	if arn == RootARN(account) {
		return Principal{Type: TypeRoot, Account: account, ID: account, ARN: arn}, nil
	}
	_, rest, isUser := strings.Cut(arn, ":user/")
	if isUser {
		u, err := d.GetUser(ctx, account, rest[strings.LastIndexByte(rest, '/')+1:])
		if err != nil {
			return Principal{}, err
		}
		return userPrincipal(u), nil
	}
	_, rest, isSession := strings.Cut(arn, ":assumed-role/")
	name, session, _ := strings.Cut(rest, "/")
	if !isSession {
		return Principal{}, unknownKey()
	}
	role, err := d.GetRole(ctx, account, name)
	if err != nil {
		return Principal{}, err
	}
	s := &Session{RoleID: role.ID, RoleARN: role.ARN(), RoleName: role.Name, Name: session, ExpiresAt: d.now().Add(time.Hour)}
	return Principal{Type: TypeAssumedRole, Account: account, ID: role.ID + ":" + session, ARN: arn, Session: s}, nil
}
