package observe

import (
	"regexp"
	"strconv"
)

// operator compares a value of a message with one of a pattern.
type operator string

// The longer spelling comes first, so that <= is not read as <.
func operators() []operator { return []operator{"!=", "<=", ">=", "=", "<", ">"} }

// comparison is the right side of a condition.
type comparison struct {
	op      operator
	number  *float64 // set when the value can be compared as a number
	quoted  bool     // written in quotes: compared as text only
	matches func(string) bool
	re      *regexp.Regexp
}

// comparison reads an operator and a value that ends before one of stop.
func (l *lexer) comparison(stop string) (c comparison, err error) {
	for _, op := range operators() {
		if l.take(string(op)) {
			c.op = op
			break
		}
	}
	if c.op == "" {
		return c, l.fail("one of = != < > <= >= is missing")
	}
	l.space()
	switch start := l.pos; l.peek() {
	case '"':
		text, err := l.quoted()
		if err != nil {
			return c, err
		}
		c.quoted, c.matches = true, wildcard(text)
	case '%':
		if c.re, err = l.regexp(); err != nil {
			return c, err
		}
	default:
		text := l.until(stop)
		if text == "" {
			l.pos = start
			return c, l.fail("a value is missing")
		}
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			c.number = &n
		}
		c.matches = wildcard(text)
	}
	if c.op != "=" && c.op != "!=" && c.number == nil {
		return c, l.fail("%s needs a number", c.op)
	}
	return c, nil
}

// text compares a text of the message.
func (c comparison) text(s string) bool {
	if c.op != "=" && c.op != "!=" {
		n, err := strconv.ParseFloat(s, 64)
		return err == nil && c.ordered(n)
	}
	ok := false
	switch {
	case c.re != nil:
		ok = c.re.MatchString(s)
	default:
		ok = c.matches(s)
		if n, err := strconv.ParseFloat(s, 64); !ok && c.number != nil && err == nil {
			ok = n == *c.number
		}
	}
	return ok == (c.op == "=")
}

func (c comparison) ordered(n float64) bool {
	switch c.op {
	case "<":
		return n < *c.number
	case ">":
		return n > *c.number
	case "<=":
		return n <= *c.number
	case ">=":
		return n >= *c.number
	case "=":
		return n == *c.number
	default:
		return n != *c.number
	}
}

// maxNesting bounds parentheses, which are read recursively.
const maxNesting = 32

// anyOf reads conditions joined by || and &&, of which && binds tighter; single reads one of them.
func anyOf[T any](l *lexer, depth int, single func() (func(T) bool, error)) (func(T) bool, error) {
	if depth > maxNesting {
		return nil, l.fail("too many parentheses")
	}
	left, err := allOf(l, depth, single)
	for err == nil && l.take("||") {
		var right func(T) bool
		if right, err = allOf(l, depth, single); err == nil {
			a := left
			left = func(v T) bool { return a(v) || right(v) }
		}
	}
	return left, err
}

func allOf[T any](l *lexer, depth int, single func() (func(T) bool, error)) (func(T) bool, error) {
	left, err := grouped(l, depth, single)
	for err == nil && l.take("&&") {
		var right func(T) bool
		if right, err = grouped(l, depth, single); err == nil {
			a := left
			left = func(v T) bool { return a(v) && right(v) }
		}
	}
	return left, err
}

func grouped[T any](l *lexer, depth int, single func() (func(T) bool, error)) (func(T) bool, error) {
	if !l.take("(") {
		return single()
	}
	inner, err := anyOf(l, depth+1, single)
	if err == nil && !l.take(")") {
		err = l.fail("a closing parenthesis is missing")
	}
	return inner, err
}
