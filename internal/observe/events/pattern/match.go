package pattern

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
	if f.tests != nil && !f.tested(value, event) {
		return false
	}
	return len(f.below.fields) == 0 || f.below.within(value, event) || f.below.holds(nil, event)
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

// tested tells whether one of the tests holds for the value, for one of its elements where it is an array. That a field is absent is
// asked of the whole event: a field that another element of an array has is there.
func (f *field) tested(value any, event map[string]any) bool {
	for _, t := range f.tests {
		switch {
		case t.absent:
			if !present(event, f.path) {
				return true
			}
		case anyLeaf(value, t.equal):
			return true
		}
	}
	return false
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
