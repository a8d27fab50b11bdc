package wire_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkapprunner "github.com/aws/aws-sdk-go-v2/service/apprunner"
	sdkcloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	sdklogs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	sdkecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/wire"
)

// examples is how many requests and answers of each operation go through the real client.
const examples = 4

// The real AWS clients are the oracle: for every operation of every service, what a client sends is decoded to what it was given,
// and what we answer is read by the client as what was answered.
func TestAgainstAWSClients(t *testing.T) {
	backend := &answering{}
	srv := httptest.NewServer(backend)
	t.Cleanup(srv.Close)
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
	}
	clients := map[string]any{
		"apprunner": sdkapprunner.NewFromConfig(cfg), "cloudwatch": sdkcloudwatch.NewFromConfig(cfg), "ecr": sdkecr.NewFromConfig(cfg), "iam": sdkiam.NewFromConfig(cfg),
		"logs": sdklogs.NewFromConfig(cfg), "sts": sdksts.NewFromConfig(cfg),
	}
	for _, s := range services {
		for i := range s.Operations {
			op := &s.Operations[i]
			t.Run(s.Name+"/"+op.Name, func(t *testing.T) {
				method := reflect.ValueOf(clients[s.Name]).MethodByName(op.Name)
				if !method.IsValid() {
					t.Fatal("the AWS client has no such operation")
				}
				for seed := range examples {
					exchange(t, backend, method, s, op, seed)
				}
			})
		}
	}
}

// exchange sends one drawn request through the client method and answers with a drawn answer.
func exchange(t *testing.T, backend *answering, method reflect.Value, s *wire.Service, op *wire.Operation, seed int) {
	t.Helper()
	var in, out any
	if op.Input != wire.None {
		in = values{s: s, sdk: true}.of(op.Input, op.NewInput).Example(seed)
	}
	if op.Output != wire.None {
		out = values{s: s, sdk: true}.of(op.Output, op.NewOutput).Example(seed)
	}
	backend.set(s, op, out)
	sent := reflect.New(method.Type().In(1).Elem())
	if in != nil {
		toSDK(sent.Elem(), reflect.ValueOf(in).Elem())
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(context.Background()), sent})
	if err, _ := results[1].Interface().(error); err != nil {
		t.Fatalf("the AWS client: %v", err)
	}
	if backend.err != nil {
		t.Fatalf("decode: %v", backend.err)
	}
	if in != nil {
		if diff := cmp.Diff(in, backend.in); diff != "" {
			t.Errorf("request, sent (-) and decoded (+):\n%s", diff)
		}
	}
	if out != nil {
		back := op.NewOutput()
		fromSDK(reflect.ValueOf(back).Elem(), results[0].Elem())
		if diff := cmp.Diff(out, back); diff != "" {
			t.Errorf("answer, given (-) and read by the client (+):\n%s", diff)
		}
	}
}

// Error answers become the typed errors of the clients.
func TestAWSClientsKnowOurErrors(t *testing.T) {
	for _, s := range services {
		for _, e := range s.Errors {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				send(w, s.EncodeError(0, e.Code, "the message & more", "id-1"))
			}))
			cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")}
			err := anyCall(s, cfg)
			if err == nil || !strings.Contains(err.Error(), e.Code) && !strings.Contains(err.Error(), strings.TrimSuffix(e.Code, "Exception")) ||
				!strings.Contains(err.Error(), fmt.Sprintf("StatusCode: %d", e.Status)) {
				t.Errorf("%s %s: the client says %v", s.Name, e.Code, err)
			}
			srv.Close()
		}
	}
}

func anyCall(s *wire.Service, cfg aws.Config) (err error) {
	ctx := context.Background()
	switch s.Name {
	case "apprunner":
		_, err = sdkapprunner.NewFromConfig(cfg).ListServices(ctx, nil)
	case "cloudwatch":
		_, err = sdkcloudwatch.NewFromConfig(cfg).ListMetrics(ctx, nil)
	case "ecr":
		_, err = sdkecr.NewFromConfig(cfg).DescribeRepositories(ctx, nil)
	case "iam":
		_, err = sdkiam.NewFromConfig(cfg).ListUsers(ctx, nil)
	case "logs":
		_, err = sdklogs.NewFromConfig(cfg).DescribeLogGroups(ctx, nil)
	case "sts":
		_, err = sdksts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	}
	return err
}

