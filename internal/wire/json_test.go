package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/wire"
	"slipway.dev/slipway/internal/wire/apprunner"
	"slipway.dev/slipway/internal/wire/ecr"
	"slipway.dev/slipway/internal/wire/iam"
	"slipway.dev/slipway/internal/wire/logs"
)

func decodeJSON(s *wire.Service, op, body string) (any, error) {
	return s.Decode(s.Operation(op), wire.Request{Body: []byte(body)})
}

// Whatever is written is read back the same, requests and answers, for every operation.
func TestJSONRoundTrip(t *testing.T) {
	for _, s := range services {
		if s.Protocol.Form() {
			continue
		}
		s := s.In(wire.JSON10)
		t.Run(s.Name, rapid.MakeCheck(func(t *rapid.T) {
			op := &s.Operations[rapid.IntRange(0, len(s.Operations)-1).Draw(t, "operation")]
			if op.Input != wire.None {
				want := values{s: s}.of(op.Input, op.NewInput).Draw(t, "request")
				_, body := s.EncodeRequest(op, want)
				got, err := s.Decode(op, wire.Request{Body: body})
				sameJSON(t, body, want, got, err)
			}
			if op.Output != wire.None {
				want := values{s: s}.of(op.Output, op.NewOutput).Draw(t, "answer")
				body := s.Encode(op, want, "id-1").Body
				got, err := s.DecodeAnswer(op, body)
				sameJSON(t, body, want, got, err)
			}
		}))
	}
}

