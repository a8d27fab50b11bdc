package pattern

import "slices"

// Matches tells whether an event is as the pattern says. The event is as [Parse] reads it.
func (p *Pattern) Matches(event map[string]any) bool {
	for i := range p.alternatives {
		if p.alternatives[i].holds(event, event) {
			return true
		}
	}
	return false
}

// holds tells whether an object, nil for none, has all fields as the node says.
func (n *node) holds(object, event map[string]any) bool {
	for i := range n.fields {
		value, there := object[n.fields[i].name]
		if !there {
			value = missing{}
		}
		if !n.fields[i].holds(value, event) {
			return false
		}
	}
	return true
}

// missing stands for a field that is not there; null is a value of its own.
type missing struct{}

func (f *field) holds(value any, event map[string]any) bool {
	if f.tests == nil || f.lacking(event) {
		return f.below.within(value, event) || f.below.holds(nil, event)
	}
	// A leaf and an object are never the same element of an array: beside the one, nothing can be asked of the other.
	return f.leaf(value) && f.below.holds(nil, event)
}

// within tells whether the node holds for a value: for one of its elements where it is an array.
func (n *node) within(value any, event map[string]any) bool {
	switch v := value.(type) {
	case map[string]any:
		return n.holds(v, event)
	case []any:
		for _, e := range v {
			if n.within(e, event) {
				return true
			}
		}
	}
	return false
}

// lacking tells whether the field may be absent and is. That is asked of the whole event: a field that another element of an array has
// is there.
func (f *field) lacking(event map[string]any) bool {
	return slices.ContainsFunc(f.tests, func(t test) bool { return t.absent }) && !present(event, f.path)
}

// leaf tells whether one of the tests holds for the value, for one of its elements where it is an array.
func (f *field) leaf(value any) bool {
	return slices.ContainsFunc(f.tests, func(t test) bool { return !t.absent && anyLeaf(value, t.equal) })
}

// present tells whether there is a leaf at a path.
func present(value any, path []string) bool {
	if len(path) == 0 {
		return anyLeaf(value, func(any) bool { return true })
	}
	switch v := value.(type) {
	case map[string]any:
		below, there := v[path[0]]
		return there && present(below, path[1:])
	case []any:
		for _, e := range v {
			if present(e, path) {
				return true
			}
		}
	}
	return false
}

// anyLeaf tells whether ok holds for a value that is neither object nor array, or for one such element of an array.
func anyLeaf(value any, ok func(any) bool) bool {
	switch v := value.(type) {
	case map[string]any, missing:
		return false
	case []any:
		for _, e := range v {
			if anyLeaf(e, ok) {
				return true
			}
		}
		return false
	}
	return ok(value)
}
