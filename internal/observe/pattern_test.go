package observe_test

import (
	"testing"

	"slipway.dev/slipway/internal/observe"
)

// checklist: 151
func TestPatterns(t *testing.T) {
	const access = `127.0.0.1 - frank [10/Oct/2000:13:35:13 -0700] "GET /apache_pb.gif HTTP/1.0" 404 1534`
	const event = `{"eventType":"UpdateTrail","n":5,"f":1.5,"ok":true,"none":null,"ip":"10.0.0.7","code":"42",
		"user":{"id":1,"name":"Ana"},"arr":["a","b",{"k":"v"}],"a.b":"dotted","path":"/api/users"}`
	for _, c := range []struct {
		pattern string
		yes, no []string
	}{
		{"", []string{"", "anything"}, nil},
		{"ERROR", []string{"an ERROR here", "[ERROR]", "ERRORS"}, []string{"error", ""}},
		{"ERROR ARGUMENTS", []string{"ARGUMENTS: ERROR"}, []string{"ERROR", "ARGUMENTS"}},
		{"?ERROR ?WARN", []string{"ERROR", "WARN x"}, []string{"INFO"}},
		{"INFO ?ERROR", []string{"INFO"}, []string{"ERROR"}},
		{"ERROR -Exiting", []string{"ERROR x"}, []string{"ERROR Exiting", "Exiting"}},
		{"-DEBUG", []string{"x", ""}, []string{"DEBUG"}},
		{`"INTERNAL SERVER ERROR"`, []string{"x INTERNAL SERVER ERROR"}, []string{"INTERNAL ERROR SERVER"}},
		{`-"bad thing" ?a ?b`, []string{"a", "b"}, []string{"a bad thing", "c"}},
		{`"say \"hi\""`, []string{`say "hi"`}, []string{"say hi"}},
		{`%5\d\d%`, []string{"status 503"}, []string{"status 403"}},
		{"100%", []string{"at 100% now"}, []string{"at 100"}},
		{"[AppRunner]", nil, []string{"[AppRunner] Deployment started."}}, // one field is wanted, there are three
		{`"[AppRunner]"`, []string{"[AppRunner] Deployment started."}, nil},

		{`{ $.eventType = "UpdateTrail" }`, []string{event}, []string{`{"eventType":"Other"}`, "UpdateTrail", "", `{"eventType":`}},
		{`{$.eventType=UpdateTrail}`, []string{event}, nil},
		{`{ $.eventType = "Upd*ail" && $.path = "/api/*" }`, []string{event}, nil},
		{`{ $.eventType != "UpdateTrail" }`, []string{`{"eventType":"Other"}`}, []string{event, `{}`}},
		{`{ $.n = 5 }`, []string{event, `{"n":5.0}`}, []string{`{"n":6}`}},
		{`{ $.n > 4 && $.n < 6 && $.f >= 1.5 && $.f <= 1.5 }`, []string{event}, []string{`{"n":5}`}},
		{`{ $.n != 5 }`, []string{`{"n":6}`}, []string{event, `{}`}},
		{`{ $.code = 42 }`, []string{event, `{"code":42}`}, nil},
		{`{ $.ok IS TRUE }`, []string{event}, []string{`{"ok":false}`, `{"ok":"true"}`}},
		{`{ $.ok is false }`, []string{`{"ok":false}`}, []string{event}},
		{`{ $.ok = true }`, []string{event}, nil},
		{`{ $.none IS NULL }`, []string{event}, []string{`{}`, `{"none":1}`}},
		{`{ $.missing NOT EXISTS }`, []string{event}, []string{`{"missing":null}`}},
		{`{ $.user.name EXISTS }`, []string{event}, []string{`{"user":1}`}},
		{`{ $.user.id = 1 || $.user.name = "Bob" }`, []string{event}, []string{`{"user":{"id":2}}`}},
		{`{ ($.user.id = 1 || $.user.id = 2) && $.user.name = "Ana" }`, []string{event}, []string{`{"user":{"id":1,"name":"Bob"}}`}},
		{`{ $.user.id = 9 || $.user.id = 1 && $.user.name = "Bob" }`, []string{`{"user":{"id":9}}`}, []string{event}},
		{`{ $.arr[0] = "a" && $.arr[2].k = "v" }`, []string{event}, []string{`{"arr":["b"]}`}},
		{`{ $.arr[*] = "b" }`, []string{event}, []string{`{"arr":["a"]}`}},
		{`{ $.['a.b'] = "dotted" }`, nil, nil},
		{`{ $["a.b"] = "dotted" && $['a.b'] = dot* }`, []string{event}, nil},
		{`{ $.ip = %10\.0\.0\.[0-9]+% }`, []string{event}, []string{`{"ip":"11.0.0.1"}`}},

		{`[ip, id, user, timestamp, request, status, size]`, []string{access}, []string{"a b c"}},
		{`[ip, id, user, timestamp, request =*.gif*, status = 4*, size]`, []string{access}, []string{"1 2 3 4 5 500 7"}},
		{`[..., status = 404 || status = 410, bytes > 1000]`, []string{access}, []string{"404 10"}},
		{`[ip != 10.*, ..., size]`, []string{access, "9.9 1"}, []string{"10.1 2", "9.9"}},
		{`[ip, user = frank || user = ana && ip = x, ...]`, []string{"1 frank 3", "1 frank"}, []string{"1 bob 3"}},
	} {
		p, err := observe.ParsePattern(c.pattern)
		if err != nil {
			if len(c.yes)+len(c.no) > 0 {
				t.Errorf("%s: %v", c.pattern, err)
			}
			continue
		}
		for _, m := range c.yes {
			if !p.Match(m) {
				t.Errorf("%s does not match %s", c.pattern, m)
			}
		}
		for _, m := range c.no {
			if p.Match(m) {
				t.Errorf("%s matches %s", c.pattern, m)
			}
		}
	}
}

