package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// SignInInput is what a person enters to sign in to the console: as root the mail address, else account and user name.
type SignInInput struct {
	Mail              string
	Account, UserName string // the account by its id or alias
	Password          string
	// Ticket takes the place of name and password in a second step.
	Ticket      string
	Code        string // from an MFA device
	NewPassword string // where one must be chosen
}

// SignInAnswer says what is still needed, or who has signed in.
type SignInAnswer struct {
	NeedsCode        bool
	NeedsNewPassword bool
	Ticket           string // for the second step, within minutes
	// Who is the person that was named, if there is one, whatever the outcome; for records, not for the person. MFA says that a
	// device was asked for.
	Who         Principal
	MFA         bool
	Credentials Credentials // set when nothing is needed any more
}

// Done tells whether the person has signed in.
func (a SignInAnswer) Done() bool { return a.Credentials.AccessKeyID != "" }

const (
	purposeTicket = "sign-in ticket"
	ticketLife    = 5 * time.Minute
)

// ticket is what the first step of a sign-in has shown.
type ticket struct {
	Mail     string `json:"m,omitempty"`
	Account  string `json:"a,omitempty"`
	UserName string `json:"u,omitempty"`
	Mark     string `json:"k"` // of the password that was right
	Expires  time.Time
	ProvedAt time.Time `json:"p,omitzero"` // when the code of an MFA device was right
}

// person is somebody with a console password: a user, or an account's root.
type person struct {
	Principal
	owner  string // as passwords name it: a user's id, or the account for root
	mail   string // of root
	sealed string // the hash of the password; "" for nobody
	reset  bool
}

// purpose is what the hash of a person's password is sealed for.
func (p person) purpose() string {
	if p.Type == TypeRoot {
		return "root " + purposePassword + p.owner
	}
	return purposePassword + p.owner
}

// SignIn lets a person in who knows the password and, where there is one, has the MFA device. What is wrong is not told: a wrong
// name and a wrong password look the same and take the same time. After some failures a name has to wait. The session lasts as
// long as one of [Directory.SessionToken] does without a wish.
func (d *Directory) SignIn(ctx context.Context, in SignInInput) (SignInAnswer, error) {
	p, seen, err := d.recognise(ctx, in)
	a := SignInAnswer{Who: p.Principal, MFA: !seen.ProvedAt.IsZero()}
	if err != nil {
		return a, err
	}
	if !a.MFA {
		if seen.ProvedAt, err = d.secondFactor(ctx, p, in.Code, &a); err != nil {
			return a, err
		}
	}
	a.NeedsNewPassword = p.reset && in.NewPassword == ""
	if a.NeedsCode || a.NeedsNewPassword {
		a.Ticket, err = d.newTicket(p, seen.ProvedAt)
		return a, err
	}
	if p.reset {
		if err := d.choosePassword(ctx, p, in.Password, in.NewPassword); err != nil {
			t, terr := d.newTicket(p, seen.ProvedAt)
			if a.NeedsNewPassword, a.Ticket = true, t; terr != nil {
				err = terr
			}
			return a, err
		}
	}
	who := p.Principal
	who.Session = &Session{MFAAt: seen.ProvedAt}
	life := 12 * time.Hour
	if p.Type == TypeRoot {
		life = maxRootSession
	}
	a.Credentials, err = d.issue(who, life)
	return a, err
}

// secondFactor asks for a code of the person's MFA devices, if there are any.
func (d *Directory) secondFactor(ctx context.Context, p person, code string, a *SignInAnswer) (time.Time, error) {
	h, _ := holderOf(p.Principal)
	devices, err := d.MFADevicesOf(ctx, h)
	if err != nil || len(devices) == 0 {
		return time.Time{}, err
	}
	if a.MFA = true; code == "" {
		a.NeedsCode = true
		return time.Time{}, nil
	}
	for _, m := range devices {
		if err = d.ProveMFA(ctx, p.Principal, m.Serial(), code); err == nil {
			return d.now().UTC().Truncate(time.Second), nil
		}
	}
	if apprunner.CodeOf(err) == apprunner.CodeAccessDenied {
		err = apprunner.Errorf(apprunner.CodeAccessDenied, "The MFA code is wrong, or was used before. Wait for the next one.")
	}
	t, terr := d.newTicket(p, time.Time{})
	if a.NeedsCode, a.Ticket = true, t; terr != nil {
		err = terr
	}
	return time.Time{}, err
}

func (d *Directory) newTicket(p person, proved time.Time) (string, error) {
	text, err := json.Marshal(ticket{
		Mail: p.mail, Account: p.Account, UserName: p.UserName, Mark: d.seal.mark("sign-in", p.sealed), Expires: d.now().Add(ticketLife), ProvedAt: proved,
	})
	if err != nil {
		return "", fmt.Errorf("make a ticket: %w", err)
	}
	return d.seal.lock(purposeTicket, text), nil
}

