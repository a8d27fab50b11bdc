package waf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner/webacl"
)

// reader shows every part of a request that a field means to look, until that holds for one.
type reader func(t *trial, look looker) bool

// maxListed bounds what is looked at of header fields and of cookies: bytes, and how many.
const (
	maxListedBytes = 8 << 10
	maxListed      = 200
)

// field compiles what is looked at.
func (c *compiler) field(f *webacl.Field) (reader, error) {
	switch {
	case f.Method != nil:
		return func(t *trial, look looker) bool { return look([]byte(t.Method)) }, nil
	case f.UriPath != nil:
		return func(t *trial, look looker) bool { return look([]byte(t.Path)) }, nil
	case f.QueryString != nil:
		return func(t *trial, look looker) bool { return look([]byte(t.Query)) }, nil
	case f.SingleQueryArgument != nil:
		return argument(f.SingleQueryArgument.Name), nil
	case f.AllQueryArguments != nil:
		return everyArgument, nil
	case f.SingleHeader != nil:
		return singleHeader(f.SingleHeader.Name), nil
	case f.Headers != nil:
		return listed(f.Headers, (*trial).headers, f.Headers.MatchPattern.IncludedHeaders, f.Headers.MatchPattern.ExcludedHeaders), nil
	case f.Cookies != nil:
		return listed(f.Cookies, (*trial).cookies, f.Cookies.MatchPattern.IncludedCookies, f.Cookies.MatchPattern.ExcludedCookies), nil
	case f.HeaderOrder != nil:
		return headerOrder(f.HeaderOrder.OversizeHandling), nil
	case f.Body != nil:
		c.body = true
		return body(f.Body.OversizeHandling), nil
	case f.JsonBody != nil:
		c.body = true
		return jsonBody(f.JsonBody), nil
	}
	return nil, errors.New("it looks at a part of the request that is not known here")
}

// values are those of all header fields of a name.
func (t *trial) values(name string) (list []string) {
	for _, f := range t.Fields {
		if strings.EqualFold(f.Name, name) {
			list = append(list, f.Value)
		}
	}
	return list
}

func (t *trial) has(name string) bool {
	return slices.ContainsFunc(t.Fields, func(f Field) bool { return strings.EqualFold(f.Name, name) })
}

func singleHeader(name string) reader {
	return func(t *trial, look looker) bool {
		return slices.ContainsFunc(t.values(name), func(v string) bool { return look([]byte(v)) })
	}
}

// arguments visits the arguments of the query, as they were sent.
func (t *trial) arguments(visit func(name, value string) bool) bool {
	for part := range strings.SplitSeq(t.Query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if part != "" && visit(name, value) {
			return true
		}
	}
	return false
}

func argument(name string) reader {
	return func(t *trial, look looker) bool {
		return t.arguments(func(n, value string) bool {
			return strings.EqualFold(string(urlDecode([]byte(n))), name) && look([]byte(value))
		})
	}
}

func everyArgument(t *trial, look looker) bool {
	return t.arguments(func(name, value string) bool { return look([]byte(value)) || look([]byte(name)) })
}

func (t *trial) headers() []Field { return t.Fields }

func (t *trial) cookies() (list []Field) {
	for _, v := range t.values("cookie") {
		for part := range strings.SplitSeq(v, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name != "" {
				list = append(list, Field{Name: name, Value: value})
			}
		}
	}
	return list
}

// listed looks at names and values of several fields.
func listed(f *webacl.FieldList, all func(*trial) []Field, only, but []string) reader {
	named := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(n string) bool { return strings.EqualFold(n, name) })
	}
	return func(t *trial, look looker) bool {
		size := 0
		for n, field := range all(t) {
			size += len(field.Name) + len(field.Value)
			if size > maxListedBytes || n >= maxListed {
				switch f.OversizeHandling {
				case "MATCH":
					return true
				case "NO_MATCH":
					return false
				}
			}
			if len(only) > 0 && !named(only, field.Name) || named(but, field.Name) {
				continue
			}
			if f.MatchScope != "KEY" && look([]byte(field.Value)) || f.MatchScope != "VALUE" && look([]byte(field.Name)) {
				return true
			}
			if size > maxListedBytes {
				return false // the rest is not looked at
			}
		}
		return false
	}
}

