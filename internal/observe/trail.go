package observe

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/store"
)

// Trail writes the audit records of an account to files (adjacent §7).
type Trail struct {
	apprunner.Scope // the account, and the region the trail was made in
	Name            string
	Bucket, Prefix  string // where the files are: below TrailDir/Bucket/Prefix, or in that bucket of S3
	Global          bool   // records of IAM and STS too
	MultiRegion     bool   // records of all regions, not only its own
	Validate        bool   // digest files tell the hashes of the others
	Tags            map[string]string
	Selectors       []TrailSelector // none: everything

	Logging          bool
	Started, Stopped time.Time
	LastDelivery     time.Time
	LastAttempt      time.Time
	LastError        string
	LastDigest       TrailDigest
	// Until is the number of the last record of a trail that was stopped.
	Until int64
}

// TrailDigest names the newest digest file, which the next one refers to.
type TrailDigest struct {
	Object, Hash string
	At           time.Time
}

// TrailSelector chooses records. A record is written when one selector takes it.
type TrailSelector struct {
	ReadWrite      string // All, ReadOnly or WriteOnly
	Management     bool
	ExcludeSources []string // event sources left out
}

// ARN names the trail.
func (t Trail) ARN() string {
	return "arn:aws:cloudtrail:" + t.Region + ":" + t.Account + ":trail/" + t.Name
}

// The error codes of trails.
const (
	CodeTrailNotFound       apprunner.Code = "TrailNotFoundException"
	CodeTrailExists         apprunner.Code = "TrailAlreadyExistsException"
	CodeTooManyTrails       apprunner.Code = "MaximumNumberOfTrailsExceededException"
	CodeInvalidTrailName    apprunner.Code = "InvalidTrailNameException"
	CodeInvalidBucketName   apprunner.Code = "InvalidS3BucketNameException"
	CodeInvalidPrefix       apprunner.Code = "InvalidS3PrefixException"
	CodeInvalidHomeRegion   apprunner.Code = "InvalidHomeRegionException"
	CodeInvalidTags         apprunner.Code = "InvalidTagParameterException"
	CodeTooManyTags         apprunner.Code = "TagsLimitExceededException"
	CodeTrailsNotSupported  apprunner.Code = "UnsupportedOperationException"
	CodeInvalidCombination  apprunner.Code = "InvalidParameterCombinationException"
	CodeInvalidSelectors    apprunner.Code = "InvalidEventSelectorsException"
	CodeTrailARNInvalid     apprunner.Code = "CloudTrailARNInvalidException"
	CodeTrailTagsNoResource apprunner.Code = "ResourceNotFoundException"
)

const (
	maxTrails    = 5 // of an account in a region
	maxTrailTags = 50
)

var (
	trailName  = pattern.Of(`^[A-Za-z0-9]([A-Za-z0-9]|[._-][A-Za-z0-9])*$`)
	bucketName = pattern.Of(`^[a-z0-9]([a-z0-9]|[.-][a-z0-9])*$`)
	prefixForm = pattern.Of(`^[A-Za-z0-9!_.*'()/-]*$`)
)

