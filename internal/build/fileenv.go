package build

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"slipway.dev/slipway/internal/apprunner"
)

// reservedPrefix begins the names that belong to the platform (§17).
const reservedPrefix = "AWSAPPRUNNER"

// variables is an environment list of the file: the last value of each name, and where it stands.
type variables struct {
	values map[string]string
	at     map[string]*token.Token
}

// env reads a list of {name, value}. application tells whether the running application sees it, where PORT cannot be set.
func (r *reader) env(parent section, key string, application bool) variables {
	return r.variables(parent, key, "value", func(e entry, name, value string) bool {
		if strings.ContainsRune(value, 0) {
			r.fault(e.at(), key, "the value of %s in %s holds a NUL character", cut(name), key)
			return false
		}
		if application && name == "PORT" {
			r.warn(e.at(), key, "PORT in %s is ignored: PORT is reserved and always holds run.network.port", key)
			return false
		}
		return true
	})
}

// secrets reads run.secrets, a list of {name, value-from}.
func (r *reader) secrets(run section) variables {
	const key = "run.secrets"
	return r.variables(run, key, "value-from", func(e entry, name, reference string) bool {
		if name == "PORT" {
			r.fault(e.at(), key, "%s names PORT, which is reserved: PORT always holds run.network.port", key)
			return false
		}
		if _, err := apprunner.ParseSecretReference(reference); err != nil {
			r.fault(e.at(), key, "value-from of %s in %s is %v", cut(name), key, err)
			return false
		}
		return true
	})
}

// variables reads a list of mappings with a name and one more key. accept judges each pair and may drop it.
func (r *reader) variables(parent section, key, valueKey string, accept func(e entry, name, value string) bool) variables {
	out := variables{values: map[string]string{}, at: map[string]*token.Token{}}
	name := key[strings.LastIndexByte(key, '.')+1:]
	e, ok := parent.get(name)
	if !ok || isNull(e.value) {
		return out
	}
	list, ok := e.value.(*ast.SequenceNode)
	if !ok {
		r.fault(e.at(), key, "%s is %s: it must be a list of items with the keys name and %s", key, describe(e.value), valueKey)
		return out
	}
	for i := range list.Values {
		name, value, ok := r.variable(listItem(list, i), key, valueKey)
		if !ok || !accept(value.entry, name.text, value.text) {
			continue
		}
		if first, twice := out.at[name.text]; twice {
			r.warn(name.at(), key, "%s is given twice in %s (first on line %d): the last one counts", cut(name.text), key, first.Position.Line)
		}
		out.values[name.text], out.at[name.text] = value.text, name.at()
	}
	return out
}

// textEntry is an entry whose scalar text is known.
type textEntry struct {
	entry
	text string
}

// variable reads one item of an environment list.
func (r *reader) variable(item entry, key, valueKey string) (name, value textEntry, ok bool) {
	mapping, ok := r.mapping(item.value)
	if !ok {
		r.fault(item.at(), key, "an item of %s is %s: each item must have the keys name and %s", key, describe(item.value), valueKey)
		return name, value, false
	}
	s := r.section(mapping, key, item.at(), "name", valueKey)
	name, nameOK := r.variableText(s, "name")
	value, valueOK := r.variableText(s, valueKey)
	if !nameOK || !r.variableName(name.at(), key, name.text) {
		return name, value, false
	}
	return name, value, valueOK
}

// variableText returns one key of an item. A value may be empty, a name or reference is judged by who asked.
func (r *reader) variableText(s section, name string) (textEntry, bool) {
	e, ok := s.get(name)
	if !ok {
		r.fault(s.at, s.key(name), "an item of %s has no %s", s.path, name)
		return textEntry{entry: entry{key: s.at}}, false
	}
	text, ok := scalarText(e.value)
	if !ok {
		r.fault(e.at(), s.key(name), "%s in %s is %s: text is allowed", name, s.path, describe(e.value))
	}
	return textEntry{entry: e, text: text}, ok
}

// variableName holds §17 for the name of a variable.
func (r *reader) variableName(at *token.Token, key, name string) bool {
	switch {
	case strings.TrimSpace(name) == "":
		r.fault(at, key, "a variable of %s has an empty name", key)
	case strings.ContainsAny(name, "=\x00"):
		r.fault(at, key, "%s names %s: the name of a variable must not hold \"=\" or NUL", key, quoted(name))
	case strings.HasPrefix(name, reservedPrefix):
		r.fault(at, key, "%s names %s: names that begin with %s are reserved", key, quoted(name), reservedPrefix)
	default:
		return true
	}
	return false
}
