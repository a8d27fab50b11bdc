package api_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/observe/events"
	"slipway.dev/slipway/internal/store"
)

// eventsWorld is a door that serves an event bus with one managed rule.
func eventsWorld(t *testing.T) *door {
	t.Helper()
	db := openStore(t)
	logs, err := observe.Open(t.Context(), observe.Config{Dir: filepath.Join(t.TempDir(), "logs"), DB: db})
	ok(t, err)
	t.Cleanup(func() { _ = logs.Close() })
	bus, err := events.Open(context.Background(), events.Config{
		DB: db, Logs: logs, Random: func() float64 { return 0 }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Managed: func(_ *store.Tx, sc apprunner.Scope) ([]events.Rule, error) {
			return []events.Rule{{
				Scope: sc, Name: events.ManagedPrefix + "-1", Pattern: `{"source":["aws.ecr"]}`, Enabled: true, ManagedBy: "apprunner.amazonaws.com",
				Targets: []events.Target{{ID: "service", ARN: "arn:aws:apprunner:us-east-1:123456789012:service/a/b"}},
			}}, nil
		},
	})
	ok(t, err)
	return newDoor(t, func(c *api.Config) {
		tokens, err := api.NewTokens([]byte("0123456789abcdef"))
		ok(t, err)
		service, err := api.NewEvents(bus, tokens)
		ok(t, err)
		c.Services = append(c.Services, service)
	})
}

// events calls an operation of EventBridge and returns status and answer.
func (d *door) events(t *testing.T, operation, input string) (int, map[string]any) {
	t.Helper()
	status, body := d.post(t, "events", "AWSEvents."+operation, input)
	out := map[string]any{}
	if body != "" {
		ok(t, json.Unmarshal([]byte(body), &out))
	}
	return status, out
}

// eventsOK is events for calls that succeed.
func (d *door) eventsOK(t *testing.T, operation, input string) map[string]any {
	t.Helper()
	status, out := d.events(t, operation, input)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %v", operation, input, status, out)
	}
	return out
}

const failedOperations = `{\"source\":[\"aws.apprunner\"],\"detail-type\":[\"AppRunner Service Operation Status Change\"],\"detail\":{\"Status\":[\"CreateServiceFailed\"]}}`

// checklist: 164, 211
func TestRulesAndTargetsOverTheWire(t *testing.T) {
	d := eventsWorld(t)
	out := d.eventsOK(t, "PutRule", `{"Name":"failed","EventPattern":"`+failedOperations+`","Description":"d","Tags":[{"Key":"k","Value":"v"}]}`)
	const arn = "arn:aws:events:us-east-1:123456789012:rule/failed"
	if out["RuleArn"] != arn {
		t.Errorf("%v", out)
	}
	record, _ := d.last(t)
	if record.EventName != "PutRule" || record.EventSource != "events.amazonaws.com" || !slices.Contains(record.Resources, observe.AuditResource{Type: "AWS::Events::Rule", Name: arn}) {
		t.Errorf("%+v", record)
	}
	target := `{"Id":"q","Arn":"arn:aws:batch:us-east-1:123456789012:job-queue/q","BatchParameters":{"JobDefinition":"d","JobName":"n"},
		"RetryPolicy":{"MaximumRetryAttempts":0,"MaximumEventAgeInSeconds":60},"InputTransformer":{"InputPathsMap":{"s":"$.detail.Status"},"InputTemplate":"\"<s>\""}}`
	if out = d.eventsOK(t, "PutTargets", `{"Rule":"failed","Targets":[`+target+`]}`); out["FailedEntryCount"] != 0.0 {
		t.Errorf("%v", out)
	}
	var want any
	ok(t, json.Unmarshal([]byte(target), &want))
	shown, _ := json.Marshal(d.eventsOK(t, "ListTargetsByRule", `{"Rule":"failed"}`)["Targets"])
	wanted, _ := json.Marshal([]any{want})
	if string(shown) != string(wanted) {
		t.Errorf("%s, want %s", shown, wanted)
	}
	if out = d.eventsOK(t, "ListRuleNamesByTarget", `{"TargetArn":"arn:aws:batch:us-east-1:123456789012:job-queue/q"}`); len(out["RuleNames"].([]any)) != 1 {
		t.Errorf("%v", out)
	}
	if status, _ := d.events(t, "DisableRule", `{"Name":"failed","EventBusName":"default"}`); status != http.StatusOK {
		t.Error(status)
	}
	if out = d.eventsOK(t, "DescribeRule", `{"Name":"failed","EventBusName":"arn:aws:events:us-east-1:123456789012:event-bus/default"}`); out["State"] != "DISABLED" || out["EventBusName"] != "default" || out["CreatedBy"] != account {
		t.Errorf("%v", out)
	}
	page := d.eventsOK(t, "ListRules", `{"Limit":1}`)
	first := page["Rules"].([]any)[0].(map[string]any)
	if first["Name"] != "AWSAppRunnerManagedRule-1" || first["ManagedBy"] != "apprunner.amazonaws.com" {
		t.Errorf("%v", page)
	}
	page = d.eventsOK(t, "ListRules", `{"Limit":1,"NextToken":"`+page["NextToken"].(string)+`"}`)
	if len(page["Rules"].([]any)) != 1 || page["NextToken"] != nil {
		t.Errorf("%v", page)
	}
	if out = d.eventsOK(t, "ListTagsForResource", `{"ResourceARN":"`+arn+`"}`); len(out["Tags"].([]any)) != 1 {
		t.Errorf("%v", out)
	}
	if out = d.eventsOK(t, "RemoveTargets", `{"Rule":"failed","Ids":["q","unknown"]}`); out["FailedEntryCount"] != 1.0 {
		t.Errorf("%v", out)
	}
	if status, _ := d.events(t, "DeleteRule", `{"Name":"failed"}`); status != http.StatusOK {
		t.Error(status)
	}
	if out = d.eventsOK(t, "ListEventBuses", `{}`); len(out["EventBuses"].([]any)) != 1 {
		t.Errorf("%v", out)
	}
}