func TestBadPatternsTellWhere(t *testing.T) {
	for pattern, want := range map[string]string{
		`"open`:                 `Invalid filter pattern: a closing quote is missing at character 1 of "open`,
		`{ $.a = }`:             "Invalid filter pattern: a value is missing at character 9 of { $.a = }",
		`{ $.a }`:               "Invalid filter pattern: one of = != < > <= >= is missing at character 7 of { $.a }",
		`{ $.a = 1`:             "Invalid filter pattern: a closing } is missing at character 10 of { $.a = 1",
		`{ $.a = 1 } x`:         "Invalid filter pattern: nothing may follow the closing } at character 13 of { $.a = 1 } x",
		`{ $.a > "x" }`:         `Invalid filter pattern: > needs a number at character 12 of { $.a > "x" }`,
		`{ a = 1 }`:             "Invalid filter pattern: a selector such as $.name is missing at character 3 of { a = 1 }",
		`{ ($.a = 1 }`:          "Invalid filter pattern: a closing parenthesis is missing at character 12 of { ($.a = 1 }",
		`[a, ..., b, ...]`:      "Invalid filter pattern: ... may stand once only at character 17 of [a, ..., b, ...]",
		`[a, b`:                 "Invalid filter pattern: one of = != < > <= >= is missing at character 6 of [a, b",
		`%(%`:                   "Invalid filter pattern: error parsing regexp: missing closing ): `(` at character 1 of %(%",
		`- x`:                   "Invalid filter pattern: a term is missing at character 2 of - x",
		"{ $.a[x] NOT EXISTS }": "Invalid filter pattern: an index is missing at character 8 of { $.a[x] NOT EXISTS }",
	} {
		_, err := observe.ParsePattern(pattern)
		wantCode(t, err, observe.CodeInvalidParameter)
		if err.Error() != want {
			t.Errorf("%s:\n got %s\nwant %s", pattern, err, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a -b ?c \"d e\"", "{ $.a[0].b != \"x*\" && ($.c > 1 || $.d NOT EXISTS) }", "[a, b=1*, ...]", "%a+%", "{$['x']=%y%}", "((((", "{((((((("} {
		f.Add(s, `{"a":[{"b":"c"}],"c":2}`)
	}
	f.Fuzz(func(t *testing.T, pattern, message string) {
		p, err := observe.ParsePattern(pattern)
		if err != nil {
			wantCode(t, err, observe.CodeInvalidParameter)
			return
		}
		p.Match(message)
	})
}
