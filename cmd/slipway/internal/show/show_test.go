package show_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/cmd/slipway/internal/show"
)

// ticking is a clock that moves a second at each look.
func ticking() func() time.Time {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

func run(t show.Terminal) string {
	var b bytes.Buffer
	p := show.NewProgress(&b, t, ticking())
	p.Step("Building")
	p.Output("npm \x1b[32minstall\x1b[0m \x07\x1b]0;title\x07")
	p.Step("Starting")
	p.Fail()
	p.Say(show.Bad, "It failed.\nReally.")
	p.Close()
	return b.String()
}

func TestPlainLinesInAPipe(t *testing.T) {
	want := "12:00:03 Building\n12:00:04 | npm install \n12:00:06 Starting\n12:00:07 It failed.\n12:00:08 Really.\n"
	if got := run(show.Terminal{}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTerminalShowsMarksAndDurations(t *testing.T) {
	got := run(show.Terminal{Live: true, Width: 80})
	for _, want := range []string{"⠋ Building  ", "• Building  ", "  │ npm install \n", "✗ Starting  ", "It failed.\nReally.\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in %q", want, got)
		}
	}
	if strings.Contains(got, "\x1b[3") || strings.Contains(got, "title") {
		t.Errorf("colours without permission, or a line was not made harmless: %q", got)
	}
	if got := run(show.Terminal{Live: true, Color: true, Width: 80}); !strings.Contains(got, "\x1b[") {
		t.Errorf("no colours: %q", got)
	}
}

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[2Jb":             "ab",
		"10%\r50%\r100%\n":      "100%",
		"x\x1b]8;;u\x1b\\y":     "xy",
		"tab\tok\x00\u202Eevil": "tab\tokevil",
		"ü ok":                  "ü ok",
	} {
		if got := show.Harmless(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	show.Terminal{}.Table(&b, []string{"NAME", "STATUS"}, [][]string{{"web", "RUNNING"}, {"longer-name", "PAUSED"}})
	if want := "NAME         STATUS\nweb          RUNNING\nlonger-name  PAUSED\n"; b.String() != want {
		t.Errorf("got %q", b.String())
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234 * time.Millisecond: "1.2s", 12 * time.Second: "12s", 65 * time.Second: "1m05s", 2*time.Hour + 3*time.Minute: "2h03m", 72 * time.Hour: "3d",
	} {
		if got := show.Duration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
