package edge

import (
	"sync"
	"time"
)

// task is work for a goroutine of the crew.
type task interface{ work() }

// crew keeps goroutines that have nothing to do, with the stacks they have grown, for the next task.
type crew struct {
	now  func() time.Duration
	mu   sync.Mutex
	idle []*hand
}

// crewIdle is how long a goroutine without a task is kept.
const crewIdle = 10 * time.Second

type hand struct {
	tasks chan task
	since time.Duration // idle
}

// do has a goroutine work on t.
func (c *crew) do(t task) {
	c.mu.Lock()
	n := len(c.idle)
	if n == 0 {
		c.mu.Unlock()
		go c.run(&hand{tasks: make(chan task, 1)}, t)
		return
	}
	h := c.idle[n-1]
	c.idle[n-1] = nil
	c.idle = c.idle[:n-1]
	c.mu.Unlock()
	h.tasks <- t
}

func (c *crew) run(h *hand, t task) {
	for ok := true; ok; t, ok = <-h.tasks {
		t.work()
		c.mu.Lock()
		h.since = c.now()
		c.idle = append(c.idle, h)
		c.mu.Unlock()
	}
}

// trim sends those home who have been idle since before cutoff.
func (c *crew) trim(cutoff time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.idle) && c.idle[n].since < cutoff {
		close(c.idle[n].tasks)
		n++
	}
	c.idle = append(c.idle[:0], c.idle[n:]...)
}
