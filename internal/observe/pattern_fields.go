package observe

import "strings"

// fieldCondition is one field of a space-delimited pattern.
type fieldCondition struct {
	ellipsis bool
	ok       func(string) bool // nil: any value
}

// parseFieldsPattern reads [field, field = value && …, ...].
func parseFieldsPattern(s string) (func(string) bool, error) {
	l := &lexer{in: s, pos: 1}
	var fields []fieldCondition
	ellipses := 0
	for {
		f, err := l.fieldCondition()
		if err != nil {
			return nil, err
		}
		if f.ellipsis {
			ellipses++
		}
		fields = append(fields, f)
		if l.take(",") {
			continue
		}
		if !l.take("]") {
			return nil, l.fail("a comma or the closing ] is missing")
		}
		break
	}
	if l.space(); !l.end() {
		return nil, l.fail("nothing may follow the closing ]")
	}
	if ellipses > 1 {
		return nil, l.fail("... may stand once only")
	}
	return func(message string) bool { return matchFields(fields, splitFields(message)) }, nil
}

func (l *lexer) fieldCondition() (f fieldCondition, err error) {
	if l.take("...") {
		return fieldCondition{ellipsis: true}, nil
	}
	l.space()
	bare := l.pos
	name := l.until(" \t\r\n,]=!<>()&|")
	l.space()
	if next := l.peek(); name != "" && (next == ',' || next == ']') {
		return fieldCondition{}, nil
	}
	l.pos = bare
	f.ok, err = anyOf(l, 0, l.fieldComparison)
	return f, err
}

func (l *lexer) fieldComparison() (func(string) bool, error) {
	l.space()
	if l.until(" \t\r\n,]=!<>()&|") == "" {
		return nil, l.fail("a field name is missing")
	}
	c, err := l.comparison(" \t\r\n,]()&|")
	return c.text, err
}

func matchFields(fields []fieldCondition, values []string) bool {
	for i, f := range fields {
		if f.ellipsis {
			return matchTail(fields[i+1:], values, i)
		}
		if i >= len(values) || f.ok != nil && !f.ok(values[i]) {
			return false
		}
	}
	return len(fields) == len(values)
}

// matchTail matches the fields behind an ellipsis with the last values; the first used ones are taken already.
func matchTail(fields []fieldCondition, values []string, used int) bool {
	if len(values)-used < len(fields) {
		return false
	}
	return matchFields(fields, values[len(values)-len(fields):])
}

// splitFields cuts a message at spaces. What stands in double quotes or square brackets is one field, without them.
func splitFields(message string) []string {
	var fields []string
	for {
		message = strings.TrimLeft(message, " \t\r\n")
		if message == "" {
			return fields
		}
		if n := enclosed(message); n > 0 {
			fields = append(fields, message[1:n])
			message = message[n+1:]
			continue
		}
		n := strings.IndexAny(message, " \t\r\n")
		if n < 0 {
			n = len(message)
		}
		fields = append(fields, message[:n])
		message = message[n:]
	}
}

// enclosed returns where the field ends that message begins with, when it stands in quotes or brackets; else 0.
func enclosed(message string) int {
	closing := "\""
	if message[0] == '[' {
		closing = "]"
	} else if message[0] != '"' {
		return 0
	}
	return strings.Index(message[1:], closing) + 1
}
