package secret

import (
	"slices"
	"strings"
)

// Filter chooses secrets by what is known of them. A secret passes when one of the values fits.
type Filter struct {
	Key    string
	Values []string // one that begins with ! chooses those that do not fit
}

// FilterKeys are the keys a filter may have.
func FilterKeys() []string {
	return []string{"description", "name", "tag-key", "tag-value", "primary-region", "owning-service", "all"}
}

// Check holds the filter against what is allowed.
func (f Filter) Check() error {
	if !slices.Contains(FilterKeys(), f.Key) {
		return invalid("The filter key %q is not allowed; use one of %s.", f.Key, strings.Join(FilterKeys(), ", "))
	}
	if len(f.Values) == 0 || len(f.Values) > 10 {
		return invalid("The filter %s has %d values; 1 to 10 are allowed.", f.Key, len(f.Values))
	}
	return nil
}

// Fits tells whether a secret passes.
func (f Filter) Fits(s Secret) bool {
	return slices.ContainsFunc(f.Values, func(v string) bool {
		if wanted, not := strings.CutPrefix(v, "!"); not {
			return !s.fits(f.Key, wanted)
		}
		return s.fits(f.Key, v)
	})
}

// fits tells whether a value of a filter is the beginning of what a key stands for. Only descriptions, and all together, are
// compared without regard to case and word by word.
func (s Secret) fits(key, value string) bool {
	switch key {
	case "name":
		return strings.HasPrefix(s.Name, value)
	case "description":
		return hasWords(s.Description, value)
	case "tag-key", "tag-value":
		for k, v := range s.Tags {
			if key == "tag-key" && strings.HasPrefix(k, value) || key == "tag-value" && strings.HasPrefix(v, value) {
				return true
			}
		}
		return false
	case "all":
		fields := []string{s.Name, s.Description}
		for k, v := range s.Tags {
			fields = append(fields, k, v)
		}
		return hasWords(strings.Join(fields, " "), value)
	}
	return false // neither replicas nor services own secrets here
}

// hasWords tells whether every word of value begins a word of text.
func hasWords(text, value string) bool {
	split := func(s string) []string {
		return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" /_+=.@!-,", r) })
	}
	words := split(text)
	for _, w := range split(value) {
		if !slices.ContainsFunc(words, func(t string) bool { return strings.HasPrefix(t, w) }) {
			return false
		}
	}
	return true
}
