package iam

import (
	"crypto/rand"
	"encoding/base64"
)

// The first letters of unique ids say what they name (adjacent §2.3).
const (
	userIDPrefix       = "AIDA"
	groupIDPrefix      = "AGPA"
	roleIDPrefix       = "AROA"
	policyIDPrefix     = "ANPA"
	keyIDPrefix        = "AKIA"
	temporaryKeyPrefix = "ASIA"
)

const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // 32 letters: a byte's low five bits choose one without bias

// newUniqueID returns a prefix and n upper-case letters and digits.
func newUniqueID(prefix string, n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = idAlphabet[b[i]&31]
	}
	return prefix + string(b)
}

func newEntityID(prefix string) string { return newUniqueID(prefix, 17) }

func newKeyID(prefix string) string { return newUniqueID(prefix, 16) }

// newSecret returns a 40-character secret access key: 240 random bits.
func newSecret() string {
	b := make([]byte, 30)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}
