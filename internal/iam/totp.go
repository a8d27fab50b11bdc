package iam

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 as authenticator apps implement it
	"encoding/binary"
	"fmt"
	"time"
)

const (
	totpStep   = 30 * time.Second
	totpDigits = 6
)

// totpAt is the number of the time step that a moment is in.
func totpAt(t time.Time) int64 { return t.Unix() / int64(totpStep/time.Second) }

// totp is the one-time password of a time step: RFC 6238 with SHA-1 and six digits.
func totp(seed []byte, step int64) string {
	h := hmac.New(sha1.New, seed)
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step)) //nolint:gosec // times before 1970 do not occur
	h.Write(counter[:])
	sum := h.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%0*d", totpDigits, (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}

// findTOTP is the step nearest to one in the middle, at most so many away and later than another, whose password is code, and whose
// successor's is next unless that is empty.
func findTOTP(seed []byte, code, next string, middle, away, later int64) (step int64, found bool) {
	for d := range away + 1 {
		for _, step := range []int64{middle - d, middle + d} {
			if step > later && same(totp(seed, step), code) && (next == "" || same(totp(seed, step+1), next)) {
				return step, true
			}
		}
	}
	return 0, false
}

func same(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
