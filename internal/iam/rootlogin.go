package iam

import (
	"context"
	"crypto/rand"
	"net/mail"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// RootLogin is how an account's root signs in to the console.
type RootLogin struct{ Account, Mail, Password string }

// NewRootLogin sets the mail address of an account's root and makes a password for it, for an owner of the machine. An empty
// address keeps the one there is. The password is in the answer only, and another must be chosen when it is first used. With
// dropMFA root's MFA devices are deactivated: they may be lost as well.
func (d *Directory) NewRootLogin(ctx context.Context, account, address string, dropMFA bool) (RootLogin, error) {
	if parsed, err := mail.ParseAddress(address); address != "" && (err != nil || parsed.Address != address || len(address) > 254) {
		return RootLogin{}, apprunner.Errorf(CodeValidationError, "%q is not a mail address.", clip(address))
	}
	login := RootLogin{account, address, newPassword()}
	hash, err := newPasswordHash(login.Password)
	if err != nil {
		return RootLogin{}, err
	}
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if err := d.checkAccount(tx, account); err != nil {
			return err
		}
		if err := login.settleMail(tx); err != nil {
			return err
		}
		p := person{Principal: Principal{Type: TypeRoot}, owner: account}
		err := tx.Exec(`INSERT INTO iam_roots (account, mail, folded, hash, reset, created) VALUES ($1, $2, $3, $4, 1, $5)
			ON CONFLICT (account) DO UPDATE SET mail = excluded.mail, folded = excluded.folded, hash = excluded.hash, reset = 1`,
			account, login.Mail, fold(login.Mail), d.seal.lock(p.purpose(), []byte(hash)), store.Micros(d.now()))
		if err == nil && dropMFA {
			err = tx.Exec(`UPDATE iam_mfa_devices SET owner = '', enabled = 0 WHERE owner = $1`, account)
		}
		return err
	})
	if err != nil {
		return RootLogin{}, err
	}
	return login, nil
}

// settleMail takes the address there is where none is given, and refuses one that another root has.
func (l *RootLogin) settleMail(tx *store.Tx) error {
	if l.Mail == "" {
		found, err := tx.Get(`SELECT mail FROM iam_roots WHERE account = $1`, []any{l.Account}, &l.Mail)
		if err == nil && !found {
			l.Mail = "root+" + l.Account + "@localhost"
		}
		return err
	}
	var other string
	found, err := tx.Get(`SELECT account FROM iam_roots WHERE folded = $1 AND account <> $2`, []any{fold(l.Mail), l.Account}, &other)
	if err == nil && found {
		err = apprunner.Errorf(CodeEntityAlreadyExists, "The mail address %s is that of the root of account %s.", l.Mail, other)
	}
	return err
}

// newPassword is a random one that the policy allows: words of letters that are not mistaken for others, and of three kinds.
func newPassword() string {
	text := strings.ToLower(rand.Text()[:20])
	return "Sw1-" + text[:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:]
}
