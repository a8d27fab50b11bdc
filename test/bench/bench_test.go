package main

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/store"
)

func TestFigureLine(t *testing.T) {
	for want, f := range map[string]figure{
		"figure edge-cpu 14.3 us peer haproxy 15.5 ratio 0.92": {name: "edge-cpu", value: 14.3, unit: "us", peer: "haproxy", other: 15.5},
		"figure resume 109 ms":                                 {name: "resume", value: 109.38, unit: "ms"},
		"figure added 0.047 ms peer nginx 1.54 ratio 0.03":     {name: "added", value: 0.0473, unit: "ms", peer: "nginx", other: 1.5437},
		"figure count 123456 us":                               {name: "count", value: 123456.4, unit: "us"},
	} {
		if got := f.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	for want, list := range map[float64][]float64{0: nil, 1: {1}, 2: {3, 1, 2}, 3: {9, 3, 1, 7}} {
		if got := median(list); got != want {
			t.Errorf("median of %v is %v, want %v", list, got, want)
		}
	}
}

func TestHistogramKeepsQuantiles(t *testing.T) {
	var h, half histogram
	for n := 1; n <= 100000; n++ {
		if n%2 == 0 {
			half.record(time.Duration(n) * time.Microsecond)
		} else {
			h.record(time.Duration(n) * time.Microsecond)
		}
	}
	h.add(&half)
	for _, q := range []float64{0.001, 0.5, 0.95, 0.99, 1} {
		want := q * 100000
		if got := float64(h.quantile(q)) / 1000; got < want || got > want*1.01 {
			t.Errorf("quantile %v is %v us, want %v to 1 %% more", q, got, want)
		}
	}
}

func TestHistogramHoldsEveryDuration(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 1, 127, 128, 255, 256, time.Second, math.MaxInt64} {
		var h histogram
		h.record(d)
		got, want := h.quantile(1), max(d, 0)
		if got < want || float64(got) > float64(want)*1.01 {
			t.Errorf("%d reads as %d", want, got)
		}
	}
}

func TestLoadTimesEveryRequest(t *testing.T) {
	const slow = 30 * time.Millisecond
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(slow)
		fmt.Fprint(w, "ok")
	}))
	defer srv.Close()
	plan := loadPlan{Address: srv.Listener.Addr().String(), Path: "/", Rate: 200, Connections: 2, Seconds: 0.2}
	h, err := plan.run(t.Context())
	if err != nil || h.total != 40 {
		t.Fatalf("%d requests, %v; want 40", h.total, err)
	}
	// Two connections can do 67 a second: the last requests wait for those before them, and that must show.
	if p50, p99 := h.quantile(0.5), h.quantile(0.99); p50 < slow || p99 < 5*slow {
		t.Errorf("p50 %v p99 %v hide the waiting", p50, p99)
	}
}

func TestLoadFailsWithTheServer(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	plan := loadPlan{Address: srv.Listener.Addr().String(), Path: "/", Rate: 100, Connections: 2, Seconds: 0.1}
	if _, err := plan.run(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v, want status 404", err)
	}
}

func TestReportsOfLoadPrograms(t *testing.T) {
	if n, err := readWrk("Requests/sec: 1\nbench 4711 0\n"); n != 4711 || err != nil {
		t.Error(n, err)
	}
	for _, out := range []string{"", "bench 4711 1\n", "bench 0 0\n"} {
		if _, err := readWrk(out); err == nil {
			t.Errorf("readWrk accepts %q", out)
		}
	}
	const good = "Application protocol: h2\nstatus codes: 15000 2xx, 0 3xx, 0 4xx, 0 5xx\n"
	if n, err := readH2load(good, 15000); n != 15000 || err != nil {
		t.Error(n, err)
	}
	for _, out := range []string{"", strings.Replace(good, "h2\n", "http/1.1\n", 1), strings.Replace(good, "15000", "14999", 1)} {
		if _, err := readH2load(out, 15000); err == nil {
			t.Errorf("readH2load accepts %q", out)
		}
	}
}

func TestReadsOwnProcess(t *testing.T) {
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; { //nolint:revive // computing is the point
	}
	if cpu, err := cpuTime(os.Getpid()); err != nil || cpu < 20*time.Millisecond || cpu > time.Hour {
		t.Errorf("CPU time %v, %v", cpu, err)
	}
	if n, err := memoryOf(os.Getpid()); err != nil || n < 1<<20 || n > 1<<30 {
		t.Errorf("memory %d bytes, %v", n, err)
	}
}

func TestSeedFillsTheStore(t *testing.T) {
	dir := t.TempDir()
	arns, err := seed(t.Context(), dir, 3)
	if err != nil || len(arns) != 3 {
		t.Fatal(arns, err)
	}
	db, err := store.Open(t.Context(), filepath.Join(dir, "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(t.Context(), func(tx *store.Tx) error {
		for _, arn := range arns {
			s, found, err := tx.Service(arn)
			ops, operr := tx.Operations(arn)
			tags, tagerr := tx.Tags(arn)
			if !found || s.ARN() != arn || len(ops) != 2 || len(tags) != 2 || err != nil || operr != nil || tagerr != nil {
				t.Errorf("%s: %+v, %d operations, %d tags, %v %v %v", arn, s, len(ops), len(tags), err, operr, tagerr)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
