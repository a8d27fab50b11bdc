package edge

import "time"

// taking is how the rest of a request body is read while the answer may come already.
type taking struct {
	armed     bool // somebody reads, or is about to
	aborted   bool // the rest is not wanted
	expecting bool // the client waits to be told to go on (Expect: 100-continue), so that nobody may blame it
	haste     haste
}

// armRead gives the next read of a request body its time, unless nobody wants the body any more; begun tells that some of it has come.
// counts tells whether the time of the read is the client's.
func (c *h1Conn) armRead(now time.Time, p *pace, begun bool) (counts bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &c.taking
	t.armed = true
	t.expecting = t.expecting && !begun
	c.setReadTime(now, p.left(t.haste, &c.s.limits))
	return !t.expecting
}

// setReadTime bounds the read of a request body; under the lock.
func (c *h1Conn) setReadTime(now time.Time, left time.Duration) {
	t := &c.taking
	switch {
	case c.expired != nil || t.aborted || !t.armed:
	case t.expecting || left == forever:
		c.cc.Conn.SetReadDeadline(time.Time{})
	default:
		c.cc.Conn.SetReadDeadline(now.Add(left))
	}
}

// disarmRead ends the reading of a request body.
func (c *h1Conn) disarmRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taking.armed = false
	c.cc.Conn.SetReadDeadline(time.Time{})
}

// ease asks for no more haste than that from now on.
func (c *h1Conn) ease(to haste) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taking.haste = max(c.taking.haste, to)
	c.setReadTime(time.Now(), new(pace).left(c.taking.haste, &c.s.limits))
}

// expectLeave notes that the client sends nothing before it is told to go on.
func (c *h1Conn) expectLeave() {
	c.mu.Lock()
	c.taking.expecting = true
	c.mu.Unlock()
}

// giveLeave notes that it was told so.
func (c *h1Conn) giveLeave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taking.expecting {
		c.taking.expecting = false
		c.setReadTime(time.Now(), new(pace).left(c.taking.haste, &c.s.limits))
	}
}

// abortRead wakes who reads the rest of a request body.
func (c *h1Conn) abortRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taking.aborted = true
	c.cc.Conn.SetReadDeadline(longAgo)
}

// unwanted tells whether the rest of the request body is not wanted.
func (c *h1Conn) unwanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taking.aborted
}
