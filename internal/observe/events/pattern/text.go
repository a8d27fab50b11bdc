package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// textFilter reads the value of a filter of text.
func textFilter(name string, v any) (func(string) bool, error) {
	if object, is := v.([]member); is && (name == filterPrefix || name == filterSuffix) {
		return foldedEnd(name, object)
	}
	want, is := v.(string)
	if !is {
		return nil, fmt.Errorf("%s match pattern must be a string", name)
	}
	switch name {
	case filterPrefix:
		return func(s string) bool { return strings.HasPrefix(s, want) }, nil
	case filterSuffix:
		return func(s string) bool { return strings.HasSuffix(s, want) }, nil
	case filterFold:
		return func(s string) bool { return strings.EqualFold(s, want) }, nil
	}
	return wildcard(want)
}

// foldedEnd reads {"prefix": {"equals-ignore-case": …}} and its like.
func foldedEnd(name string, object []member) (func(string) bool, error) {
	if len(object) != 1 || object[0].name != filterFold {
		return nil, fmt.Errorf("Unsupported %s pattern: only equals-ignore-case is allowed in it", name)
	}
	want, is := object[0].value.(string)
	if !is {
		return nil, errors.New("equals-ignore-case match pattern must be a string")
	}
	runes := utf8.RuneCountInString(want)
	if name == filterPrefix {
		return func(s string) bool { return strings.EqualFold(firstRunes(s, runes), want) }, nil
	}
	return func(s string) bool { return strings.EqualFold(lastRunes(s, runes), want) }, nil
}

// firstRunes is the beginning of a text, n characters or all. Folding keeps the number of characters, though not that of bytes.
func firstRunes(s string, n int) string {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return s[:at]
}

func lastRunes(s string, n int) string {
	at := len(s)
	for ; n > 0 && at > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:at])
		at -= size
	}
	return s[at:]
}

// wildcard reads a text in which * stands for any text. \* is an asterisk, \\ a backslash.
func wildcard(text string) (func(string) bool, error) {
	parts, err := wildcardParts(text)
	if err != nil {
		return nil, err
	}
	first, rest := parts[0], parts[1:]
	if len(rest) == 0 {
		return func(s string) bool { return s == first }, nil
	}
	middle, last := rest[:len(rest)-1], rest[len(rest)-1]
	return func(s string) bool {
		s, ok := strings.CutPrefix(s, first)
		for _, m := range middle {
			if ok {
				_, s, ok = strings.Cut(s, m) // the first place leaves the most for those behind it
			}
		}
		return ok && strings.HasSuffix(s, last)
	}, nil
}

// wildcardParts are the texts between the asterisks.
func wildcardParts(text string) ([]string, error) {
	parts, part := []string{}, []byte{}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '*' && i > 0 && len(part) == 0 && len(parts) > 0:
			return nil, fmt.Errorf("Consecutive wildcard characters at pos %d", i)
		case text[i] == '*':
			parts, part = append(parts, string(part)), nil
		case text[i] == '\\' && (i+1 == len(text) || text[i+1] != '*' && text[i+1] != '\\'):
			return nil, fmt.Errorf("Invalid escape character at pos %d", i)
		case text[i] == '\\':
			i++
			part = append(part, text[i])
		default:
			part = append(part, text[i])
		}
	}
	return append(parts, string(part)), nil
}
