package observe_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

func openStore(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// outbox reads the details of the events that are kept, by detail type, oldest first.
func outbox(t *testing.T, db *store.DB) (list [][2]string) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		return tx.Each(`SELECT detail_type, detail FROM events ORDER BY seq`, nil, func(row store.Row) error {
			var e [2]string
			err := row.Scan(&e[0], &e[1])
			list = append(list, e)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Events are written with the change they tell of, or not at all, and carry both sets of names.
//
// checklist: 160, 161
func TestEventsCarryBothSetsOfNames(t *testing.T) {
	db := openStore(t)
	if err := observe.PrepareEvents(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	s := apprunner.Service{Scope: scope, Name: "web", ID: strings.Repeat("a", 32), Status: apprunner.StatusRunning}
	op := apprunner.Operation{Type: apprunner.OpPauseService}
	status, operation := observe.StatusChange(s, apprunner.StatusInProgress, t0), observe.OperationChange(s, op.EndedMessage(false), t0)
	failed := errors.New("the change was not made")
	for _, keep := range []error{nil, failed} {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(observe.EmitEvent(tx, status), observe.EmitEvent(tx, operation), keep)
		})
		if !errors.Is(err, keep) {
			t.Fatal(err)
		}
	}
	if got := outbox(t, db); len(got) != 2 || got[0][0] != observe.StatusChangeType || got[1][0] != observe.OperationChangeType {
		t.Fatalf("%v", got)
	}
	wanted := []string{
		`{"version":"0","id":"ID","detail-type":"AppRunner Service Status Change","source":"aws.apprunner","account":"123456789012",
		"time":"2026-03-01T12:00:00Z","region":"us-east-1","resources":["arn:aws:apprunner:us-east-1:123456789012:service/web/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
		"detail":{"PreviousStatus":"OPERATION_IN_PROGRESS","previousServiceStatus":"OPERATION_IN_PROGRESS","CurrentStatus":"RUNNING",
		"currentServiceStatus":"RUNNING","ServiceName":"web","serviceName":"web","ServiceId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"serviceId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","Message":"Service status is set to RUNNING.","message":"Service status is set to RUNNING.",
		"Severity":"INFO","severity":"INFO"}}`,
		`{"version":"0","id":"ID","detail-type":"AppRunner Service Operation Status Change","source":"aws.apprunner","account":"123456789012",
		"time":"2026-03-01T12:00:00Z","region":"us-east-1","resources":["arn:aws:apprunner:us-east-1:123456789012:service/web/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
		"detail":{"Status":"PauseServiceFailed","operationStatus":"PauseServiceFailed","ServiceName":"web","serviceName":"web",
		"ServiceId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","serviceId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","Message":"Service pause failed.",
		"message":"Service pause failed.","Severity":"ERROR","severity":"ERROR"}}`,
	}
	for i, e := range []observe.BusEvent{status, operation} {
		e.ID = "ID"
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var g, w any
		if err := errors.Join(json.Unmarshal(b, &g), json.Unmarshal([]byte(wanted[i]), &w)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, g); diff != "" {
			t.Error(diff)
		}
	}
}
