package build

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"slipway.dev/slipway/internal/apprunner/spell"
)

// maxConfigBytes bounds a configuration file; real ones are below 4 KiB.
const maxConfigBytes = 64 << 10

// maxConfigDepth bounds nesting: the deepest known key is at depth 4, and the parser recurses.
const maxConfigDepth = 64

// reader collects everything there is to say about one file while it is read.
type reader struct {
	file        string
	diagnostics []Diagnostic
}

func (r *reader) add(severity Severity, at *token.Token, key, format string, args ...any) {
	line, column := 1, 1
	if at != nil && at.Position != nil {
		line, column = max(at.Position.Line, 1), max(at.Position.Column, 1)
	}
	r.diagnostics = append(r.diagnostics, Diagnostic{
		File: r.file, Line: line, Column: column, Severity: severity, Key: key, Message: fmt.Sprintf(format, args...),
	})
}

func (r *reader) fault(at *token.Token, key, format string, args ...any) {
	r.add(Fault, at, key, format, args...)
}

func (r *reader) warn(at *token.Token, key, format string, args ...any) {
	r.add(Warning, at, key, format, args...)
}

// document parses the bytes into the one mapping a configuration file consists of, or says why it cannot.
func (r *reader) document(data []byte) *ast.MappingNode {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !r.readable(data) {
		return nil
	}
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return nil
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType && doc.Body.Type() != ast.DirectiveType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		r.fault(nil, "", "the file is empty: version, runtime, build and run are required")
		return nil
	case len(bodies) > 1:
		r.fault(bodies[1].GetToken(), "", "found %d YAML documents: the file must hold exactly one", len(bodies))
		return nil
	}
	root, ok := r.mapping(bodies[0])
	if !ok {
		r.fault(bodies[0].GetToken(), "", "the file must be a mapping with the keys version, runtime, build and run; found %s", describe(bodies[0]))
		return nil
	}
	if !r.plain(root) {
		return nil
	}
	return root
}

// readable refuses what must not reach the parser.
func (r *reader) readable(data []byte) bool {
	switch {
	case len(data) > maxConfigBytes:
		r.fault(nil, "", "the file has %d bytes: at most %d (64 KiB) are allowed", len(data), maxConfigBytes)
	case !utf8.Valid(data):
		r.fault(nil, "", "the file is not UTF-8 text")
	case bytes.IndexByte(data, 0) >= 0:
		line := 1 + bytes.Count(data[:bytes.IndexByte(data, 0)], []byte("\n"))
		r.fault(&token.Token{Position: &token.Position{Line: line, Column: 1}}, "", "the file holds a NUL byte: only text is allowed")
	case tooDeep(data):
		r.fault(nil, "", "the file is nested more than %d levels deep", maxConfigDepth)
	default:
		return true
	}
	return false
}

// tooDeep is a cheap upper bound for nesting, taken before the recursive parser sees the bytes: flow brackets that open and
// are not closed on the way, block indentation, and block markers strung together on one line.
func tooDeep(data []byte) bool {
	flow := 0
	for line := range bytes.Lines(data) {
		markers := 0
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case c == '[' || c == '{':
				flow++
			case (c == ']' || c == '}') && flow > 0:
				flow--
			case (c == '-' || c == '?') && i+1 < len(line) && line[i+1] == ' ' && len(bytes.Trim(line[:i], "-? ")) == 0:
				markers++
			}
		}
		if flow > maxConfigDepth || markers > maxConfigDepth {
			return true
		}
	}
	return false
}

// syntax reports the parser's complaint. The parser stops at the first one.
func (r *reader) syntax(err error) {
	var at *token.Token
	message := err.Error()
	var known yaml.Error
	if errors.As(err, &known) {
		at, message = known.GetToken(), known.GetMessage()
	}
	r.fault(at, "", "the file is not valid YAML: %s", strings.TrimSpace(message))
}

// plain refuses anchors, aliases, merge keys and tags: they make one text mean another, and no configuration needs them.
func (r *reader) plain(node ast.Node) bool {
	before := len(r.diagnostics)
	ast.Walk(plainVisitor{r}, node)
	return len(r.diagnostics) == before
}

type plainVisitor struct{ r *reader }

// Visit reports what plain refuses and goes on, so that all of them are named at once.
func (v plainVisitor) Visit(node ast.Node) ast.Visitor {
	switch n := node.(type) {
	case *ast.AnchorNode:
		v.r.fault(n.GetToken(), "", "YAML anchors (&name) are not allowed: write the value out")
	case *ast.AliasNode:
		v.r.fault(n.GetToken(), "", "YAML aliases (*name) are not allowed: write the value out")
	case *ast.MergeKeyNode:
		v.r.fault(n.GetToken(), "", "YAML merge keys (<<) are not allowed: write the keys out")
	case *ast.TagNode:
		v.r.fault(n.GetToken(), "", "YAML tags (%s) are not allowed: write the value without it", n.GetToken().Value)
	}
	return v
}

