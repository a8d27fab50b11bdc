package edge

import (
	"net"
	"sync"
)

// h1Exchange is one request of an HTTP/1.1 connection and its answer. It is taken from a pool when a head has arrived and given back
// after the answer, so that idle connections hold no buffers.
type h1Exchange struct {
	call
	c    *h1Conn
	from bodyReader

	pieces [2][]byte // written at once
	vector net.Buffers
}

var exchanges = sync.Pool{New: func() any {
	x := &h1Exchange{}
	x.makeBuffers()
	return x
}}

func newExchange(c *h1Conn) *h1Exchange {
	x := exchanges.Get().(*h1Exchange)
	x.c = c
	x.s, x.clock, x.client, x.ip, x.tls = c.s, &c.clock, x, c.ip, c.cc.tls
	return x
}

// free gives x back with nothing in it but its memory.
func (x *h1Exchange) free() {
	x.empty()
	x.c, x.from, x.vector = nil, bodyReader{}, nil
	exchanges.Put(x)
}

// serve serves the request whose head ends at end in the connection's buffer, or tells the failure found while reading it.
func (x *h1Exchange) serve(end int, f *failure) outcome {
	c := x.c
	x.start = c.s.now()
	x.protocol = "HTTP/1.1"
	defer x.account()
	c.begin(x.start)
	x.req.reset()
	if f == nil {
		f = x.req.parseRequest(c.in[c.r:end], c.s.limits.Headers)
	}
	if f != nil {
		x.req.close = true // what follows cannot be told apart from the fault
		return x.refuse(f)
	}
	if x.req.minor == 0 {
		x.protocol = "HTTP/1.0"
	}
	if len(x.req.target) > c.s.limits.TargetBytes {
		x.req.close = true
		return x.refuse(failTarget)
	}
	if x.foreign() {
		return toStd
	}
	c.r = end
	if f := x.find(c.cc); f != nil {
		x.req.close = x.req.close || f == failConns
		return x.refuse(f)
	}
	if f := x.takeBody(); f != nil {
		x.req.close = true
		return x.refuse(f)
	}
	return x.forward()
}

// foreign tells whether net/http is to serve the request: upgrades, HTTP/1.0 and targets with a host of their own.
func (x *h1Exchange) foreign() bool {
	return x.req.upgrade || x.req.minor == 0 || (x.req.target[0] != '/' && len(x.req.target) > 1)
}

// refuse answers with f. The connection stays when nothing of the request is left on it.
func (x *h1Exchange) refuse(f *failure) outcome {
	c := x.c
	keep := !x.req.close && x.skipBody() && !c.s.draining.Load()
	x.status, x.failure = f.status, f
	x.out = c.appendFailure(x.out[:0], f, &x.req, x.requestID(), keep)
	c.restart()
	c.enter(phaseSend, c.s.now()+c.s.limits.ClientStall, nil)
	if _, err := c.nc.Write(x.out); err != nil {
		return closeNow
	}
	if keep {
		return keepOpen
	}
	return closeAfter
}

// waitEnd is nil: that an HTTP/1.1 client has gone shows only when it is looked for.
func (x *h1Exchange) waitEnd() <-chan struct{} { return nil }
