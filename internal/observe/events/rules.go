package events

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/events/pattern"
	"slipway.dev/slipway/internal/store"
)

// PutRule makes a rule, or gives one that is there another pattern, state, description and role. The targets and the tags of that one stay
// as they are. It fails with CodeInvalidPattern, CodeLimitExceeded or CodeManagedRule.
func (b *Bus) PutRule(ctx context.Context, r Rule) error {
	if _, err := pattern.Compile(r.Pattern); err != nil {
		return apprunner.Errorf(CodeInvalidPattern, "Event pattern is not valid. Reason: %v", err)
	}
	if len(r.Tags) > maxTags {
		return tooMany("tags of a rule", maxTags)
	}
	return b.change(ctx, r.Scope, r.Name, func(old *Rule) error {
		if old.Name == "" {
			*old = r
			return nil
		}
		r.Targets, r.Tags, r.CreatedBy = old.Targets, old.Tags, old.CreatedBy
		*old = r
		return nil
	})
}

func tooMany(what string, limit int) error {
	return apprunner.Errorf(CodeLimitExceeded, "The requested resource exceeds the maximum number allowed: %d %s.", limit, what)
}

// change writes a rule after f changed it. A rule that is not there comes without a name.
func (b *Bus) change(ctx context.Context, sc apprunner.Scope, name string, f func(*Rule) error) error {
	if err := b.mayChange(name); err != nil {
		return err
	}
	return b.conf.DB.Update(ctx, func(tx *store.Tx) error {
		r, found, err := readRule(tx, sc, name)
		if err != nil {
			return err
		}
		if err := f(&r); err != nil {
			return err
		}
		if !found {
			if err := roomForRule(tx, sc); err != nil {
				return err
			}
		}
		return writeRule(tx, r)
	})
}

// changeThere is change for a rule that has to be there.
func (b *Bus) changeThere(ctx context.Context, sc apprunner.Scope, name string, f func(*Rule) error) error {
	return b.change(ctx, sc, name, func(r *Rule) error {
		if r.Name == "" {
			return noRule(name)
		}
		return f(r)
	})
}

func (b *Bus) mayChange(name string) error {
	if strings.HasPrefix(name, ManagedPrefix) {
		return apprunner.Errorf(CodeManagedRule, "Rule %s is managed by an AWS service and cannot be changed: App Runner makes and removes the rules named %s… by itself.", name, ManagedPrefix)
	}
	return nil
}

func roomForRule(tx *store.Tx, sc apprunner.Scope) error {
	var n int
	if _, err := tx.Get(`SELECT count(*) FROM event_rules WHERE account = $1 AND region = $2`, []any{sc.Account, sc.Region}, &n); err != nil {
		return err
	}
	if n >= maxRules {
		return tooMany("rules on an event bus", maxRules)
	}
	return nil
}

func readRule(tx *store.Tx, sc apprunner.Scope, name string) (r Rule, found bool, err error) {
	var body []byte
	found, err = tx.Get(`SELECT body FROM event_rules WHERE account = $1 AND region = $2 AND name = $3`, []any{sc.Account, sc.Region, name}, &body)
	if err != nil || !found {
		return Rule{}, false, err
	}
	return r, true, json.Unmarshal(body, &r)
}

func writeRule(tx *store.Tx, r Rule) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode rule: %w", err)
	}
	err = tx.Exec(`INSERT INTO event_rules (account, region, name, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, region, name) DO UPDATE SET body = excluded.body`, r.Account, r.Region, r.Name, string(body))
	if err != nil {
		return err
	}
	return rulesChanged(tx)
}

func rulesChanged(tx *store.Tx) error {
	return tx.Exec(`UPDATE event_places SET value = value + 1 WHERE name = 'rules'`)
}

// eachRule visits the rules of users: of one scope, or, for the zero scope, of all.
func eachRule(tx *store.Tx, sc apprunner.Scope, visit func(Rule) error) error {
	return tx.Each(`SELECT body FROM event_rules WHERE account = $1 AND region = $2 OR $1 = '' ORDER BY name`, []any{sc.Account, sc.Region}, func(row store.Row) error {
		var body []byte
		if err := row.Scan(&body); err != nil {
			return err
		}
		var r Rule
		if err := json.Unmarshal(body, &r); err != nil {
			return fmt.Errorf("decode rule: %w", err)
		}
		return visit(r)
	})
}

// Rules gives all rules of a scope by name, those that the installation made for itself included.
func (b *Bus) Rules(ctx context.Context, sc apprunner.Scope) (all []Rule, err error) {
	err = b.conf.DB.View(ctx, func(tx *store.Tx) error {
		managed, err := b.conf.Managed(tx, sc)
		if err != nil {
			return err
		}
		all = managed
		return eachRule(tx, sc, func(r Rule) error { all = append(all, r); return nil })
	})
	slices.SortFunc(all, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// Rule gives one rule. It fails with apprunner.CodeNotFound.
func (b *Bus) Rule(ctx context.Context, sc apprunner.Scope, name string) (r Rule, err error) {
	err = b.conf.DB.View(ctx, func(tx *store.Tx) error {
		found := false
		if r, found, err = readRule(tx, sc, name); err != nil || found {
			return err
		}
		managed, err := b.conf.Managed(tx, sc)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(managed, func(m Rule) bool { return m.Name == name }); i >= 0 {
			r = managed[i]
			return nil
		}
		return noRule(name)
	})
	return r, err
}

// Enable switches a rule on or off. What it chose before is delivered all the same.
func (b *Bus) Enable(ctx context.Context, sc apprunner.Scope, name string, on bool) error {
	return b.changeThere(ctx, sc, name, func(r *Rule) error { r.Enabled = on; return nil })
}

// DeleteRule removes a rule that has no targets.
func (b *Bus) DeleteRule(ctx context.Context, sc apprunner.Scope, name string) error {
	if err := b.mayChange(name); err != nil {
		return err
	}
	return b.conf.DB.Update(ctx, func(tx *store.Tx) error {
		r, found, err := readRule(tx, sc, name)
		switch {
		case err != nil:
			return err
		case !found:
			return noRule(name)
		case len(r.Targets) > 0:
			return invalid("Rule can't be deleted since it has targets.")
		}
		if err := tx.Exec(`DELETE FROM event_rules WHERE account = $1 AND region = $2 AND name = $3`, sc.Account, sc.Region, name); err != nil {
			return err
		}
		return rulesChanged(tx)
	})
}

// Tag adds tags to a rule, and replaces those of the same keys.
func (b *Bus) Tag(ctx context.Context, sc apprunner.Scope, name string, tags map[string]string) error {
	return b.changeThere(ctx, sc, name, func(r *Rule) error {
		if r.Tags == nil {
			r.Tags = map[string]string{}
		}
		maps.Copy(r.Tags, tags)
		if len(r.Tags) > maxTags {
			return tooMany("tags of a rule", maxTags)
		}
		return nil
	})
}

// Untag takes tags away.
func (b *Bus) Untag(ctx context.Context, sc apprunner.Scope, name string, keys []string) error {
	return b.changeThere(ctx, sc, name, func(r *Rule) error {
		maps.DeleteFunc(r.Tags, func(k, _ string) bool { return slices.Contains(keys, k) })
		return nil
	})
}
