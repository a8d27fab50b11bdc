package build

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner/pattern"
)

// versionRange is an npm version range in disjunctive form: a version fits when it fits all bounds of one alternative.
type versionRange [][]bound

// bound compares with one version. Only released versions are judged, so that a pre-release bound lies just below its release.
type bound struct {
	op      string // one of < <= > >= =
	version [3]int
	pre     bool
}

// partial is a version as ranges write it, in which trailing parts may be missing or x.
type partial struct {
	numbers [3]int
	known   int // how many leading numbers are given
	pre     bool
}

const (
	rangeNumber = `(?:0|[1-9][0-9]{0,15}|[xX*])`
	rangeText   = `[v=\s]*(` + rangeNumber + `)(?:\.(` + rangeNumber + `)(?:\.(` + rangeNumber + `)(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)?)?`
)

var (
	hyphenRange  = pattern.Of(`^\s*` + rangeText + `\s+-\s+` + rangeText + `\s*$`)
	simpleRange  = pattern.Of(`^(<=|>=|<|>|=|~>?|\^)?` + rangeText + `$`)
	operatorGlue = pattern.Of(`(<=|>=|<|>|=|~>?|\^)\s+`)
)

// parseRange reads a range as npm's node-semver does: alternatives by ||, hyphen ranges, x-ranges, ~ and ^.
func parseRange(text string) (versionRange, error) {
	const longest = 256
	if len(text) > longest {
		return nil, fmt.Errorf("a version range of %d characters", len(text))
	}
	var all versionRange
	for alternative := range strings.SplitSeq(text, "||") {
		bounds, err := parseAlternative(alternative)
		if err != nil {
			return nil, err
		}
		all = append(all, bounds)
	}
	return all, nil
}

func parseAlternative(text string) ([]bound, error) {
	bounds := []bound{}
	if m := hyphenRange.FindStringSubmatch(text); m != nil {
		low, okLow := newPartial(m[1:5])
		high, okHigh := newPartial(m[5:9])
		if !okLow || !okHigh {
			return nil, fmt.Errorf("%q is not a version range", text)
		}
		return append(low.from(), high.through()...), nil
	}
	text = operatorGlue.Compiled().ReplaceAllString(strings.TrimSpace(text), "$1")
	for field := range strings.FieldsSeq(text) {
		m := simpleRange.FindStringSubmatch(field)
		if m == nil {
			return nil, fmt.Errorf("%q is not a version range", field)
		}
		p, ok := newPartial(m[2:6])
		if !ok {
			return nil, fmt.Errorf("%q is not a version range", field)
		}
		bounds = append(bounds, p.bounds(m[1])...)
	}
	return bounds, nil
}

// newPartial reads three numbers and a pre-release. A number after an x means nothing.
func newPartial(texts []string) (p partial, ok bool) {
	for i, text := range texts[:3] {
		n, err := strconv.Atoi(text)
		if err != nil {
			continue
		}
		if p.known != i {
			return p, false
		}
		p.numbers[i] = n
		p.known++
	}
	p.pre = texts[3] != "" && p.known == 3
	return p, true
}

// next is the lowest version above all that share the first n numbers.
func (p partial) next(n int) [3]int {
	var v [3]int
	copy(v[:n], p.numbers[:n])
	v[n-1]++
	return v
}

func (p partial) from() []bound {
	if p.known == 0 {
		return nil
	}
	return []bound{{">=", p.numbers, p.pre}}
}

func (p partial) through() []bound {
	switch p.known {
	case 0:
		return nil
	case 3:
		return []bound{{"<=", p.numbers, p.pre}}
	}
	return []bound{{"<", p.next(p.known), false}}
}

// bounds turns one operator with a partial version into plain comparisons.
func (p partial) bounds(op string) []bound {
	if p.known == 0 {
		if op == "<" || op == ">" {
			return []bound{{"<", [3]int{}, false}} // nothing is beyond any version
		}
		return nil
	}
	switch op {
	case "^":
		n := 1
		for n < p.known && p.numbers[n-1] == 0 {
			n++
		}
		return append(p.from(), bound{"<", p.next(n), false})
	case "~", "~>":
		return append(p.from(), bound{"<", p.next(min(p.known, 2)), false})
	case ">=":
		return p.from()
	case "<=":
		return p.through()
	case "<":
		return []bound{{"<", p.numbers, p.pre}}
	case ">":
		if p.known < 3 {
			return []bound{{">=", p.next(p.known), false}}
		}
		return []bound{{">", p.numbers, p.pre}}
	}
	if p.known == 3 {
		return []bound{{"=", p.numbers, p.pre}}
	}
	return append(p.from(), p.through()...)
}

// allows tells whether a released version, in three numbers, lies in the range.
func (r versionRange) allows(version string) bool {
	numbers, ok := parts(version)
	if !ok || len(numbers) != 3 {
		return false
	}
	v := [3]int(numbers)
	return slices.ContainsFunc(r, func(alternative []bound) bool {
		return !slices.ContainsFunc(alternative, func(b bound) bool { return !b.allows(v) })
	})
}

func (b bound) allows(v [3]int) bool {
	order := slices.Compare(v[:], b.version[:])
	if order == 0 && b.pre {
		order = 1 // a release comes after its pre-releases
	}
	switch b.op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	return order == 0
}