// check validates what users choose.
func (t Trail) check() error {
	if _, err := netip.ParseAddr(t.Name); len(t.Name) < 3 || len(t.Name) > 128 || !trailName.MatchString(t.Name) || err == nil {
		return apprunner.Errorf(CodeInvalidTrailName, "Trail names have 3 to 128 letters, digits, periods, underscores and dashes, begin and end with a letter or digit, have no two marks in a row, and are no address.")
	}
	if len(t.Bucket) < 3 || len(t.Bucket) > 63 || !bucketName.MatchString(t.Bucket) {
		return apprunner.Errorf(CodeInvalidBucketName, "Bucket names have 3 to 63 small letters, digits, periods and dashes, and begin and end with a letter or digit.")
	}
	if len(t.Prefix) > 200 || !prefixForm.MatchString(t.Prefix) || slices.ContainsFunc(strings.Split(t.Prefix, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return apprunner.Errorf(CodeInvalidPrefix, "The prefix may have 200 letters, digits and !_.*'()/- and no part that is . or ..")
	}
	for _, s := range t.Selectors {
		if !slices.Contains([]string{"All", "ReadOnly", "WriteOnly"}, s.ReadWrite) {
			return apprunner.Errorf(CodeInvalidSelectors, "ReadWriteType is All, ReadOnly or WriteOnly.")
		}
	}
	return checkTrailTags(t.Tags)
}

func checkTrailTags(tags map[string]string) error {
	if len(tags) > maxTrailTags {
		return apprunner.Errorf(CodeTooManyTags, "A trail has at most %d tags.", maxTrailTags)
	}
	for k, v := range tags {
		if k == "" || len([]rune(k)) > 128 || len([]rune(v)) > 256 || strings.HasPrefix(strings.ToLower(k), "aws:") {
			return apprunner.Errorf(CodeInvalidTags, "Tag keys have 1 to 128 characters and do not begin with aws:, values at most 256.")
		}
	}
	return nil
}

// wants tells whether the trail writes a record.
func (t Trail) wants(region, source string, readOnly bool) bool {
	switch global := source == "iam.amazonaws.com" || source == "sts.amazonaws.com"; {
	case global && !t.Global:
		return false
	case !global && !t.MultiRegion && region != t.Region:
		return false
	}
	if len(t.Selectors) == 0 {
		return true
	}
	return slices.ContainsFunc(t.Selectors, func(s TrailSelector) bool {
		return s.Management && (s.ReadWrite == "All" || readOnly == (s.ReadWrite == "ReadOnly")) && !slices.Contains(s.ExcludeSources, source)
	})
}

// CreateTrail makes a trail, which writes nothing until StartLogging.
func (a *Audit) CreateTrail(ctx context.Context, t Trail) error {
	if a.conf.TrailDir == "" && a.conf.S3 == nil {
		return apprunner.Errorf(CodeTrailsNotSupported, "This installation has no place for trails.")
	}
	if err := t.check(); err != nil {
		return err
	}
	return a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		trails, err := readTrails(tx, t.Account)
		if err != nil {
			return err
		}
		here := 0
		for _, other := range trails {
			if other.Region == t.Region {
				here++
			}
			if other.ARN() == t.ARN() {
				return apprunner.Errorf(CodeTrailExists, "A trail with the name %s exists already.", t.Name)
			}
		}
		if here >= maxTrails {
			return apprunner.Errorf(CodeTooManyTrails, "There are %d trails in this region already.", here)
		}
		body, err := json.Marshal(t)
		if err != nil {
			return fmt.Errorf("trail: %w", err)
		}
		return tx.Exec(`INSERT INTO audit_trails (arn, account, name, delivered, body) VALUES ($1, $2, $3, 0, $4)`, t.ARN(), t.Account, t.Name, string(body))
	})
}

// Trails lists the trails of an account, by region and name.
func (a *Audit) Trails(ctx context.Context, account string) (trails []Trail, err error) {
	err = a.conf.DB.View(ctx, func(tx *store.Tx) error {
		trails, err = readTrails(tx, account)
		return err
	})
	return trails, err
}

func readTrails(tx *store.Tx, account string) (trails []Trail, err error) {
	err = tx.Each(`SELECT body FROM audit_trails WHERE account = $1 ORDER BY arn`, []any{account}, func(row store.Row) error {
		var body string
		if err := row.Scan(&body); err != nil {
			return err
		}
		var t Trail
		err := json.Unmarshal([]byte(body), &t)
		trails = append(trails, t)
		return err
	})
	return trails, err
}

// Trail finds a trail by its name, as its own region sees it, or by its ARN.
func (a *Audit) Trail(ctx context.Context, sc apprunner.Scope, nameOrARN string) (t Trail, err error) {
	err = a.conf.DB.View(ctx, func(tx *store.Tx) error {
		t, _, err = findTrail(tx, sc, nameOrARN)
		return err
	})
	return t, err
}

