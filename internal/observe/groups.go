package observe

import (
	"context"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/store"
)

// Group is a log group.
type Group struct {
	Name          string
	ARN           string // ends in ":*", as CloudWatch Logs has it
	Created       time.Time
	RetentionDays int   // 0: events are kept for ever
	StoredBytes   int64 // of the events, uncompressed
}

// GroupsQuery chooses groups of an account and region.
type GroupsQuery struct {
	Prefix  string
	Pattern string // part of the name, in any case; not together with Prefix
	Limit   int    // 1 to 50; 0 means 50
	Token   string
}

// maxName is how many characters the names of groups and streams have at most. It is not in the expressions, which would be compiled to as
// many states.
const maxName = 512

var (
	groupName  = pattern.Of(`^[.\-_/#A-Za-z0-9]+$`)
	streamName = pattern.Of(`^[^:*]+$`)
)

// RetentionDays are the retention times a group can have.
func RetentionDays() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

// CreateGroup makes an empty group without tags. It fails with CodeAlreadyExists.
func (l *Logs) CreateGroup(ctx context.Context, scope apprunner.Scope, name string) error {
	return l.CreateTaggedGroup(ctx, scope, name, nil)
}

// CreateTaggedGroup makes an empty group with tags. It fails with CodeAlreadyExists.
func (l *Logs) CreateTaggedGroup(ctx context.Context, scope apprunner.Scope, name string, tags map[string]string) error {
	if len(name) > maxName || !groupName.MatchString(name) {
		return invalidf("%q is not a log group name: up to 512 letters, digits and the characters . - _ / # are allowed", name)
	}
	return l.db.Update(ctx, func(tx *store.Tx) error {
		id := newID()
		n, err := tx.ExecCount(`INSERT INTO log_groups (id, account, region, name, created) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (account, region, name) DO NOTHING`, id, scope.Account, scope.Region, name, l.now().UnixMicro())
		if err == nil && n == 0 {
			return apprunner.Errorf(CodeAlreadyExists, "The specified log group already exists: %s", name)
		}
		if err != nil {
			return err
		}
		return putTags(tx, id, tags)
	})
}

// groupRow is a group as the index has it.
type groupRow struct {
	id, created, retention int64
}

func findGroup(tx *store.Tx, scope apprunner.Scope, name string) (g groupRow, err error) {
	found, err := tx.Get(`SELECT id, created, retention_days FROM log_groups WHERE account = $1 AND region = $2 AND name = $3`,
		[]any{scope.Account, scope.Region, name}, &g.id, &g.created, &g.retention)
	if err == nil && !found {
		err = noGroup(name)
	}
	return g, err
}

func (l *Logs) group(ctx context.Context, scope apprunner.Scope, name string) (g groupRow, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		g, err = findGroup(tx, scope, name)
		return err
	})
	return g, err
}

// oldest is the time, in microseconds, before which a group's events have expired.
func (g groupRow) oldest(now time.Time) int64 {
	if g.retention == 0 {
		return 0
	}
	return now.Add(-time.Duration(g.retention) * 24 * time.Hour).UnixMicro()
}

// PutRetention sets how many days a group keeps its events; DeleteRetention makes it keep them for ever.
func (l *Logs) PutRetention(ctx context.Context, scope apprunner.Scope, group string, days int) error {
	if !slices.Contains(RetentionDays(), days) {
		return invalidf("retentionInDays is %d; allowed are %v", days, RetentionDays())
	}
	return l.setRetention(ctx, scope, group, days)
}

// DeleteRetention makes a group keep its events for ever.
func (l *Logs) DeleteRetention(ctx context.Context, scope apprunner.Scope, group string) error {
	return l.setRetention(ctx, scope, group, 0)
}

func (l *Logs) setRetention(ctx context.Context, scope apprunner.Scope, group string, days int) error {
	return l.db.Update(ctx, func(tx *store.Tx) error {
		g, err := findGroup(tx, scope, group)
		if err != nil {
			return err
		}
		return tx.Exec(`UPDATE log_groups SET retention_days = $1 WHERE id = $2`, days, g.id)
	})
}

