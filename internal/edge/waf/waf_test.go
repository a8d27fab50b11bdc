package waf

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
)

type st = webacl.Statement

var (
	inPath   = webacl.Field{UriPath: &struct{}{}}
	inQuery  = webacl.Field{QueryString: &struct{}{}}
	inArgs   = webacl.Field{AllQueryArguments: &struct{}{}}
	inBody   = webacl.Field{Body: &webacl.Oversize{}}
	inMethod = webacl.Field{Method: &struct{}{}}
)

func header(name string) webacl.Field { return webacl.Field{SingleHeader: &webacl.Named{Name: name}} }

func at(f webacl.Field, transformations ...string) webacl.Inspect {
	in := webacl.Inspect{FieldToMatch: f}
	for i, t := range transformations {
		in.TextTransformations = append(in.TextTransformations, webacl.Transformation{Priority: i, Type: t})
	}
	return in
}

func match(in webacl.Inspect, where, text string) st {
	return st{ByteMatchStatement: &webacl.ByteMatch{Inspect: in, PositionalConstraint: where, SearchString: []byte(text)}}
}

func regex(in webacl.Inspect, text string) st {
	return st{RegexMatchStatement: &webacl.RegexMatch{Inspect: in, RegexString: text}}
}

func blocking(s st) webacl.Rule {
	return webacl.Rule{Name: "r", Statement: s, Action: &webacl.Action{Block: &webacl.Block{}}}
}

func acl(rules ...webacl.Rule) webacl.Resolved {
	return webacl.Resolved{
		Entity:     webacl.Entity{Scope: apprunner.Scope{Account: "123456789012", Region: "us-east-1"}, Kind: webacl.KindACL, Name: "acl"},
		Definition: webacl.Definition{DefaultAction: webacl.Action{Allow: &webacl.Insert{}}, Rules: rules},
		IPSets:     map[string][]string{"four": {"192.0.2.0/24", "198.51.100.7/32"}, "six": {"2001:db8::/32"}, "none": {}},
		RegexSets:  map[string][]string{"some": {"^/a", "b$"}},
	}
}

func compiled(t testing.TB, a webacl.Resolved) *Engine {
	t.Helper()
	if err := a.Check(); err != nil {
		t.Fatalf("the API would refuse it: %v", err)
	}
	e, err := Compile(a)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// request is one to judge: "METHOD /path?query", then "Name: value" lines, then a body after an empty line.
func request(text string) *Request {
	head, payload, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	r := &Request{IP: netip.MustParseAddr("192.0.2.1"), Body: []byte(payload)}
	var target string
	r.Method, target, _ = strings.Cut(lines[0], " ")
	r.Path, r.Query, _ = strings.Cut(target, "?")
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		r.Fields = append(r.Fields, Field{name, value})
	}
	return r
}

