package iam

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/store"
)

// User is a person or program of an account.
type User struct {
	ID       string
	Account  string
	Name     string
	Path     string // begins and ends with a slash
	Boundary string // ARN of the permissions boundary, empty without one
	Tags     map[string]string
	Created  time.Time
}

// ARN names the user.
func (u User) ARN() string { return entityARN(u.Account, "user", u.Path, u.Name) }

func userPrincipal(u User) Principal {
	return Principal{Type: TypeUser, Account: u.Account, ID: u.ID, ARN: u.ARN(), UserName: u.Name}
}

var (
	nameForm = form{pattern.Of(`^[\w+=,.@-]+$`), 1, 128}
	pathForm = form{pattern.Of(`^(/|/[\x21-\x7e]+/)$`), 1, 512}
)

// checkEntity validates the name of a new entity, at most max characters long, and its path; it fills in the default path.
func checkEntity(kind, name string, limit int, path *string) error {
	if !nameForm.MatchString(name) || len(name) > limit {
		return apprunner.Errorf(CodeValidationError, "The specified value for %sName is invalid. It must contain only alphanumeric characters "+
			"and/or the following: +=,.@_- and be 1 to %d characters long.", kind, limit)
	}
	if *path == "" {
		*path = "/"
	}
	if !pathForm.MatchString(*path) {
		return apprunner.Errorf(CodeValidationError, "The specified value for path is invalid. It must begin and end with / and contain only "+
			"printable characters without spaces.")
	}
	return nil
}

// fold is the form in which names are unique: AWS compares them without regard to case.
func fold(name string) string { return strings.ToLower(name) }

func exists(kind, name string) error {
	return apprunner.Errorf(CodeEntityAlreadyExists, "%s with name %s already exists.", kind, clip(name))
}

// CreateUser adds a user to u.Account; Name, Path, Boundary and Tags are taken from u.
func (d *Directory) CreateUser(ctx context.Context, u User) (User, error) {
	if err := checkEntity("user", u.Name, 64, &u.Path); err != nil {
		return User{}, err
	}
	if err := checkTags(u.Tags); err != nil {
		return User{}, err
	}
	u.ID, u.Created = newEntityID(userIDPrefix), d.now().UTC()
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		if err := d.checkBoundary(tx, u.Account, u.Boundary); err != nil {
			return err
		}
		n, err := tx.ExecCount(`INSERT INTO iam_users (id, account, name, folded, path, boundary, tags, created)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
			u.ID, u.Account, u.Name, fold(u.Name), u.Path, u.Boundary, encodeTags(u.Tags), store.Micros(u.Created))
		if err == nil && n == 0 {
			return exists("User", u.Name)
		}
		return err
	})
	return u, err
}

const userColumns = `id, account, name, path, boundary, tags, created`

func scanUser(row store.Row) (u User, err error) {
	var tags string
	var created int64
	err = row.Scan(&u.ID, &u.Account, &u.Name, &u.Path, &u.Boundary, &tags, &created)
	u.Created, u.Tags = store.Time(created), decodeTags(tags)
	return u, err
}

func getUser(tx *store.Tx, account, name string) (u User, err error) {
	found := false
	err = tx.Each(`SELECT `+userColumns+` FROM iam_users WHERE account = $1 AND folded = $2`, []any{account, fold(name)}, func(row store.Row) error {
		found = true
		u, err = scanUser(row)
		return err
	})
	if err == nil && !found {
		err = noSuch("user", name)
	}
	return u, err
}

// GetUser finds a user by name.
func (d *Directory) GetUser(ctx context.Context, account, name string) (u User, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		u, err = getUser(tx, account, name)
		return err
	})
	return u, err
}

// ListUsers lists the users whose path begins with pathPrefix, by name.
func (d *Directory) ListUsers(ctx context.Context, account, pathPrefix string) (users []User, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT `+userColumns+` FROM iam_users WHERE account = $1 ORDER BY folded`, []any{account}, func(row store.Row) error {
			u, err := scanUser(row)
			if err == nil && strings.HasPrefix(u.Path, pathPrefix) {
				users = append(users, u)
			}
			return err
		})
	})
	return users, err
}

// UpdateUser renames a user or moves it to another path; empty values leave things as they are. Keys, groups and policies stay.
func (d *Directory) UpdateUser(ctx context.Context, account, name, newName, newPath string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := getUser(tx, account, name)
		if err != nil {
			return err
		}
		u.Name, u.Path = or(newName, u.Name), or(newPath, u.Path)
		if err := checkEntity("user", u.Name, 64, &u.Path); err != nil {
			return err
		}
		if other, err := getUser(tx, account, u.Name); err == nil && other.ID != u.ID {
			return exists("User", u.Name)
		}
		return tx.Exec(`UPDATE iam_users SET name = $1, folded = $2, path = $3 WHERE id = $4`, u.Name, fold(u.Name), u.Path, u.ID)
	})
}

