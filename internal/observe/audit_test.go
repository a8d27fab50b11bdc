package observe_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

var chainKey = []byte("0123456789abcdef0123456789abcdef")

func openAudit(t *testing.T, db *store.DB, configure ...func(*observe.AuditConfig)) *observe.Audit {
	t.Helper()
	c := observe.AuditConfig{DB: db, ChainKey: chainKey, TrailDir: t.TempDir(), Now: func() time.Time { return t0 }}
	for _, f := range configure {
		f(&c)
	}
	a, err := observe.OpenAudit(t.Context(), c)
	check(t, err)
	return a
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// called is the record of the nth call.
func called(n int) observe.AuditRecord {
	at := t0.Add(time.Duration(n/2) * time.Second)
	r := observe.AuditRecord{
		EventVersion: "1.08", UserIdentity: observe.AuditIdentity{Type: "IAMUser", UserName: "ana", ARN: "arn:aws:iam::123456789012:user/ana", AccessKeyID: "AKIA1"},
		Time: at, EventTime: at.Format(time.RFC3339), EventSource: "apprunner.amazonaws.com", EventName: "ListServices", AWSRegion: scope.Region,
		RequestID: fmt.Sprint(n), EventID: fmt.Sprintf("e-%04d", n), ReadOnly: true, RecipientAccountID: scope.Account, SourceIPAddress: "192.0.2.1",
	}
	if n%10 == 0 {
		r.EventName, r.ReadOnly, r.ErrorCode = "CreateService", false, "AccessDeniedException"
		r.Resources = []observe.AuditResource{{Type: "AWS::AppRunner::Service", Name: "web"}}
	}
	return r
}

func found(t *testing.T, a *observe.Audit, q observe.Lookup) []observe.AuditEntry {
	t.Helper()
	list, _, err := a.LookupEvents(t.Context(), scope, q)
	check(t, err)
	return list
}

// checklist: 167
func TestLookupEvents(t *testing.T) {
	a, ctx := openAudit(t, openStore(t)), t.Context()
	for i := range 120 {
		check(t, a.Record(ctx, called(i), false))
	}
	check(t, a.Flush(ctx))
	count := func(q observe.Lookup) (n, pages int) {
		last := t0.Add(time.Hour)
		for {
			found, next, err := a.LookupEvents(ctx, scope, q)
			check(t, err)
			for _, e := range found {
				if e.Time.After(last) {
					t.Error("not newest first")
				}
				last = e.Time
			}
			n, pages = n+len(found), pages+1
			if q.Token = next; next == "" {
				return n, pages
			}
		}
	}
	for _, c := range []struct {
		q        observe.Lookup
		n, pages int
	}{
		{observe.Lookup{}, 120, 3},
		{observe.Lookup{Limit: 40}, 120, 3},
		{observe.Lookup{Attribute: observe.ByEventName, Value: "CreateService"}, 12, 1},
		{observe.Lookup{Attribute: observe.ByReadOnly, Value: "true"}, 108, 3},
		{observe.Lookup{Attribute: observe.ByResourceName, Value: "web"}, 12, 1},
		{observe.Lookup{Attribute: observe.ByResourceType, Value: "AWS::AppRunner::Service"}, 12, 1},
		{observe.Lookup{Attribute: observe.ByEventID, Value: "e-0007"}, 1, 1},
		{observe.Lookup{Attribute: observe.ByAccessKeyID, Value: "AKIA1"}, 120, 3},
		{observe.Lookup{Start: t0.Add(10 * time.Second), End: t0.Add(11 * time.Second)}, 4, 1},
		{observe.Lookup{Attribute: observe.ByUsername, Value: "nobody"}, 0, 1},
	} {
		if n, pages := count(c.q); n != c.n || pages != c.pages {
			t.Errorf("%+v: %d records on %d pages, want %d on %d", c.q, n, pages, c.n, c.pages)
		}
	}
	_, _, err := a.LookupEvents(ctx, scope, observe.Lookup{Attribute: "Color", Value: "x"})
	wantCode(t, err, observe.CodeInvalidLookupAttributes)
	_, _, err = a.LookupEvents(ctx, scope, observe.Lookup{Token: "x"})
	wantCode(t, err, observe.CodeInvalidNextToken)
	check(t, a.Prune(ctx, t0.Add(observe.AuditAge+30*time.Second)))
	if n, _ := count(observe.Lookup{}); n != 60 {
		t.Errorf("%d records are left", n)
	}
	if n, err := a.Verify(ctx); n != 60 || err != nil {
		t.Errorf("after pruning %d records are whole: %v", n, err)
	}
}

// Records that are still in the queue when everything ends are written, and so are those that come after.
func TestNoRecordIsLostAtTheEnd(t *testing.T) {
	a := openAudit(t, openStore(t))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group sync.WaitGroup
	group.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	var callers sync.WaitGroup
	for w := range 8 {
		callers.Go(func() {
			for i := range 50 {
				if err := a.Record(t.Context(), called(w*50+i), i%7 == 0); err != nil {
					t.Error(err)
				}
				if w == 0 && i == 25 {
					stop()
				}
			}
		})
	}
	callers.Wait()
	group.Wait()
	if n, err := a.Verify(t.Context()); n != 400 || err != nil {
		t.Errorf("%d records of 400: %v", n, err)
	}
}

func TestADurableRecordIsThereWhenRecordReturns(t *testing.T) {
	a := openAudit(t, openStore(t))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group sync.WaitGroup
	group.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	for i := range 20 {
		check(t, a.Record(t.Context(), called(i), true))
		if len(found(t, a, observe.Lookup{Attribute: observe.ByEventID, Value: called(i).EventID})) != 1 {
			t.Fatalf("record %d is not there", i)
		}
	}
	stop()
	group.Wait()
}

// A change and its record are kept together; what a crash leaves is found again.
func TestRecordsBegunWithTheirAction(t *testing.T) {
	db := openStore(t)
	a, ctx := openAudit(t, db), t.Context()
	failed := errors.New("the change was not made")
	for i, outcome := range []error{nil, failed, nil} {
		err := db.Update(ctx, func(tx *store.Tx) error { return errors.Join(observe.Begin(tx, called(i)), outcome) })
		if !errors.Is(err, outcome) {
			t.Fatal(err)
		}
	}
	done := called(0)
	done.ResponseElements = map[string]any{"service": "x"}
	check(t, a.Finish(ctx, done))
	check(t, a.Flush(ctx))
	if n, err := a.Verify(ctx); n != 1 || err != nil {
		t.Fatalf("%d records: %v", n, err)
	}
	// The process ends before the answer of the third call; another one starts.
	b := openAudit(t, db)
	run, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	group.Go(func() {
		if err := b.Run(run); err != nil {
			t.Error(err)
		}
	})
	check(t, b.Record(ctx, called(9), true))
	stop()
	group.Wait()
	var ids []string
	for _, e := range found(t, b, observe.Lookup{}) {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{"e-0000", "e-0002", "e-0009"}) {
		t.Errorf("records %v", ids)
	}
}

func TestTheChainShowsTampering(t *testing.T) {
	for name, tamper := range map[string]string{
		"a changed record":  `UPDATE audit_records SET record = replace(record, 'ana', 'bob') WHERE id = 'e-0005'`,
		"a removed record":  `DELETE FROM audit_records WHERE id = 'e-0005'`,
		"a removed end":     `DELETE FROM audit_records WHERE id = 'e-0019'`,
		"two that swap":     `UPDATE audit_records SET seq = CASE seq WHEN 5 THEN 6 ELSE 5 END WHERE seq IN (5, 6)`,
		"an inserted one":   `INSERT INTO audit_records SELECT 'e-x', account, region, time, event_name, event_source, username, access_key, read_only, resources, record, 21, chain FROM audit_records WHERE seq = 20`,
		"a removed start":   `DELETE FROM audit_records WHERE seq < 3`,
		"all of it removed": `DELETE FROM audit_records`,
	} {
		t.Run(name, func(t *testing.T) {
			db := openStore(t)
			a, ctx := openAudit(t, db), t.Context()
			for i := range 20 {
				check(t, a.Record(ctx, called(i), false))
			}
			check(t, a.Flush(ctx))
			if n, err := a.Verify(ctx); n != 20 || err != nil {
				t.Fatalf("%d records: %v", n, err)
			}
			check(t, db.Update(ctx, func(tx *store.Tx) error {
				return errors.Join(tx.Exec(`DELETE FROM audit_resources`), tx.Exec(tamper))
			}))
			_, err := a.Verify(ctx)
			wantCode(t, err, observe.CodeAuditBroken)
		})
	}
}

// Whoever has no key may knock as often as they like: the disk does not fill, and what was left out is counted.
func TestAFloodOfStrangersIsNotKept(t *testing.T) {
	now := t0
	a, ctx := openAudit(t, openStore(t), func(c *observe.AuditConfig) { c.Now = func() time.Time { return now } }), t.Context()
	stranger := func(n int, address string) observe.AuditRecord {
		r := called(n)
		r.EventID, r.UserIdentity, r.SourceIPAddress, r.ErrorCode = fmt.Sprintf("s-%d", n), observe.AuditIdentity{Type: observe.IdentityUnknown}, address, "MissingAuthenticationTokenException"
		return r
	}
	for i := range 5000 {
		check(t, a.Record(ctx, stranger(i, "192.0.2.7"), false))
	}
	check(t, a.Record(ctx, stranger(5001, "192.0.2.8"), false))
	check(t, a.Record(ctx, called(1), false))
	check(t, a.Flush(ctx))
	if n, _ := a.Verify(ctx); n != 62 {
		t.Errorf("%d records are kept, want 60 of the flood, one of another stranger, one of a caller that is known", n)
	}
	now = now.Add(time.Minute)
	check(t, a.Record(ctx, stranger(6000, "192.0.2.7"), false))
	check(t, a.Flush(ctx))
	if e := found(t, a, observe.Lookup{Attribute: observe.ByEventID, Value: "s-6000"}); len(e) != 1 || !strings.Contains(e[0].Record, `"omittedSimilarRecords":4940`) {
		t.Errorf("the next record is %+v", e)
	}
	for i := range 100_000 { // from everywhere
		check(t, a.Record(ctx, stranger(10_000+i, fmt.Sprintf("2001:db8::%x", i)), false))
	}
	check(t, a.Flush(ctx))
	if n, _ := a.Verify(ctx); n > 700 {
		t.Errorf("%d records are kept", n)
	}
}

// files reads what trails wrote: event ids by file.
func files(t *testing.T, dir string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "Digest") {
			return err
		}
		if !strings.HasSuffix(path, ".json.gz") {
			t.Errorf("left over: %s", path)
			return nil
		}
		var log struct {
			Records []struct {
				EventID   string `json:"eventID"`
				AWSRegion string `json:"awsRegion"`
			}
		}
		check(t, json.Unmarshal(unzip(t, path), &log))
		name, err := filepath.Rel(dir, path)
		for _, r := range log.Records {
			out[name] = append(out[name], r.EventID)
		}
		return err
	}))
	return out
}

