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

func TestEventsCarryBothSetsOfNames(t *testing.T) {
	db := openStore(t)
	events, err := observe.OpenEvents(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	s := apprunner.Service{Scope: scope, Name: "web", ID: strings.Repeat("a", 32), Status: apprunner.StatusRunning}
	op := apprunner.Operation{Type: apprunner.OpPauseService}
	failed := errors.New("the change was not made")
	for _, keep := range []error{nil, failed} {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(events.ServiceStatusChanged(tx, s, apprunner.StatusInProgress, t0), events.OperationChanged(tx, s, op.EndedMessage(false), t0), keep)
		})
		if !errors.Is(err, keep) {
			t.Fatal(err)
		}
	}
	got, last, err := events.Since(t.Context(), 0, 10)
	if err != nil || len(got) != 2 || last != 2 {
		t.Fatalf("%v %d %v", got, last, err)
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
	for i, e := range got {
		if len(e.ID) != 36 {
			t.Errorf("id %q", e.ID)
		}
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
