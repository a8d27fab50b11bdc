package edge

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// maxRequestID is the longest X-Request-Id taken over from a client.
const maxRequestID = 128

// requestID returns the client's own id when it is harmless, else a new one.
func requestID(given string) string {
	if validRequestID(given) {
		return given
	}
	return string(appendRequestID(nil))
}

// validRequestID tells whether an id is short and of letters, digits and -_.=+/: only.
func validRequestID[T string | []byte](id T) bool {
	if len(id) == 0 || len(id) > maxRequestID {
		return false
	}
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == '=', c == '+', c == '/', c == ':':
		default:
			return false
		}
	}
	return true
}

// appendRequestID appends 32 random hex digits.
func appendRequestID(b []byte) []byte {
	var raw [16]byte
	binary.NativeEndian.PutUint64(raw[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(raw[8:], rand.Uint64())
	return hex.AppendEncode(b, raw[:])
}