func unzip(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	z, err := gzip.NewReader(bytes.NewReader(b))
	check(t, err)
	text, err := io.ReadAll(z)
	check(t, err)
	return text
}

func ids(files map[string][]string) (all []string) {
	for _, list := range files {
		all = append(all, list...)
	}
	slices.Sort(all)
	return all
}

// checklist: 170
func TestTrailsWriteFiles(t *testing.T) {
	db, dir := openStore(t), t.TempDir()
	a, ctx := openAudit(t, db, func(c *observe.AuditConfig) { c.TrailDir = dir }), t.Context()
	check(t, a.Record(ctx, called(1), false)) // before the trail
	trail := observe.Trail{Scope: scope, Name: "all", Bucket: "my-bucket", Prefix: "x/y", Global: true, MultiRegion: true, Validate: true}
	check(t, a.CreateTrail(ctx, trail))
	wantCode(t, a.CreateTrail(ctx, trail), observe.CodeTrailExists)
	check(t, a.SetLogging(ctx, scope, "all", true))
	for i := 2; i < 30; i++ {
		r := called(i)
		switch i % 3 {
		case 1:
			r.AWSRegion = "eu-west-1"
		case 2:
			r.RecipientAccountID = "999999999999"
		}
		check(t, a.Record(ctx, r, false))
	}
	check(t, errors.Join(a.Flush(ctx), a.Deliver(ctx), a.Deliver(ctx)))
	first := files(t, dir)
	if len(first) != 2 || len(ids(first)) != 18 {
		t.Errorf("files %v", first)
	}
	for name := range first {
		if !strings.HasPrefix(name, "my-bucket/x/y/AWSLogs/123456789012/CloudTrail/") || !strings.Contains(name, "/2026/03/01/123456789012_CloudTrail_") {
			t.Errorf("file %s", name)
		}
	}
	got, err := a.Trail(ctx, scope, trail.ARN())
	check(t, err)
	if got.LastError != "" || got.LastDelivery.IsZero() || got.LastDigest.Object == "" {
		t.Errorf("trail %+v", got)
	}
	var digest struct {
		LogFiles []struct{ S3Object, HashValue string }
	}
	check(t, json.Unmarshal(unzip(t, filepath.Join(dir, "my-bucket", got.LastDigest.Object)), &digest))
	for _, f := range digest.LogFiles {
		b, err := os.ReadFile(filepath.Join(dir, "my-bucket", f.S3Object))
		check(t, err)
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != f.HashValue {
			t.Errorf("hash of %s", f.S3Object)
		}
	}
	if len(digest.LogFiles) != 2 {
		t.Errorf("digest %+v", digest)
	}
	// Stopped, it writes what came before, and nothing after; started again, what comes from then on.
	check(t, a.Record(ctx, called(40), false))
	check(t, a.SetLogging(ctx, scope, "all", false))
	check(t, a.Record(ctx, called(41), false))
	check(t, errors.Join(a.Flush(ctx), a.Deliver(ctx)))
	check(t, a.SetLogging(ctx, scope, "all", true))
	check(t, a.Record(ctx, called(42), false))
	check(t, errors.Join(a.Flush(ctx), a.Deliver(ctx)))
	if all := ids(files(t, dir)); !slices.Contains(all, "e-0040") || slices.Contains(all, "e-0041") || !slices.Contains(all, "e-0042") {
		t.Errorf("records %v", all)
	}
	_, err = a.UpdateTrail(ctx, apprunner.Scope{Account: scope.Account, Region: "eu-west-1"}, trail.ARN(), func(*observe.Trail) error { return nil })
	wantCode(t, err, observe.CodeInvalidHomeRegion)
	_, err = a.Trail(ctx, apprunner.Scope{Account: "999999999999", Region: scope.Region}, trail.ARN())
	wantCode(t, err, observe.CodeTrailNotFound)
	check(t, a.DeleteTrail(ctx, scope, "all"))
	wantCode(t, a.DeleteTrail(ctx, scope, "all"), observe.CodeTrailNotFound)
}

