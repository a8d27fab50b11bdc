package secret

import (
	"crypto/rand"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

func arnHead(sc apprunner.Scope) string {
	return "arn:aws:secretsmanager:" + sc.Region + ":" + sc.Account + ":secret:"
}

// ToBeARN is what the ARN of a secret that is not there yet will look like: policies are asked about it.
func ToBeARN(sc apprunner.Scope, id string) string {
	sc, name, _ := locate(sc, id)
	return arnHead(sc) + name + "-" + strings.Repeat("x", suffixLength)
}

// suffixLength is how many characters follow the name in an ARN.
const suffixLength = 6

// newSuffix makes the end of an ARN.
func newSuffix() string { return rand.Text()[:suffixLength] }

// locate takes the id of a request apart: a name in the caller's scope, or an ARN, which says itself where the secret is.
func locate(sc apprunner.Scope, id string) (home apprunner.Scope, name string, isARN bool) {
	parts := strings.SplitN(id, ":", 7)
	if len(parts) != 7 || parts[0] != "arn" || parts[1] != "aws" || parts[2] != "secretsmanager" || parts[5] != "secret" {
		return sc, id, false
	}
	return apprunner.Scope{Region: parts[3], Account: parts[4]}, parts[6], true
}

// cutSuffix splits the last part of a full ARN into name and suffix; found is false where it cannot be one.
func cutSuffix(last string) (name, suffix string, found bool) {
	at := len(last) - suffixLength - 1
	if at < 1 || last[at] != '-' {
		return "", "", false
	}
	return last[:at], last[at+1:], true
}

const maxName = 512

// checkName holds the rules of a new secret's name.
func checkName(name string) error {
	allowed := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/_+=.@!-", r)
	}
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !allowed(r) }) {
		return invalid("Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@! (1 to %d of them).", maxName)
	}
	return nil
}
