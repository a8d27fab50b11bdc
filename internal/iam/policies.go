package iam

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Policy is a managed policy: one that is attached by its ARN.
type Policy struct {
	ID             string
	Account        string // empty for AWS managed policies
	ARN            string
	Name           string
	Path           string
	Description    string
	DefaultVersion int
	Attachable     bool
	Attachments    int
	Boundaries     int // users and roles that have it as their permissions boundary
	Tags           map[string]string
	Created        time.Time
	Updated        time.Time
}

// PolicyVersion is one text of a managed policy.
type PolicyVersion struct {
	Number   int
	Document string
	Default  bool
	Created  time.Time
}

// ID is the version as the API spells it.
func (v PolicyVersion) ID() string { return VersionID(v.Number) }

// VersionID spells a version number: v1, v2, …
func VersionID(n int) string { return "v" + strconv.Itoa(n) }

// maxVersions is how many versions a managed policy may have at a time.
const maxVersions = 5

// checkPolicyText parses a document and holds its size, white space not counted, against the quota of its kind.
func checkPolicyText(text string, kind DocumentKind, limit int) error {
	size := 0
	for _, r := range text {
		if !unicode.IsSpace(r) {
			size++
		}
	}
	if size > limit {
		return apprunner.Errorf(CodeLimitExceeded, "Cannot exceed quota for PolicySize: %d", limit)
	}
	_, err := ParseDocument(text, kind)
	return err
}

// CreatePolicy adds a managed policy with one version to p.Account; Name, Path, Description and Tags are taken from p.
func (d *Directory) CreatePolicy(ctx context.Context, p Policy, document string) (Policy, error) {
	if err := checkEntity("policy", p.Name, 128, &p.Path); err != nil {
		return Policy{}, err
	}
	if err := checkTags(p.Tags); err != nil {
		return Policy{}, err
	}
	if err := checkPolicyText(document, IdentityPolicy, maxManagedPolicy); err != nil {
		return Policy{}, err
	}
	p.ID, p.ARN = newEntityID(policyIDPrefix), entityARN(p.Account, "policy", p.Path, p.Name)
	p.DefaultVersion, p.Attachable, p.Created = 1, true, d.now().UTC()
	p.Updated = p.Created
	err := d.db.Update(ctx, func(tx *store.Tx) error {
		n, err := tx.ExecCount(`INSERT INTO iam_policies (id, account, arn, name, folded, path, description, default_version, next_version, tags, created, updated)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 2, $8, $9, $9) ON CONFLICT DO NOTHING`,
			p.ID, p.Account, p.ARN, p.Name, fold(p.Name), p.Path, p.Description, encodeTags(p.Tags), store.Micros(p.Created))
		if err != nil {
			return err
		}
		if n == 0 {
			return exists("A policy", p.Name)
		}
		return insertVersion(tx, p.ID, 1, document, p.Created)
	})
	return p, err
}

func insertVersion(tx *store.Tx, policyID string, n int, document string, at time.Time) error {
	return tx.Exec(`INSERT INTO iam_policy_versions (policy_id, version, document, created) VALUES ($1, $2, $3, $4)`, policyID, n, document, store.Micros(at))
}

const policyColumns = `p.id, p.account, p.arn, p.name, p.path, p.description, p.default_version, p.tags, p.created, p.updated,
	(SELECT count(*) FROM iam_attachments a WHERE a.policy_arn = p.arn),
	(SELECT count(*) FROM iam_users u WHERE u.boundary = p.arn) + (SELECT count(*) FROM iam_roles r WHERE r.boundary = p.arn)`

func scanPolicy(row store.Row) (p Policy, err error) {
	var tags string
	var created, updated int64
	err = row.Scan(&p.ID, &p.Account, &p.ARN, &p.Name, &p.Path, &p.Description, &p.DefaultVersion, &tags, &created, &updated, &p.Attachments, &p.Boundaries)
	p.Attachable, p.Tags, p.Created, p.Updated = true, decodeTags(tags), store.Time(created), store.Time(updated)
	return p, err
}

func noSuchPolicy(arn string) error {
	return apprunner.Errorf(CodeNoSuchEntity, "Policy %s does not exist or is not attachable.", clip(arn))
}

// getPolicy finds a managed policy that an account may see: its own or AWS's.
func (d *Directory) getPolicy(tx *store.Tx, account, arn string) (p Policy, err error) {
	if m, ok := d.managed[arn]; ok {
		p = m.Policy
		p.Attachments, p.Boundaries, err = countUses(tx, account, arn)
		return p, err
	}
	found := false
	err = tx.Each(`SELECT `+policyColumns+` FROM iam_policies p WHERE p.arn = $1 AND p.account = $2`, []any{arn, account}, func(row store.Row) error {
		found = true
		p, err = scanPolicy(row)
		return err
	})
	if err == nil && !found {
		err = noSuchPolicy(arn)
	}
	return p, err
}

