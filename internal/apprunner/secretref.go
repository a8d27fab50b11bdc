package apprunner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// SecretReference says where the value of a secret variable is (§17).
type SecretReference struct {
	Scope            // where it lives; zero for a parameter's bare name, which means the account and region of the service
	Parameter string // name or ARN of an SSM parameter; empty: it is a secret
	Secret    string // ARN of a Secrets Manager secret, without what may follow it
	// JSONKey names the one member of the secret's JSON text that is meant; empty: the whole value. Stage and Version choose a version
	// of the secret; both empty: the current one.
	JSONKey, Stage, Version string
}

const secretReferenceForms = "a Secrets Manager secret ARN (optionally with :json-key:version-stage:version-id), an SSM parameter ARN, " +
	"or the name of an SSM parameter"

const longestReference = 2048

// ParseSecretReference reads one of the three forms of §17. The error tells what is wrong without showing a text that may be a secret
// itself, put where its reference belongs.
func ParseSecretReference(text string) (SecretReference, error) {
	ref, ok := SecretReference{Parameter: text}, validParameterName(text)
	if strings.HasPrefix(text, "arn:") {
		ref, ok = parseReferenceARN(text)
	}
	if !ok || len(text) > longestReference {
		return SecretReference{}, Errorf(CodeInvalidRequest, "%s: allowed are %s", shownReference(text), secretReferenceForms)
	}
	return ref, nil
}

// shownReference shows a wrong reference, unless it may be the secret.
func shownReference(text string) string {
	switch {
	case text == "":
		return "empty"
	case strings.HasPrefix(text, "arn:"):
		return fmt.Sprintf("%q", clip(text))
	}
	return "neither an ARN nor a parameter name (it is not shown, in case it is the secret itself)"
}

func parseReferenceARN(text string) (ref SecretReference, ok bool) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) != 6 || !partition(parts[1]) || !allOf(parts[3], regionByte) || !allOf(parts[4], digitByte) || len(parts[4]) != 12 {
		return ref, false
	}
	ref.Scope = Scope{Region: parts[3], Account: parts[4]}
	switch parts[2] {
	case "ssm":
		name, cut := strings.CutPrefix(parts[5], "parameter")
		ref.Parameter = text
		return ref, cut && strings.HasPrefix(name, "/") && validParameterName(name)
	case "secretsmanager":
		tail := strings.Split(parts[5], ":")
		if len(tail) < 2 || len(tail) > 5 || tail[0] != "secret" || !allOf(tail[1], secretByte) {
			return ref, false
		}
		ref.Secret = strings.Join(parts[:5], ":") + ":secret:" + tail[1]
		for i, into := range []*string{&ref.JSONKey, &ref.Stage, &ref.Version} {
			if len(tail) > i+2 {
				*into = tail[i+2]
			}
		}
		return ref, true
	}
	return ref, false
}

// validParameterName tells whether a text can be the name of a parameter: parts between slashes, perhaps one slash before them.
func validParameterName(name string) bool {
	for part := range strings.SplitSeq(strings.TrimPrefix(name, "/"), "/") {
		if !allOf(part, parameterByte) {
			return false
		}
	}
	return true
}

// allOf tells whether a text has characters, and only ones of a kind.
func allOf(s string, kind func(byte) bool) bool {
	for i := range len(s) {
		if !kind(s[i]) {
			return false
		}
	}
	return s != ""
}

// partition tells whether a text names a partition of AWS. Nothing lies here in another one than aws, which whoever looks there says.
func partition(s string) bool {
	rest, aws := strings.CutPrefix(s, "aws")
	return aws && (rest == "" || allOf(rest, func(c byte) bool { return c >= 'a' && c <= 'z' || c == '-' }))
}

func digitByte(c byte) bool  { return c >= '0' && c <= '9' }
func regionByte(c byte) bool { return c >= 'a' && c <= 'z' || digitByte(c) || c == '-' }
func parameterByte(c byte) bool {
	return regionByte(c) || c >= 'A' && c <= 'Z' || c == '.' || c == '_'
}
func secretByte(c byte) bool { return parameterByte(c) || strings.IndexByte("/+=@!", c) >= 0 }

// CheckSecretsOf refuses references to parameters of other accounts than the service's own, which nobody can share (§17).
func (s Settings) CheckSecretsOf(sc Scope) error {
	secrets := s.Source.secrets()
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		ref, err := ParseSecretReference(secrets[name])
		if err == nil && ref.foreign(sc) {
			return Errorf(CodeInvalidRequest, "The secret of the variable %s is an SSM parameter of account %s: parameters must be in the service's own account, %s. A Secrets Manager secret of another account can be used where its resource policy allows.",
				clip(name), ref.Account, sc.Account)
		}
	}
	return nil
}

func (r SecretReference) foreign(sc Scope) bool {
	return r.Parameter != "" && r.Account != "" && r.Account != sc.Account
}

// In fills the scope of a bare parameter name in: that of the service. It fails where a parameter belongs to another account.
func (r SecretReference) In(sc Scope) (SecretReference, error) {
	if r.foreign(sc) {
		return r, Errorf(CodeInvalidRequest, "parameters must be in the service's own account, %s", sc.Account)
	}
	if r.Account == "" {
		r.Scope = sc
	}
	return r, nil
}
