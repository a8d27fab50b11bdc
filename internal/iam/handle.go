package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Handle is a principal as text, for rights that are handed out now and used later, such as registry passwords. It keeps what
// narrows a session, which the session's ARN does not tell. It is no secret and proves nothing: whoever stores it must protect it
// from change.
func (p Principal) Handle() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings, times and maps of strings always marshal
	}
	return string(b)
}

// PrincipalOf reads a handle back, or finds the root identity, user or role that an ARN names; a role stands for a session of it
// that the product itself opens. What the principal may do is looked up afresh each time, so rights that were taken away since
// are gone. The ARN of a session is refused: it does not tell which policies narrow that session.
func (d *Directory) PrincipalOf(ctx context.Context, name string) (Principal, error) {
	if strings.HasPrefix(name, "{") {
		var p Principal
		if err := json.Unmarshal([]byte(name), &p); err != nil {
			return Principal{}, fmt.Errorf("handle of a principal: %w", err)
		}
		return p, nil
	}
	account := AccountOf(name)
	last := name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case name == RootARN(account):
		return Principal{Type: TypeRoot, Account: account, ID: account, ARN: name}, nil
	case strings.Contains(name, ":user/"):
		u, err := d.GetUser(ctx, account, last)
		if err != nil {
			return Principal{}, err
		}
		return userPrincipal(u), nil
	case strings.Contains(name, ":role/"):
		role, err := d.GetRole(ctx, account, last)
		if err != nil {
			return Principal{}, err
		}
		p := d.roleSession(role, "AppRunner", nil, nil)
		p.Session.IssuedAt, p.Session.ExpiresAt = d.now().UTC(), d.now().UTC().Add(time.Hour)
		return p, nil
	}
	return Principal{}, unknownKey()
}
