package edge

import "bytes"

// validHost accepts names, addresses and a port.
func validHost(host []byte) bool {
	for _, c := range host {
		if class[c]&hostChar == 0 {
			return false
		}
	}
	return len(host) > 0 && len(host) <= 261
}

// Classes of bytes.
const (
	token    = 1 << iota // may be in a field name or method (RFC 9110 §5.6.2)
	plain                // needs no second look in a request target
	hexDigit             //
	control              // may not be in a field value: all controls but the tab
	hostChar             // may be in a Host
)

var class = func() (t [256]uint8) {
	for c := range 256 {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		digit := '0' <= c && c <= '9'
		if letter || digit || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0 {
			t[c] |= token
		}
		if c > ' ' && c != 0x7f && c != '?' && c != '#' && c != '%' {
			t[c] |= plain
		}
		if digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' {
			t[c] |= hexDigit
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			t[c] |= control
		}
		if letter || digit || bytes.IndexByte([]byte("-._:[]"), byte(c)) >= 0 {
			t[c] |= hostChar
		}
	}
	return t
}()

// foldEqual compares ASCII text without regard to case; want is in lower case.
func foldEqual(b []byte, want string) bool {
	if len(b) != len(want) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != want[i] {
			return false
		}
	}
	return true
}

// containsFold tells whether one of the comma-separated items of v is want.
func containsFold(v []byte, want string) bool {
	for item := range bytes.SplitSeq(v, []byte{','}) {
		if foldEqual(bytes.TrimSpace(item), want) {
			return true
		}
	}
	return false
}
