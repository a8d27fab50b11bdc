package source

import (
	"testing"
	"time"
)

// checklist: 77, 79
func TestDecide(t *testing.T) {
	root := Target{ServiceARN: "s", Repository: Repository{URL: "file:///r", Branch: "main"}, LastCommit: "a", Automatic: true}
	with := func(change func(*Target)) Target {
		c := root
		change(&c)
		return c
	}
	busy := with(func(t *Target) { t.Busy = true })
	paused := with(func(t *Target) { t.Paused = true })
	off := with(func(t *Target) { t.Automatic = false })
	below := with(func(t *Target) { t.SourceDirectory = "/app" })
	fresh := with(func(t *Target) { t.LastCommit, t.Busy = "", true })
	known := memory{Place: root.place(), Seen: "a"}
	muted := memory{Place: root.place(), Seen: "a", Muted: true}
	cases := []struct {
		name   string
		target Target
		memory memory
		head   string
		want   verdict
		seen   string
		muted  bool
	}{
		{"nothing new", root, known, "a", ignore, "a", false},
		{"a new commit", root, known, "b", deploy, "a", false},
		{"a new commit while an operation runs", busy, known, "b", wait, "a", false},
		{"a new commit that an operation took", busy, memory{Place: root.place(), Seen: "0"}, "a", ignore, "a", false},
		{"a new commit while paused", paused, known, "b", ignore, "a", true},
		{"the first look after a pause", busy, muted, "b", ignore, "b", false},
		{"a new commit with automatic deployment off", off, known, "b", ignore, "a", true},
		{"the first look after it was switched on", root, muted, "b", ignore, "b", false},
		{"a new commit that may not matter", below, memory{Place: below.place(), Seen: "a"}, "b", compare, "a", false},
		{"never seen, nothing new", root, memory{}, "a", ignore, "a", false},
		{"never seen, pushed since the deployment", root, memory{}, "b", deploy, "a", false},
		{"being created", fresh, memory{}, "b", wait, "", false},
		{"created in vain", with(func(t *Target) { t.LastCommit = "" }), memory{}, "b", ignore, "b", false},
		{"another branch, not fetched yet", busy, memory{Place: "other", Seen: "x"}, "b", wait, "", false},
		{"rolled back: what was seen does not come again", with(func(t *Target) { t.LastCommit = "0" }), known, "a", ignore, "a", false},
	}
	for _, c := range cases {
		got, what := decide(c.target, c.memory, c.head)
		if what != c.want || got.Seen != c.seen || got.Muted != c.muted {
			t.Errorf("%s: verdict %d, %+v; want %d, seen %q, muted %v", c.name, what, got, c.want, c.seen, c.muted)
		}
	}
}

func TestDue(t *testing.T) {
	now := time.Unix(1000, 0)
	auto, paused, busy := Target{Automatic: true}, Target{Automatic: true, Paused: true}, Target{Automatic: true, Busy: true}
	later := now.Add(time.Second)
	for name, c := range map[string]struct {
		target   Target
		memory   memory
		schedule schedule
		want     bool
	}{
		"time has come":              {auto, memory{}, schedule{next: now}, true},
		"not yet":                    {auto, memory{}, schedule{next: later}, false},
		"poked":                      {auto, memory{}, schedule{next: later, poked: true}, true},
		"poked while looking":        {auto, memory{}, schedule{next: later, poked: true, looking: true}, false},
		"paused":                     {paused, memory{}, schedule{poked: true}, false},
		"no longer paused":           {auto, memory{Muted: true}, schedule{next: later}, true},
		"waits for an operation":     {busy, memory{}, schedule{next: later, waiting: true}, false},
		"the operation has just end": {auto, memory{}, schedule{next: later, waiting: true}, true},
	} {
		if got := due(now, c.target, c.memory, c.schedule); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestScheduleBacksOff(t *testing.T) {
	now := time.Unix(1000, 0)
	var local, remote schedule
	local.local = true
	for range 40 {
		local, remote = local.after(now, "s", true), remote.after(now, "s", true)
	}
	if d := local.next.Sub(now); d != localSlowest {
		t.Errorf("local after many failures: %s", d)
	}
	if d := remote.next.Sub(now); d < remoteSlowest || d > remoteSlowest*11/10 {
		t.Errorf("remote after many failures: %s", d)
	}
	if d := local.after(now, "s", false).next.Sub(now); d != localInterval {
		t.Errorf("local after success: %s", d)
	}
	if d := remote.after(now, "s", false).next.Sub(now); d < remoteInterval || d > remoteInterval*11/10 {
		t.Errorf("remote after success: %s", d)
	}
}
