package iam

import (
	"context"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Role is a set of permissions that trusted callers may take on for a while.
type Role struct {
	ID          string
	Account     string
	Name        string
	Path        string
	Description string
	Trust       string        // the trust policy document
	MaxSession  time.Duration // 1 h to 12 h, whole seconds
	Boundary    string
	Service     string // of service-linked roles the service principal, empty otherwise
	Tags        map[string]string
	Created     time.Time
}

// ARN names the role.
func (r Role) ARN() string { return entityARN(r.Account, "role", r.Path, r.Name) }

const (
	defaultSession   = time.Hour
	maxRoleSession   = 12 * time.Hour
	maxDescription   = 1000
	servicePath      = "/aws-service-role/"
	maxTrustPolicy   = 2048
	maxUserInline    = 2048
	maxGroupInline   = 5120
	maxRoleInline    = 10240
	maxManagedPolicy = 6144
)

// CreateRole adds a role to r.Account; Name, Path, Description, Trust, MaxSession, Boundary and Tags are taken from r.
func (d *Directory) CreateRole(ctx context.Context, r Role) (Role, error) {
	if strings.HasPrefix(r.Path, servicePath) {
		return Role{}, apprunner.Errorf(CodeInvalidInput, "Roles below the path %s are made with CreateServiceLinkedRole.", servicePath)
	}
	return d.createRole(ctx, r, nil)
}

// createRole stores a role and attaches policies to it, in one transaction.
func (d *Directory) createRole(ctx context.Context, r Role, attach []string) (Role, error) {
	if err := r.check(); err != nil {
		return Role{}, err
	}
	r.ID, r.Created = newEntityID(roleIDPrefix), d.now().UTC()
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		if err := d.checkBoundary(tx, r.Account, r.Boundary); err != nil {
			return err
		}
		n, err := tx.ExecCount(`INSERT INTO iam_roles (id, account, name, folded, path, description, trust, max_session, boundary, service, tags, created)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
			r.ID, r.Account, r.Name, fold(r.Name), r.Path, r.Description, r.Trust, int64(r.MaxSession/time.Second), r.Boundary, r.Service,
			encodeTags(r.Tags), store.Micros(r.Created))
		if err != nil {
			return err
		}
		if n == 0 {
			return exists("Role", r.Name)
		}
		for _, arn := range attach {
			if err := tx.Exec(`INSERT INTO iam_attachments (owner, policy_arn) VALUES ($1, $2)`, r.ID, arn); err != nil {
				return err
			}
		}
		return nil
	})
	return r, err
}

// check validates a new role and fills in defaults.
func (r *Role) check() error {
	if err := checkEntity("role", r.Name, 64, &r.Path); err != nil {
		return err
	}
	if err := checkTags(r.Tags); err != nil {
		return err
	}
	if r.MaxSession == 0 {
		r.MaxSession = defaultSession
	}
	return r.checkChangeable()
}

// checkChangeable validates what UpdateRole may change, and the trust policy.
func (r *Role) checkChangeable() error {
	if r.MaxSession < defaultSession || r.MaxSession > maxRoleSession {
		return apprunner.Errorf(CodeValidationError, "MaxSessionDuration is %d; it must be from %d to %d seconds.",
			int64(r.MaxSession/time.Second), int64(defaultSession/time.Second), int64(maxRoleSession/time.Second))
	}
	if len([]rune(r.Description)) > maxDescription {
		return apprunner.Errorf(CodeValidationError, "The description is longer than %d characters.", maxDescription)
	}
	return checkPolicyText(r.Trust, TrustPolicy, maxTrustPolicy)
}

const roleColumns = `id, account, name, path, description, trust, max_session, boundary, service, tags, created`

func scanRole(row store.Row) (r Role, err error) {
	var seconds, created int64
	var tags string
	err = row.Scan(&r.ID, &r.Account, &r.Name, &r.Path, &r.Description, &r.Trust, &seconds, &r.Boundary, &r.Service, &tags, &created)
	r.MaxSession, r.Tags, r.Created = time.Duration(seconds)*time.Second, decodeTags(tags), store.Time(created)
	return r, err
}

func lookupRole(tx *store.Tx, account, name string) (r Role, found bool, err error) {
	err = tx.Each(`SELECT `+roleColumns+` FROM iam_roles WHERE account = $1 AND folded = $2`, []any{account, fold(name)}, func(row store.Row) error {
		found = true
		r, err = scanRole(row)
		return err
	})
	return r, found, err
}

func getRole(tx *store.Tx, account, name string) (Role, error) {
	r, found, err := lookupRole(tx, account, name)
	if err == nil && !found {
		err = noSuch("role", name)
	}
	return r, err
}

// changeableRole is a role that users may change; service-linked ones belong to their service.
func changeableRole(tx *store.Tx, account, name string) (Role, error) {
	r, err := getRole(tx, account, name)
	if err == nil && r.Service != "" {
		err = apprunner.Errorf(CodeUnmodifiableEntity, "Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", r.Name)
	}
	return r, err
}

// GetRole finds a role by name.
func (d *Directory) GetRole(ctx context.Context, account, name string) (r Role, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		r, err = getRole(tx, account, name)
		return err
	})
	return r, err
}

// ListRoles lists the roles whose path begins with pathPrefix, by name.
func (d *Directory) ListRoles(ctx context.Context, account, pathPrefix string) (roles []Role, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT `+roleColumns+` FROM iam_roles WHERE account = $1 ORDER BY folded`, []any{account}, func(row store.Row) error {
			r, err := scanRole(row)
			if err == nil && strings.HasPrefix(r.Path, pathPrefix) {
				roles = append(roles, r)
			}
			return err
		})
	})
	return roles, err
}