func TestStatements(t *testing.T) {
	list := func(scope string, cookies bool, only ...string) webacl.Field {
		f := &webacl.FieldList{MatchScope: scope, OversizeHandling: "CONTINUE"}
		switch {
		case cookies:
			f.MatchPattern.IncludedCookies = only
			return webacl.Field{Cookies: f}
		case len(only) == 0:
			f.MatchPattern.All = &struct{}{}
		default:
			f.MatchPattern.ExcludedHeaders = only
		}
		return webacl.Field{Headers: f}
	}
	inJSON := func(scope, fallback string, paths ...string) webacl.Field {
		j := &webacl.JSONBody{MatchScope: scope, InvalidFallbackBehavior: fallback}
		j.MatchPattern.IncludedPaths = paths
		return webacl.Field{JsonBody: j}
	}
	size := func(f webacl.Field, op string, n int64, transformations ...string) st {
		return st{SizeConstraintStatement: &webacl.Size{Inspect: at(f, append(transformations, "NONE")...), ComparisonOperator: op, Size: n}}
	}
	set := func(name string, f *webacl.ForwardedIP) st {
		return st{IPSetReferenceStatement: &webacl.IPSetReference{ARN: name, IPSetForwardedIPConfig: f}}
	}
	xff := func(position, fallback string) *webacl.ForwardedIP {
		return &webacl.ForwardedIP{HeaderName: "X-Forwarded-For", Position: position, FallbackBehavior: fallback}
	}
	both := func(a, b st) st { return st{AndStatement: &webacl.Several{Statements: []st{a, b}}} }
	either := func(a, b st) st { return st{OrStatement: &webacl.Several{Statements: []st{a, b}}} }
	not := func(s st) st { return st{NotStatement: &webacl.Not{Statement: &s}} }
	yes, no := match(at(inMethod), "EXACTLY", "GET"), match(at(inMethod), "EXACTLY", "PUT")
	for _, c := range []struct {
		name    string
		s       st
		request string
		want    bool
	}{
		{"exactly", match(at(inPath), "EXACTLY", "/a"), "GET /a?b", true},
		{"exactly is not the beginning", match(at(inPath), "EXACTLY", "/a"), "GET /ab", false},
		{"starts with", match(at(inPath), "STARTS_WITH", "/a"), "GET /ab", true},
		{"ends with", match(at(inPath), "ENDS_WITH", "b"), "GET /ab", true},
		{"contains", match(at(inQuery), "CONTAINS", "b=c"), "GET /?a=1&b=c", true},
		{"case counts", match(at(inQuery), "CONTAINS", "B"), "GET /?b", false},
		{"until it is changed", match(at(inQuery, "LOWERCASE"), "CONTAINS", "b"), "GET /?B", true},
		{"word", match(at(inQuery), "CONTAINS_WORD", "bad"), "GET /?a=bad", true},
		{"no word", match(at(inQuery), "CONTAINS_WORD", "bad"), "GET /?a=badge", false},
		{"a word after none", match(at(inQuery), "CONTAINS_WORD", "bad"), "GET /?badge&bad", true},
		{"header, whatever its case", match(at(header("user-agent")), "CONTAINS", "bot"), "GET /\nUser-Agent: bot", true},
		{"second header of a name", match(at(header("x-a")), "EXACTLY", "2"), "GET /\nX-A: 1\nx-a: 2", true},
		{"argument", match(at(webacl.Field{SingleQueryArgument: &webacl.Named{Name: "ID"}}), "EXACTLY", "7"), "GET /?x=1&id=7", true},
		{"argument with a hidden name", match(at(webacl.Field{SingleQueryArgument: &webacl.Named{Name: "id"}}), "EXACTLY", "7"), "GET /?%69d=7", true},
		{"every argument", match(at(inArgs), "EXACTLY", "7"), "GET /?x=1&id=7", true},
		{"names of arguments", match(at(inArgs), "EXACTLY", "id"), "GET /?id=7", true},
		{"cookie", match(at(list("VALUE", true, "sid")), "EXACTLY", "7"), "GET /\nCookie: a=1; sid=7", true},
		{"other cookie", match(at(list("VALUE", true, "sid")), "EXACTLY", "1"), "GET /\nCookie: a=1; sid=7", false},
		{"headers", match(at(list("ALL", false)), "CONTAINS", "evil"), "GET /\nX-B: very evil", true},
		{"header names", match(at(list("KEY", false)), "CONTAINS", "evil"), "GET /\nX-B: very evil", false},
		{"headers but one", match(at(list("ALL", false, "x-b")), "CONTAINS", "evil"), "GET /\nX-B: very evil", false},
		{"header order", match(at(webacl.Field{HeaderOrder: &webacl.Oversize{}}), "EXACTLY", "host:accept"), "GET /\nHost: a\nAccept: b", true},
		{"body", match(at(inBody), "CONTAINS", "attack"), "POST /\n\nan attack", true},
		{"value of JSON", match(at(inJSON("VALUE", "MATCH", "/a/b")), "EXACTLY", "x"), "POST /\n\n" + `{"a":{"b":"x"}}`, true},
		{"hidden in JSON", match(at(inJSON("VALUE", "MATCH", "/a/b")), "EXACTLY", "x"), "POST /\n\n" + `{"a":{"b":"\u0078","b":"y"}}`, true},
		{"elsewhere in JSON", match(at(inJSON("VALUE", "MATCH", "/a/b")), "EXACTLY", "x"), "POST /\n\n" + `{"a":{"c":"x"}}`, false},
		{"inside of what is named", match(at(inJSON("VALUE", "MATCH", "/a")), "EXACTLY", "x"), "POST /\n\n" + `{"a":[1,["x"]]}`, true},
		{"key of JSON", match(at(inJSON("KEY", "MATCH")), "EXACTLY", "x"), "POST /\n\n" + `{"a":{"x":1}}`, true},
		{"no JSON matches", match(at(inJSON("ALL", "MATCH")), "EXACTLY", "x"), "POST /\n\n{", true},
		{"no JSON does not match", match(at(inJSON("ALL", "NO_MATCH")), "EXACTLY", "x"), "POST /\n\n{x", false},
		{"no JSON is text", match(at(inJSON("ALL", "")), "EXACTLY", "{x"), "POST /\n\n{x", true},
		{"regex", regex(at(inPath), `^/(a|b)\d+$`), "GET /a12", true},
		{"regex set", st{RegexPatternSetReferenceStatement: &webacl.RegexReference{Inspect: at(inPath), ARN: "some"}}, "GET /b", true},
		{"size", size(inQuery, "GT", 3), "GET /?abcd", true},
		{"size after a change", size(inQuery, "EQ", 1, "URL_DECODE"), "GET /?%41", true},
		{"no size without the part", size(header("x"), "LE", 100), "GET /", false},
		{"address", set("four", nil), "GET /", true},
		{"address of another version", set("six", nil), "GET /", false},
		{"no address in an empty set", set("none", nil), "GET /", false},
		{"forwarded first", set("six", xff("FIRST", "NO_MATCH")), "GET /\nX-Forwarded-For: 2001:db8::1, 10.0.0.1", true},
		{"forwarded last", set("six", xff("LAST", "NO_MATCH")), "GET /\nX-Forwarded-For: 2001:db8::1, 10.0.0.1", false},
		{"forwarded any", set("four", xff("ANY", "NO_MATCH")), "GET /\nX-Forwarded-For: 10.0.0.1, 198.51.100.7:80", true},
		{"forwarded nonsense", set("four", xff("FIRST", "MATCH")), "GET /\nX-Forwarded-For: me", true},
		{"nothing forwarded", set("four", xff("FIRST", "MATCH")), "GET /", false},
		{"and", both(yes, no), "GET /", false},
		{"or", either(no, yes), "GET /", true},
		{"not", not(no), "GET /", true},
		{"not and", not(both(yes, yes)), "GET /", false},
	} {
		e := compiled(t, acl(blocking(c.s)))
		if v := e.Judge(request(c.request), 0); v.Block != c.want || v.Block && v.Rule != "r" {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

func TestTransformations(t *testing.T) {
	for _, name := range webacl.Transformations {
		if _, known := transformers[name]; !known {
			t.Errorf("%s is accepted and not known", name)
		}
	}
	for _, c := range []struct{ name, in, want string }{
		{"COMPRESS_WHITE_SPACE", "a \t\n b", "a b"},
		{"HTML_ENTITY_DECODE", "&lt;a&#x3e;", "<a>"},
		{"LOWERCASE", "AbÄ", "abÄ"},
		{"UPPERCASE", "ab", "AB"},
		{"CMD_LINE", `C^AT  "/etc/pas\swd",x`, "cat/etc/passwd x"},
		{"URL_DECODE", "%41+%zz%4", "A %zz%4"},
		{"URL_DECODE_UNI", "%u0041%42", "AB"},
		{"BASE64_DECODE", "YWJj", "abc"},
		{"BASE64_DECODE_EXT", "Y.W J\nj", "abc"},
		{"HEX_DECODE", "616263", "abc"},
		{"MD5", "a", "\x0c\xc1\x75\xb9\xc0\xf1\xb6\xa8\x31\xc3\x99\xe2\x69\x77\x26\x61"},
		{"REPLACE_COMMENTS", "a/*b*/c/*d", "a c "},
		{"REMOVE_COMMENTS_CHAR", "a--b#c/*d*/", "abcd"},
		{"ESCAPE_SEQ_DECODE", `\x41\102\n\'`, "AB\n'"},
		{"SQL_HEX_DECODE", "0x4142,0x", "AB,0x"},
		{"CSS_DECODE", `\41 b\(`, "Ab("},
		{"JS_DECODE", `\u0041\x42\n`, "AB\n"},
		{"NORMALIZE_PATH", "/a/./b/../c//d/", "/a/c/d/"},
		{"NORMALIZE_PATH_WIN", `\a\..\b`, "/b"},
		{"REMOVE_NULLS", "a\x00b", "ab"},
		{"REPLACE_NULLS", "a\x00b", "a b"},
		{"UTF8_TO_UNICODE", "aä", "a%u00e4"},
		{"REMOVE_WHITESPACE", " a b\t", "ab"},
		{"TRIM", " a ", "a"},
		{"TRIM_LEFT", " a ", "a "},
		{"TRIM_RIGHT", " a ", " a"},
	} {
		if got := string(transformers[c.name]([]byte(c.in))); got != c.want {
			t.Errorf("%s of %q is %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func TestDetectors(t *testing.T) {
	sql := func(level string) *Engine {
		return compiled(t, acl(blocking(st{SqliMatchStatement: &webacl.Detect{Inspect: at(inArgs, "URL_DECODE"), SensitivityLevel: level}})))
	}
	low, high := sql("LOW"), sql("HIGH")
	for _, attack := range []string{
		"1' OR '1'='1", "1 or 1=1", "admin'--", "x' UNION/**/SELECT password FROM users", "1; DROP TABLE users", "1 AND SLEEP(5)",
		"') or ('a'='a", `" or ""="`, "1 union all select null,null", "1 and 1=2", "'; exec xp_cmdshell('dir')", "1' waitfor delay '0:0:5'--",
	} {
		if !low.Judge(&Request{Query: "id=" + escape(attack)}, 0).Block {
			t.Errorf("%q passes", attack)
		}
	}
	for _, honest := range []string{
		"hello", "O'Brien", "tom and jerry", "select your favourite colour", "rock 'n' roll", "a or b", "this -- that", "50% off; order now",
		"union square", "user@example.com", "it's a nice day and I'm happy", "2024-01-01", "x=1&y=2", "drop me a line",
	} {
		if low.Judge(&Request{Query: "q=" + escape(honest)}, 0).Block {
			t.Errorf("%q is blocked", honest)
		}
	}
	if !high.Judge(&Request{Query: "q=" + escape("select name from users")}, 0).Block {
		t.Error("HIGH does not look closer than LOW")
	}
	xss := compiled(t, acl(blocking(st{XssMatchStatement: &webacl.Detect{Inspect: at(inArgs, "URL_DECODE")}})))
	for _, attack := range []string{
		"<script>alert(1)</script>", "<ScRiPt src=//x>", `<img src=x onerror=alert(1)>`, `" onmouseover="alert(1)`, "javascript:alert(1)", "java\tscript:x",
		"<svg/onload=alert(1)>", "<iframe src=x>", "';alert(1)//", "&lt;script&gt;", "<a href='data:text/html,x'>", "document.cookie", "%3Cscript%3E",
	} {
		if !xss.Judge(&Request{Query: "q=" + escape(attack)}, 0).Block {
			t.Errorf("%q passes", attack)
		}
	}
	for _, honest := range []string{
		"a < b and c > d", "I love <3", "once = one", "the document", "<b>bold</b>", "please confirm (now)", "price: 5",
	} {
		if xss.Judge(&Request{Query: "q=" + escape(honest)}, 0).Block {
			t.Errorf("%q is blocked", honest)
		}
	}
}

// escape writes every byte as an escape.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

func TestLabelsAndCounting(t *testing.T) {
	first := webacl.Rule{
		Name: "mark", Priority: 1, Statement: match(at(inPath), "STARTS_WITH", "/a"), RuleLabels: []webacl.Label{{Name: "team:a"}},
		Action: &webacl.Action{Count: &webacl.Insert{CustomRequestHandling: &webacl.RequestHandling{InsertHeaders: []webacl.Header{{Name: "team", Value: "a"}}}}},
	}
	for _, c := range []struct {
		scope, key string
		want       bool
	}{
		{"LABEL", "team:a", true},
		{"LABEL", "awswaf:123456789012:webacl:acl:team:a", true},
		{"LABEL", "team:b", false},
		{"LABEL", "team", false},
		{"NAMESPACE", "team:", true},
		{"NAMESPACE", "awswaf:123456789012:", true},
		{"NAMESPACE", "other:", false},
	} {
		second := blocking(st{LabelMatchStatement: &webacl.LabelMatch{Scope: c.scope, Key: c.key}})
		second.Priority = 2
		e := compiled(t, acl(second, first)) // the order is that of priorities
		v := e.Judge(request("GET /a"), 0)
		if v.Block != c.want || len(v.Counted) != 1 || v.Counted[0] != "mark" {
			t.Errorf("%s %s: %+v", c.scope, c.key, v)
		}
		if !c.want && (len(v.Insert) != 1 || v.Insert[0] != Field{"x-amzn-waf-team", "a"}) {
			t.Errorf("inserted %v", v.Insert)
		}
		if e.Judge(request("GET /b"), 0).Block {
			t.Errorf("%s %s blocks a request without labels", c.scope, c.key)
		}
	}
}

func TestManagedGroups(t *testing.T) {
	group := func(change func(*webacl.Rule)) *Engine {
		r := webacl.Rule{
			Name: "core", OverrideAction: &webacl.OverrideAction{None: &struct{}{}},
			Statement: st{ManagedRuleGroupStatement: &webacl.ManagedGroup{VendorName: "AWS", Name: "AWSManagedRulesCommonRuleSet"}},
		}
		if change != nil {
			change(&r)
		}
		return compiled(t, acl(r))
	}
	honest := "GET /index.html?q=hello\nHost: example.com\nUser-Agent: Mozilla/5.0\nAccept: */*\nCookie: sid=abc"
	attack := "GET /files?name=../../etc/passwd\nHost: example.com\nUser-Agent: Mozilla/5.0"
	plain := group(nil)
	if v := plain.Judge(request(honest), 0); v.Block {
		t.Errorf("%+v", v)
	}
	v := plain.Judge(request(attack), 0)
	if !v.Block || v.Rule != "core/GenericLFI_QUERYARGUMENTS" || len(v.Labels) != 1 || v.Labels[0] != "awswaf:managed:aws:core-rule-set:GenericLFI_QUERYARGUMENTS" {
		t.Errorf("%+v", v)
	}
	if v := plain.Judge(request("GET /\nHost: a"), 0); v.Rule != "core/NoUserAgent_HEADER" {
		t.Errorf("%+v", v)
	}
	for name, change := range map[string]func(*webacl.Rule){
		"counted": func(r *webacl.Rule) { r.OverrideAction = &webacl.OverrideAction{Count: &webacl.Insert{}} },
		"excluded": func(r *webacl.Rule) {
			r.Statement.ManagedRuleGroupStatement.ExcludedRules = []webacl.Label{{Name: "GenericLFI_QUERYARGUMENTS"}}
		},
		"overridden": func(r *webacl.Rule) {
			r.Statement.ManagedRuleGroupStatement.RuleActionOverrides = []webacl.RuleAction{{Name: "GenericLFI_QUERYARGUMENTS", ActionToUse: webacl.Action{Count: &webacl.Insert{}}}}
		},
	} {
		if v := group(change).Judge(request(attack), 0); v.Block || len(v.Counted) != 1 || len(v.Labels) != 1 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	scoped := group(func(r *webacl.Rule) {
		r.Statement.ManagedRuleGroupStatement.ScopeDownStatement = new(match(at(inPath), "STARTS_WITH", "/api"))
	})
	if v := scoped.Judge(request(attack), 0); v.Block || len(v.Labels) > 0 {
		t.Errorf("out of scope: %+v", v)
	}
	for _, g := range webacl.Groups() {
		compiled(t, acl(webacl.Rule{Name: "g", OverrideAction: &webacl.OverrideAction{None: &struct{}{}}, Statement: st{ManagedRuleGroupStatement: &webacl.ManagedGroup{VendorName: "AWS", Name: g.Name}}}))
	}
}

func TestRateBasedRules(t *testing.T) {
	limited := func(key string, scope *st) *Engine {
		r := &webacl.Rate{Limit: 10, EvaluationWindowSec: 60, AggregateKeyType: key, ScopeDownStatement: scope}
		if key == "FORWARDED_IP" {
			r.ForwardedIPConfig = &webacl.ForwardedIP{HeaderName: "X-Forwarded-For", FallbackBehavior: "MATCH"}
		}
		return compiled(t, acl(blocking(st{RateBasedStatement: r})))
	}
	from := func(ip, forwarded string) *Request {
		r := request("GET /a\nX-Forwarded-For: " + forwarded)
		r.IP = netip.MustParseAddr(ip)
		return r
	}
	blocked := func(e *Engine, r *Request, n int, now time.Duration) (count int) {
		for range n {
			if v := e.Judge(r, now); v.Block {
				if !v.RateBased {
					t.Error("the verdict does not tell that it counts")
				}
				count++
			}
		}
		return count
	}
	e := limited("IP", nil)
	if n := blocked(e, from("192.0.2.1", "x"), 15, 0); n != 5 {
		t.Errorf("%d of 15 are blocked at a limit of 10", n)
	}
	if n := blocked(e, from("192.0.2.2", "x"), 10, 0); n != 0 {
		t.Errorf("another address: %d", n)
	}
	if n := blocked(e, from("192.0.2.1", "x"), 1, 2*time.Minute); n != 0 {
		t.Errorf("after two windows: %d", n)
	}
	e = limited("FORWARDED_IP", nil)
	if n := blocked(e, from("192.0.2.1", "10.0.0.1"), 15, 0) + blocked(e, from("192.0.2.1", "10.0.0.2"), 10, 0); n != 5 {
		t.Errorf("forwarded: %d", n)
	}
	if n := blocked(e, from("192.0.2.1", "nobody"), 1, 0); n != 1 {
		t.Errorf("forwarded nonsense: %d", n)
	}
	e = limited("CONSTANT", new(match(at(inPath), "EXACTLY", "/a")))
	if n := blocked(e, from("192.0.2.1", "x"), 6, 0) + blocked(e, from("192.0.2.2", "x"), 6, 0); n != 2 {
		t.Errorf("together: %d", n)
	}
	if n := blocked(e, request("GET /other"), 20, 0); n != 0 {
		t.Errorf("out of scope: %d", n)
	}
}

// The addresses that clients of a private service seem to have say nothing, so no condition on them holds.
//
// checklist: 224
func TestNoAddressOfPrivateServices(t *testing.T) {
	a := acl(
		blocking(st{IPSetReferenceStatement: &webacl.IPSetReference{ARN: "four"}}),
		webacl.Rule{Name: "rate", Priority: 1, Action: &webacl.Action{Block: &webacl.Block{}}, Statement: st{RateBasedStatement: &webacl.Rate{Limit: 10, AggregateKeyType: "IP"}}},
	)
	for _, private := range []bool{false, true} {
		a.NoAddress = private
		e, blocked := compiled(t, a), 0
		for range 20 {
			if e.Judge(request("GET /"), 0).Block {
				blocked++
			}
		}
		if (blocked == 0) != private {
			t.Errorf("private %v: %d of 20 requests are blocked", private, blocked)
		}
	}
}

func TestCustomResponses(t *testing.T) {
	a := acl(blocking(match(at(inMethod), "EXACTLY", "GET")))
	a.CustomResponseBodies = map[string]webacl.ResponseBody{"page": {ContentType: "TEXT_HTML", Content: "<p>no"}}
	a.Rules[0].Action.Block.CustomResponse = &webacl.Response{ResponseCode: 429, CustomResponseBodyKey: "page", ResponseHeaders: []webacl.Header{{Name: "Retry-After", Value: "9"}}}
	v := compiled(t, a).Judge(request("GET /"), 0)
	if !v.Block || v.Response == nil || v.Response.Status != 429 || v.Response.Body != "<p>no" || !strings.HasPrefix(v.Response.ContentType, "text/html") || len(v.Response.Fields) != 1 {
		t.Errorf("%+v %+v", v, v.Response)
	}
	a.DefaultAction = webacl.Action{Block: &webacl.Block{}}
	if v := compiled(t, a).Judge(request("PUT /"), 0); !v.Block || v.Rule != "" {
		t.Errorf("default action: %+v", v)
	}
}

func TestOversizeBodies(t *testing.T) {
	for handling, want := range map[string]bool{"CONTINUE": false, "": false, "MATCH": true, "NO_MATCH": false} {
		for _, f := range []webacl.Field{{Body: &webacl.Oversize{OversizeHandling: handling}}, {JsonBody: &webacl.JSONBody{MatchScope: "ALL", OversizeHandling: handling, InvalidFallbackBehavior: "NO_MATCH"}}} {
			e := compiled(t, acl(blocking(match(at(f), "CONTAINS", "attack"))))
			if e.BodyBytes() != 16<<10 {
				t.Errorf("%d bytes are inspected", e.BodyBytes())
			}
			if v := e.Judge(&Request{Body: []byte("beginning"), Truncated: true}, 0); v.Block != want {
				t.Errorf("%q: %v", handling, v.Block)
			}
		}
	}
	if compiled(t, acl(blocking(match(at(inPath), "EXACTLY", "/")))).BodyBytes() != 0 {
		t.Error("a body is asked for that no rule looks at")
	}
}
