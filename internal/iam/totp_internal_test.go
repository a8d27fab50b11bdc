package iam

import (
	"testing"
	"time"
)

// The vectors of RFC 6238, appendix B, SHA-1; the last six of their eight digits.
func TestTOTP(t *testing.T) {
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := totp([]byte("12345678901234567890"), totpAt(time.Unix(at, 0))); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestFindTOTP(t *testing.T) {
	seed := []byte("12345678901234567890")
	for name, c := range map[string]struct {
		code, next          string
		middle, away, later int64
		step                int64
	}{
		"now":                         {totp(seed, 100), "", 100, 1, 0, 100},
		"one step behind":             {totp(seed, 99), "", 100, 1, 0, 99},
		"one step ahead":              {totp(seed, 101), "", 100, 1, 0, 101},
		"too far behind":              {totp(seed, 98), "", 100, 1, 0, 0},
		"taken already":               {totp(seed, 100), "", 100, 1, 100, 0},
		"two in a row":                {totp(seed, 95), totp(seed, 96), 100, 20, 0, 95},
		"two that are not in a row":   {totp(seed, 95), totp(seed, 97), 100, 20, 0, 0},
		"the same twice":              {totp(seed, 95), totp(seed, 95), 100, 20, 0, 0},
		"nothing at all":              {"", "", 100, 1, 0, 0},
		"before what was taken later": {totp(seed, 99), "", 100, 1, 99, 0},
	} {
		if step, found := findTOTP(seed, c.code, c.next, c.middle, c.away, c.later); step != c.step || found != (c.step != 0) {
			t.Errorf("%s: step %d, %v; want %d", name, step, found, c.step)
		}
	}
}
