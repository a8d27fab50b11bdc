package edge

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
)

// blockIf is a rule that blocks what holds a text in a part of the request.
func blockIf(name string, priority int, part webacl.Field, want string) webacl.Rule {
	return webacl.Rule{Name: name, Priority: priority, Action: &webacl.Action{Block: &webacl.Block{}}, Statement: webacl.Statement{
		ByteMatchStatement: &webacl.ByteMatch{
			Inspect:      webacl.Inspect{FieldToMatch: part, TextTransformations: []webacl.Transformation{{Type: "NONE"}}},
			SearchString: []byte(want), PositionalConstraint: "CONTAINS",
		},
	}}
}

func aclOf(rules ...webacl.Rule) *webacl.Resolved {
	scope := apprunner.Scope{Account: "123456789012", Region: "us-east-1"}
	return &webacl.Resolved{
		Entity:     webacl.Entity{Scope: scope, Kind: webacl.KindACL, Name: "front", ID: "0b4a"},
		Definition: webacl.Definition{DefaultAction: webacl.Action{Allow: &webacl.Insert{}}, Rules: rules},
	}
}

var (
	inPath = webacl.Field{UriPath: &struct{}{}}
	inBody = webacl.Field{Body: &webacl.Oversize{OversizeHandling: "CONTINUE"}}
)

func TestWebACLBlocks(t *testing.T) {
	var asked atomic.Int64
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d %s", n, strings.Join(r.Header.Values("X-Amzn-Waf-Seen"), ","))
	})
	acl := aclOf(blockIf("path", 1, inPath, "/secret"), blockIf("body", 2, inBody, "attack"))
	acl.DefaultAction.Allow.CustomRequestHandling = &webacl.RequestHandling{InsertHeaders: []webacl.Header{{Name: "seen", Value: "yes"}}}
	acl.CustomResponseBodies = map[string]webacl.ResponseBody{"gone": {ContentType: "APPLICATION_JSON", Content: `{"gone":true}`}}
	acl.Rules[0].Action.Block.CustomResponse = &webacl.Response{ResponseCode: 410, CustomResponseBodyKey: "gone", ResponseHeaders: []webacl.Header{{Name: "X-Why", Value: "moved"}}}
	h := newHouse(t, nil)
	h.publish(func(r *Route) { r.WebACL = acl }, target("i1", s, Active))
	send := func(t *testing.T, c *http.Client, path string, body io.Reader, expect bool) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+appHost+path, body)
		check(t, err)
		req.Header.Set("X-Amzn-Waf-Seen", "forged")
		if expect {
			req.Header.Set("Expect", "100-continue")
		}
		resp, err := c.Do(req)
		check(t, err)
		return resp, read(t, resp)
	}
	both(t, h, func(t *testing.T, c *http.Client) {
		before := asked.Load()
		resp, text := send(t, c, "/secret?x", nil, false)
		if resp.StatusCode != 410 || text != `{"gone":true}` || resp.Header.Get("X-Why") != "moved" || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("custom answer: %d %q %v", resp.StatusCode, text, resp.Header)
		}
		for _, at := range []int{0, 4000, 12_000} {
			for _, size := range []int{12_006, 200_000} {
				payload := strings.Repeat("x", at) + "attack" + strings.Repeat("y", size-at-6)
				for name, body := range map[string]io.Reader{"sized": strings.NewReader(payload), "chunked": struct{ io.Reader }{strings.NewReader(payload)}} {
					if resp, text := send(t, c, "/", body, false); resp.StatusCode != 403 || !strings.Contains(text, "web ACL") {
						t.Errorf("attack at %d of %d, %s: %d %s", at, size, name, resp.StatusCode, text)
					}
				}
			}
		}
		if resp, _ := send(t, c, "/", strings.NewReader("attack"), true); resp.StatusCode != 403 {
			t.Errorf("with Expect: %d", resp.StatusCode)
		}
		if asked.Load() != before {
			t.Error("a blocked request reached the application")
		}
		for _, size := range []int{0, 10, 16 << 10, 100_000, 1 << 20} {
			for name, body := range map[string]io.Reader{"sized": strings.NewReader(strings.Repeat("x", size)), "chunked": struct{ io.Reader }{strings.NewReader(strings.Repeat("x", size))}} {
				resp, text := send(t, c, "/", body, size == 100_000)
				if want := fmt.Sprint(size, " yes"); resp.StatusCode != 200 || text != want {
					t.Errorf("%d bytes, %s: %d %q, want %q", size, name, resp.StatusCode, text, want)
				}
			}
		}
	})
}