// countUses counts the entities of one account that have an AWS managed policy, and those that have it as their boundary.
func countUses(tx *store.Tx, account, arn string) (attached, boundaries int, err error) {
	_, err = tx.Get(`SELECT (SELECT count(*) FROM iam_attachments a WHERE a.policy_arn = $1 AND a.owner IN (
		SELECT id FROM iam_users WHERE account = $2 UNION ALL SELECT id FROM iam_groups WHERE account = $2 UNION ALL SELECT id FROM iam_roles WHERE account = $2)),
		(SELECT count(*) FROM iam_users WHERE account = $2 AND boundary = $1) + (SELECT count(*) FROM iam_roles WHERE account = $2 AND boundary = $1)`,
		[]any{arn, account}, &attached, &boundaries)
	return attached, boundaries, err
}

// ownPolicy is a managed policy the account may change.
func (d *Directory) ownPolicy(tx *store.Tx, account, arn string) (Policy, error) {
	p, err := d.getPolicy(tx, account, arn)
	if err == nil && p.Account == "" {
		err = apprunner.Errorf(apprunner.CodeAccessDenied, "The policy %s is managed by AWS and cannot be changed.", arn)
	}
	return p, err
}

// policyText is the default version of a managed policy.
func (d *Directory) policyText(tx *store.Tx, arn string) (text string, found bool, err error) {
	if m, ok := d.managed[arn]; ok {
		return m.text, true, nil
	}
	found, err = tx.Get(`SELECT v.document FROM iam_policies p JOIN iam_policy_versions v ON v.policy_id = p.id AND v.version = p.default_version WHERE p.arn = $1`,
		[]any{arn}, &text)
	return text, found, err
}

// checkBoundary accepts the ARN of a managed policy of the account, or an empty one.
func (d *Directory) checkBoundary(tx *store.Tx, account, arn string) error {
	if arn == "" {
		return nil
	}
	_, err := d.getPolicy(tx, account, arn)
	return err
}

// GetPolicy finds a managed policy by its ARN.
func (d *Directory) GetPolicy(ctx context.Context, account, arn string) (p Policy, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		p, err = d.getPolicy(tx, account, arn)
		return err
	})
	return p, err
}

// PolicyUse is what a managed policy is used for.
type PolicyUse string

// The uses of managed policies; none means any.
const (
	UsePermissions PolicyUse = "PermissionsPolicy"
	UseBoundary    PolicyUse = "PermissionsBoundary"
)

// used tells whether a policy is used as the filter asks.
func (f PolicyFilter) used(p Policy) bool {
	if f.Use == UseBoundary {
		return p.Boundaries > 0
	}
	return !f.OnlyAttached || p.Attachments > 0
}

// PolicyFilter says which managed policies ListPolicies lists.
type PolicyFilter struct {
	AWS, Local   bool // whose: both false means both
	OnlyAttached bool
	PathPrefix   string
	Use          PolicyUse
}

// ListPolicies lists managed policies: the account's own by name, then AWS's.
func (d *Directory) ListPolicies(ctx context.Context, account string, f PolicyFilter) (out []Policy, err error) {
	var all []Policy
	err = d.db.View(ctx, func(tx *store.Tx) error {
		if f.Local || !f.AWS {
			err := tx.Each(`SELECT `+policyColumns+` FROM iam_policies p WHERE p.account = $1 ORDER BY p.folded`, []any{account}, func(row store.Row) error {
				p, err := scanPolicy(row)
				all = append(all, p)
				return err
			})
			if err != nil {
				return err
			}
		}
		if f.Local && !f.AWS {
			return nil
		}
		for _, m := range d.managed.sorted() {
			p := m.Policy
			if p.Attachments, p.Boundaries, err = countUses(tx, account, p.ARN); err != nil {
				return err
			}
			all = append(all, p)
		}
		return nil
	})
	for _, p := range all {
		if strings.HasPrefix(p.Path, f.PathPrefix) && f.used(p) {
			out = append(out, p)
		}
	}
	return out, err
}

// DeletePolicy removes a managed policy that is attached to nothing and has no version besides the default.
func (d *Directory) DeletePolicy(ctx context.Context, account, arn string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		p, err := d.ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		versions, err := listVersions(tx, p)
		if err != nil {
			return err
		}
		switch {
		case p.Attachments > 0:
			return apprunner.Errorf(CodeDeleteConflict, "Cannot delete a policy attached to entities.")
		case p.Boundaries > 0:
			return apprunner.Errorf(CodeDeleteConflict, "Cannot delete a policy that is the permissions boundary of %d users or roles.", p.Boundaries)
		case len(versions) > 1:
			return apprunner.Errorf(CodeDeleteConflict, "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		if err := tx.Exec(`DELETE FROM iam_policy_versions WHERE policy_id = $1`, p.ID); err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM iam_policies WHERE id = $1`, p.ID)
	})
}

