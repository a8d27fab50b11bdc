package secret_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

// world is the room over a real database and real keys, with a clock that tests move.
type world struct {
	*secret.Secrets
	db   *store.DB
	keys *kms.Keys
	now  time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	var err error
	w.db, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	check(t, err)
	t.Cleanup(func() { w.db.Close() })
	w.keys, err = kms.Open(t.Context(), kms.Config{DB: w.db, Root: make([]byte, 32), Now: clock})
	check(t, err)
	w.Secrets, err = secret.Open(t.Context(), secret.Config{DB: w.db, Keys: kms.Sealer{Keys: w.keys}, Now: clock})
	check(t, err)
	return w
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) make(t *testing.T, name, text string) secret.Secret {
	t.Helper()
	x, err := w.Create(t.Context(), secret.Secret{Scope: scope, Name: name}, &secret.NewVersion{ID: apprunner.NewUUID(), Value: secret.Text(text)})
	check(t, err)
	return x
}

func (w *world) text(t *testing.T, id string) string {
	t.Helper()
	_, _, v, err := w.Value(t.Context(), scope, id, secret.Which{})
	check(t, err)
	return string(v.Bytes)
}

// rest counts the values in the database.
func (w *world) rest(t *testing.T) (n int) {
	t.Helper()
	check(t, w.db.View(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Get(`SELECT count(*) FROM secret_values`, nil, &n)
		return err
	}))
	return n
}

// TestDeletedSecretsGo: a deleted secret can be restored until its time is over; then its name is free and its value is gone.
func TestDeletedSecretsGo(t *testing.T) {
	w := newWorld(t)
	first := w.make(t, "s", "v")
	deleted, err := w.Delete(t.Context(), scope, "s", 7, false)
	check(t, err)
	if want := w.now.AddDate(0, 0, 7); !deleted.PurgeAt.Equal(want) {
		t.Errorf("goes at %s, want %s", deleted.PurgeAt, want)
	}
	w.now = w.now.AddDate(0, 0, 7).Add(-time.Second)
	check(t, w.Purge(t.Context()))
	if _, err := w.Describe(t.Context(), scope, first.ARN()); err != nil {
		t.Errorf("a second before: %v", err)
	}
	w.now = w.now.Add(time.Second)
	if _, err := w.Restore(t.Context(), scope, "s"); apprunner.CodeOf(err) != apprunner.CodeNotFound {
		t.Errorf("restored when its time was over: %v", err)
	}
	check(t, w.Purge(t.Context()))
	if n := w.rest(t); n != 0 {
		t.Errorf("%d values are left", n)
	}
	if again := w.make(t, "s", "w"); again.ARN() == first.ARN() {
		t.Error("a name that is used again has the same ARN")
	}
}

// TestNamesWithSuffixes: a name may look like the ARN of another secret without its suffix.
func TestNamesWithSuffixes(t *testing.T) {
	w := newWorld(t)
	short := w.make(t, "db", "short")
	long := w.make(t, "db-"+short.Suffix, "long")
	for id, want := range map[string]string{
		"db": "short", short.ARN(): "short", short.ARN()[:len(short.ARN())-7]: "short", long.Name: "long", long.ARN(): "long",
	} {
		if got := w.text(t, id); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
	for _, id := range []string{"DB", short.ARN() + "x", strings.Replace(short.ARN(), "us-east-1", "eu-west-1", 1), strings.Replace(short.ARN(), "arn:aws:", "arn:aws-cn:", 1)} {
		if _, err := w.Describe(t.Context(), scope, id); apprunner.CodeOf(err) != apprunner.CodeNotFound {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestVersionsGoOldestFirst: a secret keeps its newest versions and those that have stages.
func TestVersionsGoOldestFirst(t *testing.T) {
	w := newWorld(t)
	x := w.make(t, "s", "0")
	keep := x.Versions[0].ID
	_, err := w.Restage(t.Context(), scope, "s", "kept", "", keep)
	check(t, err)
	for i := range 105 {
		x, _, err = w.Put(t.Context(), scope, "s", secret.NewVersion{ID: apprunner.NewUUID(), Value: secret.Text(fmt.Sprint(i + 1))})
		check(t, err)
	}
	if len(x.Versions) != 100 || x.Versions[0].ID != keep || w.rest(t) != 100 {
		t.Errorf("%d versions, the oldest %s, want %s; %d values", len(x.Versions), x.Versions[0].ID, keep, w.rest(t))
	}
	_, _, v, err := w.Value(t.Context(), scope, "s", secret.Which{Stage: "kept"})
	if err != nil || string(v.Bytes) != "0" || w.text(t, "s") != "105" {
		t.Errorf("the kept one is %s, %v", v.Bytes, err)
	}
}

// TestAnotherKey: with another key the versions that have stages are sealed anew, and open without the former key.
func TestAnotherKey(t *testing.T) {
	w := newWorld(t)
	old, err := w.keys.Create(t.Context(), scope, kms.New{})
	check(t, err)
	young, err := w.keys.Create(t.Context(), scope, kms.New{})
	check(t, err)
	_, err = w.Create(t.Context(), secret.Secret{Scope: scope, Name: "s", KeyID: old.ID}, &secret.NewVersion{ID: apprunner.NewUUID(), Value: secret.Text("v")})
	check(t, err)
	id := young.ARN()
	x, err := w.Update(t.Context(), scope, "s", secret.Change{KeyID: &id})
	check(t, err)
	check(t, w.keys.Enable(t.Context(), scope, old.ID, false))
	if w.text(t, "s") != "v" || x.Versions[0].KeyARN != young.ARN() {
		t.Errorf("%+v", x.Versions)
	}
	check(t, w.keys.Enable(t.Context(), scope, young.ID, false))
	if _, _, _, err := w.Value(t.Context(), scope, "s", secret.Which{}); apprunner.CodeOf(err) != secret.CodeDecryption {
		t.Errorf("under a disabled key: %v", err)
	}
}

// TestValuesMovedInTheDatabase: what is sealed for one secret opens for no other.
func TestValuesMovedInTheDatabase(t *testing.T) {
	w := newWorld(t)
	a, b := w.make(t, "a", "of a"), w.make(t, "b", "of b")
	check(t, w.db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.Exec(`UPDATE secret_values SET sealed = (SELECT sealed FROM secret_values WHERE arn = $1) WHERE arn = $2`, a.ARN(), b.ARN())
	}))
	if _, _, v, err := w.Value(t.Context(), scope, "b", secret.Which{}); err == nil {
		t.Errorf("b is %s", v.Bytes)
	}
}

// TestReadsAreNoted: the day of the last read is kept, of the secret and of the version.
func TestReadsAreNoted(t *testing.T) {
	w := newWorld(t)
	w.make(t, "s", "v")
	w.text(t, "s")
	x, err := w.Describe(t.Context(), scope, "s")
	check(t, err)
	if want := w.now.Truncate(24 * time.Hour); !x.ReadOn.Equal(want) || !x.Versions[0].ReadOn.Equal(want) {
		t.Errorf("read on %s", x.ReadOn)
	}
}

// TestValuesShowNothing: no verb and no logger prints a value.
func TestValuesShowNothing(t *testing.T) {
	var log strings.Builder
	v := secret.Text("hidden-text")
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", v)
	text := fmt.Sprintf("%v %+v %#v %s %q %d %v", v, v, v, v, v, v, struct{ V secret.Value }{v}) + log.String()
	if strings.Contains(text, "hidden-text") || strings.Contains(text, "104 105") {
		t.Error(text)
	}
}
