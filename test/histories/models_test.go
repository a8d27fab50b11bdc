package histories

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/anishathalye/porcupine"
)

// models are the specification of each kind of object.
var models = map[string]porcupine.Model{
	"connection":    specification("", name),
	"autoscaling":   specification(numbers{}, revisions(10)),
	"observability": specification(numbers{}, revisions(10)),
	"default":       specification("?", register),
	"tags":          specification("", tags),
	"service":       specification(life{}, service),
}

// specification makes a model from a function that tells the states an object may be in after a call was answered like this; none
// when the answer is wrong. Of a call whose answer was lost it tells those after it happened, or none where it cannot have.
func specification[S comparable](begin S, step func(s S, in input, out output) []S) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{begin} },
		Step: func(state, in, out any) []any {
			s, o := state.(S), out.(output)
			var next []any
			if o.Lost {
				next = append(next, s) // it did not happen
			}
			for _, after := range step(s, in.(input), o) {
				next = append(next, after)
			}
			return next
		},
	}
	return m.ToModel()
}

// is is the one state after a call, if its answer is right.
func is[S any](right bool, next S) []S {
	if !right {
		return nil
	}
	return []S{next}
}

const (
	invalid   = "InvalidRequestException"
	badState  = "InvalidStateException"
	notFound  = "ResourceNotFoundException"
	quotaUsed = "ServiceQuotaExceededException"
)

// unnamed is an identity that a lost answer held.
const unnamed = "?"

// fits tells whether an identity may be the one that a state knows.
func fits(known, seen string, unborn bool) bool {
	return known == seen || known == unnamed && unborn
}

// name is something that exists once under a name, with an identity made anew each time: the state is that identity, or nothing.
func name(id string, in input, out output) []string {
	there := id != ""
	switch {
	case in.Do == "create" && out.Lost:
		return is(!there, unnamed)
	case in.Do == "create" && out.Code != "":
		return is(there && out.Code == invalid, id)
	case in.Do == "create":
		return is(!there && out.Value != "", out.Value)
	case in.Do == "read" && !there:
		return is(out.Value == "", "")
	case in.Do == "read":
		return is(fits(id, out.Value, out.Unborn), out.Value)
	case in.Do == "delete" && out.Code != "":
		return is(out.Code == notFound && (!there || id == unnamed || id != in.Arg), id)
	case in.Do == "delete":
		return is(there && fits(id, in.Arg, out.Unborn), "")
	}
	return nil
}

// numbers are the revisions of a name: the last number given, and those that are active, newest first: "7 6 3".
type numbers struct {
	Last   int
	Active string
}

func (n numbers) latest() string {
	first, _, _ := strings.Cut(n.Active, " ")
	return first
}

func (n numbers) has(rev string) bool { return slices.Contains(strings.Fields(n.Active), rev) }

func (n numbers) without(rev string) numbers {
	left := slices.DeleteFunc(strings.Fields(n.Active), func(r string) bool { return r == rev })
	return numbers{n.Last, strings.Join(left, " ")}
}

func (n numbers) next() numbers {
	return numbers{n.Last + 1, strings.TrimSpace(strconv.Itoa(n.Last+1) + " " + n.Active)}
}

// revisions of one name: numbers go up and are never given twice, and at most quota of them are active.
func revisions(quota int) func(numbers, input, output) []numbers {
	return func(n numbers, in input, out output) []numbers {
		switch {
		case in.Do == "create":
			full := len(strings.Fields(n.Active)) >= quota
			if out.Code != "" {
				return is(full && out.Code == quotaUsed, n)
			}
			return is(!full && (out.Lost || out.Value == n.next().latest()), n.next())
		case in.Do == "list":
			return is(out.Value == n.Active, n)
		case in.Do == "delete":
			return deleteRevision(n, cmp.Or(in.Arg, n.latest()), out)
		case out.Code != "":
			return is(n.Active == "" && out.Code == notFound, n)
		case in.Do == "latest":
			return is(n.Active != "" && out.Value == n.latest(), n)
		case in.Do == "delete-all":
			return is(n.Active != "", numbers{Last: n.Last})
		}
		return nil
	}
}

func deleteRevision(n numbers, rev string, out output) []numbers {
	if out.Code != "" {
		return is(!n.has(rev) && out.Code == notFound, n)
	}
	return is(n.has(rev) && (out.Lost || out.Value == rev), n.without(rev))
}

// register holds one value; what it is at the begin is not known.
func register(value string, in input, out output) []string {
	if in.Do == "set" {
		return is(out.Code == "", in.Arg)
	}
	return is(value == "?" || value == out.Value, out.Value)
}

// tags are written "key=value key=value", by key.
func tags(state string, in input, out output) []string {
	all := map[string]string{}
	for _, pair := range strings.Fields(state) {
		k, v, _ := strings.Cut(pair, "=")
		all[k] = v
	}
	switch in.Do {
	case "tag":
		k, v, _ := strings.Cut(in.Arg, "=")
		all[k] = v
	case "untag":
		delete(all, in.Arg)
	default:
		return is(out.Value == state, state)
	}
	return is(out.Code == "", pairs(all))
}

func pairs(tags map[string]string) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, fmt.Sprintf("%s=%s", k, tags[k]))
	}
	return strings.Join(all, " ")
}
