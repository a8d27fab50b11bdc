package apprunner_test

import (
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

func TestSecretReferences(t *testing.T) {
	const (
		secret    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf"
		parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/app/db"
	)
	here, west := apprunner.Scope{Account: "123456789012", Region: "us-east-1"}, apprunner.Scope{Account: "123456789012", Region: "eu-west-1"}
	for text, want := range map[string]apprunner.SecretReference{
		secret:                      {Scope: here, Secret: secret},
		secret + ":password":        {Scope: here, Secret: secret, JSONKey: "password"},
		secret + ":password:::":     {}, // one part too many
		secret + ":password::":      {Scope: here, Secret: secret, JSONKey: "password"},
		secret + "::AWSPREVIOUS:":   {Scope: here, Secret: secret, Stage: "AWSPREVIOUS"},
		secret + ":k:AWSPREVIOUS:v": {Scope: here, Secret: secret, JSONKey: "k", Stage: "AWSPREVIOUS", Version: "v"},
		parameter:                   {Scope: west, Parameter: parameter},
		"db_password":               {Parameter: "db_password"},
		"/app/db":                   {Parameter: "/app/db"},
		"app/db":                    {Parameter: "app/db"},
		"":                          {},
		"two words":                 {},
		"/app//db":                  {},
		"/":                         {},
		"arn:aws:s3:::bucket":       {},
		parameter + ":3":            {},
		"arn:aws:ssm:eu-west-1:123456789012:parameterapp":       {},
		"arn:aws:ssm:eu-west-1:1:parameter/app":                 {},
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:": {},
		"arn:aws:secretsmanager:us-east-1:123456789012:other:s": {},
		"arn:aws:secretsmanager:US:123456789012:secret:s":       {},
		strings.Repeat("x", 2049):                               {},
	} {
		got, err := apprunner.ParseSecretReference(text)
		if got != want || (err == nil) != (want != apprunner.SecretReference{}) {
			t.Errorf("%.80s: %+v, %v", text, got, err)
		}
	}
	if _, err := apprunner.ParseSecretReference("my password!"); err == nil || strings.Contains(err.Error(), "password!") {
		t.Errorf("what may be a secret is shown: %v", err)
	}
}

// FuzzParseSecretReference: what is read has one of the forms, and says nothing that the text does not.
func FuzzParseSecretReference(f *testing.F) {
	for _, s := range []string{"name", "/a/b", "arn:aws:ssm:r:123456789012:parameter/a", "arn:aws:secretsmanager:r:123456789012:secret:a-b:k:s:v", "arn:", ":::::::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := apprunner.ParseSecretReference(text)
		if err != nil {
			if ref != (apprunner.SecretReference{}) {
				t.Fatalf("%q: refused and read: %+v", text, ref)
			}
			return
		}
		if (ref.Parameter == "") == (ref.Secret == "") {
			t.Fatalf("%q is neither or both: %+v", text, ref)
		}
		if ref.Parameter != "" && ref.Parameter != text || !strings.HasPrefix(text, ref.Secret) {
			t.Fatalf("%q became %+v", text, ref)
		}
		for _, part := range []string{ref.JSONKey, ref.Stage, ref.Version} {
			if strings.Contains(part, ":") || !strings.Contains(text, part) {
				t.Fatalf("%q: part %q", text, part)
			}
		}
	})
}
