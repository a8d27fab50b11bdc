package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/store"
)

// Accounts looks after the accounts of an installation from the machine itself: it needs the data directory and no access key,
// and works whether the installation runs or not.
type Accounts struct {
	conf Config
	db   *store.DB
	dir  *iam.Directory
}

// RootKey is an access key of an account's root.
type RootKey struct{ Account, ID, Secret string }

// Account is one account of an installation.
type Account struct {
	ID, Alias string
	Limits    int // policies that bind everybody in it
}

// OpenAccounts opens the identities over a data directory that an installation has been started over before.
func OpenAccounts(ctx context.Context, dataDir string) (*Accounts, error) {
	conf, err := readConfig(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no Slipway has been started over %s; start one with `slipway up --data-dir %s`", dataDir, dataDir)
	}
	if err != nil {
		return nil, err
	}
	conf.DataDir = dataDir
	db, err := store.Open(ctx, conf.path("slipway.db"))
	if err != nil {
		return nil, err
	}
	dir, err := iam.Open(ctx, iam.Config{DB: db, KeyFile: conf.path("iam.key"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Accounts{conf, db, dir}, nil
}

// Close closes the database.
func (a *Accounts) Close() error { return a.db.Close() }

// Create makes another account; an empty id chooses one.
func (a *Accounts) Create(ctx context.Context, id string) (RootKey, error) {
	key, id, err := a.dir.CreateAccount(ctx, id)
	if err == nil {
		err = makeAccessRole(ctx, a.dir, id)
	}
	return RootKey{id, key.ID, key.Secret}, err
}

// List lists the accounts by id.
func (a *Accounts) List(ctx context.Context) ([]Account, error) {
	list, err := a.dir.Accounts(ctx)
	out := make([]Account, len(list))
	for i, acc := range list {
		out[i] = Account{acc.ID, acc.Alias, len(acc.Policies)}
	}
	return out, err
}

// Limit sets the policies that bind everybody in an account, from files; none takes them away.
func (a *Accounts) Limit(ctx context.Context, id string, files []string) error {
	var documents []string
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read a policy: %w", err)
		}
		documents = append(documents, string(b))
	}
	return a.dir.SetAccountPolicies(ctx, id, documents)
}

// NewRootKey makes another key for an account's root; the installation's own account where id is empty. With replace the earlier
// keys end, and credentials.env gets the new one.
func (a *Accounts) NewRootKey(ctx context.Context, id string, replace bool) (RootKey, error) {
	if id == "" {
		id = a.conf.Account
	}
	key, err := a.dir.NewRootKey(ctx, id, replace)
	if err != nil {
		return RootKey{}, err
	}
	made := RootKey{id, key.ID, key.Secret}
	if !replace || id != a.conf.Account {
		return made, nil
	}
	return made, a.rewriteCredentials(made)
}

// RootLogin is how an account's root signs in with a browser.
type RootLogin struct{ Account, Mail, Password, URL string }

// NewRootLogin makes a password for an account's root, the installation's own where id is empty, to be changed at the first sign-in.
// An empty mail address keeps the one there is; with dropMFA root's MFA devices are asked for no more.
func (a *Accounts) NewRootLogin(ctx context.Context, id, mail string, dropMFA bool) (RootLogin, error) {
	if id == "" {
		id = a.conf.Account
	}
	l, err := a.dir.NewRootLogin(ctx, id, mail, dropMFA)
	return RootLogin{l.Account, l.Mail, l.Password, a.conf.APIURL() + "/console/signin?as=root"}, err
}

// rewriteCredentials puts a key into credentials.env and leaves the rest of it as it is.
func (a *Accounts) rewriteCredentials(key RootKey) error {
	b, err := os.ReadFile(a.conf.CredentialsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the next start writes it
	}
	if err != nil {
		return fmt.Errorf("the new key works, but %s was not changed: %w", filepath.Base(a.conf.CredentialsFile()), err)
	}
	lines := strings.Split(string(b), "\n")
	for i, line := range lines {
		for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": key.ID, "AWS_SECRET_ACCESS_KEY": key.Secret} {
			if strings.HasPrefix(line, "export "+name+"=") {
				lines[i] = "export " + name + "='" + value + "'"
			}
		}
	}
	return writeFile(a.conf.CredentialsFile(), []byte(strings.Join(lines, "\n")), 0o600)
}
