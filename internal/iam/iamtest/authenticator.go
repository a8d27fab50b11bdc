// Package iamtest plays what people hold in their hands, for tests of those who sign in: an authenticator app, written down from RFC
// 6238 once more, so that a mistake in the one that checks codes shows.
package iamtest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 as authenticator apps implement it
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"time"
)

// Code is what an authenticator with a seed in base 32 shows at a moment.
func Code(seed string, at time.Time) string {
	key, err := base32.StdEncoding.DecodeString(seed)
	if err != nil {
		return err.Error()
	}
	h := hmac.New(sha1.New, key)
	_ = binary.Write(h, binary.BigEndian, at.Unix()/30) // a hash takes everything
	sum := h.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1000000)
}
