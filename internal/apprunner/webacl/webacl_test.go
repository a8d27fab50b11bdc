package webacl_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
)

// definition is an ACL with one rule, as the API's JSON has it.
func definition(t *testing.T, statement string) webacl.Definition {
	t.Helper()
	action := `"Action":{"Block":{}}`
	if strings.Contains(statement, "ManagedRuleGroupStatement") {
		action = `"OverrideAction":{"None":{}}`
	}
	var d webacl.Definition
	text := `{"DefaultAction":{"Allow":{}},"Rules":[{"Name":"r","Priority":1,"Statement":` + statement + `,` + action + `}]}`
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

const (
	inPath = `"FieldToMatch":{"UriPath":{}},"TextTransformations":[{"Priority":0,"Type":"NONE"}]`
	match  = `{"ByteMatchStatement":{"SearchString":"YQ==","PositionalConstraint":"EXACTLY",` + inPath + `}}`
)

// What is not evaluated is refused, in words that name it.
func TestRefusals(t *testing.T) {
	for statement, want := range map[string]string{
		`{"GeoMatchStatement":{"CountryCodes":["DE"]}}`:             "database of countries",
		`{"GeoMatchStatement":{}}`:                                  "database of countries",
		`{"AsnMatchStatement":{"AsnList":[1]}}`:                     "AsnMatchStatement",
		`{"RuleGroupReferenceStatement":{"ARN":"arn:aws:wafv2:x"}}`: "Put the rules into the web ACL",
		`{"NotStatement":{"Statement":{"GeoMatchStatement":{}}}}`:   "database of countries",
		`{}`: "exactly one kind",
		`{"LabelMatchStatement":{},"NotStatement":{"Statement":` + match + `}}`: "exactly one kind",
		`{"AndStatement":{"Statements":[` + match + `]}}`:                       "at least two",
		`{"NotStatement":{}}`: "needs a statement",
		`{"RegexMatchStatement":{"RegexString":"(?=x)",` + inPath + `}}`:                                        "look-around",
		`{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"AWSManagedRulesBotControlRuleSet"}}`:          "ListAvailableManagedRuleGroups",
		`{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"AWSManagedRulesSQLiRuleSet","Version":"1"}}`:  "no versions",
		`{"NotStatement":{"Statement":{"RateBasedStatement":{"Limit":10,"AggregateKeyType":"IP"}}}}`:            "inside of another",
		`{"RateBasedStatement":{"Limit":10,"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{}]}}`:                "CUSTOM_KEYS",
		`{"RateBasedStatement":{"Limit":10,"AggregateKeyType":"IP","EvaluationWindowSec":7}}`:                   "EvaluationWindowSec",
		`{"RateBasedStatement":{"Limit":10,"AggregateKeyType":"FORWARDED_IP"}}`:                                 "ForwardedIPConfig",
		`{"SqliMatchStatement":{"FieldToMatch":{"JA3Fingerprint":{}},"TextTransformations":[]}}`:                "JA3",
		`{"SqliMatchStatement":{"FieldToMatch":{},"TextTransformations":[]}}`:                                   "exactly one part",
		`{"SqliMatchStatement":{"FieldToMatch":{"Method":{}},"TextTransformations":[{"Type":"CMD_LINE_WIN"}]}}`: "CMD_LINE_WIN",
		`{"SqliMatchStatement":{"FieldToMatch":{"Method":{}},"PreParseTextTransformations":[{"Type":"NONE"}]}}`: "PreParseTextTransformations",
		strings.Repeat(`{"NotStatement":{"Statement":`, 11) + match + strings.Repeat("}}", 11):                  "deep",
	} {
		err := definition(t, statement).Check()
		if apprunner.CodeOf(err) != webacl.CodeInvalidParameter || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "Rule r: ") {
			t.Errorf("%s: %v, want %q", statement, err, want)
		}
	}
	good := definition(t, match)
	if err := good.Check(); err != nil {
		t.Errorf("%s: %v", match, err)
	}
	for name, change := range map[string]func(*webacl.Definition){
		"two of a name": func(d *webacl.Definition) { d.Rules = append(d.Rules, d.Rules[0]) },
		"no action":     func(d *webacl.Definition) { d.Rules[0].Action = nil },
		"two actions": func(d *webacl.Definition) {
			d.Rules[0].Action = &webacl.Action{Allow: &webacl.Insert{}, Block: &webacl.Block{}}
		},
		"captcha":          func(d *webacl.Definition) { d.Rules[0].Action = &webacl.Action{Captcha: webacl.Refused{}} },
		"counting default": func(d *webacl.Definition) { d.DefaultAction = webacl.Action{Count: &webacl.Insert{}} },
		"reserved label":   func(d *webacl.Definition) { d.Rules[0].RuleLabels = []webacl.Label{{Name: "awswaf:x"}} },
		"no such body": func(d *webacl.Definition) {
			d.Rules[0].Action = custom(webacl.Response{ResponseCode: 403, CustomResponseBodyKey: "x"})
		},
		"header with a line end": func(d *webacl.Definition) {
			d.Rules[0].Action = custom(webacl.Response{ResponseCode: 403, ResponseHeaders: []webacl.Header{{Name: "x", Value: "a\r\nb: c"}}})
		},
		"length of its own": func(d *webacl.Definition) {
			d.Rules[0].Action = custom(webacl.Response{ResponseCode: 403, ResponseHeaders: []webacl.Header{{Name: "Content-Length", Value: "1"}}})
		},
	} {
		d := definition(t, match)
		change(&d)
		if err := d.Check(); apprunner.CodeOf(err) != webacl.CodeInvalidParameter {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func custom(r webacl.Response) *webacl.Action {
	return &webacl.Action{Block: &webacl.Block{CustomResponse: &r}}
}

// Capacities are those of the documentation of AWS WAF.
func TestCapacity(t *testing.T) {
	field := func(kind, more, field string, transformations ...string) string {
		list := make([]string, len(transformations))
		for i, name := range transformations {
			list[i] = fmt.Sprintf(`{"Priority":%d,"Type":%q}`, i, name)
		}
		return `{"` + kind + `":{` + more + `"FieldToMatch":` + field + `,"TextTransformations":[` + strings.Join(list, ",") + `]}}`
	}
	exact, within := `"SearchString":"YQ==","PositionalConstraint":"EXACTLY",`, `"SearchString":"YQ==","PositionalConstraint":"CONTAINS",`
	path, all, body := `{"UriPath":{}}`, `{"AllQueryArguments":{}}`, `{"JsonBody":{"MatchPattern":{"All":{}},"MatchScope":"ALL"}}`
	for statement, want := range map[string]int64{
		field("ByteMatchStatement", exact, path, "NONE"):                                                 2,
		field("ByteMatchStatement", within, path, "NONE"):                                                10,
		field("ByteMatchStatement", within, path, "LOWERCASE", "URL_DECODE"):                             30,
		field("ByteMatchStatement", exact, all, "NONE"):                                                  12,
		field("ByteMatchStatement", exact, body, "NONE"):                                                 4,
		field("SqliMatchStatement", "", path, "NONE"):                                                    20,
		field("SqliMatchStatement", `"SensitivityLevel":"HIGH",`, path, "NONE"):                          30,
		field("XssMatchStatement", "", path, "NONE"):                                                     40,
		field("RegexMatchStatement", `"RegexString":"x",`, path, "NONE"):                                 3,
		field("RegexPatternSetReferenceStatement", `"ARN":"x",`, path, "NONE"):                           25,
		field("SizeConstraintStatement", `"ComparisonOperator":"GT","Size":1,`, path, "NONE"):            1,
		`{"IPSetReferenceStatement":{"ARN":"x"}}`:                                                        1,
		`{"LabelMatchStatement":{"Scope":"LABEL","Key":"x"}}`:                                            1,
		`{"OrStatement":{"Statements":[` + match + `,` + match + `]}}`:                                   4,
		`{"RateBasedStatement":{"Limit":10,"AggregateKeyType":"IP","ScopeDownStatement":` + match + `}}`: 4,
		`{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"AWSManagedRulesCommonRuleSet"}}`:       700,
	} {
		d := definition(t, statement)
		if n, err := webacl.Capacity(d.Rules); err != nil || n != want {
			t.Errorf("%s costs %d, want %d (%v)", statement, n, want, err)
		}
	}
	var rules []webacl.Rule
	for range 8 {
		rules = append(rules, definition(t, `{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"AWSManagedRulesCommonRuleSet"}}`).Rules...)
	}
	if _, err := webacl.Capacity(rules); apprunner.CodeOf(err) != webacl.CodeLimits {
		t.Errorf("%d groups: %v", len(rules), err)
	}
}

func TestSets(t *testing.T) {
	for _, c := range []struct {
		version, address string
		ok               bool
	}{
		{"IPV4", "192.0.2.0/24", true},
		{"IPV4", "192.0.2.1/32", true},
		{"IPV6", "2001:db8::/32", true},
		{"IPV4", "2001:db8::/32", false},
		{"IPV4", "192.0.2.1", false},
		{"IPV4", "0.0.0.0/0", false},
		{"IPV4", "example.com", false},
	} {
		err := webacl.IPSet{IPAddressVersion: c.version, Addresses: []string{c.address}}.Check()
		if (err == nil) != c.ok {
			t.Errorf("%s %s: %v", c.version, c.address, err)
		}
	}
	if err := (webacl.RegexSet{RegularExpressionList: []webacl.Regex{{RegexString: "("}}}).Check(); apprunner.CodeOf(err) != webacl.CodeInvalidParameter {
		t.Error(err)
	}
}

func TestLogging(t *testing.T) {
	e := webacl.Entity{Scope: apprunner.Scope{Account: "123456789012", Region: "us-east-1"}, Kind: webacl.KindACL, Name: "n", ID: "i"}
	for arn, ok := range map[string]bool{
		"arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-x":   true,
		"arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-x:*": true,
		"arn:aws:logs:us-east-1:123456789012:log-group:other":            false,
		"arn:aws:logs:us-east-1:999999999999:log-group:aws-waf-logs-x":   false,
		"arn:aws:logs:eu-west-1:123456789012:log-group:aws-waf-logs-x":   false,
		"arn:aws:firehose:us-east-1:123456789012:deliverystream/x":       false,
	} {
		l := webacl.Logging{LogDestinationConfigs: []string{arn}}
		if err := l.Check(e); (err == nil) != ok || ok && l.Group() != "aws-waf-logs-x" {
			t.Errorf("%s: %v", arn, err)
		}
	}
}

func FuzzARN(f *testing.F) {
	f.Add("arn:aws:wafv2:us-east-1:123456789012:regional/webacl/name/id")
	f.Fuzz(func(t *testing.T, arn string) {
		e, known := webacl.ParseARN(arn)
		if !known {
			return
		}
		again, known := webacl.ParseARN(e.ARN())
		if !known || !reflect.DeepEqual(e, again) {
			t.Errorf("%q is %+v, and then %+v", arn, e, again)
		}
	})
}
