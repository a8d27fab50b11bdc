package apprunner_test

import (
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// checklist: 19, 20
func TestParseARN(t *testing.T) {
	sc := apprunner.Scope{Account: "123456789012", Region: "us-east-1"}
	const head = "arn:aws:apprunner:us-east-1:123456789012:"
	const id = "0123456789abcdef0123456789abcdef"
	for _, tc := range []struct {
		text string
		want apprunner.ARN
	}{
		{head + "service/web/" + id, apprunner.ARN{Scope: sc, Kind: "service", Name: "web", ID: id}},
		{head + "service/web", apprunner.ARN{Scope: sc, Kind: "service", Name: "web"}},
		{head + "connection/hub/" + id, apprunner.ARN{Scope: sc, Kind: "connection", Name: "hub", ID: id}},
		{head + "autoscalingconfiguration/high/3/" + id, apprunner.ARN{Scope: sc, Kind: "autoscalingconfiguration", Name: "high", Revision: 3, ID: id}},
		{head + "autoscalingconfiguration/high/3", apprunner.ARN{Scope: sc, Kind: "autoscalingconfiguration", Name: "high", Revision: 3}},
		{head + "autoscalingconfiguration/high", apprunner.ARN{Scope: sc, Kind: "autoscalingconfiguration", Name: "high"}},
	} {
		got, err := apprunner.ParseARN(tc.text)
		if err != nil || got != tc.want {
			t.Errorf("ParseARN(%q) = %+v, %v; want %+v", tc.text, got, err, tc.want)
		}
		if got.String() != tc.text {
			t.Errorf("%q comes back as %q", tc.text, got)
		}
	}
	for _, text := range []string{
		"", "web", "arn:aws:s3:::bucket", head, head + "service", head + "service/", head + "service/web/" + id + "/more",
		head + "autoscalingconfiguration/high/x/" + id, "arn:aws:apprunner:us-east-1:12345:service/web",
	} {
		if _, err := apprunner.ParseARN(text); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest {
			t.Errorf("ParseARN(%q): %v; want InvalidRequestException", text, err)
		}
	}
}

func FuzzParseARN(f *testing.F) {
	f.Add("arn:aws:apprunner:us-east-1:123456789012:service/web/0123456789abcdef0123456789abcdef")
	f.Add("arn:aws-us-gov:apprunner:r:123456789012:autoscalingconfiguration/a/1")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := apprunner.ParseARN(s)
		if err != nil {
			return
		}
		again, err := apprunner.ParseARN(a.String())
		if err != nil || again != a {
			t.Errorf("%q parses as %+v, which reads %q and parses as %+v, %v", s, a, a, again, err)
		}
	})
}

func TestDefaultARNsAreFixed(t *testing.T) {
	sc := apprunner.Scope{Account: "123456789012", Region: "eu-west-1"}
	const want = "arn:aws:apprunner:eu-west-1:123456789012:autoscalingconfiguration/DefaultConfiguration/1/00000000000000000000000000000001"
	if got := apprunner.DefaultAutoScalingARN(sc).String(); got != want {
		t.Errorf("got %s", got)
	}
}
