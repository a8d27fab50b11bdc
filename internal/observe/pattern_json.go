package observe

import (
	"encoding/json"
	"strconv"
	"strings"
)

// parseJSONPattern reads { conditions }.
func parseJSONPattern(s string) (func(string) bool, error) {
	l := &lexer{in: s, pos: 1}
	match, err := anyOf(l, 0, l.jsonCondition)
	if err != nil {
		return nil, err
	}
	if !l.take("}") {
		return nil, l.fail("a closing } is missing")
	}
	if l.space(); !l.end() {
		return nil, l.fail("nothing may follow the closing }")
	}
	return func(message string) bool {
		trimmed := strings.TrimLeft(message, " \t\r\n")
		if !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") {
			return false
		}
		d := json.NewDecoder(strings.NewReader(trimmed))
		d.UseNumber()
		var v any
		return d.Decode(&v) == nil && match(v)
	}, nil
}

// jsonCondition reads a selector and what is asked of it.
func (l *lexer) jsonCondition() (func(any) bool, error) {
	path, err := l.selector()
	if err != nil {
		return nil, err
	}
	switch {
	case l.takeWords("NOT", "EXISTS"):
		return func(v any) bool { return len(path.find(v)) == 0 }, nil
	case l.takeWords("EXISTS"):
		return func(v any) bool { return len(path.find(v)) > 0 }, nil
	case l.takeWords("IS", "NULL"):
		return path.some(func(v any) bool { return v == nil }), nil
	case l.takeWords("IS", "TRUE"):
		return path.some(func(v any) bool { return v == true }), nil
	case l.takeWords("IS", "FALSE"):
		return path.some(func(v any) bool { return v == false }), nil
	}
	c, err := l.comparison(" \t\r\n(){}&|")
	if err != nil {
		return nil, err
	}
	return path.some(c.value), nil
}

// value compares a value of a JSON message. Objects, arrays and null fit nothing.
func (c comparison) value(v any) bool {
	switch v := v.(type) {
	case string:
		return c.text(v)
	case bool:
		return c.text(strconv.FormatBool(v))
	case json.Number:
		n, err := v.Float64()
		if err == nil && c.number != nil {
			return c.ordered(n)
		}
		return c.text(v.String())
	}
	return false
}

// step is one part of a selector: a member, an element, or all elements.
type step struct {
	member string
	index  int
	kind   stepKind
}

type stepKind int

const (
	stepMember stepKind = iota
	stepIndex
	stepAll
)

// selectorPath is a selector such as $.requests[0].path.
type selectorPath []step

// selector reads $ and its parts.
func (l *lexer) selector() (selectorPath, error) {
	if !l.take("$") {
		return nil, l.fail("a selector such as $.name is missing")
	}
	var path selectorPath
	for {
		switch l.peek() {
		case '.':
			l.pos++
			name := l.until(" \t\r\n.[]()=!<>{}&|")
			switch name {
			case "":
				return nil, l.fail("a name is missing")
			case "*":
				path = append(path, step{kind: stepAll})
			default:
				path = append(path, step{member: name})
			}
		case '[':
			l.pos++
			s, err := l.bracket()
			if err != nil {
				return nil, err
			}
			path = append(path, s)
		default:
			if len(path) == 0 {
				return nil, l.fail("a name is missing")
			}
			return path, nil
		}
	}
}

// bracket reads the rest of [0], [*], ["name"] or ['name'].
func (l *lexer) bracket() (s step, err error) {
	switch l.peek() {
	case '"':
		s.member, err = l.quoted()
	case '\'':
		l.pos++
		s.member = l.until("'")
		if !l.take("'") {
			err = l.fail("a closing quote is missing")
		}
	case '*':
		l.pos++
		s.kind = stepAll
	default:
		s.kind = stepIndex
		if s.index, err = strconv.Atoi(l.until("]")); err != nil || s.index < 0 {
			err = l.fail("an index is missing")
		}
	}
	if err == nil && !l.take("]") {
		err = l.fail("a closing ] is missing")
	}
	return s, err
}

// find returns the values a selector leads to.
func (p selectorPath) find(v any) []any {
	found := []any{v}
	for _, s := range p {
		var next []any
		for _, v := range found {
			next = s.into(v, next)
		}
		found = next
	}
	return found
}

func (s step) into(v any, found []any) []any {
	switch v := v.(type) {
	case map[string]any:
		if s.kind == stepAll {
			for _, member := range v {
				found = append(found, member)
			}
		} else if member, ok := v[s.member]; ok && s.kind == stepMember {
			found = append(found, member)
		}
	case []any:
		if s.kind == stepAll {
			found = append(found, v...)
		} else if s.kind == stepIndex && s.index < len(v) {
			found = append(found, v[s.index])
		}
	}
	return found
}

// some makes a matcher that wants ok of one of the values found.
func (p selectorPath) some(ok func(any) bool) func(any) bool {
	return func(v any) bool {
		for _, found := range p.find(v) {
			if ok(found) {
				return true
			}
		}
		return false
	}
}
