package network

import (
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// Filter narrows a listing to what has one of the values under a name. Values may hold the wildcards * and ?, which a backslash takes
// their meaning.
type Filter struct {
	Name   string
	Values []string
}

// Ask is what a listing is asked for: the records of these ids, all where there are none, that pass all filters.
type Ask struct {
	IDs     []string
	Filters []Filter
}

// fields are the names that listings of T can be filtered by, and what a record has under each.
type fields[T any] map[string]func(T) []string

// choose answers a listing. An id that no record has is an error, as is a filter there is not.
func choose[T any, P pointer[T]](list []T, ask Ask, f fields[T]) ([]T, error) {
	for _, id := range ask.IDs {
		if _, err := need[T, P](list, id); err != nil {
			return nil, err
		}
	}
	var out []T
	for i := range list {
		h := P(&list[i]).head()
		if len(ask.IDs) > 0 && !slices.Contains(ask.IDs, h.ID) {
			continue
		}
		passes, err := Passes(ask.Filters, h.Tags, func(name string) ([]string, bool) {
			get, known := f[name]
			if !known {
				return nil, false
			}
			return get(list[i]), true
		})
		if err != nil {
			return nil, err
		}
		if passes {
			out = append(out, list[i])
		}
	}
	return out, checkFilters(ask.Filters, func(name string) bool { return f[name] != nil })
}

// checkFilters refuses filters there are not, also where nothing is listed.
func checkFilters(filters []Filter, known func(string) bool) error {
	for _, f := range filters {
		if !tagFilter(f.Name) && !known(f.Name) {
			return noFilter(f.Name)
		}
	}
	return nil
}

func noFilter(name string) error {
	return apprunner.Errorf(CodeParameterValue, "The filter '%s' is invalid", clip(name))
}

func tagFilter(name string) bool {
	return name == "tag-key" || name == "tag-value" || strings.HasPrefix(name, "tag:")
}

// Passes tells whether something with these tags and fields passes all filters. A filter under a name that it does not know is an error.
func Passes(filters []Filter, tags map[string]string, field func(name string) ([]string, bool)) (bool, error) {
	for _, f := range filters {
		has, known := field(f.Name)
		if tagFilter(f.Name) {
			has, known = tagField(f.Name, tags), true
		}
		if !known {
			return false, noFilter(f.Name)
		}
		if !slices.ContainsFunc(f.Values, func(pattern string) bool {
			return slices.ContainsFunc(has, func(s string) bool { return matches(pattern, s) })
		}) {
			return false, nil
		}
	}
	return true, nil
}

func tagField(name string, tags map[string]string) (has []string) {
	key, one := strings.CutPrefix(name, "tag:")
	for k, v := range tags {
		switch {
		case one && k == key, name == "tag-value":
			has = append(has, v)
		case name == "tag-key":
			has = append(has, k)
		}
	}
	return has
}

// matches holds a text against a pattern with wildcards. It remembers the last * alone, so that it takes no more than the product of the
// lengths.
func matches(pattern, s string) bool {
	p, i, star, from := 0, 0, -1, 0
	for i < len(s) {
		literal, width := literalAt(pattern, p)
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || literal == s[i]):
			p += width
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// literalAt is the character that a pattern wants at a place, and how many of its bytes say so.
func literalAt(pattern string, p int) (c byte, width int) {
	if p >= len(pattern) {
		return 0, 0
	}
	if pattern[p] == '\\' && p+1 < len(pattern) {
		return pattern[p+1], 2
	}
	return pattern[p], 1
}

func text(s string) []string { return []string{s} }

func truth(b bool) []string { return []string{strconv.FormatBool(b)} }

// each gives one field of every part of a record.
func each[T any](list []T, of func(T) string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = of(v)
	}
	return out
}
