package iam

import (
	"context"

	"slipway.dev/slipway/internal/store"
)

// InlinePolicy is a policy that belongs to one entity alone.
type InlinePolicy struct{ Name, Document string }

// Held are the policies an entity holds itself.
type Held struct {
	Inline   []InlinePolicy
	Attached []AttachedPolicy
}

// UserDetails is a user with all that bears on its rights.
type UserDetails struct {
	User
	Held
	Groups []string
}

// GroupDetails is a group with its policies.
type GroupDetails struct {
	Group
	Held
}

// RoleDetails is a role with its policies.
type RoleDetails struct {
	Role
	Held
}

// PolicyDetails is a managed policy with its versions.
type PolicyDetails struct {
	Policy
	Versions []PolicyVersion
}

// Details is everything an account has that bears on rights, read at one moment. Policies are the account's own and those of AWS
// that are attached or used as a boundary.
type Details struct {
	Users    []UserDetails
	Groups   []GroupDetails
	Roles    []RoleDetails
	Policies []PolicyDetails
}

// AccountDetails reads the details of an account.
func (d *Directory) AccountDetails(ctx context.Context, account string) (out Details, err error) {
	policies, err := d.ListPolicies(ctx, account, PolicyFilter{})
	if err != nil {
		return Details{}, err
	}
	for _, p := range policies {
		if p.Account == "" && p.Attachments == 0 && p.Boundaries == 0 {
			continue
		}
		versions, err := d.ListPolicyVersions(ctx, account, p.ARN)
		if err != nil {
			return Details{}, err
		}
		out.Policies = append(out.Policies, PolicyDetails{p, versions})
	}
	err = d.db.View(ctx, func(tx *store.Tx) error { return out.read(tx, account) })
	return out, err
}

func (out *Details) read(tx *store.Tx, account string) error {
	err := tx.Each(`SELECT `+userColumns+` FROM iam_users WHERE account = $1 ORDER BY folded`, []any{account}, func(row store.Row) error {
		u, err := scanUser(row)
		out.Users = append(out.Users, UserDetails{User: u})
		return err
	})
	if err != nil {
		return err
	}
	groups, err := selectGroups(tx, ` WHERE account = $1 ORDER BY folded`, account)
	if err != nil {
		return err
	}
	for _, g := range groups {
		out.Groups = append(out.Groups, GroupDetails{Group: g})
	}
	err = tx.Each(`SELECT `+roleColumns+` FROM iam_roles WHERE account = $1 ORDER BY folded`, []any{account}, func(row store.Row) error {
		r, err := scanRole(row)
		out.Roles = append(out.Roles, RoleDetails{Role: r})
		return err
	})
	if err != nil {
		return err
	}
	return out.readHeld(tx)
}

func (out *Details) readHeld(tx *store.Tx) (err error) {
	for i := range out.Users {
		u := &out.Users[i]
		if u.Held, err = held(tx, u.ID); err != nil {
			return err
		}
		u.Groups, err = column(tx, `SELECT g.name FROM iam_members m JOIN iam_groups g ON g.id = m.group_id WHERE m.user_id = $1 ORDER BY g.folded`, u.ID)
		if err != nil {
			return err
		}
	}
	for i := range out.Groups {
		if out.Groups[i].Held, err = held(tx, out.Groups[i].ID); err != nil {
			return err
		}
	}
	for i := range out.Roles {
		if out.Roles[i].Held, err = held(tx, out.Roles[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// held reads the policies of the entity with this id.
func held(tx *store.Tx, owner string) (h Held, err error) {
	err = tx.Each(`SELECT name, document FROM iam_inline_policies WHERE owner = $1 ORDER BY name`, []any{owner}, func(row store.Row) error {
		var p InlinePolicy
		err := row.Scan(&p.Name, &p.Document)
		h.Inline = append(h.Inline, p)
		return err
	})
	if err != nil {
		return h, err
	}
	arns, err := column(tx, `SELECT policy_arn FROM iam_attachments WHERE owner = $1 ORDER BY policy_arn`, owner)
	for _, arn := range arns {
		h.Attached = append(h.Attached, attachedPolicy(arn))
	}
	return h, err
}
