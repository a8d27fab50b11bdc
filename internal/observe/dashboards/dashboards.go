package dashboards

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// The codes of the CloudWatch API that this room answers with.
const (
	CodeInvalid     apprunner.Code = "DashboardInvalidInputError"
	CodeNotFound    apprunner.Code = "DashboardNotFoundError"
	CodeInvalidName apprunner.Code = "InvalidParameterValueException"
)

// The limits of dashboards.
const (
	maxDashboards = 500 // of an account
	maxWidgets    = 500
	maxBody       = 512 << 10 // bytes
	maxTags       = 50
)

// Config is what Dashboards need. All are required.
type Config struct {
	DB  *store.DB
	Now func() time.Time
}

// Dashboards keeps those of all accounts. It is safe for concurrent use. Dashboards belong to an account, not to a region.
type Dashboards struct{ conf Config }

var migrations = []string{
	`CREATE TABLE dashboards (account TEXT NOT NULL, name TEXT NOT NULL, modified BIGINT NOT NULL, body TEXT NOT NULL, tags TEXT NOT NULL, PRIMARY KEY (account, name))`,
}

// Open makes the table where it is missing.
func Open(ctx context.Context, c Config) (*Dashboards, error) {
	if c.DB == nil || c.Now == nil {
		return nil, errors.New("dashboards: the configuration is incomplete")
	}
	return &Dashboards{c}, c.DB.Migrate(ctx, "dashboards", migrations)
}

// Dashboard is one dashboard.
type Dashboard struct {
	Account, Name string
	Modified      time.Time
	Body          string // JSON
	Tags          map[string]string
}

// ARN is the name of the dashboard everywhere.
func (d Dashboard) ARN() string { return ARN(d.Account, d.Name) }

// ARN is the name of a dashboard everywhere.
func ARN(account, name string) string { return "arn:aws:cloudwatch::" + account + ":dashboard/" + name }

var nameForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z_-]{1,255}$`) })

// check refuses what is no dashboard.
func (d Dashboard) check() error {
	if !nameForm().MatchString(d.Name) {
		return apprunner.Errorf(CodeInvalidName, "The value %q for field DashboardName must match the pattern [0-9A-Za-z-_]+, at most 255 characters.", d.Name)
	}
	if len(d.Body) > maxBody {
		return apprunner.Errorf(CodeInvalid, "The field DashboardBody has %d bytes; at most %d are allowed.", len(d.Body), maxBody)
	}
	var body struct{ Widgets []map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(d.Body), &body); err != nil {
		return apprunner.Errorf(CodeInvalid, "The field DashboardBody must be a valid JSON object: %v.", err)
	}
	if body.Widgets == nil || len(body.Widgets) > maxWidgets {
		return apprunner.Errorf(CodeInvalid, "The field DashboardBody must have a list widgets of at most %d elements.", maxWidgets)
	}
	for i, w := range body.Widgets {
		if w["type"] == nil {
			return apprunner.Errorf(CodeInvalid, "The field DashboardBody is not valid: /widgets/%d should have required property 'type'.", i)
		}
	}
	if len(d.Tags) > maxTags {
		return apprunner.Errorf(CodeInvalidName, "A dashboard has at most %d tags; here are %d.", maxTags, len(d.Tags))
	}
	return nil
}

// Put makes a dashboard, or gives one that is there another body; that one keeps its tags.
func (s *Dashboards) Put(ctx context.Context, d Dashboard) error {
	if err := d.check(); err != nil {
		return err
	}
	d.Modified = s.conf.Now().UTC()
	return s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		old, found, err := read(tx, d.Account, d.Name)
		if err != nil {
			return err
		}
		if found {
			d.Tags = old.Tags
			return write(tx, d)
		}
		var n int
		if _, err := tx.Get(`SELECT count(*) FROM dashboards WHERE account = $1`, []any{d.Account}, &n); err != nil {
			return err
		}
		if n >= maxDashboards {
			return apprunner.Errorf(CodeInvalidName, "The account has its %d dashboards already.", maxDashboards)
		}
		return write(tx, d)
	})
}

func read(tx *store.Tx, account, name string) (d Dashboard, found bool, err error) {
	err = each(tx, `account = $1 AND name = $2`, []any{account, name}, func(one Dashboard) { d, found = one, true })
	return d, found, err
}

func each(tx *store.Tx, where string, args []any, visit func(Dashboard)) error {
	return tx.Each(`SELECT account, name, modified, body, tags FROM dashboards WHERE `+where+` ORDER BY name`, args, func(row store.Row) error {
		var d Dashboard
		var modified int64
		var tags []byte
		if err := row.Scan(&d.Account, &d.Name, &modified, &d.Body, &tags); err != nil {
			return err
		}
		d.Modified = store.Time(modified)
		if err := json.Unmarshal(tags, &d.Tags); err != nil {
			return fmt.Errorf("decode the tags of a dashboard: %w", err)
		}
		visit(d)
		return nil
	})
}

func write(tx *store.Tx, d Dashboard) error {
	tags, err := json.Marshal(d.Tags)
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO dashboards (account, name, modified, body, tags) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account, name) DO UPDATE SET modified = excluded.modified, body = excluded.body, tags = excluded.tags`,
		d.Account, d.Name, store.Micros(d.Modified), d.Body, string(tags))
}

// List gives the dashboards of an account by name.
func (s *Dashboards) List(ctx context.Context, account string) (list []Dashboard, err error) {
	err = s.conf.DB.View(ctx, func(tx *store.Tx) error {
		list = nil
		return each(tx, `account = $1`, []any{account}, func(d Dashboard) { list = append(list, d) })
	})
	return list, err
}

// Get gives one dashboard. It fails with CodeNotFound.
func (s *Dashboards) Get(ctx context.Context, account, name string) (d Dashboard, err error) {
	err = s.conf.DB.View(ctx, func(tx *store.Tx) error {
		d, err = mustRead(tx, account, name)
		return err
	})
	return d, err
}

func mustRead(tx *store.Tx, account, name string) (Dashboard, error) {
	d, found, err := read(tx, account, name)
	if err == nil && !found {
		err = apprunner.Errorf(CodeNotFound, "Dashboard %s does not exist.", name)
	}
	return d, err
}

// Delete removes dashboards: all of them, or none and CodeNotFound where one is not there.
func (s *Dashboards) Delete(ctx context.Context, account string, names []string) error {
	return s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			if _, err := mustRead(tx, account, name); err != nil {
				return err
			}
			if err := tx.Exec(`DELETE FROM dashboards WHERE account = $1 AND name = $2`, account, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// Tag adds tags to a dashboard and replaces those of the same keys.
func (s *Dashboards) Tag(ctx context.Context, account, name string, tags map[string]string) error {
	return s.retag(ctx, account, name, func(all map[string]string) { maps.Copy(all, tags) })
}

// Untag takes tags away.
func (s *Dashboards) Untag(ctx context.Context, account, name string, keys []string) error {
	return s.retag(ctx, account, name, func(all map[string]string) {
		maps.DeleteFunc(all, func(k, _ string) bool { return slices.Contains(keys, k) })
	})
}

func (s *Dashboards) retag(ctx context.Context, account, name string, change func(map[string]string)) error {
	return s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		d, err := mustRead(tx, account, name)
		if err != nil {
			return err
		}
		if d.Tags == nil {
			d.Tags = map[string]string{}
		}
		if change(d.Tags); len(d.Tags) > maxTags {
			return apprunner.Errorf(CodeInvalidName, "A dashboard has at most %d tags.", maxTags)
		}
		return write(tx, d)
	})
}
