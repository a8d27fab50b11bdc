package reconcile

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
)

func TestWorse(t *testing.T) {
	for _, c := range []struct {
		name         string
		mine, theirs tally
		worse        bool
	}{
		{"nothing yet", tally{}, tally{}, false},
		{"too few to tell", tally{4, 4}, tally{100, 0}, false},
		{"a single slip", tally{10, 1}, tally{100, 0}, false},
		{"all fail", tally{10, 10}, tally{100, 0}, true},
		{"a third fails", tally{30, 10}, tally{300, 3}, true},
		{"both fail alike", tally{30, 10}, tally{300, 100}, false},
		{"a little more", tally{1000, 40}, tally{9000, 0}, false},
		{"clearly more", tally{1000, 70}, tally{9000, 90}, true},
	} {
		if got := worse(c.mine, c.theirs); (got != "") != c.worse {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// TestWorseIsMonotone: one more failure never acquits the new version, one more of the old one never convicts it.
func TestWorseIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) tally {
			n := rapid.Uint64Range(0, 500).Draw(t, name)
			return tally{n, rapid.Uint64Range(0, n).Draw(t, name+" bad")}
		}
		mine, theirs := draw("mine"), draw("theirs")
		if worse(mine, theirs) == "" {
			return
		}
		if worse(tally{mine.requests + 1, mine.bad + 1}, theirs) == "" {
			t.Fatal("acquitted by one more failure")
		}
		if theirs.bad > 0 && worse(mine, tally{theirs.requests, theirs.bad - 1}) == "" {
			t.Fatal("acquitted by one failure less of the old version")
		}
	})
}

// TestTrial: what was before does not count, and an edge that starts anew takes nothing away.
func TestTrial(t *testing.T) {
	status := func(requests, bad uint64, health edge.Health) edge.Status {
		return edge.Status{Targets: map[string]edge.TargetStatus{
			"new": {Health: health, Requests: requests, Bad: bad, LastError: "HTTP 500"}, "old": {Health: edge.Healthy, Requests: 100},
		}}
	}
	tr := trial{set: []apprunner.Instance{{ID: "new"}}, old: []apprunner.Instance{{ID: "old"}}}
	for _, step := range []struct {
		st   edge.Status
		want string
	}{
		{status(50, 50, edge.Healthy), ""},
		{status(52, 52, edge.Healthy), ""},
		{status(2, 2, edge.Healthy), ""}, // a new edge process
		{status(3, 3, edge.Healthy), "5 of its 5 requests failed"},
		{status(5, 5, edge.Unhealthy), "health check fails (HTTP 500)"},
	} {
		if _, got := tr.observe(step.st); (got == "") != (step.want == "") || !strings.Contains(got, step.want) {
			t.Errorf("after %+v: %q, want %q", step.st.Targets["new"], got, step.want)
		}
	}
}
