package iam

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Login is the console password of a user, without the password.
type Login struct {
	UserName string
	Created  time.Time
	Reset    bool // must be changed at the next sign-in
}

// PasswordPolicy says what passwords must be like. The zero value asks for what AWS asks for by default: 8 characters of three of
// the four kinds, and not the name of the user.
type PasswordPolicy struct {
	MinLength int // 6 to 128; 0 means 8
	Kinds     int // how many of capitals, small letters, digits and other characters; 0 means 3
}

// Error codes of passwords.
const (
	CodePasswordPolicyViolation apprunner.Code = "PasswordPolicyViolation"
	CodeInvalidUserType         apprunner.Code = "InvalidUserType"
)

const (
	purposePassword = "password "
	maxPassword     = 128
	// rounds make guessing at a stolen hash slow (OWASP's figure for PBKDF2 with SHA-256). The hash is sealed as well, so that the
	// database alone is no use.
	rounds = 600_000
)

// check refuses a password that the policy does not allow.
func (p PasswordPolicy) check(user, password string) error {
	least, kinds := p.MinLength, p.Kinds
	if least == 0 {
		least = 8
	}
	if kinds == 0 {
		kinds = 3
	}
	var found [4]int
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			found[0] = 1
		case unicode.IsLower(r):
			found[1] = 1
		case unicode.IsDigit(r):
			found[2] = 1
		default:
			found[3] = 1
		}
	}
	n := len([]rune(password))
	switch {
	case n < least || n > maxPassword:
		return apprunner.Errorf(CodePasswordPolicyViolation, "Password should have a length of %d to %d characters.", least, maxPassword)
	case found[0]+found[1]+found[2]+found[3] < kinds:
		return apprunner.Errorf(CodePasswordPolicyViolation, "Password should have at least %d of: capitals, small letters, digits, other characters.", kinds)
	case user != "" && strings.EqualFold(user, password):
		return apprunner.Errorf(CodePasswordPolicyViolation, "Password should not be the name of the user.")
	}
	return nil
}

// hashPassword is what is stored of a password: the way it was made, so that it can be made otherwise later, a salt and the hash.
func hashPassword(password string, iterations int, salt []byte) (string, error) {
	sum, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	enc := base64.RawStdEncoding
	return "pbkdf2-sha256$" + strconv.Itoa(iterations) + "$" + enc.EncodeToString(salt) + "$" + enc.EncodeToString(sum), nil
}

func newPasswordHash(password string) (string, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	return hashPassword(password, rounds, salt)
}

// passwordFits compares in constant time.
func passwordFits(stored, password string) bool {
	parts := strings.Split(stored, "$")
	if len(parts) != 4 || parts[0] != "pbkdf2-sha256" {
		return false
	}
	n, err := strconv.Atoi(parts[1])
	salt, err2 := base64.RawStdEncoding.DecodeString(parts[2])
	if err != nil || err2 != nil || n < 1 || n > 10*rounds || len(password) > 4*maxPassword {
		return false
	}
	made, err := hashPassword(password, n, salt)
	return err == nil && subtle.ConstantTimeCompare([]byte(made), []byte(stored)) == 1
}

func noLogin(user string) error {
	return apprunner.Errorf(CodeNoSuchEntity, "Login Profile for User %s cannot be found.", clip(user))
}

// CreateLogin gives a user a console password.
func (d *Directory) CreateLogin(ctx context.Context, account, user, password string, reset bool) (l Login, err error) {
	hash, err := d.checkedHash(user, password)
	if err != nil {
		return Login{}, err
	}
	l = Login{UserName: user, Created: d.now().UTC().Truncate(time.Second), Reset: reset}
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := getUser(tx, account, user)
		if err != nil {
			return err
		}
		l.UserName = u.Name
		n, err := tx.ExecCount(`INSERT INTO iam_logins (owner, hash, reset, created) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			u.ID, d.seal.lock(purposePassword+u.ID, []byte(hash)), toInt(reset), store.Micros(l.Created))
		if err == nil && n == 0 {
			return apprunner.Errorf(CodeEntityAlreadyExists, "Login Profile for user %s already exists.", clip(user))
		}
		return err
	})
	return l, err
}

func (d *Directory) checkedHash(user, password string) (string, error) {
	if err := d.passwords.check(user, password); err != nil {
		return "", err
	}
	return newPasswordHash(password)
}

// GetLogin tells whether a user has a console password.
func (d *Directory) GetLogin(ctx context.Context, account, user string) (l Login, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		u, err := getUser(tx, account, user)
		if err != nil {
			return err
		}
		var created int64
		found, err := tx.Get(`SELECT reset, created FROM iam_logins WHERE owner = $1`, []any{u.ID}, &l.Reset, &created)
		if err == nil && !found {
			err = noLogin(user)
		}
		l.UserName, l.Created = u.Name, store.Time(created)
		return err
	})
	return l, err
}

// UpdateLogin changes the password of a user, or whether it must be changed; nil leaves a thing as it is.
func (d *Directory) UpdateLogin(ctx context.Context, account, user string, password *string, reset *bool) error {
	hash := ""
	if password != nil {
		var err error
		if hash, err = d.checkedHash(user, *password); err != nil {
			return err
		}
	}
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := getUser(tx, account, user)
		if err != nil {
			return err
		}
		return d.updateLogin(tx, u, hash, reset)
	})
}

func (d *Directory) updateLogin(tx *store.Tx, u User, hash string, reset *bool) error {
	var must bool
	found, err := tx.Get(`SELECT reset FROM iam_logins WHERE owner = $1`, []any{u.ID}, &must)
	if err == nil && !found {
		err = noLogin(u.Name)
	}
	if err != nil {
		return err
	}
	if reset != nil {
		must = *reset
	}
	if hash == "" {
		return tx.Exec(`UPDATE iam_logins SET reset = $1 WHERE owner = $2`, toInt(must), u.ID)
	}
	return tx.Exec(`UPDATE iam_logins SET hash = $1, reset = $2 WHERE owner = $3`, d.seal.lock(purposePassword+u.ID, []byte(hash)), toInt(must), u.ID)
}

// DeleteLogin takes the console password of a user away.
func (d *Directory) DeleteLogin(ctx context.Context, account, user string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := getUser(tx, account, user)
		if err != nil {
			return err
		}
		n, err := tx.ExecCount(`DELETE FROM iam_logins WHERE owner = $1`, u.ID)
		if err == nil && n == 0 {
			err = noLogin(user)
		}
		return err
	})
}

// ChangePassword lets a user choose another password, who knows the old one.
func (d *Directory) ChangePassword(ctx context.Context, account, user, old, password string) error {
	if _, err := d.GetLogin(ctx, account, user); err != nil {
		return err
	}
	p, err := d.checkPassword(ctx, SignInInput{Account: account, UserName: user, Password: old})
	if err != nil {
		return err
	}
	return d.choosePassword(ctx, p, old, password)
}
