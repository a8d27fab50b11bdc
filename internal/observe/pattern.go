package observe

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxPattern is how long a filter pattern may be, in bytes (CloudWatch Logs, FilterLogEvents).
const maxPattern = 1024

// Pattern is a filter pattern of CloudWatch Logs, ready to match messages.
type Pattern struct {
	match func(message string) bool // nil matches all
}

// Match tells whether a message fits the pattern.
func (p Pattern) Match(message string) bool { return p.match == nil || p.match(message) }

// ParsePattern reads a filter pattern, or fails with CodeInvalidParameter. There are three forms:
//
//   - terms: `ERROR "connection reset" -DEBUG` wants all terms and phrases but none with a minus; `?ERROR ?WARN` wants one of them
//     (and is ignored beside plain terms, as CloudWatch Logs does); `%5\d\d%` is a regular expression. Case counts.
//   - `{ $.status >= 500 && ($.path = "/api*" || $.user.name NOT EXISTS) }` for messages that are JSON objects.
//   - `[ip, ..., status = 5*, bytes > 1000]` for messages of fields between spaces, where "…" and […] hold one field together.
func ParsePattern(s string) (Pattern, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxPattern {
		return Pattern{}, invalidf("Invalid filter pattern: it has %d characters, at most %d are allowed", len(s), maxPattern)
	}
	if !utf8.ValidString(s) {
		return Pattern{}, invalidf("Invalid filter pattern: it is not UTF-8")
	}
	var match func(string) bool
	var err error
	switch {
	case s == "":
	case s[0] == '{':
		match, err = parseJSONPattern(s)
	case s[0] == '[':
		match, err = parseFieldsPattern(s)
	default:
		match, err = parseTerms(s)
	}
	if err != nil {
		return Pattern{}, err
	}
	return Pattern{match}, nil
}

// term is one word, phrase or regular expression of a pattern.
type term struct {
	text string
	re   *regexp.Regexp
}

func (t term) in(message string) bool {
	if t.re != nil {
		return t.re.MatchString(message)
	}
	return strings.Contains(message, t.text)
}

func parseTerms(s string) (func(string) bool, error) {
	l := &lexer{in: s}
	var all, any, none []term
	for {
		l.space()
		if l.end() {
			break
		}
		list := &all
		switch l.peek() {
		case '-':
			l.pos++
			list = &none
		case '?':
			l.pos++
			list = &any
		}
		t, err := l.term()
		if err != nil {
			return nil, err
		}
		*list = append(*list, t)
	}
	if len(all) > 0 {
		any = nil
	}
	return func(message string) bool {
		for _, t := range none {
			if t.in(message) {
				return false
			}
		}
		for _, t := range all {
			if !t.in(message) {
				return false
			}
		}
		for _, t := range any {
			if t.in(message) {
				return true
			}
		}
		return len(any) == 0
	}, nil
}

// lexer walks through a pattern.
type lexer struct {
	in  string
	pos int
}

func (l *lexer) end() bool { return l.pos >= len(l.in) }

func (l *lexer) peek() byte {
	if l.end() {
		return 0
	}
	return l.in[l.pos]
}

func (l *lexer) space() {
	for !l.end() && strings.IndexByte(" \t\r\n", l.in[l.pos]) >= 0 {
		l.pos++
	}
}

// take consumes tok if it comes next, after space.
func (l *lexer) take(tok string) bool {
	l.space()
	if !strings.HasPrefix(l.in[l.pos:], tok) {
		return false
	}
	l.pos += len(tok)
	return true
}

// takeWords consumes words between spaces, in any case, if they come next and end there.
func (l *lexer) takeWords(words ...string) bool {
	start := l.pos
	for _, w := range words {
		l.space()
		end := l.pos + len(w)
		if end > len(l.in) || !strings.EqualFold(l.in[l.pos:end], w) || (end < len(l.in) && wordByte(l.in[end])) {
			l.pos = start
			return false
		}
		l.pos = end
	}
	return true
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// fail tells what is wrong and where.
func (l *lexer) fail(format string, args ...any) error {
	args = append(args, l.pos+1, l.in)
	return invalidf("Invalid filter pattern: "+format+" at character %d of %s", args...)
}

// until consumes the bytes before the first of stop.
func (l *lexer) until(stop string) string {
	n := strings.IndexAny(l.in[l.pos:], stop)
	if n < 0 {
		n = len(l.in) - l.pos
	}
	l.pos += n
	return l.in[l.pos-n : l.pos]
}

// term reads a word, a "phrase" or a %regular expression%.
func (l *lexer) term() (term, error) {
	switch l.peek() {
	case '"':
		s, err := l.quoted()
		return term{text: s}, err
	case '%':
		if strings.Count(l.in[l.pos:], "%") > 1 {
			re, err := l.regexp()
			return term{re: re}, err
		}
	}
	start := l.pos
	if w := l.until(" \t\r\n"); w != "" {
		return term{text: w}, nil
	}
	l.pos = start
	return term{}, l.fail("a term is missing")
}

// quoted reads a phrase in double quotes; \" and \\ stand for themselves.
func (l *lexer) quoted() (string, error) {
	start := l.pos
	var b strings.Builder
	for l.pos++; !l.end(); l.pos++ {
		switch c := l.in[l.pos]; {
		case c == '"':
			l.pos++
			return b.String(), nil
		case c == '\\' && l.pos+1 < len(l.in) && strings.IndexByte(`"\`, l.in[l.pos+1]) >= 0:
			l.pos++
			b.WriteByte(l.in[l.pos])
		default:
			b.WriteByte(c)
		}
	}
	l.pos = start
	return "", l.fail("a closing quote is missing")
}

// regexp reads an expression between percent signs.
func (l *lexer) regexp() (*regexp.Regexp, error) {
	start := l.pos
	l.pos++
	text := l.until("%")
	if l.end() {
		l.pos = start
		return nil, l.fail("a closing %% is missing")
	}
	l.pos++
	re, err := regexp.Compile(text)
	if err != nil {
		l.pos = start
		return nil, l.fail("%s", err)
	}
	return re, nil
}

// wildcard makes a matcher for a value in which * stands for any run of characters.
func wildcard(value string) func(string) bool {
	parts := strings.Split(value, "*")
	if len(parts) == 1 {
		return func(s string) bool { return s == value }
	}
	first, middle, last := parts[0], parts[1:len(parts)-1], parts[len(parts)-1]
	return func(s string) bool {
		s, ok := strings.CutPrefix(s, first)
		if !ok {
			return false
		}
		for _, m := range middle {
			if _, s, ok = strings.Cut(s, m); !ok {
				return false
			}
		}
		return strings.HasSuffix(s, last)
	}
}
