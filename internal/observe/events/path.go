package events

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// step is one step of a JSON path: to a field, to an element of an array, or to all of them.
type step struct {
	name  string
	index int // -1 for a field
	all   bool
}

// parsePath reads a JSON path as EventBridge allows them: $ is the event, then .name, ['name'], [0], [*].
func parsePath(text string) (steps []step, err error) {
	rest, found := strings.CutPrefix(text, "$")
	if !found {
		return nil, fmt.Errorf("the path %q does not begin with $", text)
	}
	for rest != "" {
		var s step
		if s, rest, err = parseStep(rest); err != nil {
			return nil, fmt.Errorf("the path %q %w", text, err)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func parseStep(text string) (s step, rest string, err error) {
	if after, is := strings.CutPrefix(text, "."); is {
		n := strings.IndexAny(after, ".[")
		if n < 0 {
			n = len(after)
		}
		if n == 0 {
			return s, "", errors.New("has no name behind a dot")
		}
		return step{name: after[:n], index: -1}, after[n:], nil
	}
	if after, is := strings.CutPrefix(text, "['"); is {
		name, rest, closed := strings.Cut(after, "']")
		if !closed || name == "" {
			return s, "", errors.New("has a name in brackets that does not end")
		}
		return step{name: name, index: -1}, rest, nil
	}
	after, is := strings.CutPrefix(text, "[")
	index, rest, closed := strings.Cut(after, "]")
	if !is || !closed {
		return s, "", fmt.Errorf("is not understood at %q: allowed are .name, ['name'], [0] and [*]", text)
	}
	if index == "*" {
		return step{all: true}, rest, nil
	}
	n, err := strconv.ParseUint(index, 10, 31)
	if err != nil {
		return s, "", fmt.Errorf("has the index %q", index)
	}
	return step{index: int(n)}, rest, nil
}

// follow gives what is at the end of a path.
func follow(steps []step, v any) (found any, there bool) {
	for i, s := range steps {
		switch at := v.(type) {
		case map[string]any:
			if s.index >= 0 || s.all {
				return nil, false
			}
			if v, there = at[s.name]; !there {
				return nil, false
			}
		case []any:
			if s.all {
				return followAll(steps[i+1:], at), true
			}
			if s.index < 0 || s.index >= len(at) {
				return nil, false
			}
			v = at[s.index]
		default:
			return nil, false
		}
	}
	return v, true
}

// followAll gives what the rest of a path leads to in each element that has it.
func followAll(steps []step, list []any) []any {
	out := []any{}
	for _, e := range list {
		if v, there := follow(steps, e); there {
			out = append(out, v)
		}
	}
	return out
}
