package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"golang.org/x/crypto/bcrypt"

	"slipway.dev/slipway/test/rig"
)

// TestGuardsStay: passwords, an address list and a web ACL stand in front of a service through deployments, dying edges and an upgrade.
// At no moment gets anybody in who may not. The access log tells of every request.
//
// checklist: 52
func TestGuardsStay(t *testing.T) {
	t.Parallel()
	own := quick(t)
	h := house{own}
	own.PushApp(t, "app", "v2", "v2")
	hash, err := bcrypt.GenerateFromPassword([]byte("right one"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	s := h.Create(t, "well-guarded", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small,
		tagged("slipway:basic-auth", "ann:"+string(hash), "slipway:allow-ips", "127.0.0.0/8", "slipway:access-log", "json+query"))
	blocks(t, h, s, "/secret")
	becomes(t, s, "/secret", http.StatusForbidden)

	stop, intruders := make(chan struct{}), make(chan []string)
	go func() { intruders <- intrude(s, stop) }()
	sent := 0
	calls := func() {
		t.Helper()
		for range 20 {
			sent++
			status, _, body := asked(t, s, fmt.Sprintf("/?call=%d", sent), "ann", "right one")
			if status != http.StatusOK || !strings.HasPrefix(body, "hello") {
				t.Errorf("with the password: %d %s", status, body)
			}
		}
		time.Sleep(1500 * time.Millisecond) // lines wait for a second at most before they are on disk
	}
	calls()
	s.Update(t, deployed("v2"), types.ServiceStatusRunning)
	calls()
	h.Reborn(t, "edge", h.Kill(t, "edge"))
	own.HTTP.CloseIdleConnections()
	calls()
	h.Reborn(t, "control", h.Kill(t, "control"))
	calls()
	if out, err := h.Slipway("upgrade", "--data-dir", h.Dir, "--binary", copied(t)); err != nil {
		t.Fatal(err, out)
	}
	calls()
	close(stop)
	for _, who := range <-intruders {
		t.Error(who)
	}
	tagging(t, s, "slipway:allow-ips", "192.0.2.0/24")
	becomes(t, s, "/", http.StatusForbidden)
	toldOfAll(t, s, sent)
}

// intrude asks without the password, with a wrong one and for what the web ACL blocks, and returns what came of it that should not have.
func intrude(s rig.Service, stop <-chan struct{}) (wrong []string) {
	c := s.House.Client()
	for n := 0; ; n++ {
		select {
		case <-stop:
			if n < 20 {
				wrong = append(wrong, fmt.Sprintf("only %d attempts to get in", n))
			}
			return wrong
		case <-time.After(20 * time.Millisecond):
		}
		path := []string{"/", "/secret"}[n%2]
		req, err := http.NewRequest(http.MethodGet, "https://"+s.Host()+path, nil)
		if err != nil {
			return append(wrong, err.Error())
		}
		if path == "/secret" {
			req.SetBasicAuth("ann", "right one")
		}
		res, err := c.Do(req)
		if err != nil {
			continue // an edge that was killed
		}
		res.Body.Close()
		if want := map[string]int{"/": http.StatusUnauthorized, "/secret": http.StatusForbidden}[path]; res.StatusCode != want {
			wrong = append(wrong, fmt.Sprintf("%s is answered %s", path, res.Status))
		}
	}
}

// blocks makes a web ACL that blocks a path, with the stock CLI as its manual says, and puts it in front of a service.
func blocks(t *testing.T, h house, s rig.Service, path string) {
	t.Helper()
	dir := t.TempDir()
	rules, conf := filepath.Join(dir, "rules.json"), filepath.Join(dir, "config")
	visible := map[string]any{"SampledRequestsEnabled": true, "CloudWatchMetricsEnabled": true, "MetricName": "secret"}
	text := asJSON(t, []any{map[string]any{
		"Name": "secret", "Priority": 0, "Action": map[string]any{"Block": map[string]any{}}, "VisibilityConfig": visible,
		"Statement": map[string]any{"ByteMatchStatement": map[string]any{
			"SearchString": path, "PositionalConstraint": "STARTS_WITH", "FieldToMatch": map[string]any{"UriPath": map[string]any{}},
			"TextTransformations": []any{map[string]any{"Priority": 0, "Type": "NONE"}},
		}},
	}})
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// Version 2 of the CLI wants it said that the search string is text; version 1 takes that for granted.
	if err := os.WriteFile(conf, []byte("[default]\ncli_binary_format = raw-in-base64-out\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := h.AWSWith([]string{"AWS_CONFIG_FILE=" + conf}, "wafv2", "create-web-acl", "--name", "guard", "--scope", "REGIONAL", "--default-action", "Allow={}",
		"--rules", "file://"+rules, "--visibility-config", "SampledRequestsEnabled=true,CloudWatchMetricsEnabled=true,MetricName=guard")
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Summary struct{ ARN string } }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AWS("wafv2", "associate-web-acl", "--web-acl-arn", made.Summary.ARN, "--resource-arn", s.ARN()); err != nil {
		t.Fatal(err)
	}
}

// toldOfAll waits until the access log has a line of every call, each once.
func toldOfAll(t *testing.T, s rig.Service, sent int) {
	t.Helper()
	seen := map[string]int{}
	for range 100 {
		lines, err := s.Stream("application", "access")
		if err != nil {
			t.Fatal(err)
		}
		clear(seen)
		for _, l := range lines {
			var r struct {
				Query  string `json:"query"`
				Status int    `json:"status"`
			}
			if err := json.Unmarshal([]byte(l), &r); err != nil {
				t.Fatal(err, l)
			}
			if strings.HasPrefix(r.Query, "call=") && r.Status == http.StatusOK {
				seen[r.Query]++
			}
		}
		if len(seen) == sent {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if len(seen) != sent {
		t.Errorf("%d of %d calls are told", len(seen), sent)
	}
	for call, n := range seen {
		if n != 1 {
			t.Errorf("%s is told %d times", call, n)
		}
	}
}
