package histories

import (
	"slices"
	"strings"
)

// life is the state of the live service of a name. The zero value is none.
type life struct {
	ID     string // unnamed where the answer that held it was lost
	Status string // as the API says it
	Op     string // what is under way
}

const (
	busy         = "OPERATION_IN_PROGRESS"
	running      = "RUNNING"
	paused       = "PAUSED"
	createFailed = "CREATE_FAILED"
)

// moments are what the service may be right now: an operation under way ends when it likes. Those of these clients all succeed.
func (l life) moments() []life {
	if l.Status != busy {
		return []life{l}
	}
	ends := map[string]life{
		"create": {ID: l.ID, Status: running}, "update": {ID: l.ID, Status: running}, "deploy": {ID: l.ID, Status: running},
		"pause": {ID: l.ID, Status: paused}, "resume": {ID: l.ID, Status: running}, "delete": {},
	}
	return []life{l, ends[l.Op]}
}

// allowed are the statuses in which an action begins an operation, and refusal the code in others (§5.3).
var (
	allowed = map[string][]string{
		"update": {running, createFailed}, "deploy": {running}, "pause": {running}, "resume": {paused}, "delete": {running, paused, createFailed},
	}
	already = map[string]string{"pause": paused, "resume": running} // accepted without effect
)

func refusal(do string) string {
	if do == "deploy" {
		return invalid
	}
	return badState
}

// service is the life of the service of a name.
func service(l life, in input, out output) (next []life) {
	for _, now := range l.moments() {
		next = append(next, act(now, in, out)...)
	}
	return next
}

func act(l life, in input, out output) []life {
	none := l == life{}
	switch {
	case in.Do == "read" && none:
		return is(out.Code == notFound, l)
	case in.Do == "read":
		id, status, _ := strings.Cut(out.Value, " ")
		ok := status == l.Status && fits(l.ID, id, out.Unborn)
		l.ID = id
		return is(ok, l)
	case in.Do == "create" && out.Code != "":
		return is(!none && out.Code == invalid, l)
	case in.Do == "create" && out.Lost:
		return is(none, life{ID: unnamed, Status: busy, Op: "create"})
	case in.Do == "create":
		return is(none && out.Value != "", life{ID: out.Value, Status: busy, Op: "create"})
	case none:
		return is(out.Code == notFound, l)
	}
	return change(l, in, out)
}

// change is an action on a service that is there.
func change(l life, in input, out output) []life {
	begins, same := slices.Contains(allowed[in.Do], l.Status), already[in.Do] == l.Status
	if out.Code != "" {
		return is(!begins && !same && out.Code == refusal(in.Do), l)
	}
	id := out.Value
	switch {
	case out.Lost || in.Do == "deploy": // whose answer names no service
		id = l.ID
	case !fits(l.ID, id, out.Unborn):
		return nil
	}
	if same {
		l.ID = id
		return []life{l}
	}
	return is(begins, life{ID: id, Status: busy, Op: in.Do})
}
