package secret

import (
	"crypto/rand"
	"math/big"
	"strings"
)

const (
	upper       = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower       = "abcdefghijklmnopqrstuvwxyz"
	digits      = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// PasswordRules say what a random password is made of.
type PasswordRules struct {
	Length  int // 1-4096; 0: 32
	Exclude string
	NoUpper, NoLower, NoDigits,
	NoPunctuation bool
	Space bool
	// Each lets every kind that is allowed occur at least once.
	Each bool
}

const defaultPasswordLength = 32

// Password makes a random password. It fails with CodeInvalidParameter where the rules leave nothing to choose from.
func Password(r PasswordRules) (string, error) {
	if r.Length == 0 {
		r.Length = defaultPasswordLength
	}
	kinds := r.kinds()
	if len(kinds) == 0 {
		return "", invalid("The rules exclude every character: allow at least one kind.")
	}
	if r.Each && r.Length < len(kinds) {
		return "", invalid("The password length %d is too short for one character of each of %d kinds.", r.Length, len(kinds))
	}
	all := strings.Join(kinds, "")
	out := make([]byte, 0, r.Length)
	if r.Each {
		for _, k := range kinds {
			out = append(out, k[below(len(k))])
		}
	}
	for len(out) < r.Length {
		out = append(out, all[below(len(all))])
	}
	for i := len(out) - 1; i > 0; i-- {
		j := below(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return string(out), nil
}

// kinds are the characters allowed of each kind; a kind of which none is left is not one.
func (r PasswordRules) kinds() (kinds []string) {
	for _, k := range []struct {
		chars string
		no    bool
	}{{upper, r.NoUpper}, {lower, r.NoLower}, {digits, r.NoDigits}, {punctuation, r.NoPunctuation}, {" ", !r.Space}} {
		left := strings.Map(func(c rune) rune {
			if strings.ContainsRune(r.Exclude, c) {
				return -1
			}
			return c
		}, k.chars)
		if !k.no && left != "" {
			kinds = append(kinds, left)
		}
	}
	return kinds
}

// below is a random number from 0 to n-1, each as likely as the others.
func below(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // the system's source of random numbers never fails
	}
	return int(i.Int64())
}