// DescribeGroups lists groups by name. next is empty on the last page.
func (l *Logs) DescribeGroups(ctx context.Context, scope apprunner.Scope, q GroupsQuery) (groups []Group, next string, err error) {
	limit, err := pageSize(q.Limit)
	if err != nil {
		return nil, "", err
	}
	if q.Prefix != "" && q.Pattern != "" {
		return nil, "", invalidf("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	after, err := openToken(q.Token, "groups")
	if err != nil {
		return nil, "", err
	}
	if err := l.index(ctx, nil); err != nil {
		return nil, "", err
	}
	err = l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT g.id, g.name, g.created, g.retention_days,
				(SELECT coalesce(sum(s.stored_bytes), 0) FROM log_streams s WHERE s.group_id = g.id)
			FROM log_groups g
			WHERE g.account = $1 AND g.region = $2 AND g.name > $3 AND substr(g.name, 1, length($4)) = $4
				AND ($5 = '' OR lower(g.name) LIKE $5 ESCAPE '\')
			ORDER BY g.name LIMIT $6`,
			[]any{scope.Account, scope.Region, after, q.Prefix, likeContains(q.Pattern), limit + 1}, func(row store.Row) error {
				var g Group
				var id, created int64
				if err := row.Scan(&id, &g.Name, &created, &g.RetentionDays, &g.StoredBytes); err != nil {
					return err
				}
				g.Created, g.ARN = store.Time(created), GroupARN(scope, g.Name)+":*"
				groups = append(groups, g)
				return nil
			})
	})
	if err != nil {
		return nil, "", err
	}
	if len(groups) > limit {
		groups = groups[:limit]
		next = sealToken("groups", groups[limit-1].Name)
	}
	l.addUnflushed(scope, groups)
	return groups, next, nil
}

// addUnflushed counts the events that are not in segments yet.
func (l *Logs) addUnflushed(scope apprunner.Scope, groups []Group) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range groups {
		if a := l.groups[keyOf(scope, groups[i].Name)]; a != nil {
			for st := range a.streams {
				groups[i].StoredBytes += int64(st.bufBytes)
			}
		}
	}
}

// GroupARN names a group, without the ":*" that some answers add.
func GroupARN(scope apprunner.Scope, group string) string {
	return "arn:aws:logs:" + scope.Region + ":" + scope.Account + ":log-group:" + group
}

func likeContains(s string) string {
	if s == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(s)) + "%"
}

func pageSize(limit int) (int, error) {
	if limit < 0 || limit > 50 {
		return 0, invalidf("limit is %d; allowed are 1 to 50", limit)
	}
	if limit == 0 {
		return 50, nil
	}
	return limit, nil
}

// DeleteGroup deletes a group with all its streams and events.
func (l *Logs) DeleteGroup(ctx context.Context, scope apprunner.Scope, group string) error {
	l.checkpoint.Lock()
	defer l.checkpoint.Unlock()
	l.creating.Lock()
	defer l.creating.Unlock()
	g, err := l.group(ctx, scope, group)
	if err != nil {
		return err
	}
	l.mu.Lock()
	var active []*stream
	if a := l.groups[keyOf(scope, group)]; a != nil {
		for st := range a.streams {
			active = append(active, st)
		}
	}
	l.mu.Unlock()
	if err := l.forgetStreams(active); err != nil {
		return err
	}
	ids, err := l.streamIDs(ctx, g.id)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := l.segs.remove(id); err != nil {
			return err
		}
	}
	return l.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Exec(`DELETE FROM log_streams WHERE group_id = $1`, g.id); err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM log_groups WHERE id = $1`, g.id)
	})
}

func (l *Logs) streamIDs(ctx context.Context, group int64) (ids []int64, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT id FROM log_streams WHERE group_id = $1`, []any{group}, func(row store.Row) error {
			var id int64
			err := row.Scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	return ids, err
}

// forgetStreams takes streams out of memory and makes sure that write-ahead files do not bring them back. The caller holds the
// checkpoint and creating locks.
func (l *Logs) forgetStreams(streams []*stream) error {
	if len(streams) == 0 {
		return nil
	}
	if err := l.submit(&commit{forget: streams}); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, st := range streams {
		l.unflushed -= st.bufBytes
		l.deactivate(st)
	}
	return nil
}
