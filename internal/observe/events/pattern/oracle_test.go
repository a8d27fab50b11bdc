package pattern

import (
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// leafAt is a value of an event with its path and, for each array on the way, the element it is in.
type leafAt struct {
	path     string
	value    any
	elements map[string]int // array, by the way to it with all indexes, to index
}

// flatten lists all leaves of an event, as the oracle sees them.
func flatten(v any, path, way string, elements map[string]int, out *[]leafAt) {
	switch v := v.(type) {
	case map[string]any:
		for name, below := range v {
			flatten(below, path+"\x00"+name, way+"."+name, elements, out)
		}
	case []any:
		for i, e := range v {
			in := map[string]int{way: i}
			for k, n := range elements {
				in[k] = n
			}
			flatten(e, path, way+"["+string(rune('0'+i))+"]", in, out)
		}
	default:
		*out = append(*out, leafAt{path, v, elements})
	}
}

// alternatives lists what each alternative of a pattern says, by path.
func alternatives(object map[string]any, path string) []map[string][]any {
	all := []map[string][]any{{}}
	for name, v := range object {
		var here []map[string][]any
		switch v := v.(type) {
		case map[string]any:
			here = alternatives(v, path+"\x00"+name)
		case []any:
			if name != "$or" {
				here = []map[string][]any{{path + "\x00" + name: v}}
				break
			}
			for _, e := range v {
				here = append(here, alternatives(e.(map[string]any), path)...)
			}
		}
		var next []map[string][]any
		for _, a := range all {
			for _, b := range here {
				both := map[string][]any{}
				for _, m := range []map[string][]any{a, b} {
					for k, v := range m {
						both[k] = v
					}
				}
				next = append(next, both)
			}
		}
		all = next
	}
	return all
}

// oracle matches slowly: it tries all ways to give each field of an alternative one of the event's leaves.
func oracle(pattern map[string]any, event map[string]any) bool {
	var leaves []leafAt
	flatten(event, "", "", nil, &leaves)
	for _, alternative := range alternatives(pattern, "") {
		paths := make([]string, 0, len(alternative))
		for p := range alternative {
			paths = append(paths, p)
		}
		if choose(alternative, paths, leaves, nil) {
			return true
		}
	}
	return false
}

func choose(alternative map[string][]any, paths []string, leaves, chosen []leafAt) bool {
	if len(paths) == 0 {
		return true
	}
	there := false
	for _, l := range leaves {
		if l.path != paths[0] {
			continue
		}
		there = true
		if slices.ContainsFunc(alternative[paths[0]], func(v any) bool { return passes(v, l.value) }) && fits(l, chosen) && choose(alternative, paths[1:], leaves, append(chosen, l)) {
			return true
		}
	}
	mayLack := slices.ContainsFunc(alternative[paths[0]], func(v any) bool {
		f, is := v.(map[string]any)
		return is && f["exists"] == false
	})
	return !there && mayLack && choose(alternative, paths[1:], leaves, chosen)
}

// fits tells whether leaves are in the same elements of the arrays they share.
func fits(l leafAt, chosen []leafAt) bool {
	return !slices.ContainsFunc(chosen, func(c leafAt) bool {
		for array, i := range l.elements {
			if j, shared := c.elements[array]; shared && i != j {
				return true
			}
		}
		return false
	})
}

func passes(want, got any) bool {
	f, is := want.(map[string]any)
	if !is {
		a, aNumber := number(want)
		b, bNumber := number(got)
		return want == got || aNumber && bNumber && a.Cmp(b) == 0
	}
	text, isText := got.(string)
	n, isNumber := number(got)
	for name, v := range f {
		switch name {
		case "exists":
			return v == true
		case "anything-but":
			return but(v, got)
		case "numeric":
			list := v.([]any)
			for i := 0; i < len(list); i += 2 {
				x, _ := number(list[i+1])
				sign := map[string][]int{"=": {0}, "<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {1, 0}}[list[i].(string)]
				if !isNumber || !slices.Contains(sign, n.Cmp(x)) {
					return false
				}
			}
			return true
		}
		if !isText {
			return false
		}
		return textPasses(name, v, text)
	}
	return false
}

func textPasses(name string, v any, text string) bool {
	fold := ""
	if object, is := v.(map[string]any); is {
		fold, v = "(?i)", object["equals-ignore-case"]
	}
	quoted := regexp.QuoteMeta(v.(string))
	expression := map[string]string{
		"prefix": fold + "^" + quoted, "suffix": fold + quoted + "$", "equals-ignore-case": "(?i)^" + quoted + "$",
		"wildcard": "^" + strings.ReplaceAll(regexp.QuoteMeta(strings.ReplaceAll(v.(string), `\*`, "\x01")), `\*`, ".*") + "$",
	}[name]
	return regexp.MustCompile("(?s)" + strings.ReplaceAll(expression, "\x01", `\*`)).MatchString(text)
}

func but(v, got any) bool {
	list, is := v.([]any)
	if !is {
		list = []any{v}
	}
	return !slices.ContainsFunc(list, func(e any) bool {
		if object, is := e.(map[string]any); is {
			for name, inner := range object {
				if texts, is := inner.([]any); is {
					return slices.ContainsFunc(texts, func(t any) bool { return passes(map[string]any{name: t}, got) })
				}
			}
		}
		return passes(e, got)
	})
}

func number(v any) (*big.Float, bool) {
	n, is := v.(json.Number)
	if !is {
		return nil, false
	}
	f, _, err := big.ParseFloat(n.String(), 10, 200, big.ToNearestEven)
	return f, err == nil
}

var (
	names   = rapid.SampledFrom([]string{"a", "b", "c"})
	words   = rapid.SampledFrom([]string{"", "x", "X", "xy", "xyx", "yx", "a*b"})
	numbers = rapid.Map(rapid.SampledFrom([]string{"0", "1", "1.0", "10e-1", "2", "-3.5"}), func(s string) any { return json.Number(s) })
	scalars = rapid.OneOf(rapid.Map(words, func(s string) any { return s }), numbers, rapid.Just[any](true), rapid.Just[any](nil))
)

func genEvent(depth int) *rapid.Generator[any] {
	if depth == 0 {
		return scalars
	}
	below := rapid.Deferred(func() *rapid.Generator[any] { return genEvent(depth - 1) })
	return rapid.OneOf(scalars,
		rapid.Map(rapid.SliceOfN(below, 0, 3), func(l []any) any { return l }),
		rapid.Map(rapid.MapOfN(names, below, 0, 3), func(m map[string]any) any { return m }))
}

func genFilter(t *rapid.T) any {
	word := rapid.SampledFrom([]string{"x", "xy", "Y", "a"}).Draw(t, "word")
	switch rapid.IntRange(0, 9).Draw(t, "filter") {
	case 0:
		return map[string]any{"exists": rapid.Bool().Draw(t, "exists")}
	case 1:
		return map[string]any{"anything-but": rapid.SliceOfN(rapid.Map(words, func(s string) any { return s }), 1, 2).Draw(t, "but")}
	case 2:
		return map[string]any{"anything-but": numbers.Draw(t, "but")}
	case 3:
		name := rapid.SampledFrom([]string{"prefix", "suffix", "equals-ignore-case", "wildcard"}).Draw(t, "name")
		return map[string]any{"anything-but": map[string]any{name: []any{word}}}
	case 4:
		return map[string]any{"wildcard": rapid.SampledFrom([]string{"*", "x*", "*x", "x*x", "*y*", `a\*b`, "*x*x*"}).Draw(t, "wildcard")}
	case 5:
		op := rapid.SampledFrom([]string{"=", "<", "<=", ">", ">="}).Draw(t, "op")
		return map[string]any{"numeric": []any{op, numbers.Draw(t, "n")}}
	case 6:
		return map[string]any{"numeric": []any{">=", json.Number("0"), "<", json.Number("2")}}
	case 7:
		name := rapid.SampledFrom([]string{"prefix", "suffix"}).Draw(t, "name")
		return map[string]any{name: map[string]any{"equals-ignore-case": word}}
	}
	return map[string]any{rapid.SampledFrom([]string{"prefix", "suffix", "equals-ignore-case"}).Draw(t, "name"): word}
}

func genPattern(t *rapid.T, depth int) map[string]any {
	object := map[string]any{}
	for _, name := range rapid.SliceOfNDistinct(names, 1, 2, rapid.ID).Draw(t, "fields") {
		if depth > 0 && rapid.Bool().Draw(t, "deeper") {
			object[name] = genPattern(t, depth-1)
			continue
		}
		var list []any
		for range rapid.IntRange(1, 2).Draw(t, "values") {
			if rapid.Bool().Draw(t, "plain") {
				list = append(list, scalars.Draw(t, "value"))
			} else {
				list = append(list, genFilter(t))
			}
		}
		object[name] = list
	}
	if depth > 0 && rapid.IntRange(0, 3).Draw(t, "or") == 0 {
		object["$or"] = []any{genPattern(t, depth-1), genPattern(t, depth-1)}
	}
	return object
}

func TestMatchingIsAsTheOracleSays(t *testing.T) {
	var matched, total int
	for range 20 { // times the checks of one run
		rapid.Check(t, func(t *rapid.T) { checkAgainstOracle(t, &matched, &total) })
	}
	if matched < total/100 {
		t.Errorf("of %d patterns %d matched: the test says little", total, matched)
	}
}

func checkAgainstOracle(t *rapid.T, matched, total *int) {
	event := rapid.MapOfN(names, genEvent(3), 0, 3).Draw(t, "event")
	pattern := genPattern(t, 2)
	text, err := json.Marshal(pattern)
	if err != nil {
		t.Fatal(err)
	}
	*total++
	p, err := Compile(string(text))
	if err != nil {
		if !strings.Contains(err.Error(), "twice in one combination") {
			t.Fatalf("%s: %v", text, err)
		}
		return
	}
	body, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	got := p.Matches(read)
	if got {
		*matched++
	}
	if want := oracle(pattern, event); got != want {
		t.Fatalf("pattern %s, event %s: %v, the oracle says %v", text, body, got, want)
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`{"source":["aws.apprunner"],"detail":{"$or":[{"n":[{"numeric":[">",0,"<=",5]}]},{"p":[{"wildcard":"a*b\\*"}]}]}}`, event)
	f.Add(`{"a":[{"anything-but":{"prefix":["x"]}},{"exists":false},{"cidr":"10.0.0.0/8"},{"suffix":{"equals-ignore-case":"ß"}}]}`, `{"a":[1,"10.0.0.1",{"b":null}]}`)
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		e, err := Parse([]byte(event))
		if err != nil {
			return
		}
		got := p.Matches(e)
		again, err := Compile(pattern)
		if err != nil || again.Matches(e) != got {
			t.Errorf("%s, %s: %v, then not, or %v", pattern, event, got, err)
		}
	})
}
