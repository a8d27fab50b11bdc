package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

func open(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func update(t *testing.T, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func service(name string, at int64) apprunner.Service {
	s := apprunner.Service{Scope: scope, ID: apprunner.NewID(), Name: name, URL: name + ".test", Status: apprunner.StatusRunning, CreatedAt: time.UnixMicro(at).UTC()}
	s.UpdatedAt = s.CreatedAt.Add(time.Second)
	return s
}

func TestSummariesInPages(t *testing.T) {
	db := open(t)
	var want []apprunner.ServiceSummary
	update(t, db, func(tx *store.Tx) error {
		var err error
		for i, at := range []int64{50, 40, 40, 40, 30} { // newest first; three made at the same moment
			s := service(string(rune('a'+i))+"-app", at)
			want = append(want, s.Summary())
			err = errors.Join(err, tx.InsertService(s))
		}
		gone := service("gone", 99)
		gone.Status = apprunner.StatusDeleted
		return errors.Join(err, tx.InsertService(gone))
	})
	var got []apprunner.ServiceSummary
	for after := (apprunner.Place{}); ; {
		var page []apprunner.ServiceSummary
		err := db.View(t.Context(), func(tx *store.Tx) (err error) {
			page, err = tx.ServiceSummaries(scope, after, 2)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got, after = append(got, page...), page[len(page)-1].Place()
	}
	if len(got) != len(want) {
		t.Fatalf("%d of %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

// Rows that were written before lists had columns of their own are read from the whole record.
func TestSummariesOfOldRows(t *testing.T) {
	db, s := open(t), service("old-app", 1)
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(tx.InsertService(s), tx.Exec(`UPDATE services SET url = '', updated_at = 0`))
	})
	update(t, db, func(tx *store.Tx) error {
		list, err := tx.ServiceSummaries(scope, apprunner.Place{}, 0)
		if err == nil && (len(list) != 1 || list[0] != s.Summary()) {
			t.Errorf("%+v, want %+v", list, s.Summary())
		}
		return err
	})
}

// What a service points to is in use as long as it, or the operation that runs on it, may need it.
func TestUses(t *testing.T) {
	db, s := open(t), service("web-app", 1)
	const one, two = "arn:one", "arn:two"
	put := func(status apprunner.ServiceStatus, connector string, want ...bool) {
		t.Helper()
		s.Status, s.Network.VPCConnectorARN = status, connector
		update(t, db, func(tx *store.Tx) error {
			if err := tx.PutService(s); err != nil {
				return err
			}
			for i, arn := range []string{one, two} {
				if used, err := tx.InUse(arn); err != nil || used != want[i] {
					t.Errorf("%s, %s: in use %v, %v", status, arn, used, err)
				}
			}
			return nil
		})
	}
	update(t, db, func(tx *store.Tx) error { return tx.InsertService(s) })
	put(apprunner.StatusRunning, one, true, false)
	put(apprunner.StatusInProgress, two, true, true)
	put(apprunner.StatusInProgress, "", true, true)
	put(apprunner.StatusRunning, two, false, true)
	put(apprunner.StatusDeleted, two, false, false)
}

func TestUniquePromises(t *testing.T) {
	db, s := open(t), service("web-app", 1)
	update(t, db, func(tx *store.Tx) error { return tx.InsertService(s) })
	taken := func(what string, fn func(*store.Tx) error) {
		t.Helper()
		if err := db.Update(t.Context(), fn); !errors.Is(err, store.ErrTaken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	taken("a second live service of the name", func(tx *store.Tx) error { return tx.InsertService(service("web-app", 2)) })
	taken("a second running operation", func(tx *store.Tx) error {
		op := apprunner.Operation{ID: "1", ServiceARN: s.ARN(), Status: apprunner.OpPending}
		again := op
		again.ID = "2"
		return errors.Join(tx.InsertOperation(op), tx.InsertOperation(again))
	})
	taken("a second connection of the name", func(tx *store.Tx) error {
		conn := apprunner.Connection{ARN: apprunner.ARN{Scope: scope, Kind: apprunner.KindConnection, Name: "hub", ID: "1"}.String()}
		again := conn
		again.ARN = again.ARN[:len(again.ARN)-1] + "2"
		return errors.Join(tx.PutResource(conn), tx.PutResource(again))
	})
	taken("a host of another domain", func(tx *store.Tx) error {
		return errors.Join(
			tx.InsertDomain(apprunner.NewCustomDomain("example.com", true, s, "test", strings.ToLower, time.Now())),
			tx.InsertDomain(apprunner.NewCustomDomain("www.example.com", false, s, "test", strings.ToLower, time.Now())))
	})
}
