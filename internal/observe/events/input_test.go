package events

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

func sample() *envelope {
	return &envelope{
		arrived: time.Date(2026, 3, 1, 12, 0, 1, 0, time.UTC), Version: "0", ID: "e1", DetailType: "T", Source: "my.app", Account: scope.Account,
		Time: "2026-03-01T12:00:00Z", Region: scope.Region, Resources: json.RawMessage(`["arn:a","arn:b"]`),
		Detail: json.RawMessage(`{"n":12345678901234567890,"text":"a \"b\" <c>","list":[{"x":1},{"y":2},{"x":3}],"odd.name":{"k":null}}`),
	}
}

func TestWhatIsSent(t *testing.T) {
	rule := Rule{Scope: scope, Name: "r"}
	whole := `{"version":"0","id":"e1","detail-type":"T","source":"my.app","account":"123456789012","time":"2026-03-01T12:00:00Z","region":"us-east-1",` +
		`"resources":["arn:a","arn:b"],"detail":{"n":12345678901234567890,"text":"a \"b\" <c>","list":[{"x":1},{"y":2},{"x":3}],"odd.name":{"k":null}}}`
	template := func(text string, paths ...string) Target {
		m := map[string]string{}
		for _, p := range paths {
			name, path, _ := strings.Cut(p, "=")
			m[name] = path
		}
		return Target{Transform: &Transform{Paths: m, Template: text}}
	}
	for _, c := range []struct {
		name   string
		target Target
		want   string
	}{
		{"the event", Target{}, whole},
		{"a constant", Target{Input: `{"a": 1}`}, `{"a": 1}`},
		{"the root", Target{InputPath: "$.id"}, `"e1"`},
		{"a number as it was", Target{InputPath: "$.detail.n"}, `12345678901234567890`},
		{"an element", Target{InputPath: "$.resources[1]"}, `"arn:b"`},
		{"a name in brackets", Target{InputPath: "$.detail['odd.name']"}, `{"k":null}`},
		{"all elements", Target{InputPath: "$.detail.list[*].x"}, `[1,3]`},
		{"nothing there", Target{InputPath: "$.detail.nothing.below"}, `null`},
		{
			"an object", template(`{"n": <n>, "t": <t>, "s": "n is <n>: <t>"}`, "n=$.detail.n", "t=$.detail.text"),
			`{"n": 12345678901234567890, "t": "a \"b\" <c>", "s": "n is 12345678901234567890: a \"b\" <c>"}`,
		},
		{"an object in a text", template(`"<o>"`, "o=$.detail.list[0]"), `"{\"x\":1}"`},
		{"a text", template(`"<id> of <rule>: 1 < 2 \"<id>\""`, "id=$.id", "rule=$.nothing"), `"e1 of : 1 < 2 \"e1\""`},
		{"lines", template("\"a <id>\"\n\"b\"", "id=$.id"), "\"a e1\"\n\"b\""},
		{"a value that is not there", template(`{"a":<a>}`, "a=$.detail.a"), `{"a":null}`},
		{
			"reserved", template(`{"r":<aws.events.rule-arn>,"n":"<aws.events.rule-name>","t":<aws.events.event.ingestion-time>}`),
			`{"r":"arn:aws:events:us-east-1:123456789012:rule/r","n":"r","t":"2026-03-01T12:00:01Z"}`,
		},
	} {
		shape, err := c.target.shaper()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := shape(sample(), rule)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s %v, want %s", c.name, got, err, c.want)
		}
	}
	shape, err := template(`{"e":<aws.events.event>,"w":<aws.events.event.json>}`).shaper()
	if err != nil {
		t.Fatal(err)
	}
	got, err := shape(sample(), rule)
	var both struct{ E, W map[string]any }
	if err != nil || json.Unmarshal(got, &both) != nil || len(both.E) != 8 || len(both.W) != 9 || both.E["detail"] != nil {
		t.Errorf("%s %v", got, err)
	}
}

func TestInputsThatAreRefused(t *testing.T) {
	for want, target := range map[string]Target{
		"only one of":              {Input: "1", InputPath: "$"},
		"Input is not JSON":        {Input: "{"},
		"does not begin with $":    {InputPath: "detail"},
		"no name behind a dot":     {InputPath: "$.a..b"},
		"does not end":             {InputPath: "$['a"},
		"index":                    {InputPath: "$[-1]"},
		"not understood":           {InputPath: "$a"},
		"is not in InputPathsMap":  {Transform: &Transform{Template: `"<a>"`}},
		"not JSON with":            {Transform: &Transform{Template: `hello <a>`, Paths: map[string]string{"a": "$.id"}}},
		"reserved":                 {Transform: &Transform{Template: `"a"`, Paths: map[string]string{"aws.x": "$"}}},
		"InputPathsMap, a: the pa": {Transform: &Transform{Template: `"a"`, Paths: map[string]string{"a": "x"}}},
	} {
		if err := target.checkInput(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", target, err, want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(`{"n": <n>, "s": "n is <n>"}`, "$.detail.n")
	f.Add(`"<n> \"<aws.events.event.json>\""`, "$.detail.list[*]['x']")
	f.Fuzz(func(t *testing.T, template, path string) {
		shape, err := Target{Transform: &Transform{Paths: map[string]string{"n": path}, Template: template}}.shaper()
		if err != nil {
			return
		}
		out, err := shape(sample(), Rule{Scope: scope, Name: "r"})
		if err != nil {
			t.Fatal(err)
		}
		for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
			var v any
			if err := d.Decode(&v); err != nil {
				t.Fatalf("%q gives %q: %v", template, out, err)
			}
		}
	})
}
