package parameter

import (
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// The codes of filters.
const (
	CodeFilterKey    apprunner.Code = "InvalidFilterKey"
	CodeFilterOption apprunner.Code = "InvalidFilterOption"
	CodeFilterValue  apprunner.Code = "InvalidFilterValue"
)

// Filter chooses parameters by what is known of them. A parameter passes when one of the values fits; without values the key
// alone has to be there, which only tags may lack.
type Filter struct {
	Key    string // Name, Type, KeyId, Path, Label, Tier, DataType or tag:<key>
	Option string // empty: Equals, or OneLevel for Path
	Values []string
}

// filterOptions are the options of each key, the usual one first.
var filterOptions = map[string][]string{
	"Name": {"Equals", "BeginsWith", "Contains"}, "Type": {"Equals", "BeginsWith"}, "KeyId": {"Equals", "BeginsWith"},
	"Path": {"OneLevel", "Recursive"}, "Label": {"Equals", "BeginsWith"}, "Tier": {"Equals", "BeginsWith"}, "DataType": {"Equals", "BeginsWith"},
}

// Check holds the filter against what is allowed and fills its option.
func (f *Filter) Check() error {
	options, known := filterOptions[f.Key]
	if strings.HasPrefix(f.Key, "tag:") {
		options, known = []string{"Equals", "BeginsWith"}, true
	}
	switch {
	case !known:
		return apprunner.Errorf(CodeFilterKey, "The filter key %q is not valid. Valid filter keys include: [tag:, Name, Type, KeyId, Path, Label, Tier, DataType].", clip(f.Key))
	case f.Option == "":
		f.Option = options[0]
	case !slices.Contains(options, f.Option):
		return apprunner.Errorf(CodeFilterOption, "The filter option %q is not valid for the key %s; allowed are %v.", clip(f.Option), f.Key, options)
	}
	if len(f.Values) == 0 && !strings.HasPrefix(f.Key, "tag:") {
		return apprunner.Errorf(CodeFilterValue, "The filter %s has no values.", f.Key)
	}
	if f.Key == "Path" && slices.ContainsFunc(f.Values, func(v string) bool { return !strings.HasPrefix(v, "/") }) {
		return apprunner.Errorf(CodeFilterValue, "The values of a Path filter begin with a slash.")
	}
	return nil
}

// Fits tells whether a parameter passes a checked filter.
func (f Filter) Fits(p Parameter) bool {
	return f.fits(p, p.Present())
}

func (f Filter) fits(p Parameter, v Version) bool {
	switch f.Key {
	case "Name":
		return f.any(p.Name) || f.Option == "Equals" && slices.ContainsFunc(f.Values, func(n string) bool { return bare(n) == bare(p.Name) })
	case "Type":
		return f.any(string(p.Type))
	case "KeyId":
		return f.any(v.KeyID)
	case "Tier":
		return f.any(string(v.Tier))
	case "DataType":
		return f.any(DataType)
	case "Label":
		return slices.ContainsFunc(v.Labels, f.any)
	case "Path":
		return slices.ContainsFunc(f.Values, func(path string) bool { return Below(path, p.Name, f.Option == "Recursive") })
	}
	value, tagged := p.Tags[strings.TrimPrefix(f.Key, "tag:")]
	return tagged && (len(f.Values) == 0 || f.any(value))
}

// any tells whether one of the values fits a text.
func (f Filter) any(text string) bool {
	return slices.ContainsFunc(f.Values, func(v string) bool {
		switch f.Option {
		case "BeginsWith":
			return strings.HasPrefix(text, v)
		case "Contains":
			return strings.Contains(text, v)
		}
		return text == v
	})
}

// Below tells whether a name lies under a path: directly, or at any depth.
func Below(path, name string, deep bool) bool {
	rest, below := strings.CutPrefix("/"+bare(name), strings.TrimSuffix(path, "/")+"/")
	return below && rest != "" && (deep || !strings.Contains(rest, "/"))
}
