package edge

import (
	"errors"
	"os"
	"time"
)

// requestBody is how far the body of a request has got.
type requestBody struct {
	streaming bool // not all of it was there when the request was sent on
	received  int64
	copied    chan error // the result of streaming it
	err       error      // the result, once known
	finished  bool
}

// send sends the request until an instance begins to answer. A connection that was kept may have been closed by the instance in
// the meantime: then a fresh one is tried. An instance that breaks is tried no more, and another one is, when nothing is lost by asking
// again: once, and a few times more where the instance did not even accept the connection.
func (x *call) send() *failure {
	fresh, moves := false, 0
	for {
		f, again := x.attempt(&fresh)
		if f == nil || x.clock.over() != nil {
			return f
		}
		if again {
			continue
		}
		if f == failRefused {
			x.service.suspect(x.backend)
		}
		if x.body.copied != nil || f == failRefused && moves >= mostMoves || f != failRefused && (moves > 0 || !idempotent(text(x.req.method))) {
			return f
		}
		other := x.service.claimOther(x.client, x.backend)
		if other == nil {
			return f
		}
		x.service.counters.retries.Add(1)
		x.service.release(x.backend, scoreBad)
		x.backend, fresh = other, false
		moves++
	}
}

// mostMoves is how many other instances a request is tried at that none accepted: several may have died at once.
const mostMoves = 3

// attempt sends the request once. again asks for another attempt at the same instance, on a fresh connection.
func (x *call) attempt(fresh *bool) (f *failure, again bool) {
	safe := idempotent(text(x.req.method)) && !x.body.streaming
	reused := true
	x.conn = nil
	if !*fresh {
		x.conn = x.backend.pool.get()
	}
	if x.conn == nil {
		conn, err := x.reach()
		switch {
		case errors.Is(err, failNotH2C):
			return failNotH2C, false
		case err != nil:
			return failRefused, false
		}
		x.conn, reused = conn, false
	}
	x.clock.enter(phaseWait, x.due, x.conn)
	n, err := x.conn.Write(x.out)
	if err == nil && x.body.streaming {
		x.stream()
	}
	// Even when writing failed an answer may be there: an instance may answer, say 413, and close.
	if x.backend.verbose.Load() {
		x.widen()
	}
	x.ur = 0
	var silence error
	x.uw, silence = x.conn.Read(x.up)
	switch {
	case x.uw > 0 && isSettings(x.up[:x.uw]):
		x.drop()
		return failOnlyH2C, false
	case x.uw > 0:
		return nil, false
	}
	x.drop()
	if errors.Is(silence, failRefused) {
		return failRefused, false
	}
	*fresh = true
	return failBroken, reused && x.body.copied == nil && (safe || (err != nil && n == 0))
}

// isSettings tells whether an instance begins to speak HTTP/2: with a SETTINGS frame of the connection (RFC 9113 §3.4). No answer of
// HTTP/1.1 begins with a zero.
func isSettings(b []byte) bool {
	return b[0] == 0 && len(b) >= 9 && b[3] == 4 && b[5]|b[6]|b[7]|b[8] == 0
}

// drop closes the connection to the instance, and ends what still goes over it.
func (x *call) drop() {
	if x.conn != nil {
		x.clock.enter(phaseWait, x.due, nil)
		x.conn.Close()
		x.conn = nil
	}
	x.endBody()
}

// fail ends an exchange that got no answer from an instance.
func (x *call) fail(f *failure) outcome {
	x.drop()
	var own *failure
	switch {
	case x.clock.over() == failGone:
		return closeNow
	case x.clock.over() != nil:
		f = failTimeout
	case errors.As(x.body.err, &own) && own != failBody:
		f = own
	case errors.Is(x.body.err, os.ErrDeadlineExceeded):
		f = failSlowBody
	case own != nil:
		return closeNow // the client went away in the middle of its body
	}
	x.req.close = x.req.close || !x.bodyDone() || x.clock.over() != nil
	return x.client.refuse(f)
}

// stream passes the rest of the request body on while the answer may come already.
func (x *call) stream() {
	if x.route.H2C && x.req.endless {
		x.client.ease(hasteStall)
	}
	x.body.copied = make(chan error, 1)
	go func(to *upstreamConn) {
		err := x.client.copyBody(to)
		if err != nil && !errors.Is(err, errInstanceGone) {
			to.Close() // the client broke off: the instance must not wait for the rest
		}
		x.body.copied <- err
	}(x.conn)
}

var errBodyUnwanted = errors.New("the rest of the request body is not wanted")

var errInstanceGone = errors.New("the instance takes no more of the request body")

// endBody stops streaming the request body and notes how that ended.
func (x *call) endBody() {
	b := &x.body
	if b.copied == nil || b.finished {
		return
	}
	select {
	case b.err = <-b.copied:
	default:
		x.client.abortRead()
		if x.conn != nil {
			x.conn.SetWriteDeadline(longAgo)
		}
		b.err = <-b.copied
		if b.err == nil {
			b.err = errInstanceGone // it ended in the very moment; its deadlines are spoilt
		}
	}
	b.finished = true
}

// copyGrace is how long an answer waits for the end of its request.
const copyGrace = 2 * time.Millisecond

// bodyDone tells whether the whole request body went to the instance, so that both connections can be used again.
func (x *call) bodyDone() bool {
	b := &x.body
	if b.copied == nil {
		return true
	}
	if !b.finished {
		// An instance that answers has most likely taken the whole body; the goroutine may only not have said so yet.
		timer := time.NewTimer(copyGrace)
		defer timer.Stop()
		select {
		case b.err = <-b.copied:
			b.finished = true
		case <-timer.C:
			return false
		}
	}
	return b.err == nil
}
