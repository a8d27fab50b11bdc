package iam_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/iam"
)

func parse(t testing.TB, text string) iam.Document {
	t.Helper()
	return must[iam.Document](t)(iam.ParseDocument(text, iam.IdentityPolicy))
}

// statement is an identity policy with one statement: effect, then raw JSON members.
func statement(effect, members string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,%s}]}`, effect, members)
}

const service1 = "arn:aws:apprunner:us-east-1:123456789012:service/web/0123456789abcdef0123456789abcdef"

// checklist: 197, 198, 199, 200, 202
func TestEvaluate(t *testing.T) {
	q := iam.Request{Action: "apprunner:DescribeService", Resource: service1, Context: map[string][]string{
		"aws:username": {"alice"}, "aws:ResourceTag/Owner": {"alice"}, "aws:SourceIp": {"10.1.2.3"}, "aws:TagKeys": {"a", "b"},
		"n": {"5"}, "aws:CurrentTime": {"2026-11-21T10:00:00Z"}, "aws:SecureTransport": {"true"}, "star": {"*"},
		"apprunner:ConnectionArn": {"arn:aws:apprunner:us-east-1:123456789012:connection/prod/1"},
	}}
	any := `"Action":"*","Resource":"*",`
	cases := []struct {
		name, members string
		want          bool
	}{
		{"all", `"Action":"*","Resource":"*"`, true},
		{"action by pattern", `"Action":"apprunner:Describe*","Resource":"*"`, true},
		{"action in another case", `"Action":["x:Y","AppRunner:describeservice"],"Resource":"*"`, true},
		{"another action", `"Action":"apprunner:List*","Resource":"*"`, false},
		{"one letter", `"Action":"apprunner:Describe?ervice","Resource":"*"`, true},
		{"not action", `"NotAction":"apprunner:Delete*","Resource":"*"`, true},
		{"not this action", `"NotAction":"apprunner:Describe*","Resource":"*"`, false},
		{"resource by name", `"Action":"*","Resource":"arn:aws:apprunner:*:*:service/web/*"`, true},
		{"resource reaches over slashes", `"Action":"*","Resource":"arn:aws:apprunner:*:*:service/*"`, true},
		{"resource does not reach over colons", `"Action":"*","Resource":"arn:aws:*:service/web/0123456789abcdef0123456789abcdef:*:*:*"`, false},
		{"another account", `"Action":"*","Resource":"arn:aws:apprunner:us-east-1:999999999999:service/*"`, false},
		{"resource has case", `"Action":"*","Resource":"arn:aws:apprunner:*:*:service/WEB/*"`, false},
		{"not resource", `"Action":"*","NotResource":"arn:aws:apprunner:*:*:connection/*"`, true},
		{"not this resource", `"Action":"*","NotResource":"arn:aws:apprunner:*:*:service/*"`, false},
		{"variable", `"Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/owner":"${aws:username}"}}`, true},
		{"variable without value", `"Action":"*","Resource":"arn:aws:apprunner:*:*:service/${aws:nobody}*"`, false},
		{"variable with default", `"Action":"*","Resource":"arn:aws:apprunner:*:*:service/${aws:nobody, 'web'}/*"`, true},
		{"a variable's star is a letter", `"Action":"*","Resource":"arn:aws:apprunner:*:*:service/${star}"`, false},
		{"tag keys have no case", any + `"Condition":{"StringEquals":{"AWS:resourcetag/OWNER":"alice"}}`, true},
		{"string differs", any + `"Condition":{"StringEquals":{"aws:username":"Alice"}}`, false},
		{"ignore case", any + `"Condition":{"StringEqualsIgnoreCase":{"aws:username":"Alice"}}`, true},
		{"not ignoring case", any + `"Condition":{"StringNotEqualsIgnoreCase":{"aws:username":"Alice"}}`, false},
		{"like", any + `"Condition":{"StringLike":{"aws:username":["x","al*"]}}`, true},
		{"equals has no wildcards", any + `"Condition":{"StringEquals":{"aws:username":"al*"}}`, false},
		{"not equals, missing key", any + `"Condition":{"StringNotEquals":{"nothing":"x"}}`, true},
		{"not equals, several", any + `"Condition":{"StringNotEquals":{"aws:username":["x","alice"]}}`, false},
		{"equals, missing key", any + `"Condition":{"StringEquals":{"nothing":"x"}}`, false},
		{"if exists, missing key", any + `"Condition":{"StringEqualsIfExists":{"nothing":"x"}}`, true},
		{"if exists, other value", any + `"Condition":{"StringEqualsIfExists":{"aws:username":"x"}}`, false},
		{"null of a missing key", any + `"Condition":{"Null":{"nothing":"true"}}`, true},
		{"null of a present key", any + `"Condition":{"Null":{"n":true}}`, false},
		{"not null", any + `"Condition":{"Null":{"n":"false"}}`, true},
		{"arn like", any + `"Condition":{"ArnLike":{"apprunner:ConnectionArn":"arn:aws:apprunner:*:*:connection/prod/*"}}`, true},
		{"arn not like", any + `"Condition":{"ArnNotLike":{"apprunner:ConnectionArn":"arn:aws:apprunner:*:*:connection/prod/*"}}`, false},
		{"arn not like, no connection", any + `"Condition":{"ArnNotLike":{"apprunner:Other":"arn:aws:apprunner:*:*:connection/prod/*"}}`, true},
		{"number", any + `"Condition":{"NumericLessThan":{"n":10}}`, true},
		{"number, equal", any + `"Condition":{"NumericGreaterThanEquals":{"n":"5.0"}}`, true},
		{"number, no", any + `"Condition":{"NumericGreaterThan":{"n":"5"}}`, false},
		{"date", any + `"Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}`, true},
		{"date passed", any + `"Condition":{"DateLessThan":{"aws:CurrentTime":"1700000000"}}`, false},
		{"bool", any + `"Condition":{"Bool":{"aws:SecureTransport":"true"}}`, true},
		{"bool, missing", any + `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`, false},
		{"address", any + `"Condition":{"IpAddress":{"aws:SourceIp":["192.0.2.0/24","10.0.0.0/8"]}}`, true},
		{"not address", any + `"Condition":{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, false},
		{"all values", any + `"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b","c"]}}`, true},
		{"not all values", any + `"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}}`, false},
		{"all of none", any + `"Condition":{"ForAllValues:StringEquals":{"nothing":["a"]}}`, true},
		{"any value", any + `"Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":["b"]}}`, true},
		{"any of none", any + `"Condition":{"ForAnyValue:StringEquals":{"nothing":["b"]}}`, false},
		{"two operators", any + `"Condition":{"StringEquals":{"aws:username":"alice"},"Bool":{"aws:SecureTransport":"false"}}`, false},
		{"two keys", any + `"Condition":{"StringEquals":{"aws:username":"alice","aws:ResourceTag/Owner":"bob"}}`, false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := iam.Evaluate([]iam.Document{parse(t, statement("Allow", tc.members))}, q); (got == iam.Allow) != tc.want {
				t.Errorf("Allow decides %v, want allowed %v", got, tc.want)
			}
			both := []iam.Document{parse(t, statement("Allow", `"Action":"*","Resource":"*"`)), parse(t, statement("Deny", tc.members))}
			if got := iam.Evaluate(both, q); (got == iam.ExplicitDeny) != tc.want {
				t.Errorf("Deny decides %v, want denied %v", got, tc.want)
			}
		})
	}
}