func findTrail(tx *store.Tx, sc apprunner.Scope, nameOrARN string) (t Trail, delivered int64, err error) {
	arn := nameOrARN
	if !strings.HasPrefix(arn, "arn:") {
		arn = Trail{Scope: sc, Name: nameOrARN}.ARN()
	}
	var body string
	found, err := tx.Get(`SELECT body, delivered FROM audit_trails WHERE arn = $1 AND account = $2`, []any{arn, sc.Account}, &body, &delivered)
	if err != nil {
		return t, 0, err
	}
	if !found {
		return t, 0, apprunner.Errorf(CodeTrailNotFound, "Unknown trail: %s", clipText(nameOrARN))
	}
	return t, delivered, json.Unmarshal([]byte(body), &t)
}

func clipText(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

// UpdateTrail changes a trail, from the region it was made in.
func (a *Audit) UpdateTrail(ctx context.Context, sc apprunner.Scope, nameOrARN string, change func(*Trail) error) (t Trail, err error) {
	err = a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		var delivered int64
		if t, delivered, err = findTrail(tx, sc, nameOrARN); err != nil {
			return err
		}
		if t.Region != sc.Region {
			return apprunner.Errorf(CodeInvalidHomeRegion, "The trail %s can only be changed from its home region %s.", t.Name, t.Region)
		}
		t.Tags = maps.Clone(t.Tags)
		if err := change(&t); err != nil {
			return err
		}
		if err := t.check(); err != nil {
			return err
		}
		return putTrail(tx, t, delivered)
	})
	return t, err
}

func putTrail(tx *store.Tx, t Trail, delivered int64) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("trail: %w", err)
	}
	return tx.Exec(`UPDATE audit_trails SET delivered = $1, body = $2 WHERE arn = $3`, delivered, string(body), t.ARN())
}

// DeleteTrail removes a trail. Its files stay.
func (a *Audit) DeleteTrail(ctx context.Context, sc apprunner.Scope, nameOrARN string) error {
	return a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		t, _, err := findTrail(tx, sc, nameOrARN)
		if err != nil {
			return err
		}
		if t.Region != sc.Region {
			return apprunner.Errorf(CodeInvalidHomeRegion, "The trail %s can only be deleted from its home region %s.", t.Name, t.Region)
		}
		return tx.Exec(`DELETE FROM audit_trails WHERE arn = $1`, t.ARN())
	})
}

// SetLogging starts a trail with the records that come from now on, or stops it after those that came until now.
func (a *Audit) SetLogging(ctx context.Context, sc apprunner.Scope, nameOrARN string, on bool) error {
	if err := a.Flush(ctx); err != nil {
		return err
	}
	now := a.conf.Now().UTC()
	return a.conf.DB.Update(ctx, func(tx *store.Tx) error {
		t, delivered, err := findTrail(tx, sc, nameOrARN)
		if err != nil {
			return err
		}
		if t.Region != sc.Region {
			return apprunner.Errorf(CodeInvalidHomeRegion, "The trail %s can only be changed from its home region %s.", t.Name, t.Region)
		}
		end := chain{}
		if err := end.read(tx, chainEnd); err != nil || t.Logging == on {
			return err
		}
		if t.Logging = on; on {
			t.Started = now
			if delivered >= t.Until { // what it had to write before it was stopped is written
				delivered = end.seq
			}
		} else {
			t.Stopped, t.Until = now, end.seq
		}
		return putTrail(tx, t, delivered)
	})
}

// slowestTrail is the number of the last record that every trail which writes has written.
func slowestTrail(tx *store.Tx) (delivered int64, found bool, err error) {
	err = eachTrail(tx, func(t Trail, n int64) error {
		if t.Logging || n < t.Until {
			if !found || n < delivered {
				delivered, found = n, true
			}
		}
		return nil
	})
	return delivered, found, err
}

func eachTrail(tx *store.Tx, visit func(t Trail, delivered int64) error) error {
	return tx.Each(`SELECT body, delivered FROM audit_trails ORDER BY arn`, nil, func(row store.Row) error {
		var body string
		var delivered int64
		if err := row.Scan(&body, &delivered); err != nil {
			return err
		}
		var t Trail
		if err := json.Unmarshal([]byte(body), &t); err != nil {
			return err
		}
		return visit(t, delivered)
	})
}
