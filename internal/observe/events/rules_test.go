package events

import (
	"fmt"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

func wantCode(t *testing.T, what string, err error, code apprunner.Code) {
	t.Helper()
	if err == nil || apprunner.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// checklist: 211
func TestManagedRules(t *testing.T) {
	h := newHouse(t)
	ctx, name := t.Context(), ManagedPrefix+"-x"
	all, err := h.Rules(ctx, scope)
	if err != nil || len(all) != 1 || all[0].Name != name {
		t.Fatalf("%+v %v", all, err)
	}
	if r, err := h.Rule(ctx, scope, name); err != nil || r.ManagedBy == "" {
		t.Errorf("%+v %v", r, err)
	}
	_, removing := h.RemoveTargets(ctx, scope, name, []string{"a"})
	for what, err := range map[string]error{
		"put": h.PutRule(ctx, Rule{Scope: scope, Name: ManagedPrefix + "Mine", Pattern: `{"a":["b"]}`}), "enable": h.Enable(ctx, scope, name, false), "delete": h.DeleteRule(ctx, scope, name),
		"targets": h.PutTargets(ctx, scope, name, []Target{{ID: "a", ARN: topic}}), "remove": removing, "tag": h.Tag(ctx, scope, name, nil), "untag": h.Untag(ctx, scope, name, nil),
	} {
		wantCode(t, what, err, CodeManagedRule)
	}
}

func TestRules(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	wantCode(t, "no rule", h.Enable(ctx, scope, "r", true), apprunner.CodeNotFound)
	wantCode(t, "no rule", h.DeleteRule(ctx, scope, "r"), apprunner.CodeNotFound)
	wantCode(t, "a bad pattern", h.PutRule(ctx, Rule{Scope: scope, Name: "r", Pattern: `{"a":"b"}`}), CodeInvalidPattern)
	h.rule("r", `{"a":["b"]}`, Target{ID: "z", ARN: topic}, Target{ID: "a", ARN: other})
	if err := h.Tag(ctx, scope, "r", map[string]string{"k": "v", "l": "w"}); err != nil {
		t.Fatal(err)
	}
	if err := h.Untag(ctx, scope, "r", []string{"l"}); err != nil {
		t.Fatal(err)
	}
	if err := h.PutRule(ctx, Rule{Scope: scope, Name: "r", Pattern: `{"a":["c"]}`}); err != nil {
		t.Fatal(err)
	}
	r, err := h.Rule(ctx, scope, "r")
	if err != nil || r.Enabled || r.Pattern != `{"a":["c"]}` || len(r.Targets) != 2 || r.Targets[0].ID != "a" || len(r.Tags) != 1 || r.Tags["k"] != "v" {
		t.Errorf("put again: %+v %v", r, err)
	}
	wantCode(t, "with targets", h.DeleteRule(ctx, scope, "r"), CodeValidation)
	if names, err := h.RulesFor(ctx, scope, other); err != nil || len(names) != 1 || names[0] != "r" {
		t.Error(names, err)
	}
	for reason, targets := range map[string][]Target{
		"not in correct format":  {{ID: "b", ARN: "nonsense"}},
		"there twice":            {{ID: "b", ARN: topic}, {ID: "b", ARN: topic}},
		"dead-letter target":     {{ID: "b", ARN: topic, DeadLetter: other}},
		"Invalid input":          {{ID: "b", ARN: topic, Input: "{"}},
		"allowed: 5 targets of ": {{ID: "b", ARN: topic}, {ID: "c", ARN: topic}, {ID: "d", ARN: topic}, {ID: "e", ARN: topic}},
	} {
		if err := h.PutTargets(ctx, scope, "r", targets); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%v, want %s", err, reason)
		}
	}
	if r, err := h.Rule(ctx, scope, "r"); err != nil || len(r.Targets) != 2 {
		t.Errorf("a refused call changed %+v %v", r, err)
	}
	for n := 1; n < maxRules; n++ {
		if err := h.PutRule(ctx, Rule{Scope: scope, Name: fmt.Sprint("r", n), Pattern: `{"a":["b"]}`}); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "rule 301", h.PutRule(ctx, Rule{Scope: scope, Name: "more", Pattern: `{"a":["b"]}`}), CodeLimitExceeded)
}

func TestPutEvents(t *testing.T) {
	h := newHouse(t)
	good := Entry{Source: "my.app", DetailType: "T", Detail: `{"a":1}`}
	with := func(change func(*Entry)) Entry {
		e := good
		change(&e)
		return e
	}
	made, err := h.PutEvents(t.Context(), scope, []Entry{
		good, with(func(e *Entry) { e.Source = "aws.ec2" }), with(func(e *Entry) { e.Source = "" }), with(func(e *Entry) { e.Detail = "" }),
		with(func(e *Entry) { e.DetailType = "" }), with(func(e *Entry) { e.Detail = "[]" }), with(func(e *Entry) { e.Bus = "mine" }), with(func(e *Entry) { e.Bus = BusARN(scope) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"", "NotAuthorizedForSourceException", "InvalidArgument", "InvalidArgument", "InvalidArgument", "MalformedDetail", "ResourceNotFoundException", ""}
	for i, m := range made {
		if m.Code != want[i] || (m.ID == "") != (want[i] != "") {
			t.Errorf("%d: %+v, want %s", i, m, want[i])
		}
	}
	_, err = h.PutEvents(t.Context(), scope, []Entry{with(func(e *Entry) { e.Detail = `{"a":"` + strings.Repeat("x", maxEntries) + `"}` })})
	wantCode(t, "too large", err, CodeValidation)
}

func TestTestPattern(t *testing.T) {
	event := `{"id":"1","account":"1","source":"s","time":"2026-03-01T12:00:00Z","region":"r","resources":[],"detail-type":"T","detail":{"a":1}}`
	if ok, err := TestPattern(`{"detail":{"a":[1]}}`, event); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := TestPattern(`{"detail":{"a":[2]}}`, event); ok || err != nil {
		t.Error(ok, err)
	}
	_, err := TestPattern(`{"detail":1}`, event)
	wantCode(t, "a bad pattern", err, CodeInvalidPattern)
	_, err = TestPattern(`{"detail":{"a":[2]}}`, `{"detail":{}}`)
	wantCode(t, "an event that lacks fields", err, CodeValidation)
}
