package iam

import (
	"sync"
	"time"
)

const (
	freeGuesses = 5               // wrong passwords before a name has to wait
	firstWait   = 5 * time.Second // doubles with each further one
	longestWait = 15 * time.Minute
	maxGuessed  = 10_000 // names remembered
)

// guesses slows the guessing of passwords down, name by name. It is forgotten with the process.
type guesses struct {
	mu    sync.Mutex
	names map[string]guess
}

type guess struct {
	wrong int
	until time.Time
}

// wait is how long a name has to wait before its next try.
func (g *guesses) wait(name string, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.names[name].until.Sub(now)
}

// note takes down how a try went.
func (g *guesses) note(name string, right bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if right {
		delete(g.names, name)
		return
	}
	if g.names == nil || len(g.names) >= maxGuessed {
		g.names = map[string]guess{} // whoever fills it with names starts everyone afresh, but pays a hash for each
	}
	e := g.names[name]
	e.wrong++
	if e.wrong >= freeGuesses {
		e.until = now.Add(min(firstWait<<min(e.wrong-freeGuesses, 20), longestWait))
	}
	g.names[name] = e
}
