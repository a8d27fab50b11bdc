package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
)

// The words of web ACLs have the member names of the API, so that the many shapes of rules pass through JSON from one to the other. A
// member that has a value and no word is refused by name: what would not be evaluated is not accepted.

// fromWire turns wire structs into words.
func fromWire[T any](in any) (out T, err error) {
	sparse, err := withoutNulls(in)
	if err != nil {
		return out, err
	}
	dec := json.NewDecoder(bytes.NewReader(sparse))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&out); err != nil {
		if _, member, unknown := strings.Cut(err.Error(), "unknown field "); unknown {
			return out, apprunner.Errorf(webacl.CodeInvalidParameter, "%s is not evaluated by this server. Leave it out.", strings.Trim(member, `"`))
		}
		return out, apprunner.Errorf(webacl.CodeInvalidParameter, "The rules cannot be read: %v.", err)
	}
	return out, nil
}

// toWire turns words into wire structs.
func toWire[T any](in any) (out T, err error) {
	b, err := json.Marshal(in)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return out, fmt.Errorf("write a web ACL: %w", err)
	}
	return out, nil
}

// withoutNulls is a value as JSON without the members that are not set, or ask for nothing.
func withoutNulls(in any) ([]byte, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("read a web ACL: %w", err)
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read a web ACL: %w", err)
	}
	dropNulls(v)
	return json.Marshal(v)
}

// asksNothing tells an empty structure of a setting that is not evaluated: Terraform sends it with every rule. Of other structures
// empty ones mean something, such as the action Allow.
func asksNothing(name string, member any) bool {
	fields, is := member.(map[string]any)
	if !is || name != "CaptchaConfig" && name != "ChallengeConfig" && name != "AssociationConfig" {
		return false
	}
	for _, f := range fields {
		if f != nil {
			return false
		}
	}
	return true
}

func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil || asksNothing(name, member) {
				delete(v, name)
				continue
			}
			dropNulls(member)
		}
	case []any:
		for _, e := range v {
			dropNulls(e)
		}
	}
}
