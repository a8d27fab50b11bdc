package histories

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// input is what a call asked for.
type input struct {
	Object string // "kind/name": calls on different objects have nothing to do with each other
	Do     string
	Arg    string `json:",omitempty"`
}

// output is what came back.
type output struct {
	Lost  bool   `json:",omitempty"` // no answer came: it happened, or not
	Code  string `json:",omitempty"` // of the refusal
	Value string `json:",omitempty"`
	// Unborn marks an identity that no acknowledged call made: it can only come from one whose answer was lost.
	Unborn bool `json:",omitempty"`
}

// call is one call of a client. Times are nanoseconds since the begin of the run.
type call struct {
	Client     int
	In         input
	Begin, End int64
	Out        output
}

func (c call) String() string {
	answer := cmp.Or(c.Out.Code, c.Out.Value, "-")
	if c.Out.Lost {
		answer = "(lost)"
	}
	return fmt.Sprintf("%8.1f-%8.1f ms  client %d  %s %s %s -> %s", float64(c.Begin)/1e6, float64(c.End)/1e6, c.Client, c.In.Do, c.In.Object, c.In.Arg, answer)
}

// history is what the clients of one run write down.
type history struct {
	began time.Time

	mu    sync.Mutex
	calls []call
}

// note makes a call and writes it down.
func (h *history) note(client int, in input, do func() output) output {
	begin := time.Since(h.began)
	out := do()
	c := call{client, in, int64(begin), int64(time.Since(h.began)), out}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, c)
	return out
}

// reads are calls that change nothing: one whose answer was lost tells nothing.
var reads = []string{"read", "latest", "list"}

// prepared is the history as the checker wants it: lost calls end never, and identities are known by who made them.
func prepared(calls []call) []call {
	born := map[string]bool{}
	for _, c := range calls {
		if c.In.Do == "create" && c.Out.Code == "" && !c.Out.Lost {
			id, _, _ := strings.Cut(c.Out.Value, " ")
			born[c.In.Object+" "+id] = true
		}
	}
	var list []call
	for _, c := range calls {
		if c.Out.Lost {
			if slices.Contains(reads, c.In.Do) {
				continue
			}
			c.End = math.MaxInt64
		}
		id, _, _ := strings.Cut(cmp.Or(c.Out.Value, c.In.Arg), " ")
		c.Out.Unborn = id != "" && !born[c.In.Object+" "+id]
		list = append(list, c)
	}
	return list
}

// checkFor bounds the search for an order of one object's calls.
const checkFor = 20 * time.Second

// check returns the objects whose calls have no order that the specification allows, or none that was found in time.
func check(calls []call) (bad map[string]string) {
	objects := map[string][]porcupine.Operation{}
	for _, c := range prepared(calls) {
		objects[c.In.Object] = append(objects[c.In.Object], porcupine.Operation{ClientId: c.Client, Input: c.In, Call: c.Begin, Output: c.Out, Return: c.End})
	}
	bad = map[string]string{}
	for object, ops := range objects {
		kind, _, _ := strings.Cut(object, "/")
		if res := porcupine.CheckOperationsTimeout(models[kind], ops, checkFor); res != porcupine.Ok {
			bad[object] = string(res)
		}
	}
	return bad
}

// story is the calls on one object in the order they began.
func story(calls []call, object string) string {
	var b strings.Builder
	sorted := slices.SortedFunc(slices.Values(calls), func(a, b call) int { return cmp.Compare(a.Begin, b.Begin) })
	for _, c := range sorted {
		if c.In.Object == object {
			fmt.Fprintln(&b, " ", c)
		}
	}
	return b.String()
}