// TagPolicy adds or replaces tags and takes the keys in remove away.
func (d *Directory) TagPolicy(ctx context.Context, account, arn string, add map[string]string, remove []string) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		p, err := d.ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		tags, err := mergeTags(p.Tags, add, remove)
		if err != nil {
			return err
		}
		return tx.Exec(`UPDATE iam_policies SET tags = $1 WHERE id = $2`, encodeTags(tags), p.ID)
	})
}

// ListPolicyVersions lists the versions of a policy, newest first.
func (d *Directory) ListPolicyVersions(ctx context.Context, account, arn string) (versions []PolicyVersion, err error) {
	err = d.db.View(ctx, func(tx *store.Tx) error {
		p, err := d.getPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		if m, ok := d.managed[arn]; ok {
			versions = []PolicyVersion{{Number: 1, Document: m.text, Default: true, Created: managedSince}}
			return nil
		}
		versions, err = listVersions(tx, p)
		return err
	})
	return versions, err
}

func listVersions(tx *store.Tx, p Policy) (versions []PolicyVersion, err error) {
	err = tx.Each(`SELECT version, document, created FROM iam_policy_versions WHERE policy_id = $1 ORDER BY version DESC`, []any{p.ID}, func(row store.Row) error {
		var v PolicyVersion
		var created int64
		err := row.Scan(&v.Number, &v.Document, &created)
		v.Created, v.Default = store.Time(created), v.Number == p.DefaultVersion
		versions = append(versions, v)
		return err
	})
	return versions, err
}

// GetPolicyVersion finds one version by its id.
func (d *Directory) GetPolicyVersion(ctx context.Context, account, arn, id string) (PolicyVersion, error) {
	versions, err := d.ListPolicyVersions(ctx, account, arn)
	if err != nil {
		return PolicyVersion{}, err
	}
	return findVersion(versions, arn, id)
}

func findVersion(versions []PolicyVersion, arn, id string) (PolicyVersion, error) {
	i := slices.IndexFunc(versions, func(v PolicyVersion) bool { return v.ID() == id })
	if i < 0 {
		return PolicyVersion{}, apprunner.Errorf(CodeNoSuchEntity, "Policy %s version %s does not exist or is not attachable.", clip(arn), clip(id))
	}
	return versions[i], nil
}

// CreatePolicyVersion adds a version, at most five at a time, and makes it the default where asked to.
func (d *Directory) CreatePolicyVersion(ctx context.Context, account, arn, document string, asDefault bool) (v PolicyVersion, err error) {
	if err := checkPolicyText(document, IdentityPolicy, maxManagedPolicy); err != nil {
		return PolicyVersion{}, err
	}
	err = d.db.Update(ctx, func(tx *store.Tx) error {
		p, err := d.ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		versions, err := listVersions(tx, p)
		if err != nil {
			return err
		}
		if len(versions) >= maxVersions {
			return apprunner.Errorf(CodeLimitExceeded, "A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)
		}
		v = PolicyVersion{Document: document, Default: asDefault, Created: d.now().UTC()}
		if _, err := tx.Get(`UPDATE iam_policies SET next_version = next_version + 1, updated = $1 WHERE id = $2 RETURNING next_version - 1`,
			[]any{store.Micros(v.Created), p.ID}, &v.Number); err != nil {
			return err
		}
		if err := insertVersion(tx, p.ID, v.Number, document, v.Created); err != nil || !asDefault {
			return err
		}
		return tx.Exec(`UPDATE iam_policies SET default_version = $1 WHERE id = $2`, v.Number, p.ID)
	})
	return v, err
}

// SetDefaultPolicyVersion chooses the version that counts.
func (d *Directory) SetDefaultPolicyVersion(ctx context.Context, account, arn, id string) error {
	return d.changeVersion(ctx, account, arn, id, func(tx *store.Tx, p Policy, v PolicyVersion) error {
		return tx.Exec(`UPDATE iam_policies SET default_version = $1, updated = $2 WHERE id = $3`, v.Number, store.Micros(d.now()), p.ID)
	})
}

// DeletePolicyVersion removes a version that is not the default.
func (d *Directory) DeletePolicyVersion(ctx context.Context, account, arn, id string) error {
	return d.changeVersion(ctx, account, arn, id, func(tx *store.Tx, p Policy, v PolicyVersion) error {
		if v.Default {
			return apprunner.Errorf(CodeDeleteConflict, "Cannot delete the default version of a policy.")
		}
		return tx.Exec(`DELETE FROM iam_policy_versions WHERE policy_id = $1 AND version = $2`, p.ID, v.Number)
	})
}

func (d *Directory) changeVersion(ctx context.Context, account, arn, id string, change func(*store.Tx, Policy, PolicyVersion) error) error {
	return d.db.Update(ctx, func(tx *store.Tx) error {
		p, err := d.ownPolicy(tx, account, arn)
		if err != nil {
			return err
		}
		versions, err := listVersions(tx, p)
		if err != nil {
			return fmt.Errorf("list the versions of %s: %w", arn, err)
		}
		v, err := findVersion(versions, arn, id)
		if err != nil {
			return err
		}
		return change(tx, p, v)
	})
}
