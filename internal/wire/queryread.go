package wire

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// formNode is a form taken apart at the dots of its keys: X.member.1.Y is a path of four nodes.
type formNode struct {
	value    string
	set      bool
	children map[string]*formNode
}

// maxFormKeys is how many parameters one query request may have.
const maxFormKeys = 20_000

// parseForm reads a form body into a tree. The first of several values of a key counts.
func parseForm(encoded string) (*formNode, error) {
	root := &formNode{}
	for n := 0; encoded != ""; n++ {
		if n == maxFormKeys {
			return nil, &SerializationError{Problem: fmt.Sprintf("the request has more than %d parameters", maxFormKeys)}
		}
		var pair string
		pair, encoded, _ = strings.Cut(encoded, "&")
		if pair == "" {
			continue
		}
		k, v, _ := strings.Cut(pair, "=")
		key, err1 := url.QueryUnescape(k)
		value, err2 := url.QueryUnescape(v)
		if err1 != nil || err2 != nil {
			return nil, &SerializationError{Problem: "the form is not properly URL-encoded"}
		}
		if err := root.put(key, strings.ToValidUTF8(value, "\uFFFD")); err != nil {
			return nil, err
		}
	}
	return root, nil
}

func (n *formNode) put(key, value string) error {
	path := strings.ToValidUTF8(key, "\uFFFD")
	for depth := 0; key != ""; depth++ {
		if depth == maxDepth {
			return &SerializationError{Path: clip(path), Problem: fmt.Sprintf("has more than %d parts", maxDepth)}
		}
		var part string
		part, key, _ = strings.Cut(key, ".")
		next := n.children[part]
		if next == nil {
			if n.children == nil {
				n.children = map[string]*formNode{}
			}
			next = &formNode{}
			n.children[part] = next
		}
		n = next
	}
	if !n.set {
		n.value, n.set = value, true
	}
	return nil
}

// Action returns the operation and the API version that a query request names; both are empty where it is no such request.
func Action(r Request) (action, version string) {
	form, err := parseForm(queryForm(r))
	if err != nil {
		return "", ""
	}
	return form.text("Action"), form.text("Version")
}

func (n *formNode) text(key string) string {
	if c := n.children[key]; c != nil {
		return c.value
	}
	return ""
}

// queryForm is where the parameters are: in the body of a POST, in the URL of a GET.
func queryForm(r Request) string {
	if len(r.Body) > 0 {
		return string(r.Body)
	}
	return r.RawQuery
}

// queryReader reads a form into a value along its shape.
type queryReader struct {
	s    *Service
	path []string
	// ec2 reads the form of the EC2 protocol: other names, and lists without an element around their entries.
	ec2 bool
}

func (queryCodec) decode(s *Service, op *Operation, r Request, in reflect.Value) error {
	reader := queryReader{s: s}
	return reader.request(r, in, &s.Shapes[op.Input])
}

func (r *queryReader) request(from Request, in reflect.Value, sh *Shape) error {
	form, err := parseForm(queryForm(from))
	if err != nil {
		return err
	}
	return r.structure(form, in, sh)
}

// name is how a member is called in a request.
func (r *queryReader) name(m *Member) string {
	if !r.ec2 {
		return m.wireName()
	}
	if m.Query != "" {
		return m.Query
	}
	return upperFirst(m.wireName())
}

func (r *queryReader) fail(format string, args ...any) error {
	return &SerializationError{Path: strings.Join(r.path, "."), Problem: fmt.Sprintf(format, args...)}
}

func (r *queryReader) value(n *formNode, v reflect.Value, sh *Shape) error {
	if v.Kind() == reflect.Pointer {
		p := reflect.New(v.Type().Elem())
		if err := r.value(n, p.Elem(), sh); err != nil {
			return err
		}
		v.Set(p)
		return nil
	}
	switch sh.Kind {
	case Structure:
		return r.structure(n, v, sh)
	case List:
		return r.list(n, v, sh)
	case Map:
		return r.mapping(n, v, sh)
	}
	if !n.set {
		return r.fail("expected a value, got a structure")
	}
	return r.scalar(n.value, v, sh)
}

func (r *queryReader) structure(n *formNode, v reflect.Value, sh *Shape) error {
	for i := range sh.Members {
		m := &sh.Members[i]
		name := r.name(m)
		c := n.children[name]
		if c == nil {
			continue
		}
		r.path = append(r.path, name)
		if err := r.value(c, v.Field(i), &r.s.Shapes[m.Shape]); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
	}
	return nil
}

// entries returns the numbered children of a list or map in their order. Numbers need not be consecutive.
func (r *queryReader) entries(n *formNode, sh *Shape, item string) ([]*formNode, error) {
	if !sh.Flattened && !r.ec2 {
		if n = n.children[orElse(sh.Item, item)]; n == nil {
			return nil, nil
		}
	}
	numbers := make([]int, 0, len(n.children))
	for key := range n.children {
		i, err := strconv.Atoi(key)
		if err != nil || i < 1 || key[0] == '+' || key[0] == '0' {
			return nil, r.fail("expected a number from 1 as the position of an entry, got %q", clip(key))
		}
		numbers = append(numbers, i)
	}
	slices.Sort(numbers)
	out := make([]*formNode, len(numbers))
	for i, k := range numbers {
		out[i] = n.children[strconv.Itoa(k)]
	}
	return out, nil
}

func orElse(s, standard string) string {
	if s != "" {
		return s
	}
	return standard
}

func (r *queryReader) list(n *formNode, v reflect.Value, sh *Shape) error {
	nodes, err := r.entries(n, sh, "member")
	if err != nil {
		return err
	}
	out := reflect.MakeSlice(v.Type(), len(nodes), len(nodes))
	for i, c := range nodes {
		r.path = append(r.path, strconv.Itoa(i+1))
		if err := r.value(c, out.Index(i), &r.s.Shapes[sh.Value]); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
	}
	v.Set(out)
	return nil
}

func (r *queryReader) mapping(n *formNode, v reflect.Value, sh *Shape) error {
	nodes, err := r.entries(n, sh, "entry")
	if err != nil {
		return err
	}
	out := reflect.MakeMapWithSize(v.Type(), len(nodes))
	for i, c := range nodes {
		r.path = append(r.path, strconv.Itoa(i+1))
		key, val := c.children[orElse(sh.ItemKey, "key")], c.children[orElse(sh.ItemValue, "value")]
		if key == nil || val == nil {
			return r.fail("an entry of a map needs a key and a value")
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := r.value(val, e, &r.s.Shapes[sh.Value]); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(key.value), e)
		r.path = r.path[:len(r.path)-1]
	}
	v.Set(out)
	return nil
}

func (r *queryReader) scalar(text string, v reflect.Value, sh *Shape) error {
	switch sh.Kind {
	case String:
		v.SetString(text)
	case Boolean:
		if text != "true" && text != "false" {
			return r.fail("expected true or false")
		}
		v.SetBool(text == "true")
	case Integer, Long:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v.OverflowInt(n) {
			return r.fail("expected a whole number of %d bits", v.Type().Bits())
		}
		v.SetInt(n)
	case Timestamp:
		t, ok := queryTime(text)
		if !ok {
			return r.fail("expected a time such as 2006-01-02T15:04:05Z")
		}
		v.Set(reflect.ValueOf(t))
	case Blob:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return r.fail("is not base64")
		}
		v.SetBytes(b)
	default:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return r.fail("expected a number")
		}
		v.SetFloat(f)
	}
	return nil
}

// queryTime reads the two forms clients send: ISO 8601 and seconds since the epoch.
func queryTime(s string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), true
	}
	return epoch(s)
}
