package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// apiModel is the model of an API as it was published: the oracle for what must be refused.
type apiModel struct {
	Operations map[string]struct {
		Input  struct{ Shape string }
		Errors []struct{ Shape string }
	}
	Shapes map[string]modelShape
}

type modelShape struct {
	Type       string
	Required   []string
	Members    map[string]struct{ Shape string }
	Member     struct{ Shape string }
	Key, Value struct{ Shape string }
	Min, Max   *int64
	Pattern    string
	Enum       []string
	Sensitive  bool
}

func readModel(t *testing.T, path string) apiModel {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m apiModel
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// row is one constraint: a request that breaks it and nothing else, and what the answer must say.
type row struct {
	operation, what string
	path            string // as messages spell it
	input           map[string]any
	value           string // the offending value, if it is a scalar
	constraint      string
	sensitive       bool
}

// walker makes the rows of one operation. set writes a value at the present path into a copy of a request that is right.
type walker struct {
	m         apiModel
	operation string
	rows      []row
}

const canary = "S3CRET"

// goodText is a value of every constrained string of the model.
var goodText = map[string]string{
	"AppRunnerResourceArn": "arn:aws:apprunner:us-east-1:123456789012:service/some-name/0123456789abcdef0123456789abcdef",
	"ImageIdentifier":      "public.ecr.aws/a/b:1", "Cpu": "1024", "Memory": "2048", "RoleArn": "arn:aws:iam::123456789012:role/some-role",
	"KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef", "DomainName": "example.com",
}

// badText breaks the pattern of a string without breaking its length.
var badText = map[string]string{
	"AppRunnerResourceArn": "arn:aws:apprunner:us-east-1:12345:x", "TagKey": "aws:reserved", "BuildCommand": canary + "\nmore", "StartCommand": canary + "\rmore",
	"SourceDirectory": "a\x00b", "Cpu": "0x25 vCPU", "Memory": "1x5 GB", "ServiceName": "bad name!", "DomainName": "exa_mple.com",
}

func (w *walker) good(shape string) any {
	s := w.m.Shapes[shape]
	switch s.Type {
	case "structure":
		out := map[string]any{}
		for _, name := range s.Required {
			out[name] = w.good(s.Members[name].Shape)
		}
		return out
	case "list":
		return []any{w.good(s.Member.Shape)}
	case "map":
		return map[string]any{"KEY": w.good(s.Value.Shape)}
	case "boolean":
		return true
	case "integer":
		if s.Min != nil {
			return *s.Min
		}
		return 1
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	if v, ok := goodText[shape]; ok {
		return v
	}
	return "some-name"
}

// walk visits a shape. put makes a whole request that holds v at the present place, and is right otherwise.
func (w *walker) walk(path, shape string, put func(v any) map[string]any) {
	s := w.m.Shapes[shape]
	add := func(what, constraint string, v any) {
		r := row{operation: w.operation, what: what, path: path, input: put(v), constraint: constraint, sensitive: s.Sensitive}
		if text, scalar := v.(string); scalar {
			r.value = text
		} else if s.Type == "integer" {
			r.value = fmt.Sprint(v)
		}
		w.rows = append(w.rows, r)
	}
	switch s.Type {
	case "structure":
		w.structure(path, s, put)
	case "list":
		w.walk(path+".1.member", s.Member.Shape, func(v any) map[string]any { return put([]any{v}) })
	case "map":
		w.walk(path+".key", s.Key.Shape, func(k any) map[string]any { return put(map[string]any{k.(string): w.good(s.Value.Shape)}) })
		w.walk(path+".value", s.Value.Shape, func(v any) map[string]any { return put(map[string]any{"KEY": v}) })
	case "integer":
		if s.Min != nil {
			add("low", fmt.Sprintf("value greater than or equal to %d", *s.Min), *s.Min-1)
		}
		if s.Max != nil {
			add("high", fmt.Sprintf("value less than or equal to %d", *s.Max), *s.Max+1)
		}
	case "string":
		if s.Min != nil && *s.Min > 0 {
			add("short", fmt.Sprintf("length greater than or equal to %d", *s.Min), strings.Repeat("a", int(*s.Min-1)))
		}
		if s.Max != nil {
			add("long", fmt.Sprintf("length less than or equal to %d", *s.Max), canary+strings.Repeat("a", int(*s.Max)-len(canary)+1))
		}
		if s.Pattern != "" && s.Pattern != ".*" {
			bad := badText[shape]
			if bad == "" {
				bad = strings.Repeat("!", int(max(1, value(s.Min))))
			}
			add("pattern", "regular expression pattern", bad)
		}
		if len(s.Enum) > 0 {
			add("enum", "enum value set", "NO_SUCH_VALUE")
		}
	}
}

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func (w *walker) structure(path string, s modelShape, put func(v any) map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(s.Members)) {
		below := lower(name)
		if path != "" {
			below = path + "." + below
		}
		with := func(v any) map[string]any {
			whole := map[string]any{}
			for _, required := range s.Required {
				whole[required] = w.good(s.Members[required].Shape)
			}
			if whole[name] = v; v == nil {
				delete(whole, name)
			}
			return put(whole)
		}
		if slices.Contains(s.Required, name) && !keptByUpdate(w.operation, below) {
			w.rows = append(w.rows, row{operation: w.operation, what: "required", path: below, input: with(nil), constraint: "Member must not be null"})
		}
		w.walk(below, s.Members[name].Shape, with)
	}
}

// keptByUpdate tells whether a required member may be absent because an update keeps what it does not name (§7.2).
func keptByUpdate(operation, path string) bool {
	return operation == "UpdateService" &&
		(strings.HasPrefix(path, "sourceConfiguration.codeRepository.") || strings.HasPrefix(path, "sourceConfiguration.imageRepository."))
}

func lower(s string) string { return string(unicode.ToLower(rune(s[0]))) + s[1:] }

// Every constraint of the model, at every place where a request can break it, is a row: the request must be refused with a message
// that names the member and the constraint, and the value only if it is not sensitive.
//
// checklist: 2
func TestEveryConstraintOfTheModel(t *testing.T) {
	w := newWorld(t)
	m := readModel(t, "../../spec/models/apprunner/2020-05-15/service-2.json")
	count := 0
	for _, op := range slices.Sorted(maps.Keys(m.Operations)) {
		walk := &walker{m: m, operation: op}
		walk.walk("", m.Operations[op].Input.Shape, func(v any) map[string]any { in, _ := v.(map[string]any); return in })
		for _, r := range walk.rows {
			count++
			t.Run(fmt.Sprintf("%s/%s/%s", op, r.path, r.what), func(t *testing.T) { w.refuse(t, r) })
		}
	}
	if count < 200 {
		t.Errorf("only %d constraints", count)
	}
	err := w.db.View(t.Context(), func(tx *store.Tx) error {
		services, err := tx.Services(apprunner.Scope{})
		connections, err2 := store.Resources[apprunner.Connection](tx, apprunner.Scope{}, apprunner.KindConnection, "")
		if err != nil || err2 != nil || len(services)+len(connections) > 0 {
			t.Errorf("refused requests left %d services and %d connections; %v %v", len(services), len(connections), err, err2)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func (w *world) refuse(t *testing.T, r row) {
	t.Helper()
	body, err := json.Marshal(r.input)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := w.post(t, "apprunner", "AppRunner."+r.operation, string(body))
	var e struct {
		Type    string `json:"__type"`
		Message string
	}
	if err := json.Unmarshal([]byte(answer), &e); err != nil || status != 400 || e.Type != "com.amazonaws.apprunner#InvalidRequestException" {
		t.Fatalf("%d %s\nfor %.300s", status, answer, body)
	}
	switch {
	case !strings.Contains(e.Message, "at '"+r.path+"'"):
		t.Errorf("does not name %s: %s", r.path, e.Message)
	case !strings.Contains(e.Message, r.constraint):
		t.Errorf("does not tell the constraint %q: %s", r.constraint, e.Message)
	case r.sensitive && strings.Contains(e.Message, canary):
		t.Errorf("tells a sensitive value: %s", e.Message)
	case !r.sensitive && r.what != "required" && !strings.Contains(e.Message, fmt.Sprintf("Value '%.40s", r.value)):
		t.Errorf("does not tell the value %.40q: %s", r.value, e.Message)
	case utf8.RuneCountInString(e.Message) > 600:
		t.Errorf("a message of %d characters", len(e.Message))
	}
}

// The model lists for every action which errors it may answer with; control and the door draw from nothing else (Appendix A).
func TestAllActionsAreServed(t *testing.T) {
	w := newWorld(t)
	m := readModel(t, "../../spec/models/apprunner/2020-05-15/service-2.json")
	if len(m.Operations) != 37 {
		t.Errorf("the model has %d actions", len(m.Operations))
	}
	for op := range m.Operations {
		if _, served := w.api.Actions[op]; !served {
			t.Errorf("%s is not served", op)
		}
	}
}

// Whatever an action is told, its error is one of those that the model lists for it (§1.3, Appendix A).
func TestErrorsAreListed(t *testing.T) {
	w := newWorld(t)
	m := readModel(t, "../../spec/models/apprunner/2020-05-15/service-2.json")
	const id = "0123456789abcdef0123456789abcdef"
	busy, running := *w.create(t, "busy-one").ServiceArn, *w.create(t, "running").ServiceArn
	w.settle(t, running, apprunner.StatusRunning)
	arns := []string{
		busy, running, arnHead + "service/none/" + id, strings.Replace(running, region, "eu-west-1", 1), strings.Replace(running, account, otherAccount, 1),
		arnHead + "connection/none/" + id, arnHead + "autoscalingconfiguration/DefaultConfiguration", arnHead + "autoscalingconfiguration/none/7",
		arnHead + "observabilityconfiguration/DefaultConfiguration", arnHead + "vpcconnector/none/1", arnHead + "vpcingressconnection/none/" + id, "arn:aws:ecr:us-east-1:123456789012:x",
	}
	for _, op := range slices.Sorted(maps.Keys(m.Operations)) {
		listed := map[string]bool{}
		for _, e := range m.Operations[op].Errors {
			listed[e.Shape] = true
		}
		walk := &walker{m: m, operation: op}
		for _, arn := range arns {
			input := walk.good(m.Operations[op].Input.Shape).(map[string]any)
			for name := range m.Shapes[m.Operations[op].Input.Shape].Members {
				if strings.HasSuffix(name, "Arn") {
					input[name] = arn
				}
			}
			body, err := json.Marshal(input)
			if err != nil {
				t.Fatal(err)
			}
			status, answer := w.post(t, "apprunner", "AppRunner."+op, string(body))
			var e struct {
				Type string `json:"__type"`
			}
			if err := json.Unmarshal([]byte(answer), &e); err != nil {
				t.Fatal(err)
			}
			if code := strings.TrimPrefix(e.Type, "com.amazonaws.apprunner#"); status >= 500 || status != 200 && !listed[code] {
				t.Errorf("%s on %s: %d %s", op, arn, status, answer)
			}
		}
	}
}
