package observe

import (
	"context"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// CodeTooManyGroupTags refuses the tag beyond the last that a group may have.
const CodeTooManyGroupTags apprunner.Code = "TooManyTagsException"

// maxTags is how many tags a group has at most.
const maxTags = 50

// Tags are those of a group.
func (l *Logs) Tags(ctx context.Context, scope apprunner.Scope, group string) (tags map[string]string, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		g, err := findGroup(tx, scope, group)
		if err == nil {
			tags, err = readTags(tx, g.id)
		}
		return err
	})
	return tags, err
}

// Tag adds tags to a group, or gives those it has another value.
func (l *Logs) Tag(ctx context.Context, scope apprunner.Scope, group string, tags map[string]string) error {
	return l.db.Update(ctx, func(tx *store.Tx) error {
		g, err := findGroup(tx, scope, group)
		if err != nil {
			return err
		}
		return putTags(tx, g.id, tags)
	})
}

// Untag takes tags from a group; those that it does not have are none of its business.
func (l *Logs) Untag(ctx context.Context, scope apprunner.Scope, group string, keys []string) error {
	return l.db.Update(ctx, func(tx *store.Tx) error {
		g, err := findGroup(tx, scope, group)
		for i := 0; i < len(keys) && err == nil; i++ {
			err = tx.Exec(`DELETE FROM log_tags WHERE group_id = $1 AND key = $2`, g.id, keys[i])
		}
		return err
	})
}

func readTags(tx *store.Tx, group int64) (map[string]string, error) {
	tags := map[string]string{}
	err := tx.Each(`SELECT key, value FROM log_tags WHERE group_id = $1`, []any{group}, func(row store.Row) error {
		var key, value string
		err := row.Scan(&key, &value)
		tags[key] = value
		return err
	})
	return tags, err
}

func putTags(tx *store.Tx, group int64, tags map[string]string) error {
	for key, value := range tags {
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return invalidf("The tag key %q begins with aws:, which is reserved.", key)
		}
		err := tx.Exec(`INSERT INTO log_tags (group_id, key, value) VALUES ($1, $2, $3) ON CONFLICT (group_id, key) DO UPDATE SET value = excluded.value`,
			group, key, value)
		if err != nil {
			return err
		}
	}
	has, err := readTags(tx, group)
	if err == nil && len(has) > maxTags {
		err = apprunner.Errorf(CodeTooManyGroupTags, "The log group would have %d tags; it can have at most %d.", len(has), maxTags)
	}
	return err
}