func TestRefusalsOfTheEventsAPI(t *testing.T) {
	d := eventsWorld(t)
	d.eventsOK(t, "PutRule", `{"Name":"r","EventPattern":"{\"a\":[1]}"}`)
	for _, c := range []struct{ operation, input, code, text string }{
		{"PutRule", `{"Name":"s","ScheduleExpression":"rate(5 minutes)"}`, "ValidationException", "ScheduleExpression is not supported here"},
		{"PutRule", `{"Name":"s"}`, "ValidationException", "must be specified"},
		{"PutRule", `{"Name":"s t","EventPattern":"{}"}`, "ValidationException", "name"},
		{"PutRule", `{"Name":"s","EventPattern":"{\"a\":1}"}`, "InvalidEventPatternException", `Event pattern is not valid. Reason: "a" must be an object or an array`},
		{"PutRule", `{"Name":"s","EventPattern":"{\"a\":[1]}","EventBusName":"mine"}`, "ResourceNotFoundException", "Event bus mine does not exist"},
		{"PutRule", `{"Name":"s","EventPattern":"{\"a\":[1]}","State":"ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"}`, "ValidationException", "not supported here"},
		{"PutRule", `{"Name":"AWSAppRunnerManagedRule-1","EventPattern":"{\"a\":[1]}"}`, "ManagedRuleException", "managed by"},
		{"DeleteRule", `{"Name":"AWSAppRunnerManagedRule-1","Force":true}`, "ManagedRuleException", "managed by"},
		{"DescribeRule", `{"Name":"nothing"}`, "ResourceNotFoundException", "Rule nothing does not exist on EventBus default."},
		{"PutTargets", `{"Rule":"r","Targets":[{"Id":"a","Arn":"arn:aws:sns:us-east-1:123456789012:t","HttpParameters":{}}]}`, "ValidationException", "HttpParameters"},
		{"PutTargets", `{"Rule":"r","Targets":[{"Id":"a","Arn":"arn:aws:sns:us-east-1:123456789012:t","RetryPolicy":{"MaximumRetryAttempts":186}}]}`, "ValidationException", "185"},
		{"PutTargets", `{"Rule":"r","Targets":[{"Id":"a","Arn":"arn:aws:sns:us-east-1:123456789012:t","DeadLetterConfig":{"Arn":"arn:aws:sqs:us-east-1:123456789012:q"}}]}`, "ValidationException", "not served here"},
		{"PutEvents", `{"Entries":[]}`, "ValidationException", ""},
		{"TestEventPattern", `{"EventPattern":"{\"a\":[1]}","Event":"[]"}`, "ValidationException", "Event is not valid"},
		{"ListRules", `{"NextToken":"x"}`, "ValidationException", "NextToken"},
		{"TagResource", `{"ResourceARN":"arn:aws:events:us-east-1:123456789012:event-bus/default","Tags":[]}`, "ValidationException", "takes no tags"},
		{"UntagResource", `{"ResourceARN":"arn:aws:events:us-east-1:123456789012:rule/nothing","TagKeys":["a"]}`, "ResourceNotFoundException", "nothing"},
	} {
		status, out := d.events(t, c.operation, c.input)
		if message, _ := out["message"].(string); status != http.StatusBadRequest || out["__type"] != c.code || !strings.Contains(message, c.text) {
			t.Errorf("%s %s: %d %v, want %s %s", c.operation, c.input, status, out, c.code, c.text)
		}
	}
}

