package edge

import (
	"errors"
	"time"
)

// errParked ends reading without ending the connection.
var errParked = errors.New("the connection is parked")

// parkOrStay does what the watch asked for, unless the client has said something meanwhile: n bytes, or the beginning of a frame.
func (c *h2Conn) parkOrStay(n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.parking.Store(false)
	if c.dead || c.leaving && len(c.streams) == 0 {
		return errEnded
	}
	if n == 0 && c.r == c.w && c.greeted && !c.block.open && len(c.streams) == 0 {
		in, enc := c.in, c.enc
		c.in, c.r, c.w = nil, 0, 0
		c.enc = nil
		c.parked = true
		var ok bool
		if c.slot, ok = c.s.lot.park(c.cc.Conn, c); ok {
			returnIn(in)
			c.encMax = enc.max
			return errParked
		}
		c.parked, c.in, c.enc = false, in, enc
	}
	c.cc.Conn.SetReadDeadline(time.Time{})
	return nil
}

// resume goes on with a parked connection. The table of the encoder is gone, which the next header block tells the client.
func (c *h2Conn) resume() {
	go func() {
		c.mu.Lock()
		c.parked = false
		c.enc = newFieldEncoder()
		c.enc.max, c.enc.resized = c.encMax, true // lowest is 0
		c.in = lendIn()
		if !c.dead && !c.leaving {
			c.cc.Conn.SetReadDeadline(time.Time{})
		}
		c.mu.Unlock()
		c.endUnlessParked(c.read())
	}()
}

// wakeReader ends what the reader waits for; under the lock.
func (c *h2Conn) wakeReader() {
	c.cc.Conn.SetReadDeadline(longAgo)
	if c.parked {
		c.s.lot.wake(c.slot)
	}
}
