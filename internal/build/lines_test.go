package build

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLines(t *testing.T) {
	tests := map[string]struct {
		writes []string
		want   []string
	}{
		"whole lines":            {[]string{"a\nb\n"}, []string{"a", "b"}},
		"pieces":                 {[]string{"a", "b\nc", "\n"}, []string{"ab", "c"}},
		"no newline at the end":  {[]string{"a\nlast"}, []string{"a", "last"}},
		"empty lines stay":       {[]string{"a\n\nb\n"}, []string{"a", "", "b"}},
		"carriage returns":       {[]string{"a\r\n10%\r50%\r100%\n"}, []string{"a", "100%"}},
		"bytes that are no text": {[]string{"a\xffb\n"}, []string{"a\uFFFDb"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			l := newLines(func(line string) { got = append(got, line) })
			for _, w := range test.writes {
				if n, err := l.Write([]byte(w)); n != len(w) || err != nil {
					t.Fatal(n, err)
				}
			}
			l.flush()
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestLinesKeepTheLastOnesAndBoundTheirLength(t *testing.T) {
	var longest int
	l := newLines(func(line string) {
		longest = max(longest, len(line))
		if strings.Contains(line, "\uFFFD") {
			t.Error("a character was cut apart")
		}
	})
	for range 100 {
		_, _ = l.Write([]byte("early\n"))
	}
	_, _ = l.Write([]byte("x" + strings.Repeat("é", 1<<20)))
	_, _ = l.Write([]byte("\nlast\n\n"))
	l.flush()
	if kept := l.last(); len(kept) != keptLines || kept[keptLines-1] != "last" {
		t.Errorf("kept %d lines", len(kept))
	}
	if longest > longestLine {
		t.Errorf("a line of %d bytes was given", longest)
	}
}

func TestLinesLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-z]{0,5}\n?){0,20}`).Draw(t, "text")
		var got []string
		l := newLines(func(line string) { got = append(got, line) })
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			_, _ = l.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		l.flush()
		want := strings.Split(text, "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q from %q", got, text)
		}
	})
}
