package iam

import (
	"context"
	"strings"
	"time"

	"slipway.dev/slipway/internal/store"
)

// Group is a set of users that share policies.
type Group struct {
	ID      string
	Account string
	Name    string
	Path    string
	Created time.Time
}

// ARN names the group.
func (g Group) ARN() string { return entityARN(g.Account, "group", g.Path, g.Name) }

const groupColumns = `g.id, g.account, g.name, g.path, g.created`

func scanGroup(row store.Row) (g Group, err error) {
	var created int64
	err = row.Scan(&g.ID, &g.Account, &g.Name, &g.Path, &created)
	g.Created = store.Time(created)
	return g, err
}

func getGroup(tx *store.Tx, account, name string) (g Group, err error) {
	groups, err := selectGroups(tx, `WHERE g.account = $1 AND g.folded = $2`, account, fold(name))
	if err != nil {
		return Group{}, err
	}
	if len(groups) == 0 {
		return Group{}, noSuch("group", name)
	}
	return groups[0], nil
}

func selectGroups(tx *store.Tx, where string, args ...any) (groups []Group, err error) {
	err = tx.Each(`SELECT `+groupColumns+` FROM iam_groups g `+where, args, func(row store.Row) error {
		g, err := scanGroup(row)
		groups = append(groups, g)
		return err
	})
	return groups, err
}

// CreateGroup adds a group to g.Account; Name and Path are taken from g.
func (d *Directory) CreateGroup(ctx context.Context, g Group) (Group, error) {
	if err := checkEntity("group", g.Name, 128, &g.Path); err != nil {
		return Group{}, err
	}
	g.ID, g.Created = newEntityID(groupIDPrefix), d.now().UTC()
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.ExecCount(`INSERT INTO iam_groups (id, account, name, folded, path, created) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
			g.ID, g.Account, g.Name, fold(g.Name), g.Path, store.Micros(g.Created))
		if err == nil && n == 0 {
			return exists("Group", g.Name)
		}
		return err
	})
	return g, err
}

// GetGroup finds a group and its members.
func (d *Directory) GetGroup(ctx context.Context, account, name string) (g Group, members []User, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		if g, err = getGroup(tx, account, name); err != nil {
			return err
		}
		return tx.Each(`SELECT `+userColumns+` FROM iam_users WHERE id IN (SELECT user_id FROM iam_members WHERE group_id = $1) ORDER BY folded`,
			[]any{g.ID}, func(row store.Row) error {
				u, err := scanUser(row)
				members = append(members, u)
				return err
			})
	})
	return g, members, err
}

// ListGroups lists the groups whose path begins with pathPrefix, by name.
func (d *Directory) ListGroups(ctx context.Context, account, pathPrefix string) (groups []Group, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		all, err := selectGroups(tx, `WHERE g.account = $1 ORDER BY g.folded`, account)
		for _, g := range all {
			if strings.HasPrefix(g.Path, pathPrefix) {
				groups = append(groups, g)
			}
		}
		return err
	})
	return groups, err
}

// ListGroupsForUser lists the groups a user is in, by name.
func (d *Directory) ListGroupsForUser(ctx context.Context, account, userName string) (groups []Group, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		u, err := getUser(tx, account, userName)
		if err != nil {
			return err
		}
		groups, err = selectGroups(tx, `JOIN iam_members m ON m.group_id = g.id WHERE m.user_id = $1 ORDER BY g.folded`, u.ID)
		return err
	})
	return groups, err
}

// UpdateGroup renames a group or moves it to another path; empty values leave things as they are.
func (d *Directory) UpdateGroup(ctx context.Context, account, name, newName, newPath string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, account, name)
		if err != nil {
			return err
		}
		g.Name, g.Path = or(newName, g.Name), or(newPath, g.Path)
		if err := checkEntity("group", g.Name, 128, &g.Path); err != nil {
			return err
		}
		if other, err := getGroup(tx, account, g.Name); err == nil && other.ID != g.ID {
			return exists("Group", g.Name)
		}
		return tx.Exec(`UPDATE iam_groups SET name = $1, folded = $2, path = $3 WHERE id = $4`, g.Name, fold(g.Name), g.Path, g.ID)
	})
}

// DeleteGroup removes a group without members and policies.
func (d *Directory) DeleteGroup(ctx context.Context, account, name string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, account, name)
		if err != nil {
			return err
		}
		err = refuseWhile(tx, g.ID, []dependent{
			{`SELECT 1 FROM iam_members WHERE group_id = $1 LIMIT 1`, "must remove users from group first."}, attachedFirst, inlineFirst,
		})
		if err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM iam_groups WHERE id = $1`, g.ID)
	})
}

// AddUserToGroup makes a user a member; it may be one already.
func (d *Directory) AddUserToGroup(ctx context.Context, account, group, user string) error {
	return d.member(ctx, account, group, user, `INSERT INTO iam_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`)
}

// RemoveUserFromGroup ends a membership, if there was one.
func (d *Directory) RemoveUserFromGroup(ctx context.Context, account, group, user string) error {
	return d.member(ctx, account, group, user, `DELETE FROM iam_members WHERE group_id = $1 AND user_id = $2`)
}

func (d *Directory) member(ctx context.Context, account, group, user, statement string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		g, err := getGroup(tx, account, group)
		if err != nil {
			return err
		}
		u, err := getUser(tx, account, user)
		if err != nil {
			return err
		}
		return tx.Exec(statement, g.ID, u.ID)
	})
}