func send(w http.ResponseWriter, res wire.Response) {
	w.Header().Set("Content-Type", res.ContentType)
	if res.ContentType == "application/cbor" || res.ContentType == "" {
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	w.Header().Set("x-amzn-RequestId", "id-1")
	w.WriteHeader(res.Status)
	_, _ = w.Write(res.Body)
}

// answering decodes the one request it waits for and gives the prepared answer.
type answering struct {
	s   *wire.Service
	op  *wire.Operation
	out any
	in  any
	err error
}

func (a *answering) set(s *wire.Service, op *wire.Operation, out any) {
	*a = answering{s: s, op: op, out: out}
}

func (a *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var from io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		if from, a.err = gzip.NewReader(r.Body); a.err != nil {
			return
		}
	}
	body, err := io.ReadAll(from)
	if err != nil {
		a.err = err
		return
	}
	req := wire.Request{RawQuery: r.URL.RawQuery, Body: body}
	if path := "/service/" + a.s.TargetPrefix + "/operation/" + a.op.Name; a.s.Protocol == wire.CBOR && r.URL.Path != path {
		a.err = fmt.Errorf("path %q", r.URL.Path)
	} else if target := r.Header.Get("X-Amz-Target"); (a.s.Protocol == wire.JSON10 || a.s.Protocol == wire.JSON11) && target != a.s.TargetPrefix+"."+a.op.Name {
		a.err = fmt.Errorf("target %q", target)
	} else if action, version := wire.Action(req); a.s.Protocol == wire.Query && (action != a.op.Name || version != a.s.Version) {
		a.err = fmt.Errorf("action %q, version %q", action, version)
	} else {
		a.in, a.err = a.s.Decode(a.op, req)
	}
	send(w, a.s.Encode(a.op, a.out, "id-1"))
}

// toSDK copies a wire value into the client's type for it, field by field of the same name.
func toSDK(dst, src reflect.Value) {
	switch {
	case dst.Kind() == reflect.Pointer && src.Kind() == reflect.Pointer:
		if !src.IsNil() {
			dst.Set(reflect.New(dst.Type().Elem()))
			toSDK(dst.Elem(), src.Elem())
		}
	case src.Kind() == reflect.Pointer: // enums, and flags whose zero value is not sent
		if !src.IsNil() {
			toSDK(dst, src.Elem())
		}
	case dst.Kind() == reflect.Struct && dst.Type() != reflect.TypeFor[time.Time]():
		for i := range src.NumField() {
			if f := field(dst, src.Type().Field(i).Name); f.IsValid() && !isUnion(f.Type()) {
				toSDK(f, src.Field(i))
			} else {
				src.Field(i).SetZero()
			}
		}
	case dst.Kind() == reflect.Slice && src.Kind() == reflect.Slice && dst.Type().Elem().Kind() != reflect.Uint8:
		if src.IsNil() {
			return
		}
		dst.Set(reflect.MakeSlice(dst.Type(), src.Len(), src.Len()))
		for i := range src.Len() {
			toSDK(dst.Index(i), src.Index(i))
		}
	case dst.Kind() == reflect.Map:
		if src.IsNil() {
			return
		}
		dst.Set(reflect.MakeMap(dst.Type()))
		for _, k := range src.MapKeys() {
			e := reflect.New(dst.Type().Elem()).Elem()
			toSDK(e, src.MapIndex(k))
			dst.SetMapIndex(k.Convert(dst.Type().Key()), e)
		}
	default:
		dst.Set(src.Convert(dst.Type()))
	}
}

// fromSDK is the way back.
func fromSDK(dst, src reflect.Value) {
	switch {
	case src.Kind() == reflect.Pointer && dst.Kind() == reflect.Pointer:
		if !src.IsNil() {
			dst.Set(reflect.New(dst.Type().Elem()))
			fromSDK(dst.Elem(), src.Elem())
		}
	case src.Kind() == reflect.Pointer:
		fromSDK(dst, src.Elem())
	case dst.Kind() == reflect.Pointer:
		if !src.IsZero() {
			dst.Set(reflect.New(dst.Type().Elem()))
			fromSDK(dst.Elem(), src)
		}
	case dst.Kind() == reflect.Struct && dst.Type() != reflect.TypeFor[time.Time]():
		for i := range dst.NumField() {
			if f := field(src, dst.Type().Field(i).Name); f.IsValid() && !isUnion(f.Type()) {
				fromSDK(dst.Field(i), f)
			}
		}
	case dst.Kind() == reflect.Slice && dst.Type().Elem().Kind() != reflect.Uint8:
		if src.IsNil() {
			return
		}
		dst.Set(reflect.MakeSlice(dst.Type(), src.Len(), src.Len()))
		for i := range src.Len() {
			fromSDK(dst.Index(i), src.Index(i))
		}
	case dst.Kind() == reflect.Map:
		if src.IsNil() {
			return
		}
		dst.Set(reflect.MakeMap(dst.Type()))
		for _, k := range src.MapKeys() {
			e := reflect.New(dst.Type().Elem()).Elem()
			fromSDK(e, src.MapIndex(k))
			dst.SetMapIndex(k.Convert(dst.Type().Key()), e)
		}
	default:
		dst.Set(src.Convert(dst.Type()))
	}
}

// isUnion tells the client's types for unions, which are interfaces and left out here.
func isUnion(t reflect.Type) bool {
	return t.Kind() == reflect.Interface || t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Interface
}

// field finds a field whatever the case of its letters: the clients write some initialisms their own way.
func field(v reflect.Value, name string) reflect.Value {
	return v.FieldByNameFunc(func(n string) bool { return strings.EqualFold(n, name) })
}
