package pattern

import (
	"fmt"
	"strings"
	"testing"
)

// event is one that App Runner sends, with a few fields more.
const event = `{"version":"0","id":"1","detail-type":"AppRunner Service Status Change","source":"aws.apprunner","account":"123456789012",
	"time":"2026-03-01T12:00:00Z","region":"us-east-1","resources":["arn:a","arn:b"],"detail":{"PreviousStatus":"RUNNING","n":300,"half":0.5,
	"ip":"10.1.2.3","six":"2001:db8::1","on":true,"none":null,"empty":[],"path":"a*b\\c/Straße.PNG","nested":[[{"x":1,"y":2}],{"x":3,"y":4}],
	"list":[{"x":1,"y":2,"z":1},{"x":3,"y":4}]}}`

func matches(t *testing.T, pattern string) bool {
	t.Helper()
	p, err := Compile(pattern)
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	e, err := Parse([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	return p.Matches(e)
}

func TestMatching(t *testing.T) {
	for pattern, want := range map[string]bool{
		`{"source":["aws.apprunner"]}`:                                                true,
		`{"source":["aws.ec2","aws.apprunner"]}`:                                      true,
		`{"source":["aws.ec2"]}`:                                                      false,
		`{"source":["AWS.apprunner"]}`:                                                false,
		`{"source":["aws.apprunner"],"account":["1"]}`:                                false,
		`{"resources":["arn:c","arn:b"]}`:                                             true,
		`{"detail":{"PreviousStatus":["RUNNING"]}}`:                                   true,
		`{"detail":{"n":[300]}}`:                                                      true,
		`{"detail":{"n":[3.0e2]}}`:                                                    true,
		`{"detail":{"n":["300"]}}`:                                                    false,
		`{"detail":{"on":[true]}}`:                                                    true,
		`{"detail":{"on":["true"]}}`:                                                  false,
		`{"detail":{"none":[null]}}`:                                                  true,
		`{"detail":{"nothing":[null]}}`:                                               false,
		`{"detail":["x"]}`:                                                            false,
		`{"time":[{"prefix":"2026-03"}]}`:                                             true,
		`{"time":[{"prefix":"2026-04"}]}`:                                             false,
		`{"source":[{"prefix":{"equals-ignore-case":"AWS."}}]}`:                       true,
		`{"detail":{"path":[{"suffix":".PNG"}]}}`:                                     true,
		`{"detail":{"path":[{"suffix":".png"}]}}`:                                     false,
		`{"detail":{"path":[{"suffix":{"equals-ignore-case":"STRAßE.png"}}]}}`:        true,
		`{"source":[{"equals-ignore-case":"AWS.AppRunner"}]}`:                         true,
		`{"detail":{"n":[{"prefix":"3"}]}}`:                                           false,
		`{"source":[{"anything-but":"aws.ec2"}]}`:                                     true,
		`{"source":[{"anything-but":["aws.ec2","aws.apprunner"]}]}`:                   false,
		`{"detail":{"n":[{"anything-but":300}]}}`:                                     false,
		`{"detail":{"n":[{"anything-but":[1,2]}]}}`:                                   true,
		`{"detail":{"nothing":[{"anything-but":1}]}}`:                                 false,
		`{"resources":[{"anything-but":"arn:a"}]}`:                                    true,
		`{"source":[{"anything-but":{"prefix":"aws."}}]}`:                             false,
		`{"source":[{"anything-but":{"suffix":["ec2","s3"]}}]}`:                       true,
		`{"source":[{"anything-but":{"equals-ignore-case":["AWS.apprunner"]}}]}`:      false,
		`{"source":[{"anything-but":{"wildcard":"aws.*2"}}]}`:                         true,
		`{"detail":{"n":[{"exists":true}]}}`:                                          true,
		`{"detail":{"none":[{"exists":true}]}}`:                                       true,
		`{"detail":{"empty":[{"exists":true}]}}`:                                      false,
		`{"detail":[{"exists":true}]}`:                                                false,
		`{"detail":[{"exists":false}]}`:                                               true,
		`{"detail":{"nothing":[{"exists":false}]}}`:                                   true,
		`{"detail":{"nothing":{"below":[{"exists":false}]}}}`:                         true,
		`{"detail":{"n":{"below":[{"exists":false}]}}}`:                               true,
		`{"detail":{"n":[{"exists":false}]}}`:                                         false,
		`{"detail":{"n":[{"exists":false},300]}}`:                                     true,
		`{"detail":{"n":[{"numeric":["=",300.0]}]}}`:                                  true,
		`{"detail":{"n":[{"numeric":[">",0,"<=",300]}]}}`:                             true,
		`{"detail":{"n":[{"numeric":[">",0,"<",300]}]}}`:                              false,
		`{"detail":{"half":[{"numeric":[">=",0.5]}]}}`:                                true,
		`{"detail":{"ip":[{"numeric":[">",0]}]}}`:                                     false,
		`{"detail":{"path":[{"wildcard":"a\\**\\\\c/*.PNG"}]}}`:                       true,
		`{"detail":{"path":[{"wildcard":"*Stra*PNG*"}]}}`:                             true,
		`{"detail":{"path":[{"wildcard":"*PNG*Stra*"}]}}`:                             false,
		`{"source":[{"wildcard":"aws.apprunner"}]}`:                                   true,
		`{"source":[{"wildcard":"*"}]}`:                                               true,
		`{"detail":{"ip":[{"cidr":"10.1.0.0/16"}]}}`:                                  true,
		`{"detail":{"ip":[{"cidr":"10.2.0.0/16"}]}}`:                                  false,
		`{"detail":{"six":[{"cidr":"2001:db8::/32"}]}}`:                               true,
		`{"detail":{"PreviousStatus":[{"cidr":"0.0.0.0/0"}]}}`:                        false,
		`{"$or":[{"source":["aws.ec2"]},{"region":["us-east-1"]}]}`:                   true,
		`{"$or":[{"source":["aws.ec2"]},{"region":["us-east-2"]}]}`:                   false,
		`{"source":["aws.apprunner"],"detail":{"$or":[{"n":[1]},{"on":[true]}]}}`:     true,
		`{"source":["aws.ec2"],"detail":{"$or":[{"n":[300]},{"on":[true]}]}}`:         false,
		`{"detail":{"list":{"x":[1],"y":[2]}}}`:                                       true,
		`{"detail":{"list":{"x":[1],"y":[4]}}}`:                                       false, // of two elements
		`{"detail":{"list":{"x":[3],"z":[{"exists":false}]}}}`:                        false, // the other element has it
		`{"detail":{"nested":{"x":[1],"y":[2]}}}`:                                     true,
		`{"detail":{"nested":{"x":[1],"y":[4]}}}`:                                     false,
		`{"detail":{"list":{"$or":[{"x":[1],"y":[4]},{"x":[3],"y":[4]}]}}}`:           true,
		`{"detail":{"list":{"x":[1]},"$or":[{"list":{"y":[4]}},{"nothing":["no"]}]}}`: false,
	} {
		if got := matches(t, pattern); got != want {
			t.Errorf("%s: %v", pattern, got)
		}
	}
}

// checklist: 165
func TestThePatternsOfTheGuide(t *testing.T) {
	left := `{"source":["aws.apprunner"],"detail-type":["AppRunner Service Status Change"],"account":["123456789012"],"detail":{"PreviousStatus":["RUNNING"]}}`
	failed := `{"source":["aws.apprunner"],"detail-type":["AppRunner Service Operation Status Change"],"detail":{"Status":["CreateServiceFailed",
		"DeleteServiceFailed","UpdateServiceFailed","DeploymentFailed","PauseServiceFailed","ResumeServiceFailed"]}}`
	if !matches(t, left) || matches(t, failed) {
		t.Error("an event of a service that left RUNNING")
	}
}

func TestRefusals(t *testing.T) {
	for pattern, reason := range map[string]string{
		``:                                            "no JSON",
		`[]`:                                          "Filter is not an object",
		`{`:                                           "no JSON",
		`{}x`:                                         "behind the end",
		`{}`:                                          "Empty objects",
		`{"a":{}}`:                                    "Empty objects",
		`{"a":[]}`:                                    "Empty arrays",
		`{"a":"x"}`:                                   `"a" must be an object or an array`,
		`{"a":["x"],"a":["y"]}`:                       `"a" is there twice`,
		`{"a":[["x"]]}`:                               "Match value must be",
		`{"a":[{}]}`:                                  "Only one key",
		`{"a":[{"prefix":"x","suffix":1}]}`:           "Only one key",
		`{"a":[{"regex":"x"}]}`:                       "Unrecognized match type regex",
		`{"a":[{"prefix":1}]}`:                        "must be a string",
		`{"a":[{"prefix":{"wildcard":"x"}}]}`:         "only equals-ignore-case",
		`{"a":[{"wildcard":"a**b"}]}`:                 "Consecutive wildcard characters at pos 2",
		`{"a":[{"wildcard":"a\\b"}]}`:                 "Invalid escape character at pos 1",
		`{"a":[{"wildcard":"a\\"}]}`:                  "Invalid escape character",
		`{"a":[{"exists":"yes"}]}`:                    "either true or false",
		`{"a":[{"cidr":"10.0.0.0"}]}`:                 "not a network",
		`{"a":[{"numeric":">"}]}`:                     "must be an array",
		`{"a":[{"numeric":[">"]}]}`:                   "one comparison",
		`{"a":[{"numeric":["~",1]}]}`:                 "Unrecognized numeric range operator",
		`{"a":[{"numeric":["<",1,">",0]}]}`:           "begins with >",
		`{"a":[{"numeric":[">",1,"=",2]}]}`:           "Unrecognized numeric range operator",
		`{"a":[{"numeric":[">",2,"<",1]}]}`:           "Bottom must be less than top",
		`{"a":[{"numeric":["=","1"]}]}`:               "must be numeric",
		`{"a":[{"anything-but":["x",1]}]}`:            "mixed type",
		`{"a":[{"anything-but":[]}]}`:                 "Empty arrays",
		`{"a":[{"anything-but":null}]}`:               "anything-but takes",
		`{"a":[{"anything-but":{"prefix":""}}]}`:      "not empty",
		`{"a":[{"anything-but":{"cidr":"x"}}]}`:       "Unsupported anything-but pattern: cidr",
		`{"$or":[{"a":["x"]}]}`:                       "at least 2",
		`{"$or":["a","b"]}`:                           "only objects",
		`{"$or":[{"prefix":["x"]},{"a":["x"]}]}`:      "cannot be the name of a field inside $or",
		`{"a":["x"],"$or":[{"a":["y"]},{"b":["x"]}]}`: "a is there twice",
	} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", pattern, err, reason)
		}
	}
	if _, err := Compile(manyAlternatives(4, 6, 0)); err == nil || !strings.Contains(err.Error(), "1000 combinations") {
		t.Errorf("1296 combinations: %v", err)
	}
	if _, err := Compile(manyAlternatives(4, 5, 4)); err != nil {
		t.Errorf("625 combinations: %v", err)
	}
	if _, err := Compile(manyAlternatives(4, 5, 5)); err == nil || !strings.Contains(err.Error(), "too complex") {
		t.Errorf("625 combinations of 9 fields: %v", err)
	}
}

// manyAlternatives is a pattern with so many $or of so many alternatives each, and more fields beside them.
func manyAlternatives(ors, each, more int) string {
	var parts []string
	for i := range ors {
		alternatives := make([]string, each)
		for j := range alternatives {
			alternatives[j] = fmt.Sprintf(`{"f%d":[1]}`, each*i+j)
		}
		parts = append(parts, fmt.Sprintf(`"g%d":{"$or":[%s]}`, i, strings.Join(alternatives, ",")))
	}
	for i := range more {
		parts = append(parts, fmt.Sprintf(`"h%d":[1]`, i))
	}
	return "{" + strings.Join(parts, ",") + "}"
}
