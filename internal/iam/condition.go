package iam

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// operator is a condition operator taken apart: [ForAllValues:|ForAnyValue:]<family>[IfExists].
type operator struct {
	family   string // "String", "Arn", "Numeric", "Date", "Bool", "IpAddress", "Null"
	compare  string // "Equals", "EqualsIgnoreCase", "Like", "LessThan", …; empty for Bool, IpAddress, Null
	negated  bool
	set      string // "", "ForAllValues", "ForAnyValue"
	ifExists bool
}

// operators are the names without prefix and suffix (adjacent §2.4).
var operators = map[string]operator{
	"StringEquals":              {family: "String", compare: "Equals"},
	"StringNotEquals":           {family: "String", compare: "Equals", negated: true},
	"StringEqualsIgnoreCase":    {family: "String", compare: "EqualsIgnoreCase"},
	"StringNotEqualsIgnoreCase": {family: "String", compare: "EqualsIgnoreCase", negated: true},
	"StringLike":                {family: "String", compare: "Like"},
	"StringNotLike":             {family: "String", compare: "Like", negated: true},
	"ArnEquals":                 {family: "Arn"},
	"ArnLike":                   {family: "Arn"},
	"ArnNotEquals":              {family: "Arn", negated: true},
	"ArnNotLike":                {family: "Arn", negated: true},
	"NumericEquals":             {family: "Numeric", compare: "Equals"},
	"NumericNotEquals":          {family: "Numeric", compare: "Equals", negated: true},
	"NumericLessThan":           {family: "Numeric", compare: "LessThan"},
	"NumericLessThanEquals":     {family: "Numeric", compare: "LessThanEquals"},
	"NumericGreaterThan":        {family: "Numeric", compare: "GreaterThan"},
	"NumericGreaterThanEquals":  {family: "Numeric", compare: "GreaterThanEquals"},
	"DateEquals":                {family: "Date", compare: "Equals"},
	"DateNotEquals":             {family: "Date", compare: "Equals", negated: true},
	"DateLessThan":              {family: "Date", compare: "LessThan"},
	"DateLessThanEquals":        {family: "Date", compare: "LessThanEquals"},
	"DateGreaterThan":           {family: "Date", compare: "GreaterThan"},
	"DateGreaterThanEquals":     {family: "Date", compare: "GreaterThanEquals"},
	"Bool":                      {family: "Bool"},
	"IpAddress":                 {family: "IpAddress"},
	"NotIpAddress":              {family: "IpAddress", negated: true},
	"Null":                      {family: "Null"},
}

// OperatorNames are the condition operators without prefix and suffix.
func OperatorNames() []string { return slices.Sorted(maps.Keys(operators)) }

func parseOperator(name string) (operator, error) {
	set, rest, found := strings.Cut(name, ":")
	if !found {
		set, rest = "", name
	} else if set != "ForAllValues" && set != "ForAnyValue" {
		return operator{}, fmt.Errorf("%q is not a condition operator: the prefixes are ForAllValues: and ForAnyValue:", clip(name))
	}
	base, ifExists := strings.CutSuffix(rest, "IfExists")
	op, ok := operators[base]
	if !ok || op.family == "Null" && ifExists {
		return operator{}, fmt.Errorf("%q is not a condition operator", clip(name))
	}
	op.set, op.ifExists = set, ifExists
	return op, nil
}

// checkValues refuses values the operator could never understand. Values with variables are left for the evaluation.
func (o operator) checkValues(values []string) error {
	for _, v := range values {
		if strings.Contains(v, "${") {
			continue
		}
		var err error
		switch o.family {
		case "Numeric":
			_, err = strconv.ParseFloat(v, 64)
		case "Date":
			_, err = parseDate(v)
		case "IpAddress":
			_, err = parsePrefix(v)
		case "Bool", "Null":
			if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
				err = errors.New("it is neither true nor false")
			}
		}
		if err != nil {
			return fmt.Errorf("the value %q is not understood: %w", clip(v), err)
		}
	}
	return nil
}

func (c *evalContext) conditionsHold(conditions []Condition, variables bool) bool {
	for i := range conditions {
		if !c.holds(&conditions[i], variables) {
			return false
		}
	}
	return true
}

// holds evaluates one condition. Negated operators hold when the key is missing; IfExists makes all of them hold then.
func (c *evalContext) holds(cond *Condition, variables bool) bool {
	op, have := cond.Operator, c.keys[cond.Key]
	if op.family == "Null" {
		return slices.ContainsFunc(cond.Values, func(want string) bool { return strings.EqualFold(want, "true") == (len(have) == 0) })
	}
	one := func(value string) bool {
		hit := slices.ContainsFunc(cond.Values, func(want string) bool { return c.compare(op, value, want, variables) })
		return hit != op.negated
	}
	switch {
	case len(have) == 0 && op.set == "ForAnyValue":
		return op.ifExists
	case len(have) == 0:
		return op.ifExists || op.negated || op.set == "ForAllValues"
	case op.set == "ForAnyValue":
		return slices.ContainsFunc(have, one)
	case op.set == "ForAllValues", op.negated:
		return !slices.ContainsFunc(have, func(v string) bool { return !one(v) })
	default:
		return slices.ContainsFunc(have, one)
	}
}

// compare applies the operator, without its negation, to one value of the request and one of the policy.
func (c *evalContext) compare(op operator, have, want string, variables bool) bool {
	g, ok := c.pattern(want, variables)
	if !ok {
		return false
	}
	switch op.family {
	case "String":
		return compareString(op.compare, have, g)
	case "Arn":
		return strings.Count(have, ":") >= 5 && g.matchARN(have)
	case "Numeric":
		a, errA := strconv.ParseFloat(have, 64)
		b, errB := strconv.ParseFloat(g.text(), 64)
		return errA == nil && errB == nil && ordered(op.compare, cmp.Compare(a, b))
	case "Date":
		a, errA := parseDate(have)
		b, errB := parseDate(g.text())
		return errA == nil && errB == nil && ordered(op.compare, a.Compare(b))
	case "Bool":
		return strings.EqualFold(have, g.text())
	case "IpAddress":
		addr, errA := netip.ParseAddr(have)
		prefix, errB := parsePrefix(g.text())
		return errA == nil && errB == nil && prefix.Contains(addr.Unmap())
	}
	return false
}

func compareString(how, have string, want glob) bool {
	switch how {
	case "Like":
		return want.match(have)
	case "EqualsIgnoreCase":
		return strings.EqualFold(have, want.text())
	default:
		return have == want.text()
	}
}

// text is the pattern as plain text, for operators in which * and ? have no meaning.
func (g glob) text() string {
	out := slices.Clone(g)
	for i, r := range out {
		switch r {
		case anyRun:
			out[i] = '*'
		case anyOne:
			out[i] = '?'
		}
	}
	return string(out)
}

func ordered(how string, order int) bool {
	switch how {
	case "LessThan":
		return order < 0
	case "LessThanEquals":
		return order <= 0
	case "GreaterThan":
		return order > 0
	case "GreaterThanEquals":
		return order >= 0
	default:
		return order == 0
	}
}

// parseDate reads the ISO 8601 forms policies use, or seconds since the epoch.
func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("it is neither an ISO 8601 date nor seconds since the epoch")
	}
	return time.Unix(seconds, 0), nil
}

// parsePrefix reads a CIDR range or a single address.
func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, errors.New("it is not an address or a range in CIDR form")
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}
