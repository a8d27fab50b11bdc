package parameter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/store"
)

// Config is what Parameters need. DB and Keys are required.
type Config struct {
	DB   *store.DB
	Keys secret.Keys
	Now  func() time.Time // default time.Now
}

// Parameters are all parameters of an installation.
type Parameters struct{ conf Config }

// migrations are the room's tables, oldest step first; see store.DB.Migrate for the rule. Names are without the leading slash.
var migrations = []string{
	`CREATE TABLE parameters (
		account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,
		PRIMARY KEY (account, region, name))`,
	`CREATE TABLE parameter_values (arn TEXT NOT NULL, version BIGINT NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (arn, version))`,
}

// Open makes the room's tables where they are missing.
func Open(ctx context.Context, c Config) (*Parameters, error) {
	if c.DB == nil || c.Keys == nil {
		return nil, errors.New("parameter: Config needs DB and Keys")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Parameters{c}, c.DB.Migrate(ctx, "parameter", migrations)
}

func find(tx *store.Tx, sc apprunner.Scope, name string) (p Parameter, found bool, err error) {
	var body []byte
	found, err = tx.Get(`SELECT body FROM parameters WHERE account = $1 AND region = $2 AND name = $3`, []any{sc.Account, sc.Region, bare(name)}, &body)
	if err != nil || !found {
		return Parameter{}, false, err
	}
	return p, true, json.Unmarshal(body, &p)
}

func write(tx *store.Tx, p Parameter) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode parameter: %w", err)
	}
	return tx.Exec(`INSERT INTO parameters (account, region, name, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account, region, name) DO UPDATE SET body = excluded.body`, p.Account, p.Region, bare(p.Name), string(body))
}

// Describe reads a parameter by its name or ARN. It fails with CodeNotFound.
func (s *Parameters) Describe(ctx context.Context, sc apprunner.Scope, text string) (p Parameter, err error) {
	home, name, _ := Locate(sc, text)
	err = s.conf.DB.View(ctx, func(tx *store.Tx) error {
		var found bool
		if p, found, err = find(tx, home, name); err == nil && !found {
			err = notFound(name)
		}
		return err
	})
	return p, err
}

// List gives all parameters of a scope by name.
func (s *Parameters) List(ctx context.Context, sc apprunner.Scope) (all []Parameter, err error) {
	err = s.conf.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Each(`SELECT body FROM parameters WHERE account = $1 AND region = $2 ORDER BY name`, []any{sc.Account, sc.Region}, func(row store.Row) error {
			var body []byte
			if err := row.Scan(&body); err != nil {
				return err
			}
			var p Parameter
			err := json.Unmarshal(body, &p)
			all = append(all, p)
			return err
		})
	})
	return all, err
}

// bound is what a value is sealed together with.
func bound(p Parameter) map[string]string { return map[string]string{"PARAMETER_ARN": p.ARN()} }

// sealKey is the key that the value of a version rests under.
func (v Version) sealKey() string {
	if v.KeyID == "" {
		return ManagedKey
	}
	return v.KeyID
}

// Put makes a parameter or, with Overwrite, gives it another version. What is said of the version that was stays unless n says
// otherwise.
func (s *Parameters) Put(ctx context.Context, sc apprunner.Scope, n New) (Parameter, error) {
	if err := n.check(sc); err != nil {
		return Parameter{}, err
	}
	p, err := s.planned(ctx, sc, n)
	if err != nil {
		return Parameter{}, err
	}
	v := p.Present()
	blob, _, err := s.conf.Keys.Encrypt(store.Apart(ctx), sc, v.sealKey(), []byte(n.Value), bound(p))
	if err != nil {
		return Parameter{}, keyTrouble(v.sealKey(), err)
	}
	err = s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet()
		now, found, err := find(tx, sc, n.Name)
		if err != nil {
			return err
		}
		if found && now.Present().Number != v.Number-1 || !found && v.Number != 1 {
			return apprunner.Errorf("TooManyUpdates", "The parameter %s was written at the same time. Try again.", n.Name)
		}
		old, err := p.trim()
		if err != nil {
			return err
		}
		if old != 0 {
			err = tx.Exec(`DELETE FROM parameter_values WHERE arn = $1 AND version = $2`, p.ARN(), old)
		}
		return errors.Join(err, write(tx, p), tx.Exec(`INSERT INTO parameter_values (arn, version, sealed) VALUES ($1, $2, $3)`, p.ARN(), v.Number, blob))
	})
	return p, err
}

