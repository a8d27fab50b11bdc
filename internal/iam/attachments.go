package iam

import (
	"context"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// EntityKind is what policies are given to.
type EntityKind string

// The kinds of entities.
const (
	EntityUser  EntityKind = "user"
	EntityGroup EntityKind = "group"
	EntityRole  EntityKind = "role"
)

// Entity names a user, group or role.
type Entity struct {
	Account string
	Kind    EntityKind
	Name    string
}

// AttachedPolicy is a managed policy as an entity has it.
type AttachedPolicy struct{ Name, ARN string }

func attachedPolicy(arn string) AttachedPolicy {
	return AttachedPolicy{Name: arn[strings.LastIndex(arn, "/")+1:], ARN: arn}
}

// maxAttached is AWS's quota of managed policies per entity.
const maxAttached = 10

// owner is the id of an entity. Service-linked roles may be read but not changed.
func (e Entity) owner(tx *store.Tx, change bool) (string, error) {
	switch e.Kind {
	case EntityUser:
		u, err := getUser(tx, e.Account, e.Name)
		return u.ID, err
	case EntityGroup:
		g, err := getGroup(tx, e.Account, e.Name)
		return g.ID, err
	default:
		get := getRole
		if change {
			get = changeableRole
		}
		r, err := get(tx, e.Account, e.Name)
		return r.ID, err
	}
}

func (e Entity) inlineLimit() int {
	switch e.Kind {
	case EntityUser:
		return maxUserInline
	case EntityGroup:
		return maxGroupInline
	default:
		return maxRoleInline
	}
}

// AttachPolicy gives a managed policy to an entity; it may have it already.
func (d *Directory) AttachPolicy(ctx context.Context, e Entity, arn string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		owner, err := e.owner(tx, true)
		if err != nil {
			return err
		}
		p, err := d.getPolicy(tx, e.Account, arn)
		if err != nil {
			return err
		}
		if !p.Attachable {
			return apprunner.Errorf(CodePolicyNotAttachable, "Cannot attach a Service Role Policy to a Customer Role.")
		}
		arns, err := column(tx, `SELECT policy_arn FROM iam_attachments WHERE owner = $1 AND policy_arn <> $2`, owner, arn)
		if err != nil {
			return err
		}
		if len(arns) >= maxAttached {
			return apprunner.Errorf(CodeLimitExceeded, "Cannot exceed quota for PoliciesPerEntity: %d", maxAttached)
		}
		return tx.Exec(`INSERT INTO iam_attachments (owner, policy_arn) VALUES ($1, $2) ON CONFLICT DO NOTHING`, owner, arn)
	})
}

// DetachPolicy takes a managed policy away from an entity that has it.
func (d *Directory) DetachPolicy(ctx context.Context, e Entity, arn string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		owner, err := e.owner(tx, true)
		if err != nil {
			return err
		}
		n, err := tx.ExecCount(`DELETE FROM iam_attachments WHERE owner = $1 AND policy_arn = $2`, owner, arn)
		if err == nil && n == 0 {
			return apprunner.Errorf(CodeNoSuchEntity, "Policy %s was not found.", clip(arn))
		}
		return err
	})
}

// AttachedPolicies lists the managed policies of an entity, by ARN.
func (d *Directory) AttachedPolicies(ctx context.Context, e Entity, pathPrefix string) (out []AttachedPolicy, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		owner, err := e.owner(tx, false)
		if err != nil {
			return err
		}
		arns, err := column(tx, `SELECT policy_arn FROM iam_attachments WHERE owner = $1 ORDER BY policy_arn`, owner)
		for _, arn := range arns {
			_, resource, _ := strings.Cut(arn, ":policy")
			if strings.HasPrefix(resource, pathPrefix) {
				out = append(out, attachedPolicy(arn))
			}
		}
		return err
	})
	return out, err
}

