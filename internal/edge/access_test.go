package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// collected reads lines of the one service until there are n of them.
func collected(t *testing.T, dir string, n int) (lines []AccessLine) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(lines) < n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d lines of %d", len(lines), n)
		}
		check(t, Collect(dir, func(list []AccessLines) error {
			for _, l := range list {
				if l.ARN != appARN || l.Lost != 0 {
					t.Errorf("%+v", l)
				}
				lines = append(lines, l.Lines...)
			}
			return nil
		}))
	}
	return lines
}

func TestAccessLogTellsEveryRequest(t *testing.T) {
	dir := t.TempDir()
	h := newHouse(t, func(c *Config) { c.AccessDir = dir })
	s := app(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(202)
		io.WriteString(w, "answer")
	})
	h.publish(func(r *Route) { r.AccessLog = "json" }, target("i1", s, Active))
	sizes := []int{4, 1 << 20}
	both(t, h, func(t *testing.T, c *http.Client) {
		for _, size := range sizes {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+appHost+"/x?secret=1", strings.NewReader(strings.Repeat("x", size)))
			check(t, err)
			req.Header.Set("User-Agent", `a "browser"`)
			req.Header.Set("Referer", "https://example.com/")
			req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			resp, err := c.Do(req)
			check(t, err)
			read(t, resp)
		}
	})
	conn := dialPlain(t, h)
	io.WriteString(conn, "GET /old HTTP/1.0\r\n"+ownHost+"\r\n")
	io.Copy(io.Discard, conn)
	h.publish(func(r *Route) { r.AccessLog, r.Serving = "json", ServingPaused })
	both(t, h, func(t *testing.T, c *http.Client) { get(t, c, "/paused") })
	lines := collected(t, dir, 7)
	slices.SortFunc(lines, func(a, b AccessLine) int { return a.Time.Compare(b.Time) }) // they are told as requests end
	for i, line := range lines {
		var r map[string]any
		if err := json.Unmarshal([]byte(line.Text), &r); err != nil {
			t.Fatalf("%s: %v", line.Text, err)
		}
		want := map[string]any{"host": appHost, "client_ip": "127.0.0.1", "status": 202.0, "path": "/x", "method": "POST", "bytes_out": 6.0, "instance_id": "i1"}
		switch {
		case i < 4:
			want["bytes_in"], want["user_agent"], want["referer"] = float64(sizes[i%2]), `a "browser"`, "https://example.com/"
			want["trace_id"], want["protocol"], want["tls"] = "0af7651916cd43dd8448eb211c80319c", [...]string{"HTTP/1.1", "HTTP/2.0"}[i/2], "TLSv1.3"
		case i == 4:
			want["path"], want["method"], want["protocol"], want["tls"] = "/old", "GET", "HTTP/1.0", nil
		default:
			want["path"], want["method"], want["status"], want["instance_id"] = "/paused", "GET", 503.0, nil
			want["cause"], want["bytes_out"] = "service is paused", 0.0
		}
		for name, v := range want {
			if r[name] != v {
				t.Errorf("line %d: %s is %v, want %v: %s", i, name, r[name], v, line.Text)
			}
		}
		if r["request_id"] == "" || r["query"] != nil || r["duration_ms"].(float64) <= 0 || i < 5 && r["upstream_ms"].(float64) <= 0 {
			t.Errorf("line %d: %s", i, line.Text)
		}
		if at, err := time.Parse(time.RFC3339Nano, r["time"].(string)); err != nil || at.Sub(line.Time).Abs() > time.Millisecond {
			t.Errorf("line %d: %v at %v", i, r["time"], line.Time)
		}
	}
}

func TestCombinedLines(t *testing.T) {
	dir := t.TempDir()
	h := newHouse(t, func(c *Config) { c.AccessDir = dir })
	s := app(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "answer") })
	h.publish(func(r *Route) { r.AccessLog = "combined+query" }, target("i1", s, Active))
	resp := fetch(t, h.browser(true), "", "User-Agent", "a\"b\\\tc\u00e9")
	read(t, resp)
	want := regexp.MustCompile(`^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET / HTTP/2\.0" 200 6 "-" "a\\x22b\\x5C\\x09c\\xC3\\xA9"$`)
	if line := collected(t, dir, 1)[0].Text; !want.MatchString(line) {
		t.Errorf("%s", line)
	}
}

// While control is away lines wait within bounds; what goes beyond is counted, told and shown.
func TestAccessLinesAreBounded(t *testing.T) {
	sp := newSpool(t.TempDir(), nil)
	svc := &service{arn: appARN}
	rec := &accessRecord{Time: time.Now(), Path: strings.Repeat("x", 4000)}
	now, sent := time.Now(), 0
	for range 30 {
		for range 1500 {
			sp.add(svc, logJSON, rec)
			sent++
		}
		check(t, sp.flush(now, false))
		now = now.Add(spoolEvery)
	}
	files, size := sp.backlog()
	if size > spoolDisk || files > 2*spoolFiles {
		t.Errorf("%d files of %d bytes wait", files, size)
	}
	kept, lost := 0, 0
	count := func(list []AccessLines) error {
		for _, l := range list {
			kept, lost = kept+len(l.Lines), lost+l.Lost
		}
		return nil
	}
	check(t, Collect(sp.dir, count))
	check(t, sp.flush(now, true)) // there is room again: the losses are told
	check(t, Collect(sp.dir, count))
	if kept == 0 || lost == 0 || kept+lost != sent || svc.counters.read().Unlogged != uint64(lost) {
		t.Errorf("%d lines sent, %d kept, %d told lost, %d counted", sent, kept, lost, svc.counters.read().Unlogged)
	}
}

func TestLinesComeAgainUntilTheyAreStored(t *testing.T) {
	sp := newSpool(t.TempDir(), nil)
	for n := range 3 {
		sp.add(&service{arn: appARN}, logJSON, &accessRecord{Time: time.UnixMicro(int64(n)), Path: fmt.Sprint("/", n)})
		check(t, sp.flush(time.Unix(int64(n), 0), true))
	}
	check(t, os.WriteFile(sp.dir+"/0000000000000000009-1.part", []byte("+ 1 a b\n"), 0o600)) // of an edge that was killed
	var got []string
	full := errors.New("full")
	store := func(list []AccessLines) error {
		if len(got) == 1 && full != nil {
			return full
		}
		for _, l := range list[0].Lines {
			got = append(got, l.Text)
		}
		return nil
	}
	if err := Collect(sp.dir, store); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	full = nil
	check(t, Collect(sp.dir, store))
	if len(got) != 3 || !strings.Contains(got[0], "/0") || !strings.Contains(got[2], "/2") {
		t.Errorf("%q", got)
	}
}

func FuzzSpooledLines(f *testing.F) {
	f.Add([]byte("+ 17 arn text with blanks\n- 18 arn 3\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, l := range parseSpooled(data) {
			if l.ARN == "" && len(l.Lines) == 0 && l.Lost == 0 {
				t.Error("nothing is told about nobody")
			}
		}
	})
}