// RoleChange is what UpdateRole changes; nil leaves a thing as it is.
type RoleChange struct {
	Description *string
	MaxSession  *time.Duration
}

// UpdateRole changes a role's description, which service-linked roles allow too, and its longest session.
func (d *Directory) UpdateRole(ctx context.Context, account, name string, change RoleChange) (r Role, err error) {
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		if change.MaxSession != nil {
			r, err = changeableRole(tx, account, name)
		} else {
			r, err = getRole(tx, account, name)
		}
		if err != nil {
			return err
		}
		if change.Description != nil {
			r.Description = *change.Description
		}
		if change.MaxSession != nil {
			r.MaxSession = *change.MaxSession
		}
		if err := r.checkChangeable(); err != nil {
			return err
		}
		return tx.Exec(`UPDATE iam_roles SET description = $1, max_session = $2 WHERE id = $3`, r.Description, int64(r.MaxSession/time.Second), r.ID)
	})
	return r, err
}

// UpdateAssumeRolePolicy replaces the trust policy of a role.
func (d *Directory) UpdateAssumeRolePolicy(ctx context.Context, account, name, trust string) error {
	if err := checkPolicyText(trust, TrustPolicy, maxTrustPolicy); err != nil {
		return err
	}
	return d.changeRole(ctx, account, name, func(tx *store.Tx, r Role) error {
		return tx.Exec(`UPDATE iam_roles SET trust = $1 WHERE id = $2`, trust, r.ID)
	})
}

// TagRole adds or replaces tags and takes the keys in remove away.
func (d *Directory) TagRole(ctx context.Context, account, name string, add map[string]string, remove []string) error {
	return d.changeRole(ctx, account, name, func(tx *store.Tx, r Role) error {
		tags, err := mergeTags(r.Tags, add, remove)
		if err != nil {
			return err
		}
		return tx.Exec(`UPDATE iam_roles SET tags = $1 WHERE id = $2`, encodeTags(tags), r.ID)
	})
}

// SetRoleBoundary sets the permissions boundary of a role to a managed policy, or takes it away when arn is empty.
func (d *Directory) SetRoleBoundary(ctx context.Context, account, name, arn string) error {
	return d.changeRole(ctx, account, name, func(tx *store.Tx, r Role) error {
		if err := d.checkBoundary(tx, account, arn); err != nil {
			return err
		}
		return tx.Exec(`UPDATE iam_roles SET boundary = $1 WHERE id = $2`, arn, r.ID)
	})
}

// DeleteRole removes a role without policies.
func (d *Directory) DeleteRole(ctx context.Context, account, name string) error {
	return d.changeRole(ctx, account, name, func(tx *store.Tx, r Role) error {
		if err := refuseWhile(tx, r.ID, []dependent{attachedFirst, inlineFirst}); err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM iam_roles WHERE id = $1`, r.ID)
	})
}

func (d *Directory) changeRole(ctx context.Context, account, name string, change func(*store.Tx, Role) error) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		r, err := changeableRole(tx, account, name)
		if err != nil {
			return err
		}
		return change(tx, r)
	})
}

// linkedRole is what a service's own role is made of (§18).
type linkedRole struct{ name, policy string }

var linkedRoles = map[string]linkedRole{
	"apprunner.amazonaws.com":            {"AWSServiceRoleForAppRunner", "arn:aws:iam::aws:policy/aws-service-role/AppRunnerServiceRolePolicy"},
	"networking.apprunner.amazonaws.com": {"AWSServiceRoleForAppRunnerNetworking", "arn:aws:iam::aws:policy/aws-service-role/AppRunnerNetworkingServiceRolePolicy"},
}

// ServiceLinkedRoleName is the name of a service's own role; it reports false for services that have none here.
func ServiceLinkedRoleName(service string) (string, bool) {
	l, ok := linkedRoles[service]
	return l.name, ok
}

// CreateServiceLinkedRole makes the role of a service; a second call fails with CodeInvalidInput (adjacent §2.3).
func (d *Directory) CreateServiceLinkedRole(ctx context.Context, account, service, description string) (Role, error) {
	linked, ok := linkedRoles[service]
	if !ok {
		return Role{}, apprunner.Errorf(CodeInvalidInput, "%s has no service-linked role here; apprunner.amazonaws.com and networking.apprunner.amazonaws.com have.", clip(service))
	}
	r, err := d.createRole(ctx, Role{
		Account: account, Name: linked.name, Path: servicePath + service + "/", Description: description, Service: service,
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`,
	}, []string{linked.policy})
	if apprunner.CodeOf(err) == CodeEntityAlreadyExists {
		err = apprunner.Errorf(CodeInvalidInput, "Service role name %s has been taken in this account, please try a different suffix.", linked.name)
	}
	return r, err
}

// EnsureServiceLinkedRole makes the role of a service unless it is there, as the service itself does (§18).
func (d *Directory) EnsureServiceLinkedRole(ctx context.Context, account, service string) error {
	_, err := d.CreateServiceLinkedRole(ctx, account, service, "")
	if apprunner.CodeOf(err) == CodeInvalidInput {
		return nil
	}
	return err
}

// RemoveServiceLinkedRole deletes a service's own role. That nothing needs it any more is for the caller to know: this room does
// not see services.
func (d *Directory) RemoveServiceLinkedRole(ctx context.Context, account, name string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		r, err := getRole(tx, account, name)
		if err != nil {
			return err
		}
		if r.Service == "" {
			return notLinked(name)
		}
		if err := tx.Exec(`DELETE FROM iam_attachments WHERE owner = $1`, r.ID); err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM iam_roles WHERE id = $1`, r.ID)
	})
}
