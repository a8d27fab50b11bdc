package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// maxAlternatives is how many combinations the alternatives of all "$or" of a pattern may have (EventBridge, quotas of rules).
	maxAlternatives = 1000
	// maxClauses is how much all combinations may say about fields, so that no pattern takes long to match.
	maxClauses = 5000
)

// Pattern is a compiled event pattern. It is safe for concurrent use.
type Pattern struct{ alternatives []node }

// clause is what a pattern says about one field.
type clause struct {
	path  []string
	tests []test
}

// Compile reads a pattern. The error says what is wrong with it, as the end of a sentence "the pattern is not valid: …".
func Compile(text string) (*Pattern, error) {
	v, err := parse(text)
	if err != nil {
		return nil, err
	}
	object, is := v.([]member)
	if !is {
		return nil, errors.New("Filter is not an object")
	}
	alternatives, err := expand(object, nil, false)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, clauses := range alternatives {
		size += len(clauses)
	}
	if size > maxClauses {
		return nil, fmt.Errorf("Rule is too complex: its combinations of alternatives name %d fields, and %d are allowed", size, maxClauses)
	}
	p := &Pattern{make([]node, len(alternatives))}
	for i, clauses := range alternatives {
		for _, c := range clauses {
			if err := p.alternatives[i].add(c, c.path); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// expand gives the alternatives of an object, each a list of clauses that must all hold.
func expand(object []member, path []string, inOr bool) ([][]clause, error) {
	if len(object) == 0 {
		return nil, errors.New("Empty objects are not allowed")
	}
	all := [][]clause{nil}
	for _, m := range object {
		here, err := expandMember(m, path, inOr)
		if err != nil {
			return nil, err
		}
		if len(all)*len(here) > maxAlternatives {
			return nil, fmt.Errorf("the pattern has more than %d combinations of alternatives", maxAlternatives)
		}
		all = product(all, here)
	}
	return all, nil
}

func expandMember(m member, path []string, inOr bool) ([][]clause, error) {
	if m.name == "$or" {
		return expandOr(m.value, path)
	}
	if inOr && isFilter(m.name) {
		return nil, fmt.Errorf("%s is a filter and cannot be the name of a field inside $or", m.name)
	}
	below := append(slices.Clone(path), m.name)
	switch v := m.value.(type) {
	case []member:
		return expand(v, below, inOr)
	case []any:
		tests, err := compileTests(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(below, "."), err)
		}
		return [][]clause{{{below, tests}}}, nil
	}
	return nil, fmt.Errorf("%q must be an object or an array", m.name)
}

func expandOr(v any, path []string) (all [][]clause, err error) {
	list, is := v.([]any)
	if !is || len(list) < 2 {
		return nil, errors.New("$or must be an array of at least 2 objects")
	}
	for _, e := range list {
		object, is := e.([]member)
		if !is {
			return nil, errors.New("only objects are allowed in the array of $or")
		}
		here, err := expand(object, path, true)
		if err != nil {
			return nil, err
		}
		if all = append(all, here...); len(all) > maxAlternatives {
			return nil, fmt.Errorf("$or has more than %d alternatives", maxAlternatives)
		}
	}
	return all, nil
}

func product(a, b [][]clause) [][]clause {
	out := make([][]clause, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, slices.Concat(x, y))
		}
	}
	return out
}

// node is what an alternative says about the fields of an object.
type node struct{ fields []field }

type field struct {
	name  string
	path  []string // from the event's root, to tell whether the field is anywhere
	tests []test   // of the field itself, any of which may hold; none where only fields below it matter
	below node
}

// add puts a clause into the tree. path is the rest of the way to its field.
func (n *node) add(c clause, path []string) error {
	i := slices.IndexFunc(n.fields, func(f field) bool { return f.name == path[0] })
	if i < 0 {
		i = len(n.fields)
		n.fields = append(n.fields, field{name: path[0]})
	}
	f := &n.fields[i]
	if len(path) > 1 {
		return f.below.add(c, path[1:])
	}
	if f.tests != nil {
		return fmt.Errorf("%s is there twice in one combination of alternatives", strings.Join(c.path, "."))
	}
	f.path, f.tests = c.path, c.tests
	return nil
}

// compileTests reads the list of what a field may be.
func compileTests(list []any) ([]test, error) {
	if len(list) == 0 {
		return nil, errors.New("Empty arrays are not allowed")
	}
	tests := make([]test, len(list))
	for i, v := range list {
		var err error
		switch v := v.(type) {
		case []member:
			tests[i], err = compileFilter(v)
		case []any:
			err = errors.New("Match value must be String, number, true, false, or null")
		case json.Number:
			tests[i] = test{equal: equalNumber(v)}
		default: // a string, a boolean or null
			tests[i] = test{equal: func(s any) bool { return s == v }}
		}
		if err != nil {
			return nil, err
		}
	}
	return tests, nil
}