func TestPutEventsOverTheWire(t *testing.T) {
	d := eventsWorld(t)
	out := d.eventsOK(t, "PutEvents", `{"Entries":[{"Source":"my.app","DetailType":"T","Detail":"{\"password\":\"hunter2\"}"},{"Source":"aws.apprunner","DetailType":"T","Detail":"{}"}]}`)
	entries := out["Entries"].([]any)
	if out["FailedEntryCount"] != 1.0 || len(entries) != 2 || entries[0].(map[string]any)["EventId"] == "" || entries[1].(map[string]any)["ErrorCode"] != "NotAuthorizedForSourceException" {
		t.Errorf("%v", out)
	}
	if _, text := d.last(t); strings.Contains(text, "hunter2") || !strings.Contains(text, observe.Hidden) {
		t.Error(text)
	}
	event := `{\"id\":\"1\",\"account\":\"1\",\"source\":\"s\",\"time\":\"2026-03-01T12:00:00Z\",\"region\":\"r\",\"resources\":[],\"detail-type\":\"T\"}`
	if out = d.eventsOK(t, "TestEventPattern", `{"EventPattern":"{\"source\":[{\"prefix\":\"s\"}]}","Event":"`+event+`"}`); out["Result"] != true {
		t.Errorf("%v", out)
	}
}

// Policies name rules and the bus by their ARNs, and look at what is put there.
func TestRightsOnRulesAndTheBus(t *testing.T) {
	d := eventsWorld(t)
	alice := d.user(t, "alice")
	d.with(t, "alice", `[{"Effect":"Allow","Action":["events:PutRule","events:PutTargets"],"Resource":"arn:aws:events:us-east-1:123456789012:rule/alice-*"},
		{"Effect":"Deny","Action":"events:PutTargets","Resource":"*","Condition":{"ForAnyValue:StringNotLike":{"events:TargetArn":"arn:aws:sns:*"}}},
		{"Effect":"Allow","Action":"events:PutEvents","Resource":"arn:aws:events:us-east-1:123456789012:event-bus/default","Condition":{"StringEquals":{"events:source":"alice.app"}}}]`)
	entry := func(source string) string { return `{"Source":"` + source + `","DetailType":"T","Detail":"{}"}` }
	for _, c := range []struct {
		operation, input string
		want             int
	}{
		{"PutRule", `{"Name":"alice-1","EventPattern":"{\"a\":[1]}"}`, http.StatusOK},
		{"PutRule", `{"Name":"bob-1","EventPattern":"{\"a\":[1]}"}`, http.StatusForbidden},
		{"PutRule", `{"Name":"alice-1","EventPattern":"{\"a\":[1]}","RoleArn":"arn:aws:iam::123456789012:role/r"}`, http.StatusForbidden},
		{"PutRule", `{"Name":"alice-1","EventPattern":"{\"a\":[1]}","Tags":[{"Key":"a","Value":"b"}]}`, http.StatusForbidden},
		{"PutTargets", `{"Rule":"alice-1","Targets":[{"Id":"a","Arn":"arn:aws:sns:us-east-1:123456789012:t"}]}`, http.StatusOK},
		{"PutTargets", `{"Rule":"alice-1","Targets":[{"Id":"a","Arn":"arn:aws:lambda:us-east-1:123456789012:function:f"}]}`, http.StatusForbidden},
		{"DeleteRule", `{"Name":"alice-1"}`, http.StatusForbidden},
		{"ListRules", `{}`, http.StatusForbidden},
		{"PutEvents", `{"Entries":[` + entry("alice.app") + `]}`, http.StatusOK},
		{"PutEvents", `{"Entries":[` + entry("alice.app") + `,` + entry("bob.app") + `]}`, http.StatusForbidden},
		{"PutEvents", `{"Entries":[]}`, http.StatusForbidden},
	} {
		if status, body := alice.post(t, "events", "AWSEvents."+c.operation, c.input); status != c.want {
			t.Errorf("%s %s: %d %s, want %d", c.operation, c.input, status, body, c.want)
		}
	}
}
