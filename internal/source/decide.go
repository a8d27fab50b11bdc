package source

import (
	"hash/fnv"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// Target is a code service as the watcher sees it. All of them belong into the list, also those whose automatic deployment is off:
// only so does the watcher know that a service that has it on had it off before.
type Target struct {
	ServiceARN      string
	Repository      Repository
	SourceDirectory string // path from the repository's root; "/" or empty is all of it
	LastCommit      string // of the newest deployment, whatever became of it; empty before the first one fetched its source
	Automatic       bool   // AutoDeploymentsEnabled
	Paused          bool
	Busy            bool // an operation runs
}

// muted tells whether changes that happen now are never to be deployed by themselves (§8.1).
func (t Target) muted() bool { return t.Paused || !t.Automatic }

// place is what is watched; another place has another history.
func (t Target) place() string {
	return t.Repository.URL + "\n" + t.Repository.Branch + "\n" + t.directory()
}

func (t Target) directory() string {
	d := strings.Trim(t.SourceDirectory, "/")
	if d == "." {
		return ""
	}
	return d
}

// memory is what is kept of a target over restarts.
type memory struct {
	Place string
	Seen  string // newest commit that was dealt with: deployed, or found not to matter; empty until that is known
	Muted bool   // the target was muted when last looked at
}

// verdict is what a look at the branch leads to.
type verdict int

const (
	ignore  verdict = iota // nothing to do
	wait                   // something to do, but not while an operation runs
	compare                // deploy if a file inside the directory changed
	deploy
)

// observe notes what can be known without looking at the branch.
func observe(t Target, m memory) memory {
	if m.Place != t.place() {
		m = memory{Place: t.place()}
	}
	if t.muted() {
		m.Muted = true
	}
	return m
}

// decide is the rule of §8.1: given a target, what is remembered of it and the branch's head, what to do and what to remember if
// nothing else is done.
//
//   - What was pushed while the service was paused, or while automatic deployment was off, is never deployed by itself.
//   - What was pushed while an operation ran is deployed once when it ended, in its newest version.
//   - A commit is tried once: the caller remembers it as seen when it has started a deployment, however that ends.
//   - Whatever a manual deployment took is dealt with.
func decide(t Target, m memory, head string) (memory, verdict) {
	m = observe(t, m)
	switch {
	case t.muted():
		return m, ignore
	case m.Muted:
		m.Muted, m.Seen = false, head
		return m, ignore
	case m.Seen == "" && t.Busy:
		return m, wait // the operation decides which commit counts as the first
	case m.Seen == "":
		m.Seen = or(t.LastCommit, head)
	}
	switch {
	case head == m.Seen:
		return m, ignore
	case head == t.LastCommit:
		m.Seen = head
		return m, ignore
	case t.Busy:
		return m, wait
	case t.directory() == "":
		return m, deploy
	}
	return m, compare
}

// Intervals between two looks at a branch, and what they grow to while looking fails.
const (
	localInterval  = time.Second
	remoteInterval = 30 * time.Second
	localSlowest   = 30 * time.Second
	remoteSlowest  = 15 * time.Minute
)

// schedule is when a target is looked at again.
type schedule struct {
	local    bool
	next     time.Time
	failures int  // in a row
	poked    bool // somebody said that the branch moved
	waiting  bool // something is to be deployed when the running operation ends
	looking  bool // a look is under way
}

// due tells whether a target is to be looked at now.
func due(now time.Time, t Target, m memory, s schedule) bool {
	switch {
	case s.looking || t.muted():
		return false
	case s.poked, m.Muted, s.waiting && !t.Busy:
		return true
	}
	return !now.Before(s.next)
}

// after is the schedule when a look has ended. Remote targets are spread by up to a tenth, always the same for one service, so that a
// hundred services do not ask one server at the same moment.
func (s schedule) after(now time.Time, arn string, failed bool) schedule {
	interval, slowest := remoteInterval, remoteSlowest
	if s.local {
		interval, slowest = localInterval, localSlowest
	}
	s.looking = false
	if !failed {
		s.failures = 0
	} else {
		s.failures++
		interval = min(interval<<min(s.failures, 10), slowest)
	}
	if !s.local {
		h := fnv.New32a()
		_, _ = h.Write([]byte(arn))
		interval += interval * time.Duration(h.Sum32()%100) / 1000
	}
	s.next = now.Add(interval)
	return s
}

// gone tells that a commit to compare with no longer exists: the history was rewritten, which is a change.
func gone(err error) bool { return apprunner.CodeOf(err) == apprunner.CodeNotFound }
