package build

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const (
	longestLine = 64 << 10 // a longer line is given in pieces
	keptLines   = 12       // of a failed command's output, for the reason
	keptWidth   = 300
)

// lines cuts a command's output into lines while it comes and remembers the last ones.
type lines struct {
	emit    func(string)
	partial []byte
	kept    []string
}

func newLines(emit func(string)) *lines { return &lines{emit: emit} }

// Write takes output in any pieces.
func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		piece := p[:min(len(p), longestLine-len(l.partial))]
		if end := bytes.IndexByte(piece, '\n'); end >= 0 {
			l.partial = append(l.partial, piece[:end]...)
			l.line()
			p = p[end+1:]
			continue
		}
		l.partial = append(l.partial, piece...)
		p = p[len(piece):]
		if len(l.partial) == longestLine {
			l.split()
		}
	}
	return n, nil
}

// split gives a piece of a line that is too long, and keeps a character that is not complete for the next piece.
func (l *lines) split() {
	end := len(l.partial)
	for back := 1; back < utf8.UTFMax; back++ {
		if c := l.partial[end-back]; utf8.RuneStart(c) {
			if !utf8.FullRune(l.partial[end-back:]) {
				end -= back
			}
			break
		}
	}
	rest := bytes.Clone(l.partial[end:])
	l.partial = l.partial[:end]
	l.line()
	l.partial = append(l.partial, rest...)
}

// flush gives what came after the last newline.
func (l *lines) flush() {
	if len(l.partial) > 0 {
		l.line()
	}
}

func (l *lines) line() {
	text := string(bytes.TrimRight(l.partial, "\r"))
	l.partial = l.partial[:0]
	// A progress display rewrites its line; a log wants how it ended.
	if i := strings.LastIndexByte(text, '\r'); i >= 0 {
		text = text[i+1:]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	l.emit(text)
	if strings.TrimSpace(text) == "" {
		return
	}
	if r := []rune(text); len(r) > keptWidth {
		text = string(r[:keptWidth]) + "…"
	}
	if l.kept = append(l.kept, text); len(l.kept) > keptLines {
		l.kept = l.kept[1:]
	}
}

// last returns the last lines that hold anything.
func (l *lines) last() []string { return l.kept }

// oneLine shows a command that may have several lines.
func oneLine(command string) string {
	command = strings.TrimSpace(command)
	if first, _, several := strings.Cut(command, "\n"); several {
		return strings.TrimSpace(first) + " …"
	}
	return command
}
