package show

import (
	"io"
	"os"
	"strings"
	"unicode"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"

	"slipway.dev/slipway/internal/apprunner/pattern"
)

// Terminal tells what may be done with where a text goes.
type Terminal struct {
	Live  bool // the current line can be drawn again
	Color bool
	Width int // columns; 0 when unknown
}

// Detect looks at w and the environment.
func Detect(w io.Writer, env func(string) string) Terminal {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || env("TERM") == "dumb" {
		return Terminal{}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 80
	}
	return Terminal{Live: true, Color: env("NO_COLOR") == "", Width: width}
}

// Style is one way to set text apart.
type Style int

// The styles.
const (
	Plain Style = iota
	Dim
	Bold
	Good
	Bad
	Link
	Note
)

// Paint sets text apart where colours are allowed.
func (t Terminal) Paint(style Style, text string) string {
	if !t.Color || text == "" {
		return text
	}
	s := lipgloss.NewStyle()
	switch style {
	case Plain:
		return text
	case Dim:
		s = s.Faint(true)
	case Bold:
		s = s.Bold(true)
	case Good:
		s = s.Foreground(lipgloss.Green)
	case Bad:
		s = s.Foreground(lipgloss.Red).Bold(true)
	case Link:
		s = s.Foreground(lipgloss.Cyan)
	case Note:
		s = s.Foreground(lipgloss.Yellow)
	}
	return s.Render(text)
}

// Tint gives the n-th of several sources a colour of its own.
func (t Terminal) Tint(n int, text string) string {
	if !t.Color {
		return text
	}
	tints := []string{"6", "3", "5", "2", "4", "14", "11", "13"}
	return lipgloss.NewStyle().Foreground(lipgloss.Color(tints[n%len(tints)])).Render(text)
}

// escapes are the terminal's control sequences.
var escapes = pattern.Of("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z\\\\-_])")

// Harmless takes control sequences and control characters out of a line.
func Harmless(s string) string {
	s = escapes.Compiled().ReplaceAllString(strings.TrimRight(s, "\r\n"), "")
	if i := strings.LastIndexByte(s, '\r'); i >= 0 { // a progress bar: the last state is what a terminal shows
		s = s[i+1:]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control):
			return -1
		}
		return r
	}, s)
}
