package waf

import (
	"bytes"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/apprunner/webacl"
)

// drawn draws a condition that needs no set, at most depth deep.
func drawn(t *rapid.T, depth int) st {
	if depth > 0 && rapid.Bool().Draw(t, "joined") {
		inner := []st{drawn(t, depth-1), drawn(t, depth-1)}
		switch rapid.IntRange(0, 2).Draw(t, "how") {
		case 0:
			return st{AndStatement: &webacl.Several{Statements: inner}}
		case 1:
			return st{OrStatement: &webacl.Several{Statements: inner}}
		}
		return st{NotStatement: &webacl.Not{Statement: &inner[0]}}
	}
	where := rapid.SampledFrom([]webacl.Field{inPath, inQuery, inArgs, inBody, inMethod, header("x-a")}).Draw(t, "field")
	change := rapid.SampledFrom(webacl.Transformations).Draw(t, "transformation")
	how := rapid.SampledFrom([]string{"EXACTLY", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "CONTAINS_WORD"}).Draw(t, "constraint")
	return match(at(where, change), how, rapid.StringMatching(`[a-c/]{1,3}`).Draw(t, "text"))
}

func drawnRequest(t *rapid.T) *Request {
	text := func(name string) string { return rapid.StringMatching(`[a-c/%&=]{0,8}`).Draw(t, name) }
	return &Request{
		IP: netip.MustParseAddr("192.0.2.1"), Method: rapid.SampledFrom([]string{"GET", "a"}).Draw(t, "method"), Path: "/" + text("path"), Query: text("query"),
		Fields: []Field{{"X-A", text("header")}}, Body: []byte(text("body")),
	}
}

func holds(t *rapid.T, s st, r *Request) bool {
	e, err := Compile(acl(blocking(s)))
	if err != nil {
		t.Fatal(err)
	}
	return e.Judge(r, 0).Block
}

// The laws of logic hold for conditions, whatever they look at.
func TestLogic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, r := drawn(t, 2), drawn(t, 2), drawnRequest(t)
		is := func(s st) bool { return holds(t, s, r) }
		and := func(x, y st) st { return st{AndStatement: &webacl.Several{Statements: []st{x, y}}} }
		or := func(x, y st) st { return st{OrStatement: &webacl.Several{Statements: []st{x, y}}} }
		not := func(x st) st { return st{NotStatement: &webacl.Not{Statement: &x}} }
		if is(not(a)) == is(a) || is(and(a, b)) != (is(a) && is(b)) || is(or(a, b)) != (is(a) || is(b)) || is(not(and(a, b))) != is(or(not(a), not(b))) {
			t.Fatal("a law of logic is broken")
		}
	})
}

// The first rule by priority that holds and does not only count decides, in whatever order the rules are given.
func TestFirstRuleDecides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules []webacl.Rule
		for i := range rapid.IntRange(0, 5).Draw(t, "rules") {
			r := webacl.Rule{Name: string(rune('a' + i)), Priority: i, Statement: drawn(t, 1)}
			r.Action = rapid.SampledFrom([]*webacl.Action{{Allow: &webacl.Insert{}}, {Block: &webacl.Block{}}, {Count: &webacl.Insert{}}}).Draw(t, "action")
			rules = append(rules, r)
		}
		req := drawnRequest(t)
		want := Verdict{}
		for _, r := range rules {
			if !holds(t, r.Statement, req) {
				continue
			}
			if r.Action.Count != nil {
				want.Counted = append(want.Counted, r.Name)
				continue
			}
			want.Rule, want.Block = r.Name, r.Action.Block != nil
			break
		}
		e, err := Compile(acl(rapid.Permutation(rules).Draw(t, "order")...))
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Judge(req, 0); got.Block != want.Block || got.Rule != want.Rule || len(got.Counted) != len(want.Counted) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// FuzzTransformations holds that no text breaks one, none changes the text it was given, and those that only take away do so.
func FuzzTransformations(f *testing.F) {
	for _, seed := range []string{"", `\`, "%", "%u", `\x4`, "0x", "/*", "&#", "\xff%41+", "aGVsbG8=", `\777777`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for name, change := range transformers {
			if change == nil {
				continue
			}
			given := bytes.Clone(in)
			out := change(given)
			if !bytes.Equal(given, in) {
				t.Errorf("%s changed the text it was given", name)
			}
			switch name {
			case "MD5", "SHA256", "HTML_ENTITY_DECODE", "UTF8_TO_UNICODE", "UPPERCASE", "NORMALIZE_PATH", "NORMALIZE_PATH_WIN":
			default:
				if len(out) > len(in) {
					t.Errorf("%s made %d bytes of %d", name, len(out), len(in))
				}
			}
		}
	})
}

// FuzzJudge shows requests of any bytes to an engine that looks at everything with everything.
func FuzzJudge(f *testing.F) {
	var rules []webacl.Rule
	for i, g := range webacl.Groups() {
		rules = append(rules, webacl.Rule{
			Name: g.Name, Priority: i, OverrideAction: &webacl.OverrideAction{Count: &webacl.Insert{}},
			Statement: st{ManagedRuleGroupStatement: &webacl.ManagedGroup{VendorName: "AWS", Name: g.Name}},
		})
	}
	j := &webacl.JSONBody{MatchScope: "ALL"}
	j.MatchPattern.IncludedPaths = []string{"/a"}
	rules = append(rules, webacl.Rule{Name: "json", Priority: 99, Action: &webacl.Action{Count: &webacl.Insert{}}, Statement: regex(at(webacl.Field{JsonBody: j}), "x")})
	e, err := Compile(acl(rules...))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("/a", "b=c", "d=e; f", []byte(`{"a":["b",{"c":null}]}`))
	f.Add("/%2e%2e/", "a=%27%20or%201=1", "<script>", []byte("{"))
	f.Fuzz(func(t *testing.T, path, query, cookie string, body []byte) {
		r := &Request{Method: "POST", Path: path, Query: query, Fields: []Field{{"Cookie", cookie}, {"User-Agent", "x"}}, Body: body}
		first := e.Judge(r, 0)
		if again := e.Judge(r, 0); len(first.Counted) != len(again.Counted) {
			t.Error("the same request is judged in two ways")
		}
		if first.Block {
			t.Error("what only counts has blocked")
		}
	})
}