// recognise finds the person by ticket or password.
func (d *Directory) recognise(ctx context.Context, in SignInInput) (person, ticket, error) {
	if in.Ticket == "" {
		p, err := d.checkPassword(ctx, in)
		return p, ticket{}, err
	}
	late := apprunner.Errorf(apprunner.CodeAccessDenied, "This took too long. Sign in once more.")
	text, err := d.seal.open(purposeTicket, in.Ticket)
	var t ticket
	if err != nil || json.Unmarshal(text, &t) != nil || d.now().After(t.Expires) {
		return person{}, t, late
	}
	p, err := d.person(ctx, SignInInput{Mail: t.Mail, Account: t.Account, UserName: t.UserName})
	if err == nil && (p.sealed == "" || d.seal.mark("sign-in", p.sealed) != t.Mark) {
		err = late // the password was changed in between
	}
	return p, t, err
}

// person finds somebody by name. One who is not there, or has no password, has an empty hash.
func (d *Directory) person(ctx context.Context, in SignInInput) (p person, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		if in.Mail != "" {
			p, err = rootPerson(tx, in.Mail)
		} else {
			p, err = userPerson(tx, in.Account, in.UserName)
		}
		return err
	})
	if err != nil {
		return person{}, fmt.Errorf("look up a password: %w", err)
	}
	return p, nil
}

func userPerson(tx *store.Tx, account, name string) (p person, err error) {
	if !isAccount(account) {
		if _, err := tx.Get(`SELECT account FROM iam_aliases WHERE alias = $1`, []any{account}, &account); err != nil {
			return p, err
		}
	}
	u, err := getUser(tx, account, name)
	if apprunner.CodeOf(err) == CodeNoSuchEntity {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.Principal, p.owner = userPrincipal(u), u.ID
	_, err = tx.Get(`SELECT hash, reset FROM iam_logins WHERE owner = $1`, []any{u.ID}, &p.sealed, &p.reset)
	return p, err
}

func rootPerson(tx *store.Tx, mail string) (p person, err error) {
	found, err := tx.Get(`SELECT account, mail, hash, reset FROM iam_roots WHERE folded = $1`, []any{fold(mail)}, &p.owner, &p.mail, &p.sealed, &p.reset)
	if found {
		p.Principal = Principal{Type: TypeRoot, Account: p.owner, ID: p.owner, ARN: RootARN(p.owner)}
	}
	return p, err
}

// noSuchHash is compared where there is no user, so that it takes as long as where there is one.
const noSuchHash = "pbkdf2-sha256$600000$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// checkPassword finds the person a name and password belong to.
func (d *Directory) checkPassword(ctx context.Context, in SignInInput) (person, error) {
	p, err := d.person(ctx, in)
	if err != nil {
		return person{}, err
	}
	name := p.purpose()
	if p.owner == "" {
		name = in.Account + "/" + fold(in.UserName) + in.Mail
	}
	if wait := d.guesses.wait(name, d.now()); wait > 0 {
		return p, apprunner.Errorf(apprunner.CodeThrottling, "Too many wrong passwords. Try again in %d seconds.", int(wait/time.Second)+1)
	}
	stored := []byte(noSuchHash)
	if p.sealed != "" {
		if stored, err = d.seal.open(p.purpose(), p.sealed); err != nil {
			return person{}, fmt.Errorf("password of %s cannot be decrypted; does the key file belong to this database?: %w", p.ARN, err)
		}
	}
	fits := passwordFits(string(stored), in.Password) && p.sealed != ""
	d.guesses.note(name, fits, d.now())
	if !fits {
		// Who was meant goes into the records, nothing into the answer.
		return p, apprunner.Errorf(apprunner.CodeAccessDenied, "The account, the name or the password is wrong.")
	}
	return p, nil
}

// choosePassword replaces the password of a person; old may be empty where it is not at hand.
func (d *Directory) choosePassword(ctx context.Context, p person, old, password string) error {
	hash, err := d.checkedHash(p.UserName, password)
	if err != nil {
		return err
	}
	if old == password || p.mail != "" && strings.EqualFold(password, p.mail) {
		return apprunner.Errorf(CodePasswordPolicyViolation, "Password should not be the old one.")
	}
	stored, err := d.seal.open(p.purpose(), p.sealed)
	if err != nil {
		return fmt.Errorf("password of %s: %w", p.ARN, err)
	}
	if old == "" && passwordFits(string(stored), password) {
		return apprunner.Errorf(CodePasswordPolicyViolation, "Password should not be the old one.")
	}
	table, key := "iam_logins", "owner"
	if p.Type == TypeRoot {
		table, key = "iam_roots", "account"
	}
	return d.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`UPDATE `+table+` SET hash = $1, reset = 0 WHERE `+key+` = $2`, d.seal.lock(p.purpose(), []byte(hash)), p.owner)
	})
}
