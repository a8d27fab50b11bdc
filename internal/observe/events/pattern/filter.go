package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// test is one entry of the list of what a field may be.
type test struct {
	absent bool           // the field must not be there at all
	equal  func(any) bool // whether a leaf of the event passes; nil with absent
}

// The names of the content filters.
const (
	filterPrefix   = "prefix"
	filterSuffix   = "suffix"
	filterFold     = "equals-ignore-case"
	filterWildcard = "wildcard"
	filterBut      = "anything-but"
	filterExists   = "exists"
	filterNumeric  = "numeric"
	filterCIDR     = "cidr"
)

func isFilter(name string) bool {
	return slices.Contains([]string{filterPrefix, filterSuffix, filterFold, filterWildcard, filterBut, filterExists, filterNumeric, filterCIDR}, name)
}

// compileFilter reads a content filter: an object with the name of the filter as its one field.
func compileFilter(object []member) (test, error) {
	if len(object) != 1 {
		return test{}, errors.New("Only one key allowed in match expression")
	}
	name, v := object[0].name, object[0].value
	switch name {
	case filterPrefix, filterSuffix, filterFold, filterWildcard:
		ok, err := textFilter(name, v)
		return test{equal: onText(ok)}, err
	case filterBut:
		ok, err := anythingBut(v)
		return test{equal: ok}, err
	case filterExists:
		return exists(v)
	case filterNumeric:
		ok, err := numeric(v)
		return test{equal: ok}, err
	case filterCIDR:
		ok, err := cidr(v)
		return test{equal: onText(ok)}, err
	}
	return test{}, fmt.Errorf("Unrecognized match type %s", name)
}

// onText is a test that no number, boolean or null passes.
func onText(ok func(string) bool) func(any) bool {
	return func(v any) bool {
		s, is := v.(string)
		return is && ok(s)
	}
}

func exists(v any) (test, error) {
	wanted, is := v.(bool)
	if !is {
		return test{}, errors.New("exists match pattern must be either true or false.")
	}
	if wanted {
		return test{equal: func(any) bool { return true }}, nil
	}
	return test{absent: true}, nil
}

// cidr is passed by addresses of a network.
func cidr(v any) (func(string) bool, error) {
	s, is := v.(string)
	if !is {
		return nil, errors.New("cidr match pattern must be a string")
	}
	network, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, fmt.Errorf("cidr %q is not a network such as 10.0.0.0/24 or 2001:db8::/32", s)
	}
	return func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && network.Contains(a.WithZone("").Unmap())
	}, nil
}

// anythingBut is passed by every value but those it lists, of one kind, or those that a filter of text finds.
func anythingBut(v any) (func(any) bool, error) {
	if object, is := v.([]member); is {
		return anythingButText(object)
	}
	list, is := v.([]any)
	if !is {
		list = []any{v}
	}
	if len(list) == 0 {
		return nil, errors.New("Empty arrays are not allowed")
	}
	var numbers int
	equals := make([]func(any) bool, len(list))
	for i, v := range list {
		switch v := v.(type) {
		case string:
			equals[i] = func(s any) bool { return s == v }
		case json.Number:
			equals[i] = equalNumber(v)
			numbers++
		default:
			return nil, errors.New("anything-but takes strings, numbers or one filter")
		}
	}
	if numbers != 0 && numbers != len(list) {
		return nil, errors.New("Inside anything but list, either all values are number or string, mixed type is not supported")
	}
	return noneOf(equals), nil
}

func noneOf(equals []func(any) bool) func(any) bool {
	return func(v any) bool {
		return !slices.ContainsFunc(equals, func(ok func(any) bool) bool { return ok(v) })
	}
}

func anythingButText(object []member) (func(any) bool, error) {
	if len(object) != 1 {
		return nil, errors.New("Only one key allowed in match expression")
	}
	name, v := object[0].name, object[0].value
	if !slices.Contains([]string{filterPrefix, filterSuffix, filterFold, filterWildcard}, name) {
		return nil, fmt.Errorf("Unsupported anything-but pattern: %s", name)
	}
	list, is := v.([]any)
	if !is {
		list = []any{v}
	}
	if len(list) == 0 {
		return nil, errors.New("Empty arrays are not allowed")
	}
	equals := make([]func(any) bool, len(list))
	for i, v := range list {
		if s, is := v.(string); !is || s == "" {
			return nil, fmt.Errorf("anything-but %s takes texts that are not empty", name)
		}
		ok, err := textFilter(name, v)
		if err != nil {
			return nil, err
		}
		equals[i] = onText(ok)
	}
	return noneOf(equals), nil
}

// equalNumber is passed by numbers of the same value, however they are written, as far as a float64 tells them apart.
func equalNumber(n json.Number) func(any) bool {
	wanted, err := strconv.ParseFloat(n.String(), 64)
	return func(v any) bool {
		is, ok := v.(json.Number)
		if !ok {
			return false
		}
		got, failed := strconv.ParseFloat(is.String(), 64)
		return is == n || err == nil && failed == nil && got == wanted
	}
}

// numeric is passed by numbers of a range: ["=", n], [">", n], ["<=", n], [">=", n, "<", m] and so on.
func numeric(v any) (func(any) bool, error) {
	list, is := v.([]any)
	if !is {
		return nil, errors.New("Value of numeric must be an array.")
	}
	if len(list) != 2 && len(list) != 4 {
		return nil, errors.New("numeric takes one comparison, or two for a range, such as [\">\", 0, \"<=\", 5]")
	}
	first, low, err := comparison(list[0], list[1], "=", "<", "<=", ">", ">=")
	if err != nil || len(list) == 2 {
		return onNumber(first), err
	}
	if list[0] != ">" && list[0] != ">=" {
		return nil, errors.New("a range of numeric begins with > or >=")
	}
	second, high, err := comparison(list[2], list[3], "<", "<=")
	if err != nil {
		return nil, err
	}
	if low >= high {
		return nil, errors.New("Bottom must be less than top")
	}
	return onNumber(func(f float64) bool { return first(f) && second(f) }), nil
}

func onNumber(ok func(float64) bool) func(any) bool {
	return func(v any) bool {
		n, is := v.(json.Number)
		if !is {
			return false
		}
		f, err := strconv.ParseFloat(n.String(), 64)
		return err == nil && ok(f)
	}
}

// comparison reads an operator, one of allowed, and the number to compare with.
func comparison(operator, operand any, allowed ...string) (func(float64) bool, float64, error) {
	op, _ := operator.(string)
	if !slices.Contains(allowed, op) {
		return nil, 0, fmt.Errorf("Unrecognized numeric range operator: %v; allowed here are %v", operator, allowed)
	}
	n, is := operand.(json.Number)
	if !is {
		return nil, 0, fmt.Errorf("Value of %s must be numeric", op)
	}
	x, err := strconv.ParseFloat(n.String(), 64)
	if err != nil {
		return nil, 0, fmt.Errorf("the number %s is too large", n)
	}
	return map[string]func(float64) bool{
		"=": func(f float64) bool { return f == x },
		"<": func(f float64) bool { return f < x }, "<=": func(f float64) bool { return f <= x },
		">": func(f float64) bool { return f > x }, ">=": func(f float64) bool { return f >= x },
	}[op], x, nil
}
