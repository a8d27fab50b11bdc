package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// exported is the Go name of a shape or member.
func exported(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// valueName is the tail of the constant of an enum value: PENDING_HANDSHAKE becomes PendingHandshake.
func valueName(s string) string {
	var b strings.Builder
	words := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if w == strings.ToUpper(w) {
			w = strings.ToLower(w)
		}
		if i > 0 && unicode.IsDigit(rune(w[0])) && endsInDigit(b.String()) {
			b.WriteByte('_')
		}
		b.WriteString(exported(w))
	}
	return b.String()
}

func endsInDigit(s string) bool {
	return s != "" && s[len(s)-1] >= '0' && s[len(s)-1] <= '9'
}

// packageName is the Go package of a service's directory.
func packageName(service string) string { return strings.ReplaceAll(service, "-", "") }
