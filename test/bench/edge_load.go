package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// connections is how many a saturating load keeps open, well below what a proxy gives one backend at a time.
const connections = 32

// wrkReport makes wrk tell what it did in a form that a program can read.
const wrkReport = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("bench %d %d\n", summary.requests, e.connect + e.read + e.write + e.status + e.timeout))
end
`

const wrkPost = `
wrk.method = "POST"
wrk.body = string.rep("x", 1024)
wrk.headers["Content-Type"] = "text/plain"
`

// wrk loads a proxy over HTTP/1.1 and returns how many requests were answered.
func (s *stage) wrk(ctx context.Context, p *proxy, t traffic, seconds int) (int, error) {
	url, script := "http://"+local(p.plain)+t.path, "get.lua"
	if t.secure {
		url = "https://" + local(p.secure) + t.path
	}
	if t.post {
		script = "post.lua"
	}
	out, err := pinned(ctx, s.load, "wrk", "-t1", "-c"+strconv.Itoa(connections), fmt.Sprintf("-d%ds", seconds), "--timeout", "5s",
		"-s", filepath.Join(s.dir, script), url).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	return readWrk(string(out))
}

var wrkLine = regexp.MustCompile(`(?m)^bench (\d+) (\d+)$`)

// readWrk finds the line of wrkReport. Requests that failed make the count worthless.
func readWrk(out string) (int, error) {
	m := wrkLine.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk did not report: %s", out)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, err
	}
	if m[2] != "0" || n == 0 {
		return 0, fmt.Errorf("wrk: %d requests, %s failed: %s", n, m[2], out)
	}
	return n, nil
}

// h2load loads a proxy over HTTP/2 and returns how many requests were answered. Its load is counted, not timed: about what the
// proxies can do in the time.
func (s *stage) h2load(ctx context.Context, p *proxy, t traffic, seconds int) (int, error) {
	if _, err := exec.LookPath("h2load"); err != nil {
		return 0, fmt.Errorf("%w: install the package nghttp2-client", err)
	}
	count := seconds * 15000
	out, err := pinned(ctx, s.load, "h2load", "-n", strconv.Itoa(count), "-c", "4", "-m", strconv.Itoa(connections/4), "-t", "1",
		"https://"+local(p.secure)+t.path).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("h2load: %w: %s", err, out)
	}
	return readH2load(string(out), count)
}

var h2loadLine = regexp.MustCompile(`(?m)^status codes: (\d+) 2xx, `)

// readH2load finds how many requests were answered with success, which must be all.
func readH2load(out string, want int) (int, error) {
	m := h2loadLine.FindStringSubmatch(out)
	if m == nil || !strings.Contains(out, "Application protocol: h2\n") {
		return 0, fmt.Errorf("h2load did not speak HTTP/2: %s", out)
	}
	if n, err := strconv.Atoi(m[1]); err != nil || n != want {
		return 0, fmt.Errorf("h2load: %s of %d requests succeeded: %s", m[1], want, out)
	}
	return want, nil
}
