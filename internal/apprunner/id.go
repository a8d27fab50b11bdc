package apprunner

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// NewID returns a resource or instance id: 32 lower-case hex digits (§2).
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// NewUUID returns a version-4 UUID, the form of operation and request ids (§2).
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

const labelAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

// NewDomainLabel returns the ten characters that begin a default domain (§2).
func NewDomainLabel() string {
	var b [10]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = labelAlphabet[int(b[i])%len(labelAlphabet)]
	}
	return string(b[:])
}

// StreamID is an operation id as log stream names spell it: without dashes (§21).
func StreamID(operationID string) string { return strings.ReplaceAll(operationID, "-", "") }