// A resource about to be made has no id yet (adjacent §2.4).
func TestEvaluateCreation(t *testing.T) {
	q := iam.Request{Action: "apprunner:CreateService", Resource: "arn:aws:apprunner:us-east-1:123456789012:service/web", ToBe: true}
	for resource, want := range map[string]iam.Decision{
		"arn:aws:apprunner:us-east-1:123456789012:service/web":     iam.Allow,
		"arn:aws:apprunner:us-east-1:123456789012:service/web/*":   iam.Allow,
		"arn:aws:apprunner:*:*:service/*":                          iam.Allow,
		"*":                                                        iam.Allow,
		"arn:aws:apprunner:us-east-1:123456789012:service/other/*": iam.ImplicitDeny,
		"arn:aws:apprunner:us-east-1:123456789012:service/web/0123456789abcdef0123456789abcdef": iam.ImplicitDeny,
	} {
		doc := parse(t, statement("Allow", fmt.Sprintf(`"Action":"*","Resource":%q`, resource)))
		if got := iam.Evaluate([]iam.Document{doc}, q); got != want {
			t.Errorf("%s decides %v, want %v", resource, got, want)
		}
	}
}

func TestParseDocumentRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":                 `hello`,
		"a list":                  `[]`,
		"text after it":           statement("Allow", `"Action":"*","Resource":"*"`) + "x",
		"no statement":            `{"Version":"2012-10-17"}`,
		"another version":         `{"Version":"2020-01-01","Statement":[]}`,
		"an unknown element":      `{"Version":"2012-10-17","Statement":[],"Statements":[]}`,
		"an element's other case": statement("Allow", `"action":"*","Resource":"*"`),
		"a doubled element":       statement("Allow", `"Action":"*","Action":"x:y","Resource":"*"`),
		"an unknown effect":       statement("allow", `"Action":"*","Resource":"*"`),
		"no action":               statement("Allow", `"Resource":"*"`),
		"no resource":             statement("Allow", `"Action":"*"`),
		"both resources":          statement("Allow", `"Action":"*","Resource":"*","NotResource":"*"`),
		"an empty list":           statement("Allow", `"Action":[],"Resource":"*"`),
		"a null":                  statement("Allow", `"Action":[null],"Resource":"*"`),
		"no service":              statement("Allow", `"Action":"Describe*","Resource":"*"`),
		"no ARN":                  statement("Allow", `"Action":"*","Resource":"service/web"`),
		"a principal":             statement("Allow", `"Action":"*","Resource":"*","Principal":"*"`),
		"an unknown operator":     statement("Deny", `"Action":"*","Resource":"*","Condition":{"StringMatches":{"a":"b"}}`),
		"an unknown prefix":       statement("Deny", `"Action":"*","Resource":"*","Condition":{"ForNoValue:StringLike":{"a":"b"}}`),
		"a wrong number":          statement("Deny", `"Action":"*","Resource":"*","Condition":{"NumericEquals":{"a":"b"}}`),
		"a wrong address":         statement("Deny", `"Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}`),
		"a doubled sid": `{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},` +
			`{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := iam.ParseDocument(text, iam.IdentityPolicy)
			wantCode(t, err, iam.CodeMalformedPolicyDocument)
		})
	}
}

// rule is a statement in a form that rapid can draw and JSON can write.
type rule struct {
	Effect      string
	Action      []string                       `json:",omitempty"`
	NotAction   []string                       `json:",omitempty"`
	Resource    []string                       `json:",omitempty"`
	NotResource []string                       `json:",omitempty"`
	Condition   map[string]map[string][]string `json:",omitempty"`
}

var (
	drawActions   = rapid.SliceOfN(rapid.SampledFrom([]string{"*", "a:*", "a:Get*", "a:GetX", "a:?etX", "b:*", "b:Put"}), 1, 3)
	drawResources = rapid.SliceOfN(rapid.SampledFrom([]string{"*", "arn:aws:a:r:1:x/*", "arn:aws:a:r:1:x/y", "arn:aws:a:*:*:y/${v}", "arn:aws:*:*:1:*"}), 1, 3)
	drawOperators = rapid.SampledFrom([]string{"StringEquals", "StringNotEquals", "StringLikeIfExists", "ForAllValues:StringLike", "ForAnyValue:StringNotLike", "Null"})
	drawKeys      = rapid.SampledFrom([]string{"v", "w", "tags"})
)

func drawRule(t *rapid.T, effect string) rule {
	r := rule{Effect: effect}
	if rapid.Bool().Draw(t, "not action") {
		r.NotAction = drawActions.Draw(t, "actions")
	} else {
		r.Action = drawActions.Draw(t, "actions")
	}
	if rapid.Bool().Draw(t, "not resource") {
		r.NotResource = drawResources.Draw(t, "resources")
	} else {
		r.Resource = drawResources.Draw(t, "resources")
	}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		if r.Condition == nil {
			r.Condition = map[string]map[string][]string{}
		}
		op := drawOperators.Draw(t, "operator")
		values := rapid.SampledFrom([][]string{{"p"}, {"p", "q"}, {"*"}, {"p*"}, {"${w}"}})
		if op == "Null" {
			values = rapid.SampledFrom([][]string{{"true"}, {"false"}})
		}
		r.Condition[op] = map[string][]string{drawKeys.Draw(t, "key"): values.Draw(t, "values")}
	}
	return r
}

func drawRequest(t *rapid.T) iam.Request {
	q := iam.Request{
		Action:   rapid.SampledFrom([]string{"a:GetX", "A:getx", "a:Put", "b:Put", "c:D"}).Draw(t, "action"),
		Resource: rapid.SampledFrom([]string{"*", "arn:aws:a:r:1:x/y", "arn:aws:a:r:1:y/p", "arn:aws:a:r:2:x/y"}).Draw(t, "resource"),
		ToBe:     rapid.Bool().Draw(t, "to be"), Context: map[string][]string{},
	}
	for _, key := range []string{"V", "w", "tags"} {
		if v := rapid.SliceOfN(rapid.SampledFrom([]string{"p", "q", "pp"}), 0, 2).Draw(t, key); len(v) > 0 {
			q.Context[key] = v
		}
	}
	return q
}

func document(t testing.TB, rules []rule) iam.Document {
	text := must[[]byte](t)(json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": append([]rule{}, rules...)}))
	return parse(t, string(text))
}

// TestEvaluateProperties holds the evaluator to what must be true of any policies at all.
func TestEvaluateProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := drawRequest(rt)
		rules := []rule{}
		for range rapid.IntRange(0, 5).Draw(rt, "rules") {
			rules = append(rules, drawRule(rt, rapid.SampledFrom([]string{"Allow", "Deny"}).Draw(rt, "effect")))
		}
		before := iam.Evaluate([]iam.Document{document(t, rules)}, q)

		denied := append([]rule{drawRule(rt, "Deny")}, rules...)
		if after := iam.Evaluate([]iam.Document{document(t, denied)}, q); after == iam.Allow && before != iam.Allow || before == iam.ExplicitDeny && after != before {
			rt.Fatalf("a further Deny widens: %v, then %v", before, after)
		}
		for i, r := range rules {
			if r.Effect != "Allow" {
				continue
			}
			fewer := append(append([]rule{}, rules[:i]...), rules[i+1:]...)
			if after := iam.Evaluate([]iam.Document{document(t, fewer)}, q); after == iam.Allow && before != iam.Allow || before == iam.ExplicitDeny && after != before {
				rt.Fatalf("without an Allow: %v, then %v", before, after)
			}
		}
		shuffled := append([]rule{}, rules...)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		cut := rng.IntN(len(shuffled) + 1)
		split := []iam.Document{document(t, shuffled[cut:]), document(t, shuffled[:cut])}
		if after := iam.Evaluate(split, q); after != before {
			rt.Fatalf("in another order and in two policies: %v, then %v", before, after)
		}
		limit := []iam.Document{document(t, []rule{drawRule(rt, "Allow")})}
		set := iam.PolicySet{Identity: split}
		free := set.Decide(q)
		set.Boundary = limit
		if set.Decide(q) == iam.Allow && (free != iam.Allow || iam.Evaluate(limit, q) != iam.Allow) {
			rt.Fatal("a boundary widens")
		}
		set.Boundary = []iam.Document{}
		if set.Decide(q) == iam.Allow {
			rt.Fatal("an empty boundary allows")
		}
	})
}

func FuzzParseDocument(f *testing.F) {
	f.Add(statement("Allow", `"Action":["a:*","b:?"],"NotResource":"arn:aws:*","Condition":{"ForAllValues:StringLikeIfExists":{"aws:TagKeys":["a","${x, 'y'}"]}}`), "a:b", "arn:aws:a:b:c:d", "v")
	f.Add(`{"Statement":{"Effect":"Deny","Principal":{"AWS":["123456789012"]},"Action":"sts:AssumeRole","Condition":{"IpAddress":{"k":"10.0.0.0/8"}}}}`, "sts:AssumeRole", "*", "10.1.1.1")
	f.Fuzz(func(t *testing.T, text, action, resource, value string) {
		q := iam.Request{Action: action, Resource: resource, Context: map[string][]string{"k": {value}, "aws:TagKeys": {value, "a"}}}
		for _, kind := range []iam.DocumentKind{iam.IdentityPolicy, iam.TrustPolicy, iam.ResourcePolicy} {
			doc, err := iam.ParseDocument(text, kind)
			if err != nil {
				wantCode(t, err, iam.CodeMalformedPolicyDocument)
				continue
			}
			got := iam.Evaluate([]iam.Document{doc}, q)
			if got == iam.Allow && !strings.ContainsAny(text, `A\`) {
				t.Fatal("allowed without an Allow") // "Allow" may be written with escapes, but never without this or an escape
			}
			iam.DecideFor(doc, iam.Caller{Account: "123456789012", ARN: value}, q)
		}
	})
}
