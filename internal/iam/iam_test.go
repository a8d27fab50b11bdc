package iam_test

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/store"
)

const account = "123456789012"

// clock is a time that tests move.
type clock struct{ us atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.us.Store(time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) Now() time.Time          { return time.UnixMicro(c.us.Load()).UTC() }
func (c *clock) Advance(d time.Duration) { c.us.Add(d.Microseconds()) }

// open makes a directory over a new database, or over the one in dir when there is one.
func open(t testing.TB, dir string, c *clock) *iam.Directory {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(dir, "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d, err := iam.Open(t.Context(), iam.Config{DB: db, KeyFile: filepath.Join(dir, "iam.key"), Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newDirectory(t testing.TB) (*iam.Directory, *clock) {
	c := newClock()
	return open(t, t.TempDir(), c), c
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantCode(t testing.TB, err error, code apprunner.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	if got := apprunner.CodeOf(err); got != code {
		t.Fatalf("code %s (%v), want %s", got, err, code)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
