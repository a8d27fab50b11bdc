package waf

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"slipway.dev/slipway/internal/apprunner/webacl"
)

// statement compiles a condition.
func (c *compiler) statement(s *webacl.Statement) (condition, error) {
	switch {
	case s == nil:
		return nil, errors.New("a statement is missing")
	case s.AndStatement != nil:
		return c.several(s.AndStatement.Statements, false)
	case s.OrStatement != nil:
		return c.several(s.OrStatement.Statements, true)
	case s.NotStatement != nil:
		inner, err := c.statement(s.NotStatement.Statement)
		return func(t *trial) bool { return !inner(t) }, err
	case s.LabelMatchStatement != nil:
		return c.label(*s.LabelMatchStatement), nil
	case s.IPSetReferenceStatement != nil:
		return c.addresses(s.IPSetReferenceStatement)
	case s.RateBasedStatement != nil:
		return c.rate(s.RateBasedStatement)
	case s.ByteMatchStatement != nil:
		look, err := byteMatch(s.ByteMatchStatement)
		return c.inspecting(&s.ByteMatchStatement.Inspect, look, err)
	case s.SizeConstraintStatement != nil:
		look, err := sizeOf(s.SizeConstraintStatement)
		return c.inspecting(&s.SizeConstraintStatement.Inspect, look, err)
	case s.RegexMatchStatement != nil:
		look, err := expressions(s.RegexMatchStatement.RegexString)
		return c.inspecting(&s.RegexMatchStatement.Inspect, look, err)
	case s.RegexPatternSetReferenceStatement != nil:
		look, err := c.expressionSet(s.RegexPatternSetReferenceStatement.ARN)
		return c.inspecting(&s.RegexPatternSetReferenceStatement.Inspect, look, err)
	case s.SqliMatchStatement != nil:
		high := s.SqliMatchStatement.SensitivityLevel == "HIGH"
		return c.inspecting(&s.SqliMatchStatement.Inspect, func(b []byte) bool { return looksLikeSQL(b, high) }, nil)
	case s.XssMatchStatement != nil:
		return c.inspecting(&s.XssMatchStatement.Inspect, looksLikeScript, nil)
	}
	return nil, errors.New("it has a statement that is not evaluated here")
}

// several joins conditions: one of them has to hold, or all.
func (c *compiler) several(list []webacl.Statement, one bool) (condition, error) {
	inner := make([]condition, len(list))
	for i := range list {
		var err error
		if inner[i], err = c.statement(&list[i]); err != nil {
			return nil, err
		}
	}
	return func(t *trial) bool {
		for _, holds := range inner {
			if holds(t) == one {
				return one
			}
		}
		return !one
	}, nil
}

// label compiles a look at the labels that earlier rules put on. A key without the namespace of its owner means the ACL's own labels.
func (c *compiler) label(l webacl.LabelMatch) condition {
	own := c.acl.LabelNamespace() + l.Key
	if l.Scope == "NAMESPACE" {
		return func(t *trial) bool {
			for _, label := range t.verdict.Labels {
				if strings.HasPrefix(label, l.Key) || strings.HasPrefix(label, own) {
					return true
				}
			}
			return false
		}
	}
	return func(t *trial) bool {
		for _, label := range t.verdict.Labels {
			if label == l.Key || label == own {
				return true
			}
		}
		return false
	}
}

// looker judges one part of a request, as the transformations left it.
type looker func([]byte) bool

// inspecting compiles a look at a part of the request.
func (c *compiler) inspecting(in *webacl.Inspect, look looker, err error) (condition, error) {
	if err != nil {
		return nil, err
	}
	change, err := transformations(in.TextTransformations)
	if err != nil {
		return nil, err
	}
	each, err := c.field(&in.FieldToMatch)
	if err != nil {
		return nil, err
	}
	if change == nil {
		return func(t *trial) bool { return each(t, look) }, nil
	}
	changed := func(b []byte) bool { return look(change(b)) }
	return func(t *trial) bool { return each(t, changed) }, nil
}

func byteMatch(m *webacl.ByteMatch) (looker, error) {
	want := m.SearchString
	switch m.PositionalConstraint {
	case "EXACTLY":
		return func(b []byte) bool { return bytes.Equal(b, want) }, nil
	case "STARTS_WITH":
		return func(b []byte) bool { return bytes.HasPrefix(b, want) }, nil
	case "ENDS_WITH":
		return func(b []byte) bool { return bytes.HasSuffix(b, want) }, nil
	case "CONTAINS":
		return func(b []byte) bool { return bytes.Contains(b, want) }, nil
	case "CONTAINS_WORD":
		return func(b []byte) bool { return containsWord(b, want) }, nil
	}
	return nil, fmt.Errorf("positional constraint %q is not known", m.PositionalConstraint)
}

// containsWord looks for want where neither neighbour is a letter, a digit or an underscore.
func containsWord(b, want []byte) bool {
	if len(want) == 0 {
		return false
	}
	for from := 0; ; {
		i := bytes.Index(b[from:], want)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(want)
		if (start == 0 || !wordChar(b[start-1])) && (end == len(b) || !wordChar(b[end])) {
			return true
		}
		from = start + 1
	}
}

func wordChar(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func sizeOf(s *webacl.Size) (looker, error) {
	holds, known := map[string]func(n, size int64) bool{
		"EQ": func(n, size int64) bool { return n == size }, "NE": func(n, size int64) bool { return n != size },
		"LE": func(n, size int64) bool { return n <= size }, "LT": func(n, size int64) bool { return n < size },
		"GE": func(n, size int64) bool { return n >= size }, "GT": func(n, size int64) bool { return n > size },
	}[s.ComparisonOperator]
	if !known {
		return nil, fmt.Errorf("comparison %q is not known", s.ComparisonOperator)
	}
	return func(b []byte) bool { return holds(int64(len(b)), s.Size) }, nil
}

// expressions looks for any of several regular expressions. They take time linear in the text.
func expressions(list ...string) (looker, error) {
	compiled := make([]*regexp.Regexp, len(list))
	for i, text := range list {
		var err error
		if compiled[i], err = regexp.Compile(text); err != nil {
			return nil, err
		}
	}
	return func(b []byte) bool {
		for _, r := range compiled {
			if r.Match(b) {
				return true
			}
		}
		return false
	}, nil
}

func (c *compiler) expressionSet(arn string) (looker, error) {
	list, known := c.acl.RegexSets[arn]
	if !known {
		return nil, fmt.Errorf("regex pattern set %s does not exist", arn)
	}
	return expressions(list...)
}