// mapping returns node as a mapping. The parser gives a single-entry block mapping as a bare entry in some positions.
func (r *reader) mapping(node ast.Node) (*ast.MappingNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n, true
	case *ast.MappingValueNode:
		return ast.Mapping(n.GetToken(), false, n), true
	}
	return nil, false
}

// entry is one key of a mapping with its value.
type entry struct {
	name  string
	key   *token.Token
	value ast.Node // nil when nothing follows the colon
}

// at is the place to point at when the value is wrong: the value itself, or its key when there is no value.
func (e entry) at() *token.Token {
	if e.value != nil && e.value.GetToken() != nil && e.value.GetToken().Position != nil && !isNull(e.value) {
		return start(e.value)
	}
	return e.key
}

// start is the first token of a node. A block mapping's own token is the first colon, so its first key is taken.
func start(node ast.Node) *token.Token {
	switch n := node.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return n.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return n.Key.GetToken()
	}
	return node.GetToken()
}

// section is a mapping of the file under a dotted path, with its keys looked up by name.
type section struct {
	path    string
	at      *token.Token // where the section begins, for keys it lacks
	entries map[string]entry
}

func (s section) key(name string) string {
	if s.path == "" {
		return name
	}
	return s.path + "." + name
}

// get returns the entry called name. A key without a value counts as present, so that the fault can point at it.
func (s section) get(name string) (entry, bool) {
	e, ok := s.entries[name]
	return e, ok
}

// section indexes a mapping by key: unknown keys give a warning, a repeated key is a fault, since either may be the one meant.
func (r *reader) section(node *ast.MappingNode, path string, at *token.Token, known ...string) section {
	s := section{path: path, at: at, entries: map[string]entry{}}
	for _, value := range node.Values {
		tk := value.Key.GetToken()
		name := keyText(value.Key)
		if first, ok := s.entries[name]; ok {
			r.fault(tk, s.key(name), "%s is given twice (first on line %d): keep one of them", s.key(name), first.key.Position.Line)
			continue
		}
		if !contains(known, name) {
			r.unknownKey(tk, s.key(name), name, known)
		}
		s.entries[name] = entry{name: name, key: tk, value: value.Value}
	}
	return s
}

func (r *reader) unknownKey(at *token.Token, key, name string, known []string) {
	if meant := spell.Nearest(name, known); meant != "" {
		r.warn(at, key, "unknown key %s is ignored: did you mean %s? Known keys here are %s", cut(key), meant, strings.Join(known, ", "))
		return
	}
	r.warn(at, key, "unknown key %s is ignored: known keys here are %s", cut(key), strings.Join(known, ", "))
}

func keyText(key ast.MapKeyNode) string {
	switch k := key.(type) {
	case *ast.StringNode:
		return k.Value
	case *ast.MappingKeyNode:
		if text, ok := scalarText(k.Value); ok {
			return text
		}
	}
	if tk := key.GetToken(); tk != nil {
		return tk.Value
	}
	return ""
}

// scalarText is the text of a scalar as the file's author wrote it: 3.10 stays "3.10", true stays "true". Quoting and block
// styles are resolved, since they are the author's way to write text. Mappings and lists are no scalars.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case nil:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.NullNode:
		if isImplicitNull(n) {
			return "", true
		}
		return n.Token.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return strings.TrimSpace(node.GetToken().Value), true
	}
	return "", false
}

func isNull(node ast.Node) bool {
	if node == nil {
		return true
	}
	_, ok := node.(*ast.NullNode)
	return ok
}

func isImplicitNull(n *ast.NullNode) bool { return n.Token.Type == token.ImplicitNullType }

// isText tells text from numbers, booleans and nulls, where the difference matters.
func isText(node ast.Node) bool {
	switch node.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return true
	}
	return false
}

// describe names what was found where something else was expected.
func describe(node ast.Node) string {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return "empty"
	case *ast.MappingNode:
		return "a mapping"
	case *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + cut(n.GetToken().Value)
	case *ast.BoolNode:
		return "the boolean " + n.Token.Value
	}
	if text, ok := scalarText(node); ok {
		return "the text " + quoted(text)
	}
	return "something else"
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

// cut shortens a key or number taken from the file for a message.
func cut(text string) string {
	q := quoted(text)
	return q[1 : len(q)-1]
}