// planned is the parameter as it will be.
func (s *Parameters) planned(ctx context.Context, sc apprunner.Scope, n New) (Parameter, error) {
	p, err := s.Describe(ctx, sc, n.Name)
	var v Version
	switch {
	case apprunner.CodeOf(err) == CodeNotFound:
		p = Parameter{Scope: sc, Name: n.Name, Type: n.Type, Tags: n.Tags}
		v, err = n.first()
	case err != nil:
	case !n.Overwrite:
		err = apprunner.Errorf(CodeExists, "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	default:
		v, err = n.over(p)
	}
	if err != nil {
		return Parameter{}, err
	}
	v.Number, v.ModifiedAt = v.Number+1, s.conf.Now().UTC()
	p.Versions = append(slices.Clone(p.Versions), v)
	return p, nil
}

// trim drops the oldest version where there are too many, and returns its number; 0: none.
func (p *Parameter) trim() (int64, error) {
	if len(p.Versions) <= maxVersions {
		return 0, nil
	}
	old := p.Versions[0]
	if len(old.Labels) > 0 {
		return 0, apprunner.Errorf(CodeMaxVersions, "The parameter has %d versions, and the oldest, %d, has a label. Move the label to a newer version, and try again.", maxVersions, old.Number)
	}
	p.Versions = p.Versions[1:]
	return old.Number, nil
}

// keyTrouble tells that a key did not do its work. A fault of this server stays one.
func keyTrouble(key string, err error) error {
	if apprunner.CodeOf(err) == apprunner.CodeInternal {
		return err
	}
	return apprunner.Errorf(CodeKey, "The KMS key %s could not be used: %w", key, err)
}

// Delete removes a parameter with all its versions. It fails with CodeNotFound.
func (s *Parameters) Delete(ctx context.Context, sc apprunner.Scope, name string) error {
	return s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet()
		n, err := tx.ExecCount(`DELETE FROM parameters WHERE account = $1 AND region = $2 AND name = $3`, sc.Account, sc.Region, bare(name))
		if err == nil && n == 0 {
			err = notFound(name)
		}
		return errors.Join(err, tx.Exec(`DELETE FROM parameter_values WHERE arn = $1`, ARN(sc, name)))
	})
}

// change writes a parameter after f changed it.
func (s *Parameters) change(ctx context.Context, sc apprunner.Scope, name string, f func(*Parameter) error) (p Parameter, err error) {
	err = s.conf.DB.Update(ctx, func(tx *store.Tx) error {
		tx.Quiet()
		found := false
		if p, found, err = find(tx, sc, name); err != nil {
			return err
		}
		if !found {
			return notFound(name)
		}
		if err := f(&p); err != nil {
			return err
		}
		return write(tx, p)
	})
	return p, err
}

// Label gives a version labels, which it takes from the versions that had them; number 0 means the present one. Labels that are
// not allowed come back, and the others are not given then either.
func (s *Parameters) Label(ctx context.Context, sc apprunner.Scope, name string, number int64, labels []string) (given int64, bad []string, err error) {
	_, err = s.change(ctx, sc, name, func(p *Parameter) error {
		if number == 0 {
			number = p.Present().Number
		}
		if bad = slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return !badLabel(l) }); len(bad) > 0 {
			return nil
		}
		at := slices.IndexFunc(p.Versions, func(v Version) bool { return v.Number == number })
		if at < 0 {
			return apprunner.Errorf(CodeVersionNotFound, "Systems Manager could not find version %d of %s. Verify the version and try again.", number, p.Name)
		}
		for i := range p.Versions {
			p.Versions[i].Labels = slices.DeleteFunc(slices.Clone(p.Versions[i].Labels), func(l string) bool { return slices.Contains(labels, l) })
		}
		v := &p.Versions[at]
		if v.Labels = append(v.Labels, labels...); len(v.Labels) > maxLabels {
			return apprunner.Errorf(CodeLabels, "A version may have at most %d labels; this one would have %d. Take some away, by moving them to another version.", maxLabels, len(v.Labels))
		}
		return nil
	})
	return number, bad, err
}

// Tag adds tags, and replaces those of the same keys.
func (s *Parameters) Tag(ctx context.Context, sc apprunner.Scope, name string, tags map[string]string) error {
	_, err := s.change(ctx, sc, name, func(p *Parameter) error {
		all := maps.Clone(p.Tags)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, tags)
		if len(all) > maxTags {
			return tooManyTags(len(all))
		}
		p.Tags = all
		return nil
	})
	return err
}

// Untag takes tags away.
func (s *Parameters) Untag(ctx context.Context, sc apprunner.Scope, name string, keys []string) error {
	_, err := s.change(ctx, sc, name, func(p *Parameter) error {
		maps.DeleteFunc(p.Tags, func(k, _ string) bool { return slices.Contains(keys, k) })
		return nil
	})
	return err
}
