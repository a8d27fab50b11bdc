package edge

// chunkScanner follows a chunked body (RFC 9112 §7.1) through the buffers it arrives in and says where it ends. What it accepts
// is passed on byte for byte, so it accepts one reading only: sizes of hexadecimal digits, CR LF after each line, no
// extensions in requests, and no trailer field that could change what the message means.
type chunkScanner struct {
	state   uint8
	request bool
	left    int64 // of the chunk's data
	digits  int
	side    int // bytes of extensions or trailers so far
	nameLen int
	name    [24]byte // of a trailer field, in lower case
	payload int64    // data bytes seen
}

const (
	chunkSize = iota
	chunkBlank
	chunkExt
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailerStart
	chunkTrailerName
	chunkTrailerValue
	chunkTrailerLF
	chunkEndLF
	chunkDone
)

// maxChunkSide bounds the bytes of extensions and trailers of one body.
const maxChunkSide = 16 << 10

// scan consumes what it can of b. done tells that the body ended after n bytes.
func (c *chunkScanner) scan(b []byte) (n int, done bool, f *failure) {
	for n < len(b) {
		if c.state == chunkData {
			take := min(int64(len(b)-n), c.left)
			n += int(take)
			c.left -= take
			c.payload += take
			if c.left == 0 {
				c.state = chunkDataCR
			}
			continue
		}
		if f := c.step(b[n]); f != nil {
			return n, false, f
		}
		n++
		if c.state == chunkDone {
			return n, true, nil
		}
	}
	return n, false, nil
}

// step takes one byte outside of the data.
func (c *chunkScanner) step(b byte) *failure {
	switch c.state {
	case chunkSize:
		return c.stepSize(b)
	case chunkBlank, chunkExt:
		return c.stepExt(b)
	case chunkSizeLF:
		c.state = chunkData
		if c.left == 0 {
			c.state = chunkTrailerStart
		}
		c.digits = 0
		return must(b == '\n')
	case chunkDataCR:
		c.state = chunkDataLF
		return must(b == '\r')
	case chunkDataLF:
		c.state = chunkSize
		return must(b == '\n')
	case chunkEndLF:
		c.state = chunkDone
		return must(b == '\n')
	}
	return c.stepTrailer(b)
}

func must(ok bool) *failure {
	if ok {
		return nil
	}
	return badFraming
}

func (c *chunkScanner) stepSize(b byte) *failure {
	switch {
	case class[b]&hexDigit != 0:
		if c.digits == 15 { // 2^60 bytes: no honest chunk, and no overflow
			return badFraming
		}
		c.digits++
		c.left = c.left<<4 | int64(unhex(b))
		return nil
	case c.digits == 0:
		return badFraming
	case b == '\r':
		c.state = chunkSizeLF
		return nil
	case !c.request && b == ';':
		c.state = chunkExt
		return nil
	case !c.request:
		c.state = chunkBlank
		return c.stepExt(b)
	}
	return badFraming
}

// stepExt passes by, in answers, an extension or blanks after the size; net/http takes no more either.
func (c *chunkScanner) stepExt(b byte) *failure {
	c.side++
	switch {
	case b == '\r':
		c.state = chunkSizeLF
		return nil
	case c.state == chunkBlank && b != ' ' && b != '\t':
		return badFraming
	}
	return must(class[b]&control == 0 && c.side <= maxChunkSide)
}

func (c *chunkScanner) stepTrailer(b byte) *failure {
	if c.side++; c.side > maxChunkSide {
		return badTrailers
	}
	switch c.state {
	case chunkTrailerStart:
		if b == '\r' {
			c.state = chunkEndLF
			return nil
		}
		c.state, c.nameLen = chunkTrailerName, 0
		return c.stepName(b)
	case chunkTrailerName:
		return c.stepName(b)
	case chunkTrailerValue:
		if b == '\r' {
			c.state = chunkTrailerLF
		} else if class[b]&control != 0 {
			return badTrailers
		}
		return nil
	}
	c.state = chunkTrailerStart
	if b != '\n' {
		return badTrailers
	}
	return nil
}

func (c *chunkScanner) stepName(b byte) *failure {
	if b == ':' && c.nameLen > 0 {
		c.state = chunkTrailerValue
		if c.nameLen <= len(c.name) && forbiddenTrailer(c.name[:c.nameLen]) {
			return badTrailers
		}
		return nil
	}
	if class[b]&token == 0 {
		return badTrailers
	}
	if c.nameLen < len(c.name) {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		c.name[c.nameLen] = b
	}
	c.nameLen++
	return nil
}

// forbiddenTrailer names the fields that may not come after the body (RFC 9110 §6.5.1), because they frame or route the message or
// say who sent it.
func forbiddenTrailer(name []byte) bool {
	switch kindOf(name) {
	case kindPass, kindDate, kindAccept, kindRequestID:
	default:
		return true
	}
	switch string(name) {
	case "trailer", "authorization", "cookie", "set-cookie", "content-type", "content-encoding", "content-range":
		return true
	}
	return false
}

func unhex(b byte) byte {
	switch {
	case b <= '9':
		return b - '0'
	case b <= 'F':
		return b - 'A' + 10
	}
	return b - 'a' + 10
}
