package histories

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// recorded is a history that a run made (-record).
func recorded(t *testing.T) (calls []call) {
	t.Helper()
	b, err := os.ReadFile("testdata/run.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var c call
		if err := d.Decode(&c); errors.Is(err, io.EOF) {
			return calls
		} else if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, c)
	}
}

func TestRecordedHistory(t *testing.T) {
	calls := recorded(t)
	for object, why := range check(calls) {
		t.Errorf("%s: %s\n%s", object, why, story(calls, object))
	}
}

// Each acknowledged write of a real history is forgotten in turn, as a store that loses it would. Many of them nobody would notice,
// since they are written over before anyone looks; those that remain must be found, of every kind.
func TestLostWritesAreFound(t *testing.T) {
	calls := recorded(t)
	tried, found := map[string]int{}, map[string]int{}
	for n, c := range calls {
		if c.Out.Code != "" || c.Out.Lost || slices.Contains(reads, c.In.Do) {
			continue
		}
		kind, _, _ := strings.Cut(c.In.Object, "/")
		tried[kind]++
		if len(check(slices.Delete(slices.Clone(calls), n, n+1))) > 0 {
			found[kind]++
		}
	}
	for kind := range models {
		t.Logf("%s: %d of %d lost writes are found", kind, found[kind], tried[kind])
		if found[kind] == 0 {
			t.Errorf("no lost write of a %s is found", kind)
		}
	}
}

// In each of these histories the calls follow one another, and one answer is wrong.
func TestWrongAnswersAreFound(t *testing.T) {
	type step = call
	told := func(do, arg, value, code string) step {
		return step{In: input{Do: do, Arg: arg}, Out: output{Value: value, Code: code}}
	}
	lost := func(do, arg string) step { return step{In: input{Do: do, Arg: arg}, Out: output{Lost: true}} }
	for name, c := range map[string]struct {
		object string
		steps  []step
		wrong  bool
	}{
		"a name is given twice":                      {"connection/x", []step{told("create", "", "a", ""), told("create", "", "b", "")}, true},
		"a name is free again after a deletion":      {"connection/x", []step{told("create", "", "a", ""), told("delete", "a", "", ""), told("create", "", "b", "")}, false},
		"an acknowledged creation is lost":           {"connection/x", []step{told("create", "", "a", ""), told("read", "", "", "")}, true},
		"a lost answer may have been a creation":     {"connection/x", []step{lost("create", ""), told("read", "", "a", "")}, false},
		"a lost answer may have been nothing":        {"connection/x", []step{lost("create", ""), told("read", "", "", "")}, false},
		"a creation comes late":                      {"connection/x", []step{lost("create", ""), told("read", "", "", ""), told("read", "", "a", "")}, false},
		"a creation happens twice":                   {"connection/x", []step{lost("create", ""), told("read", "", "a", ""), told("delete", "a", "", ""), told("read", "", "b", "")}, true},
		"a deleted thing comes back":                 {"connection/x", []step{told("create", "", "a", ""), told("delete", "a", "", ""), told("read", "", "a", "")}, true},
		"a revision number is given twice":           {"autoscaling/x", []step{told("create", "", "1", ""), told("delete", "1", "1", ""), told("create", "", "1", "")}, true},
		"a revision number is left out":              {"autoscaling/x", []step{told("create", "", "1", ""), told("create", "", "3", "")}, true},
		"a revision went to a lost answer":           {"autoscaling/x", []step{told("create", "", "1", ""), lost("create", ""), told("create", "", "3", ""), told("list", "", "3 2 1", "")}, false},
		"the latest is not the highest":              {"observability/x", []step{told("create", "", "1", ""), told("create", "", "2", ""), told("latest", "", "1", "")}, true},
		"the quota is passed":                        {"autoscaling/x", append(slices.Collect(elevenRevisions), told("list", "", "11 10 9 8 7 6 5 4 3 2 1", "")), true},
		"half of the revisions are deleted":          {"autoscaling/x", []step{told("create", "", "1", ""), told("create", "", "2", ""), told("delete-all", "", "", ""), told("list", "", "1", "")}, true},
		"an old default is read":                     {"default/x", []step{told("set", "a", "", ""), told("set", "b", "", ""), told("read", "", "a", "")}, true},
		"two defaults at once":                       {"default/x", []step{told("set", "a", "", ""), told("read", "", "a and b", "")}, true},
		"a tag disappears":                           {"tags/x", []step{told("tag", "a=1", "", ""), told("tag", "b=2", "", ""), told("read", "", "b=2", "")}, true},
		"two operations at once":                     {"service/x", []step{told("create", "", "a", ""), told("read", "", "a "+busy, ""), told("delete", "", "a", ""), told("read", "", "a RUNNING", "")}, true},
		"an operation ends by itself":                {"service/x", []step{told("create", "", "a", ""), told("pause", "", "a", ""), told("read", "", "a PAUSED", "")}, false},
		"a pause is forgotten":                       {"service/x", []step{told("create", "", "a", ""), told("pause", "", "a", ""), told("read", "", "a RUNNING", "")}, true},
		"a settled service is busy without a reason": {"service/x", []step{told("create", "", "a", ""), told("read", "", "a RUNNING", ""), told("read", "", "a "+busy, "")}, true},
		"a refusal of a settled service":             {"service/x", []step{told("create", "", "a", ""), told("read", "", "a RUNNING", ""), told("pause", "", "", badState)}, true},
		"another service under the name":             {"service/x", []step{told("create", "", "a", ""), told("read", "", "b RUNNING", "")}, true},
		"a deleted service is updated":               {"service/x", []step{told("create", "", "a", ""), told("delete", "", "a", ""), told("read", "", "", notFound), told("update", "", "a", "")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range c.steps {
				c.steps[n].In.Object = c.object
				c.steps[n].Begin, c.steps[n].End = int64(10*n), int64(10*n+5)
			}
			if bad := check(c.steps); (len(bad) > 0) != c.wrong {
				t.Errorf("found %v in\n%s", bad, story(c.steps, c.object))
			}
		})
	}
}

func elevenRevisions(yield func(call) bool) {
	for _, rev := range strings.Fields("1 2 3 4 5 6 7 8 9 10 11") {
		if !yield(call{In: input{Do: "create"}, Out: output{Value: rev}}) {
			return
		}
	}
}