// headerOrder is the names of the header fields in their order, as "host:user-agent:accept".
func headerOrder(oversize string) reader {
	return func(t *trial, look looker) bool {
		var b []byte
		for n, f := range t.Fields {
			if n == maxListed || len(b) > maxListedBytes {
				if oversize != "CONTINUE" {
					return oversize == "MATCH"
				}
				break
			}
			if n > 0 {
				b = append(b, ':')
			}
			b = append(b, strings.ToLower(f.Name)...)
		}
		return look(b)
	}
}

func body(oversize string) reader {
	return func(t *trial, look looker) bool {
		if t.Truncated && oversize != "" && oversize != "CONTINUE" {
			return oversize == "MATCH"
		}
		return look(t.Body)
	}
}

// jsonBody looks at the keys and values of a body that is JSON. It reads token by token, so that a key that is there twice is seen
// twice.
func jsonBody(f *webacl.JSONBody) reader {
	plain := body(f.OversizeHandling)
	return func(t *trial, look looker) bool {
		if t.Truncated && f.OversizeHandling != "" && f.OversizeHandling != "CONTINUE" {
			return f.OversizeHandling == "MATCH"
		}
		if len(t.Body) == 0 {
			return false
		}
		w := jsonWalk{dec: json.NewDecoder(bytes.NewReader(t.Body)), f: f, look: look}
		w.dec.UseNumber()
		err := w.value("")
		switch {
		case w.found:
			return true
		case err == nil && !w.dec.More():
			return false
		case f.InvalidFallbackBehavior == "MATCH":
			return true
		case f.InvalidFallbackBehavior == "NO_MATCH":
			return false
		}
		return plain(t, look)
	}
}

type jsonWalk struct {
	dec   *json.Decoder
	f     *webacl.JSONBody
	look  looker
	found bool
}

// maxJSONDepth bounds how deep values lie in one another.
const maxJSONDepth = 200

// value reads one value; path is where it stands, as a JSON pointer.
func (w *jsonWalk) value(path string) error {
	token, err := w.dec.Token()
	if err != nil {
		return err
	}
	if strings.Count(path, "/") > maxJSONDepth {
		return errors.New("the values lie too deep in one another")
	}
	switch token := token.(type) {
	case json.Delim:
		return w.inside(token, path)
	case nil:
		w.see(path, "null", "KEY")
	default:
		w.see(path, fmt.Sprint(token), "KEY")
	}
	return nil
}

// inside reads an object or an array.
func (w *jsonWalk) inside(kind json.Delim, path string) error {
	for n := 0; w.dec.More() && !w.found; n++ {
		at := path + "/" + strconv.Itoa(n)
		if kind == '{' {
			key, err := w.dec.Token()
			if err != nil {
				return err
			}
			name := fmt.Sprint(key)
			at = path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			w.see(at, name, "VALUE")
		}
		if err := w.value(at); err != nil {
			return err
		}
	}
	if w.found {
		return nil
	}
	_, err := w.dec.Token()
	return err
}

// see shows a key or value, unless the scope is only the other of both.
func (w *jsonWalk) see(path, text, other string) {
	if w.found || w.f.MatchScope == other || !w.wanted(path) {
		return
	}
	w.found = w.look([]byte(text))
}

// wanted tells whether a path is one of those looked at, or lies in one.
func (w *jsonWalk) wanted(path string) bool {
	if len(w.f.MatchPattern.IncludedPaths) == 0 {
		return true
	}
	return slices.ContainsFunc(w.f.MatchPattern.IncludedPaths, func(p string) bool {
		return p == "/" || path == p || strings.HasPrefix(path, p+"/")
	})
}