// DeleteUser removes a user that has no keys, groups or policies left (adjacent §2.3).
func (d *Directory) DeleteUser(ctx context.Context, account, name string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := getUser(tx, account, name)
		if err != nil {
			return err
		}
		err = refuseWhile(tx, u.ID, []dependent{
			{`SELECT 1 FROM iam_access_keys WHERE user_id = $1 LIMIT 1`, "must delete access keys first."},
			{`SELECT 1 FROM iam_members WHERE user_id = $1 LIMIT 1`, "must remove users from group first."},
			{`SELECT 1 FROM iam_logins WHERE owner = $1 LIMIT 1`, "must delete login profile first."},
			{`SELECT 1 FROM iam_mfa_devices WHERE owner = $1 LIMIT 1`, "must deactivate MFA devices first."},
			attachedFirst, inlineFirst,
		})
		if err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM iam_users WHERE id = $1`, u.ID)
	})
}

// dependent is something that must be gone before its owner may be deleted.
type dependent struct{ query, message string }

var (
	attachedFirst = dependent{`SELECT 1 FROM iam_attachments WHERE owner = $1 LIMIT 1`, "must detach all policies first."}
	inlineFirst   = dependent{`SELECT 1 FROM iam_inline_policies WHERE owner = $1 LIMIT 1`, "must delete policies first."}
)

func refuseWhile(tx *store.Tx, owner string, deps []dependent) error {
	for _, dep := range deps {
		var one int
		found, err := tx.Get(dep.query, []any{owner}, &one)
		if err != nil {
			return err
		}
		if found {
			return apprunner.Errorf(CodeDeleteConflict, "Cannot delete entity, %s", dep.message)
		}
	}
	return nil
}

// TagUser adds or replaces tags and takes the keys in remove away.
func (d *Directory) TagUser(ctx context.Context, account, name string, add map[string]string, remove []string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := getUser(tx, account, name)
		if err != nil {
			return err
		}
		tags, err := mergeTags(u.Tags, add, remove)
		if err != nil {
			return err
		}
		return tx.Exec(`UPDATE iam_users SET tags = $1 WHERE id = $2`, encodeTags(tags), u.ID)
	})
}

// SetUserBoundary sets the permissions boundary of a user to a managed policy, or takes it away when arn is empty.
func (d *Directory) SetUserBoundary(ctx context.Context, account, name, arn string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		u, err := getUser(tx, account, name)
		if err != nil {
			return err
		}
		if err := d.checkBoundary(tx, account, arn); err != nil {
			return err
		}
		return tx.Exec(`UPDATE iam_users SET boundary = $1 WHERE id = $2`, arn, u.ID)
	})
}

// Tags of one entity: at most 50, keys 1 to 128 characters and values at most 256, keys unique without regard to case.
func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return apprunner.Errorf(CodeLimitExceeded, "Cannot exceed quota for TagsPerEntity: 50")
	}
	seen := make(map[string]string, len(tags))
	for k, v := range tags {
		if len(k) == 0 || len([]rune(k)) > 128 || len([]rune(v)) > 256 || strings.HasPrefix(fold(k), "aws:") {
			return apprunner.Errorf(CodeValidationError, "The tag %q is invalid: keys have 1 to 128 characters and do not begin with aws:, values at most 256.", clip(k))
		}
		if other, dup := seen[fold(k)]; dup {
			return apprunner.Errorf(CodeInvalidInput, "Duplicate tag keys found: %s and %s. Tag keys are case insensitive.", clip(other), clip(k))
		}
		seen[fold(k)] = k
	}
	return nil
}

// mergeTags is the tags after add and remove; a key that differs in case only is replaced.
func mergeTags(tags, add map[string]string, remove []string) (map[string]string, error) {
	if err := checkTags(add); err != nil {
		return nil, err
	}
	drop := make(map[string]bool)
	for _, k := range remove {
		drop[fold(k)] = true
	}
	for k := range add {
		drop[fold(k)] = true
	}
	out := make(map[string]string)
	for k, v := range tags {
		if !drop[fold(k)] {
			out[k] = v
		}
	}
	for k, v := range add {
		out[k] = v
	}
	return out, checkTags(out)
}

func encodeTags(tags map[string]string) string {
	if len(tags) == 0 {
		return "{}"
	}
	b, err := json.Marshal(tags)
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	return string(b)
}

func decodeTags(s string) map[string]string {
	var tags map[string]string
	_ = json.Unmarshal([]byte(s), &tags) // written by encodeTags only
	return tags
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
