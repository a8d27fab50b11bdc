package api_test

import (
	"log/slog"
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/observe/events"
	"slipway.dev/slipway/internal/store"
)

// newEvents serves an event bus on which the first account has the rule "victim".
func (x *crossing) newEvents(t *testing.T, db *store.DB, logs *observe.Logs, tokens *api.Tokens) *api.Service {
	t.Helper()
	bus, err := events.Open(t.Context(), events.Config{DB: db, Logs: logs, Random: func() float64 { return 0 }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ok(t, err)
	ok(t, bus.PutRule(t.Context(), events.Rule{
		Scope: scope, Name: "victim", Description: secretOfA, Pattern: `{"source":["` + secretOfA + `"]}`, Enabled: true, Tags: map[string]string{"note": secretOfA},
	}))
	ok(t, bus.PutTargets(t.Context(), scope, "victim", []events.Target{{ID: "victim", ARN: victimTopic}}))
	service, err := api.NewEvents(bus, tokens)
	ok(t, err)
	return service
}

const victimTopic = "arn:aws:sns:us-east-1:" + account + ":victim"

// eventsInput names what the first account owns in a request of the EventBridge API.
func (x *crossing) eventsInput(operation string, input map[string]any) {
	role := "arn:aws:iam::" + account + ":role/victim"
	for _, member := range []string{"Name", "Rule"} {
		if input[member] != nil {
			input[member] = "victim"
		}
	}
	switch operation {
	case "PutRule":
		input["EventPattern"], input["Tags"] = `{"source":["a"]}`, []any{map[string]any{"Key": "made", "Value": "here"}}
	case "PutTargets":
		input["Targets"] = []any{map[string]any{"Id": "victim", "Arn": victimTopic, "RoleArn": role, "Input": "1"}}
	case "ListRuleNamesByTarget":
		input["TargetArn"] = victimTopic
	case "PutEvents":
		input["Entries"] = []any{map[string]any{"Source": "a", "DetailType": "a", "Detail": "{}", "EventBusName": "arn:aws:events:us-east-1:" + account + ":event-bus/default"}}
	case "TagResource", "UntagResource", "ListTagsForResource":
		input["ResourceARN"] = "arn:aws:events:us-east-1:" + account + ":rule/victim"
	}
}
