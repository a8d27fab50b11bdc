package observe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

func TestAuditRecordHidesWhatIsSecret(t *testing.T) {
	db := openStore(t)
	trail, err := observe.OpenTrail(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	rec := observe.AuditRecord{
		Scope: scope, Time: t0, EventID: "e-1", RequestID: "r-1", Source: "apprunner.amazonaws.com", Name: "CreateService",
		SourceIP: "127.0.0.1", UserAgent: "aws-cli/1.45",
		Identity: observe.AuditIdentity{Type: "IAMUser", PrincipalID: "AIDA1", ARN: "arn:aws:iam::123456789012:user/ana", AccountID: "123456789012", AccessKeyID: "AKIA1", UserName: "ana"},
		Request: map[string]any{
			"ServiceName": "web",
			"Tags":        []any{map[string]any{"Key": "Team", "Value": "Blue"}},
			"SourceConfiguration": map[string]any{"CodeRepository": map[string]any{"CodeConfiguration": map[string]any{"CodeConfigurationValues": map[string]any{
				"BuildCommand": "pip install", "StartCommand": "", "RuntimeEnvironmentVariables": map[string]any{"PASSWORD": "x"}, "Port": "8080",
			}}}},
		},
		Response:  map[string]any{"Service": map[string]any{"CreatedAt": t0.Add(1234 * time.Microsecond)}},
		Resources: []observe.AuditResource{{Type: "AWS::AppRunner::Service", Name: "web"}},
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return observe.Record(tx, rec) }); err != nil {
		t.Fatal(err)
	}
	found, next, err := trail.LookupEvents(t.Context(), scope, observe.Lookup{Attribute: observe.ByResourceName, Value: "web"})
	if err != nil || len(found) != 1 || next != "" {
		t.Fatalf("%v %q %v", found, next, err)
	}
	var got, want map[string]any
	wanted := `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDA1","arn":"arn:aws:iam::123456789012:user/ana",
		"accountId":"123456789012","accessKeyId":"AKIA1","userName":"ana"},"eventTime":"2026-03-01T12:00:00Z","eventSource":"apprunner.amazonaws.com",
		"eventName":"CreateService","awsRegion":"us-east-1","sourceIPAddress":"127.0.0.1","userAgent":"aws-cli/1.45",
		"requestParameters":{"serviceName":"web","tags":[{"key":"Team","value":"Blue"}],"sourceConfiguration":{"codeRepository":{"codeConfiguration":
		{"codeConfigurationValues":{"buildCommand":"HIDDEN_DUE_TO_SECURITY_REASONS","startCommand":"HIDDEN_DUE_TO_SECURITY_REASONS",
		"runtimeEnvironmentVariables":"HIDDEN_DUE_TO_SECURITY_REASONS","port":"8080"}}}}},
		"responseElements":{"service":{"createdAt":"2026-03-01T12:00:00.001Z"}},"requestID":"r-1","eventID":"e-1","readOnly":false,
		"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012","eventCategory":"Management"}`
	if err := errors.Join(json.Unmarshal([]byte(found[0].Record), &got), json.Unmarshal([]byte(wanted), &want)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLookupEvents(t *testing.T) {
	db := openStore(t)
	ctx := t.Context()
	trail, err := observe.OpenTrail(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(ctx, func(tx *store.Tx) error {
		for i := range 120 {
			r := observe.AuditRecord{Scope: scope, Time: t0.Add(time.Duration(i/2) * time.Second), Source: "apprunner.amazonaws.com", Name: "ListServices", ReadOnly: true, RequestID: fmt.Sprint(i)}
			if i%10 == 0 {
				r.Name, r.ReadOnly, r.ErrorCode = "CreateService", false, "AccessDeniedException"
			}
			if err := observe.Record(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	count := func(q observe.Lookup) (n, pages int) {
		last := t0.Add(time.Hour)
		for {
			found, next, err := trail.LookupEvents(ctx, scope, q)
			if err != nil {
				t.Fatal(err)
			}
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
		{observe.Lookup{Start: t0.Add(10 * time.Second), End: t0.Add(11 * time.Second)}, 4, 1},
		{observe.Lookup{Attribute: observe.ByUsername, Value: "nobody"}, 0, 1},
	} {
		if n, pages := count(c.q); n != c.n || pages != c.pages {
			t.Errorf("%+v: %d records on %d pages, want %d on %d", c.q, n, pages, c.n, c.pages)
		}
	}
	_, _, err = trail.LookupEvents(ctx, scope, observe.Lookup{Attribute: "Color", Value: "x"})
	wantCode(t, err, observe.CodeInvalidLookupAttributes)
	_, _, err = trail.LookupEvents(ctx, scope, observe.Lookup{Token: "x"})
	wantCode(t, err, observe.CodeInvalidNextToken)
	if err := trail.Prune(ctx, t0.Add(observe.AuditAge+30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, _ := count(observe.Lookup{}); n != 60 {
		t.Errorf("%d records are left", n)
	}
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
