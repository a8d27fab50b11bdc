package apprunner_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/apprunner"
)

func TestParseExtras(t *testing.T) {
	tags := []apprunner.Tag{
		{Key: "team", Value: "web"},
		{Key: "slipway:scale-to-zero", Value: "on"},
		{Key: "slipway:min-active", Value: "2"},
		{Key: "slipway:canary", Value: "10% 2m"},
		{Key: "slipway:request-timeout", Value: "300"},
		{Key: "slipway:protocol", Value: "h2c"},
		{Key: "slipway:websockets", Value: "off"},
		{Key: "slipway:capabilities", Value: "chown,CAP_SETUID"},
	}
	got, err := apprunner.ParseExtras(tags)
	if err != nil {
		t.Fatal(err)
	}
	want := apprunner.Extras{
		ScaleToZero: true, MinActive: 2, CanaryWeight: 10, CanaryTime: 2 * time.Minute, RequestTimeout: 5 * time.Minute, H2C: true, NoUpgrade: true,
		Capabilities: []string{"CHOWN", "SETUID"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestExtrasRefused: the message names the tag, the value unless it may be a secret, and what is allowed.
func TestExtrasRefused(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"slipway:scale-to-zero", "maybe", `slipway:scale-to-zero: value "maybe" is not allowed. Allowed: on, off`},
		{"slipway:min-active", "26", "0 to 25"},
		{"slipway:canary", "0 2m", "percent and time"},
		{"slipway:canary", "10", "percent and time"},
		{"slipway:canary", "aborted", `"10 2m", or abort`},
		{"slipway:request-timeout", "2h", "1s to 1h0m0s"},
		{"slipway:allow-ips", "10.0.0.0/33", "10.0.0.0/33"},
		{"slipway:basic-auth", "ann:hunter2", "htpasswd"},
		{"slipway:basic-auth", "ann:$2y$15$" + strings.Repeat("hunter2", 7) + "xxxx", "of a cost up to 14"},
		{"slipway:access-log", "xml", "json, combined, json+query, combined+query, off"},
		{"slipway:image-access", "anybody", "role, caller"},
		{"slipway:capabilities", "SYS_ADMIN", "SYS_ADMIN"},
		{"slipway:scale-too-zero", "on", "scale-to-zero"},
	} {
		err := apprunner.CheckTags([]apprunner.Tag{{Key: c.key, Value: c.value}})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s=%s: %v", c.key, c.value, err)
		}
	}
}
