package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// TestKnownRecords: what readers keep of instances and routed hosts is what is written, whatever is added, changed, taken away or given up.
func TestKnownRecords(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	certified := time.Unix(1_700_000_000, 0).UTC()
	domain := func(n int) apprunner.CustomDomain {
		return apprunner.CustomDomain{Name: fmt.Sprintf("d%d.example.com", n), ServiceARN: "arn:s", Status: apprunner.DomainActive, CertifiedAt: certified, CreatedAt: certified.Add(time.Duration(n))}
	}
	look := func(view func(func(*store.Tx) error) error) (ids, hosts []string) {
		t.Helper()
		err := view(func(tx *store.Tx) error {
			all, err := tx.Instances("")
			if err != nil {
				return err
			}
			for _, i := range all {
				ids = append(ids, i.ID+" "+string(i.Phase))
			}
			routed, err := tx.RoutedHosts()
			hosts = slices.Sorted(slices.Values(routed["arn:s"]))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return ids, hosts
	}
	reads := func(fn func(*store.Tx) error) error { return db.View(t.Context(), fn) }
	put := func(id string, phase apprunner.Phase) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			return tx.PutInstance(apprunner.Instance{ID: id, ServiceARN: "arn:s", Phase: phase})
		}
	}
	for n, step := range []struct {
		change func(*store.Tx) error
		want   string
	}{
		{put("a", apprunner.PhaseActive), "[a active] []"},
		{put("b", apprunner.PhaseStandby), "[a active b standby] []"},
		{put("a", apprunner.PhaseDraining), "[a draining b standby] []"},
		{func(tx *store.Tx) error { return tx.InsertDomain(domain(1)) }, "[a draining b standby] [d1.example.com]"},
		{func(tx *store.Tx) error { return errors.Join(tx.DeleteInstance("a"), tx.InsertDomain(domain(2))) }, "[b standby] [d1.example.com d2.example.com]"},
		{func(tx *store.Tx) error { return tx.DeleteDomain("d1.example.com") }, "[b standby] [d2.example.com]"},
	} {
		if err := db.Update(t.Context(), step.change); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if ids, hosts := look(reads); fmt.Sprint(ids, hosts) != step.want {
				t.Errorf("step %d: %v %v, want %s", n, ids, hosts, step.want)
			}
		}
	}
	given := errors.New("given up")
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		if err := errors.Join(put("c", apprunner.PhaseActive)(tx), tx.InsertDomain(domain(3))); err != nil {
			return err
		}
		if ids, hosts := look(func(fn func(*store.Tx) error) error { return fn(tx) }); len(ids) != 2 || len(hosts) != 2 {
			t.Errorf("the transaction itself sees %v %v", ids, hosts)
		}
		return given
	})
	if ids, hosts := look(reads); !errors.Is(err, given) || len(ids) != 1 || len(hosts) != 1 {
		t.Errorf("after what was given up (%v): %v %v", err, ids, hosts)
	}
}