func TestTrailsChoose(t *testing.T) {
	dir := t.TempDir()
	a, ctx := openAudit(t, openStore(t), func(c *observe.AuditConfig) { c.TrailDir = dir }), t.Context()
	trails := map[string]observe.Trail{
		"one-region": {Global: true}, "no-global": {}, "writes": {Global: true, MultiRegion: true, Selectors: []observe.TrailSelector{{ReadWrite: "WriteOnly", Management: true}}},
		"excluding": {Global: true, MultiRegion: true, Selectors: []observe.TrailSelector{{ReadWrite: "All", Management: true, ExcludeSources: []string{"apprunner.amazonaws.com"}}}},
	}
	for name, trail := range trails {
		trail.Scope, trail.Name, trail.Bucket = scope, name, name
		check(t, a.CreateTrail(ctx, trail))
		check(t, a.SetLogging(ctx, scope, name, true))
	}
	abroad, identity := called(2), called(3)
	abroad.AWSRegion, identity.EventSource = "eu-west-1", "iam.amazonaws.com"
	for _, r := range []observe.AuditRecord{called(1), called(10), abroad, identity} {
		check(t, a.Record(ctx, r, false))
	}
	check(t, errors.Join(a.Flush(ctx), a.Deliver(ctx)))
	for name, want := range map[string][]string{
		"one-region": {"e-0001", "e-0003", "e-0010"}, "no-global": {"e-0001", "e-0010"}, "writes": {"e-0010"}, "excluding": {"e-0003"},
	} {
		if got := ids(files(t, filepath.Join(dir, name))); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for name, code := range map[string]apprunner.Code{"a": observe.CodeInvalidTrailName, "a..b": observe.CodeInvalidTrailName, "10.0.0.1": observe.CodeInvalidTrailName} {
		wantCode(t, a.CreateTrail(ctx, observe.Trail{Scope: scope, Name: name, Bucket: "bucket"}), code)
	}
	wantCode(t, a.CreateTrail(ctx, observe.Trail{Scope: scope, Name: "trail", Bucket: "../etc"}), observe.CodeInvalidBucketName)
	wantCode(t, a.CreateTrail(ctx, observe.Trail{Scope: scope, Name: "trail", Bucket: "bucket", Prefix: "a/../../b"}), observe.CodeInvalidPrefix)
	check(t, a.CreateTrail(ctx, observe.Trail{Scope: scope, Name: "fifth", Bucket: "bucket"}))
	wantCode(t, a.CreateTrail(ctx, observe.Trail{Scope: scope, Name: "sixth", Bucket: "bucket"}), observe.CodeTooManyTrails)
}

// A disk that fails and a crash between the files and the trail's place cost neither a record nor write one twice; what a trail has
// not written yet is not pruned.
func TestTrailsLoseNothing(t *testing.T) {
	db, dir := openStore(t), t.TempDir()
	a, ctx := openAudit(t, db, func(c *observe.AuditConfig) { c.TrailDir = dir }), t.Context()
	check(t, a.CreateTrail(ctx, observe.Trail{Scope: scope, Name: "all", Bucket: "bucket", Global: true, MultiRegion: true}))
	check(t, a.SetLogging(ctx, scope, "all", true))
	for i := range 10 {
		check(t, a.Record(ctx, called(i), false))
	}
	check(t, a.Flush(ctx))
	obstacle := filepath.Join(dir, "bucket")
	check(t, os.WriteFile(obstacle, nil, 0o600))
	if err := a.Deliver(ctx); err == nil {
		t.Fatal("wrote into a file")
	}
	if got, err := a.Trail(ctx, scope, "all"); err != nil || got.LastError == "" {
		t.Errorf("trail %+v, %v", got, err)
	}
	check(t, a.Prune(ctx, t0.Add(2*observe.AuditAge)))
	check(t, os.Remove(obstacle))
	check(t, a.Deliver(ctx))
	// As after a crash: the files are there, the trail's place is not.
	check(t, db.Update(ctx, func(tx *store.Tx) error { return tx.Exec(`UPDATE audit_trails SET delivered = 0`) }))
	for i := 10; i < 15; i++ {
		check(t, a.Record(ctx, called(i), false))
	}
	check(t, errors.Join(a.Flush(ctx), a.Deliver(ctx)))
	if all := ids(files(t, dir)); len(all) != 15 || len(slices.Compact(all)) != 15 {
		t.Errorf("records %v", all)
	}
	check(t, a.Prune(ctx, t0.Add(2*observe.AuditAge)))
	if n, err := a.Verify(ctx); n != 0 || err != nil {
		t.Errorf("after pruning %d records: %v", n, err)
	}
}
