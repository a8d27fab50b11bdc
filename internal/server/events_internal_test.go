package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/image"
)

// checklist: 211
func TestPushesAndTheRulesOfServices(t *testing.T) {
	home := apprunner.Scope{Account: "123456789012", Region: "us-east-1"}
	const registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com/"
	service := func(identifier string, automatic bool) apprunner.Service {
		s := apprunner.Service{Scope: home, Name: "web", ID: strings.Repeat("a", 32), Status: apprunner.StatusRunning}
		s.Source.AutoDeployments = automatic
		s.Source.Image = &apprunner.ImageRepository{Identifier: identifier, Type: apprunner.ImageECR}
		return s
	}
	push := image.PushEvent{Scope: home, Repository: "team/app", Tag: "latest", Digest: "sha256:1", At: time.Now()}
	other, elsewhere, deleted := push, push, push
	other.Tag, elsewhere.Scope.Account, deleted.Deleted = "v2", "999999999999", true
	for name, c := range map[string]struct {
		service apprunner.Service
		push    image.PushEvent
		want    bool
	}{
		"the tag":             {service(registry+"team/app:latest", true), push, true},
		"no tag is latest":    {service(registry+"team/app", true), push, true},
		"another tag":         {service(registry+"team/app:latest", true), other, false},
		"another repository":  {service(registry+"team/app2:latest", true), push, false},
		"another account":     {service(registry+"team/app:latest", true), elsewhere, false},
		"a deletion":          {service(registry+"team/app:latest", true), deleted, false},
		"by hand":             {service(registry+"team/app:latest", false), push, false},
		"a digest":            {service(registry+"team/app@sha256:1", true), push, false},
		"of another registry": {service("999999999999.dkr.ecr.us-east-1.amazonaws.com/team/app:latest", true), elsewhere, false},
	} {
		event, err := parsedPush(c.push)
		if err != nil {
			t.Fatal(err)
		}
		if got := follows(c.service, event); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if r, is := pushRule(service(registry+"team/app:latest", true)); !is || !strings.HasPrefix(r.Name, "AWSAppRunnerManagedRule") || len(r.Name) > 64 || !r.Enabled || r.ManagedBy == "" {
		t.Errorf("%+v", r)
	}
}

func TestEventsOfCertificates(t *testing.T) {
	end := time.Date(2030, 4, 1, 0, 0, 0, 0, time.UTC)
	c := domain.Certificate{ARN: "arn:c", Hosts: []string{"example.com", "www.example.com"}, CreatedAt: end.AddDate(0, -3, 0), NotAfter: end}
	for want, e := range map[string]domain.Expiry{
		`"detail":{"CommonName":"example.com","DaysToExpiry":31},"detail-type":"ACM Certificate Approaching Expiration"`: {Certificate: c, Days: 31},
		`"detail":{"CertificateCreatedDate":"2030-01-01T00:00:00Z","CertificateExpirationDate":"2030-04-01T00:00:00Z","CertificateType":"AMAZON_ISSUED",` +
			`"CommonName":"example.com","DomainValidationMethod":"DNS","Exported":false,"InUse":true},"detail-type":"ACM Certificate Expired"`: {Certificate: c, InUse: true},
	} {
		if b, err := json.Marshal(expiryEvent(e)); err != nil || !strings.Contains(string(b), want) || !strings.Contains(string(b), `"resources":["arn:c"],"source":"aws.acm"`) {
			t.Errorf("%s %v, want %s", b, err, want)
		}
	}
}

func TestWebHooksOfTheSettings(t *testing.T) {
	const a, b = "arn:aws:sns:us-east-1:123456789012:a", "arn:aws:sns:us-east-1:123456789012:b"
	secrets := filepath.Join(t.TempDir(), "secrets")
	if err := os.WriteFile(secrets, []byte("# who gets what\n*=common\n"+a+"=own=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func(flags map[string]string) (Config, error) {
		c, _, err := Load(Input{Flags: flags, Env: func(string) string { return "" }})
		return c, err
	}
	c, err := load(map[string]string{"event-targets": a + "=https://hooks.example.com/a?x=y," + b + "=http://127.0.0.1:9/", "event-secrets": secrets})
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := c.eventEndpoints()
	if err != nil || endpoints[a].URL != "https://hooks.example.com/a?x=y" || string(endpoints[a].Secret) != "own=1" || string(endpoints[b].Secret) != "common" {
		t.Errorf("%+v %v", endpoints, err)
	}
	if shown := eventTargets().show(c); strings.Contains(shown, "hooks.example.com") || !strings.Contains(shown, a) {
		t.Error(shown)
	}
	for _, bad := range []string{"nonsense", "topic=https://hooks.example.com/", a + "=ftp://hooks.example.com/", a + "=https://"} {
		if _, err := load(map[string]string{"event-targets": bad}); err == nil || !strings.Contains(err.Error(), "event-targets") || strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	plain := map[string]string{"event-targets": a + "=http://hooks.example.com/"}
	if c, err = load(plain); err != nil {
		t.Fatal(err)
	}
	if _, err := c.eventEndpoints(); err == nil || !strings.Contains(err.Error(), "event-http") {
		t.Errorf("plain HTTP: %v", err)
	}
	plain["event-http"] = "true"
	if c, err = load(plain); err != nil {
		t.Fatal(err)
	}
	if _, err := c.eventEndpoints(); err != nil {
		t.Error(err)
	}
}