// EntitiesOf lists the users, groups and roles of an account that have a managed policy, attached or as their boundary as use
// says; no use means either.
func (d *Directory) EntitiesOf(ctx context.Context, account, arn string, use PolicyUse) (users []User, groups []Group, roles []Role, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		if _, err := d.getPolicy(tx, account, arn); err != nil {
			return err
		}
		const attached = `id IN (SELECT owner FROM iam_attachments WHERE policy_arn = $2)`
		args := []any{account, arn}
		condition := map[PolicyUse]string{UsePermissions: attached, UseBoundary: `boundary = $2`, "": `(` + attached + ` OR boundary = $2)`}[use]
		having := ` WHERE account = $1 AND ` + condition + ` ORDER BY folded`
		err := tx.Each(`SELECT `+userColumns+` FROM iam_users`+having, args, func(row store.Row) error {
			u, err := scanUser(row)
			users = append(users, u)
			return err
		})
		if err != nil {
			return err
		}
		if use != UseBoundary { // groups have none
			if groups, err = selectGroups(tx, ` WHERE account = $1 AND `+attached+` ORDER BY folded`, args...); err != nil {
				return err
			}
		}
		return tx.Each(`SELECT `+roleColumns+` FROM iam_roles`+having, args, func(row store.Row) error {
			r, err := scanRole(row)
			roles = append(roles, r)
			return err
		})
	})
	return users, groups, roles, err
}

// PutInlinePolicy writes a policy that belongs to one entity alone, replacing one of the same name.
func (d *Directory) PutInlinePolicy(ctx context.Context, e Entity, name, document string) error {
	if !nameForm.MatchString(name) {
		return apprunner.Errorf(CodeValidationError, "The specified value for policyName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-")
	}
	if err := checkPolicyText(document, IdentityPolicy, e.inlineLimit()); err != nil {
		return err
	}
	return d.db.Update(ctx, func(tx *store.Tx) error {
		owner, err := e.owner(tx, true)
		if err != nil {
			return err
		}
		err = tx.Exec(`INSERT INTO iam_inline_policies (owner, name, document) VALUES ($1, $2, $3) ON CONFLICT (owner, name) DO UPDATE SET document = excluded.document`,
			owner, name, document)
		if err != nil {
			return err
		}
		return d.checkInlineTotal(tx, e, owner)
	})
}

// checkInlineTotal holds all inline policies of an entity together against its quota.
func (d *Directory) checkInlineTotal(tx *store.Tx, e Entity, owner string) error {
	texts, err := column(tx, `SELECT document FROM iam_inline_policies WHERE owner = $1`, owner)
	if err != nil {
		return err
	}
	if len(strings.Join(strings.Fields(strings.Join(texts, " ")), "")) > e.inlineLimit() {
		return apprunner.Errorf(CodeLimitExceeded, "Maximum policy size of %d bytes exceeded for %s %s", e.inlineLimit(), e.Kind, e.Name)
	}
	return nil
}

// InlinePolicy reads one inline policy.
func (d *Directory) InlinePolicy(ctx context.Context, e Entity, name string) (document string, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		owner, err := e.owner(tx, false)
		if err != nil {
			return err
		}
		found, err := tx.Get(`SELECT document FROM iam_inline_policies WHERE owner = $1 AND name = $2`, []any{owner, name}, &document)
		if err == nil && !found {
			return noSuchInline(e, name)
		}
		return err
	})
	return document, err
}

func noSuchInline(e Entity, name string) error {
	return apprunner.Errorf(CodeNoSuchEntity, "The %s policy with name %s cannot be found.", e.Kind, clip(name))
}

// InlinePolicies lists the names of an entity's inline policies.
func (d *Directory) InlinePolicies(ctx context.Context, e Entity) (names []string, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		owner, err := e.owner(tx, false)
		if err != nil {
			return err
		}
		names, err = column(tx, `SELECT name FROM iam_inline_policies WHERE owner = $1 ORDER BY name`, owner)
		return err
	})
	return names, err
}

// DeleteInlinePolicy removes one inline policy.
func (d *Directory) DeleteInlinePolicy(ctx context.Context, e Entity, name string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		owner, err := e.owner(tx, true)
		if err != nil {
			return err
		}
		n, err := tx.ExecCount(`DELETE FROM iam_inline_policies WHERE owner = $1 AND name = $2`, owner, name)
		if err == nil && n == 0 {
			return noSuchInline(e, name)
		}
		return err
	})
}
