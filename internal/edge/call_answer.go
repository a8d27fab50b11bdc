package edge

// framing is how the end of an answer's body is known.
type framing uint8

const (
	frameNone   framing = iota // there is no body
	frameLength                // Content-Length
	frameChunks                // chunked, passed on as it is
	frameClose                 // the instance closes; chunked to the client
)

// maxInterim bounds the 1xx answers before the final one.
const maxInterim = 32

// answer passes the instance's answer on. Its first bytes are in up.
func (x *call) answer() outcome {
	for range maxInterim {
		end, f := x.readAnswerHead()
		if f == nil {
			f = x.ans.parseAnswer(x.up[x.ur:end], x.s.limits.Headers)
		}
		if f != nil {
			return x.fail(f)
		}
		x.ur = end
		switch {
		case x.upgrade != nil && (x.ans.status == 101 || x.ans.status/100 == 2):
			return x.passUpgrade()
		case x.ans.status >= 200:
			return x.passAnswer()
		case x.ans.status == 101 || !x.client.passInterim():
			return x.fail(failBadAnswer)
		}
	}
	return x.fail(failBadAnswer)
}

// readAnswerHead reads until a whole head is in up and returns where it ends.
func (x *call) readAnswerHead() (end int, f *failure) {
	scan := x.ur
	for {
		if end, scan, f = scanHead(x.up[:x.uw], scan, false); end != 0 || f != nil {
			return end, f
		}
		if x.uw-x.ur >= x.s.limits.HeadBytes {
			return 0, failBigAnswer
		}
		if x.uw == len(x.up) {
			x.up = append(x.up, make([]byte, len(x.up))...)
		}
		n, err := x.conn.Read(x.up[x.uw:])
		if x.uw += n; n == 0 && err != nil {
			return 0, failBroken
		}
	}
}

// framing judges by RFC 9112 §6.3.
func (x *call) framing() framing {
	a := &x.ans
	switch {
	case string(x.req.method) == "HEAD" || a.status == 204 || a.status == 304 || (!a.chunked && a.length == 0):
		return frameNone
	case a.chunked:
		return frameChunks
	case a.length > 0:
		return frameLength
	}
	return frameClose
}

// reusable tells whether the connection to the instance may carry another request after an answer framed like this.
func (x *call) reusable(how framing) bool {
	a := &x.ans
	return how != frameClose && (a.minor == 1 && !a.close || a.minor == 0 && a.keepAlive) && !(a.chunked && a.length >= 0)
}

// giveBack keeps the connection to the instance for another request, if it can be; false when the time was over.
func (x *call) giveBack(reuse bool) (intact bool) {
	intact = x.clock.leave()
	if reuse && intact && x.bodyDone() {
		x.backend.pool.put(x.conn, x.s.now())
		x.conn = nil
	} else {
		x.drop()
	}
	return intact
}

// more reads the next part of the answer. The error is io.EOF when the instance ended it.
func (x *call) more() error {
	due := x.due
	if idle := x.route.IdleTimeout; idle > 0 {
		due = min(due, x.s.now()+idle)
	}
	x.clock.enter(phaseWait, due, x.conn)
	if x.uw == len(x.up) && x.large == nil {
		x.widen()
		x.backend.verbose.Store(true)
	}
	n, err := x.conn.Read(x.up)
	x.ur, x.uw = 0, n
	if n > 0 {
		return nil
	}
	return err
}