// Requests that net/http serves, and health checks, are judged and not judged like all others.
func TestWebACLHoldsForUpgradesNotForChecks(t *testing.T) {
	s := app(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "fine") })
	h := newHouse(t, nil)
	h.publish(func(r *Route) {
		r.WebACL = aclOf(blockIf("all", 1, inPath, "/"))
		r.AllowIPs = onlyLoopback()
		r.Health.Protocol, r.Health.Path = HTTP, "/health"
	}, target("i1", s, Active)) // becomes healthy
	for _, request := range []string{"GET / HTTP/1.0\r\n" + ownHost + "\r\n", "GET / HTTP/1.1\r\n" + ownHost + "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"} {
		conn := dialPlain(t, h)
		io.WriteString(conn, request)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, " 403 ") {
			t.Errorf("%q: %q, %v", request, line, err)
		}
	}
}

// An ACL that cannot be evaluated lets nothing pass.
func TestBrokenWebACLBlocks(t *testing.T) {
	s := app(t, func(http.ResponseWriter, *http.Request) {})
	h := newHouse(t, nil)
	rule := blockIf("set", 1, inPath, "x")
	rule.Statement = webacl.Statement{IPSetReferenceStatement: &webacl.IPSetReference{ARN: "of a set that is gone"}}
	h.publish(func(r *Route) { r.WebACL = aclOf(rule) }, target("i1", s, Active))
	if resp := fetch(t, h.browser(false), ""); resp.StatusCode != 403 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestWebACLLog(t *testing.T) {
	dir := t.TempDir()
	h := newHouse(t, func(c *Config) { c.AccessDir = dir })
	s := app(t, func(http.ResponseWriter, *http.Request) {})
	acl := aclOf(blockIf("path", 1, inPath, "/secret"))
	acl.Logging = &webacl.Logging{
		LogDestinationConfigs: []string{"arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-front:*"},
		RedactedFields:        []webacl.Field{{SingleHeader: &webacl.Named{Name: "x-token"}}, {QueryString: &struct{}{}}},
	}
	h.publish(func(r *Route) { r.WebACL = acl }, target("i1", s, Active))
	both(t, h, func(t *testing.T, c *http.Client) {
		for _, path := range []string{"/secret?token=1", "/open"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+appHost+path, nil)
			check(t, err)
			req.Header.Set("X-Token", "token=2")
			req.Header.Set("Authorization", "token=3")
			resp, err := c.Do(req)
			check(t, err)
			read(t, resp)
		}
	})
	var lines []string
	for deadline := time.Now().Add(10 * time.Second); len(lines) < 4 && time.Now().Before(deadline); {
		check(t, Collect(dir, func(list []AccessLines) error {
			for _, l := range list {
				if l.ARN != "arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-front:log-stream:us-east-1_front_0" {
					t.Errorf("%s", l.ARN)
				}
				for _, line := range l.Lines {
					lines = append(lines, line.Text)
				}
			}
			return nil
		}))
	}
	if len(lines) != 4 {
		t.Fatalf("%q", lines)
	}
	for i, line := range lines {
		var r wafRecord
		check(t, json.Unmarshal([]byte(line), &r))
		want := [2]wafRecord{{Action: "BLOCK", Rule: "path", ResponseCodeSent: 403}, {Action: "ALLOW", Rule: "Default_Action"}}[i%2]
		if r.Action != want.Action || r.Rule != want.Rule || r.ResponseCodeSent != want.ResponseCodeSent || r.SourceName != "APPRUNNER" ||
			r.SourceID != "123456789012-0123" || r.Request.ClientIP != "127.0.0.1" || strings.Contains(line, "token=") || r.Request.ID == "" {
			t.Errorf("%s", line)
		}
	}
}

// A body that trickles in is waited for no longer than a small one of a service without an ACL.
func TestWebACLWaitsForNoTrickle(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.BodyRead = 200 * time.Millisecond })
	s := app(t, func(http.ResponseWriter, *http.Request) {})
	h.publish(func(r *Route) { r.WebACL = aclOf(blockIf("body", 1, inBody, "attack")) }, target("i1", s, Active))
	conn := dialPlain(t, h)
	io.WriteString(conn, "POST / HTTP/1.1\r\n"+ownHost+"Transfer-Encoding: chunked\r\n\r\n")
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				io.WriteString(conn, "1\r\nx\r\n")
			}
		}
	}()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, " 408 ") {
		t.Errorf("%q, %v", line, err)
	}
}