func sameJSON(t *rapid.T, body []byte, want, got any, err error) {
	if !json.Valid(body) {
		t.Fatalf("not JSON: %s", body)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
}

// What a client needs no input for, it asks with an empty object; an answer without content is none.
func TestJSONClientWithoutContent(t *testing.T) {
	kind, body := logs.API.EncodeRequest(logs.API.Operation("DescribeLogGroups"), nil)
	if kind != "application/x-amz-json-1.1" || string(body) != "{}" {
		t.Errorf("%s %s", kind, body)
	}
	out, err := logs.API.DecodeAnswer(logs.API.Operation("DeleteLogGroup"), nil)
	if _, none := out.(*struct{}); !none || err != nil {
		t.Errorf("%#v, %v", out, err)
	}
}

func TestJSONRequestErrorsNameTheMember(t *testing.T) {
	nested := func(inner string) string {
		return `{"ServiceName":"web","SourceConfiguration":{"ImageRepository":` + inner + `}}`
	}
	for _, tc := range []struct{ name, body, want string }{
		{"string for a structure", nested(`"x"`), "SourceConfiguration.ImageRepository: expected an object, got a string"},
		{"number for a string", nested(`{"ImageIdentifier": 5}`), "SourceConfiguration.ImageRepository.ImageIdentifier: expected a string, got a number"},
		{"string for a boolean", `{"SourceConfiguration":{"AutoDeploymentsEnabled":"true"}}`, "SourceConfiguration.AutoDeploymentsEnabled: expected a boolean, got a string"},
		{"string for a number", `{"HealthCheckConfiguration":{"Interval":"5"}}`, "HealthCheckConfiguration.Interval: expected a number, got a string"},
		{"fraction for an integer", `{"HealthCheckConfiguration":{"Interval":5.5}}`, "HealthCheckConfiguration.Interval: expected a whole number of 32 bits, got 5.5"},
		{"too large for 32 bits", `{"HealthCheckConfiguration":{"Interval":3000000000}}`, "HealthCheckConfiguration.Interval: expected a whole number of 32 bits, got 3000000000"},
		{"object for a list", `{"Tags":{"a":"b"}}`, "Tags: expected an array, got an object"},
		{"null in a list", `{"Tags":[{"Key":"a"},null]}`, "Tags.1: an element of a list must not be null"},
		{"deep in a list", `{"Tags":[{"Key":"a"},{"Key":[]}]}`, "Tags.1.Key: expected a string, got an array"},
		{"array at the top", `[]`, "expected an object, got an array"},
		{"no JSON", `<xml/>`, "invalid JSON at byte 0"},
		{"cut off", `{"ServiceName":"we`, "ServiceName: the JSON document ends too early"},
		{"trailing text", `{} {}`, "data after the end of the JSON document at byte 3"},
		{"trailing comma", `{"ServiceName":"web",}`, "invalid JSON at byte 21"},
		{"broken in an unknown member", `{"x":[1,2,}`, "invalid JSON at byte 10"},
		{"leading zero", `{"HealthCheckConfiguration":{"Interval":05}}`, "HealthCheckConfiguration: invalid JSON at byte 41"},
		{"raw newline in a string", "{\"ServiceName\":\"a\nb\"}", "ServiceName: invalid JSON at byte 17"},
		{"bad escape", `{"ServiceName":"\x"}`, "ServiceName: invalid JSON at byte 16"},
		{"nested too deeply", `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "values nest deeper than 64 levels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decodeJSON(&apprunner.API, "CreateService", tc.body)
			var serr *wire.SerializationError
			if !errors.As(err, &serr) || serr.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestSensitiveMapKeysAreNotInMessages(t *testing.T) {
	_, err := decodeJSON(&apprunner.API, "CreateService",
		`{"SourceConfiguration":{"ImageRepository":{"ImageConfiguration":{"RuntimeEnvironmentVariables":{"HUSH":7}}}}}`)
	if err == nil || strings.Contains(err.Error(), "HUSH") || !strings.Contains(err.Error(), "RuntimeEnvironmentVariables") {
		t.Errorf("got %v", err)
	}
}

func TestJSONRequestIsReadStrictlyButForwardCompatibly(t *testing.T) {
	in, err := decodeJSON(&apprunner.API, "CreateService", ` { "serviceName" : "lower", "ServiceName" : "we\u0062\ud83d\ude80\ud800x",
		"Unknown": {"a":[1,-2.5e+3,true,false,null,"\n"]}, "InstanceConfiguration": null, "Tags": [],
		"SourceConfiguration":{"ImageRepository":{"ImageConfiguration":{"RuntimeEnvironmentVariables":{"A":"1","B":null}}}} } `)
	if err != nil {
		t.Fatal(err)
	}
	got := in.(*apprunner.CreateServiceRequest)
	if *got.ServiceName != "web🚀\uFFFDx" {
		t.Errorf("ServiceName = %q", *got.ServiceName)
	}
	if got.InstanceConfiguration != nil || got.Tags == nil || len(got.Tags) != 0 {
		t.Errorf("null must be absent and [] present: %+v", got)
	}
	env := got.SourceConfiguration.ImageRepository.ImageConfiguration.RuntimeEnvironmentVariables
	if diff := cmp.Diff(map[string]string{"A": "1"}, env); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyBodyIsAnEmptyRequest(t *testing.T) {
	for _, body := range []string{"", " \n", "{}"} {
		in, err := decodeJSON(&apprunner.API, "ListServices", body)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if diff := cmp.Diff(&apprunner.ListServicesRequest{}, in); diff != "" {
			t.Errorf("%q: %s", body, diff)
		}
	}
}

func TestTooManyValuesAreRefused(t *testing.T) {
	body := `{"logEvents":[` + strings.Repeat(`{},`, 250_000) + `{}]}`
	if _, err := decodeJSON(&logs.API, "PutLogEvents", body); err == nil || !strings.Contains(err.Error(), "more than 200000 values") {
		t.Errorf("got %v", err)
	}
}

func TestJSONAnswer(t *testing.T) {
	at := time.UnixMilli(1606156217650)
	res := apprunner.API.Encode(apprunner.API.Operation("ListServices"), &apprunner.ListServicesResponse{}, "")
	if string(res.Body) != `{"ServiceSummaryList":[]}` || res.ContentType != "application/x-amz-json-1.0" || res.Status != 200 {
		t.Errorf("a required list must be sent empty: %d %s %s", res.Status, res.ContentType, res.Body)
	}
	res = apprunner.API.Encode(apprunner.API.Operation("ListServices"), &apprunner.ListServicesResponse{
		ServiceSummaryList: []apprunner.ServiceSummary{{ServiceName: new("a\"\\\x01ü"), CreatedAt: &at, UpdatedAt: new(time.Unix(1606156217, 0))}},
	}, "")
	if want := `{"ServiceSummaryList":[{"ServiceName":"a\"\\\u0001ü","CreatedAt":1606156217.65,"UpdatedAt":1606156217}]}`; string(res.Body) != want {
		t.Errorf("got  %s\nwant %s", res.Body, want)
	}
	if res := logs.API.Encode(logs.API.Operation("CreateLogGroup"), nil, ""); string(res.Body) != "{}" {
		t.Errorf("no output: %s", res.Body)
	}
}

func TestErrorAnswers(t *testing.T) {
	for _, tc := range []struct {
		s      *wire.Service
		status int
		code   string
		want   string
	}{
		{&apprunner.API, 0, "InvalidStateException", `400 application/x-amz-json-1.0 {"__type":"com.amazonaws.apprunner#InvalidStateException","Message":"no \"way\""}`},
		{&apprunner.API, 0, "InternalServiceErrorException", `500 application/x-amz-json-1.0 {"__type":"com.amazonaws.apprunner#InternalServiceErrorException","Message":"no \"way\""}`},
		{&apprunner.API, 403, "AccessDeniedException", `403 application/x-amz-json-1.0 {"__type":"com.amazonaws.apprunner#AccessDeniedException","Message":"no \"way\""}`},
		{&ecr.API, 0, "RepositoryNotFoundException", `400 application/x-amz-json-1.1 {"__type":"RepositoryNotFoundException","message":"no \"way\""}`},
		{&iam.API, 0, "NoSuchEntity", `404 text/xml <ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>no &#34;way&#34;</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
		{&iam.API, 0, "ServiceFailure", `500 text/xml <ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Receiver</Type><Code>ServiceFailure</Code><Message>no &#34;way&#34;</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`},
	} {
		res := tc.s.EncodeError(tc.status, tc.code, `no "way"`, "id-1")
		if got := fmt.Sprintf("%d %s %s", res.Status, res.ContentType, res.Body); got != tc.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", tc.s.Name, tc.code, got, tc.want)
		}
		if tc.s.Protocol.Form() {
			continue
		}
		if code, message := wire.DecodeError(res.Body); code != tc.code || message != `no "way"` {
			t.Errorf("%s %s: a client reads %s: %s", tc.s.Name, tc.code, code, message)
		}
	}
}

func TestOperationTable(t *testing.T) {
	s := &apprunner.API
	if s.Operation("NoSuch") != nil || s.Operation("") != nil {
		t.Error("found an operation that is not there")
	}
	op := s.Operation("StartDeployment")
	if op.Lists("InvalidStateException") || !op.Lists("ResourceNotFoundException") {
		t.Error("StartDeployment lists no InvalidStateException (§1.3)")
	}
	if !s.Operation("ListServices").Paginated || op.Paginated {
		t.Error("only listings are paginated")
	}
	if s.Status("NoSuch") != 0 {
		t.Error("found a status of an unknown code")
	}
}

func BenchmarkCreateServiceRequest(b *testing.B) {
	op := apprunner.API.Operation("CreateService")
	body := []byte(`{"ServiceName":"web-1","SourceConfiguration":{"CodeRepository":{"RepositoryUrl":"https://git.example.com/a/b","SourceCodeVersion":{"Type":"BRANCH","Value":"main"},"CodeConfiguration":{"ConfigurationSource":"API","CodeConfigurationValues":{"Runtime":"PYTHON_311","BuildCommand":"pip install -r requirements.txt","StartCommand":"python server.py","Port":"8000","RuntimeEnvironmentVariables":{"NAME":"World"}}}},"AutoDeploymentsEnabled":true},"InstanceConfiguration":{"Cpu":"1 vCPU","Memory":"2 GB"},"Tags":[{"Key":"a","Value":"b"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		in, err := apprunner.API.Decode(op, wire.Request{Body: body})
		if err != nil {
			b.Fatal(err)
		}
		if err := apprunner.API.Validate(op, in); err != nil {
			b.Fatal(err)
		}
	}
}
