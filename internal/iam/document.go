package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

// DocumentKind says which elements a policy document must and may have.
type DocumentKind int

// The kinds of policy documents.
const (
	// IdentityPolicy belongs to a user, group, role or session: resources, no principals.
	IdentityPolicy DocumentKind = iota
	// TrustPolicy belongs to a role: principals, no resources.
	TrustPolicy
	// ResourcePolicy belongs to a repository, key or secret: principals; resources may be left out.
	ResourcePolicy
)

// Document is a parsed policy.
type Document struct {
	Variables  bool // version 2012-10-17, in which ${…} is filled in
	Statements []Statement
}

// Statement is one rule of a policy. Of the pairs with Not exactly one is set, as [ParseDocument] checks.
type Statement struct {
	SID           string
	Deny          bool
	Actions       []string
	NotActions    []string
	Resources     []string
	NotResources  []string
	Principals    Principals
	NotPrincipals Principals
	Conditions    []Condition
}

// Principals are callers a resource or trust policy names, by kind: AWS, Service, Federated, CanonicalUser. Everyone is {"AWS":
// ["*"]}.
type Principals map[string][]string

// Condition is one operator applied to one key: it holds when any of the values does (adjacent §2.4).
type Condition struct {
	Operator operator
	Key      string // lower case
	Values   []string
}

const (
	maxDocument   = 128 << 10 // bytes; far above every quota, a guard for the parser
	maxDepth      = 16
	versionOld    = "2008-10-17"
	versionNew    = "2012-10-17"
	syntaxMessage = "Syntax errors in policy."
)

// ParseDocument reads a policy. It fails with CodeMalformedPolicyDocument and a message that names what is wrong; members,
// effects, operators and keys are taken exactly, and nothing unknown is passed over: a rule that is not understood could be a
// refusal.
func ParseDocument(text string, kind DocumentKind) (Document, error) {
	doc, err := parseDocument([]byte(text), kind)
	if err != nil {
		return Document{}, apprunner.Errorf(CodeMalformedPolicyDocument, "%w", err)
	}
	return doc, nil
}

func parseDocument(text []byte, kind DocumentKind) (Document, error) {
	if len(text) > maxDocument {
		return Document{}, fmt.Errorf("the policy is longer than %d bytes", maxDocument)
	}
	if err := checkJSON(text); err != nil {
		return Document{}, fmt.Errorf("%s %w", syntaxMessage, err)
	}
	members, err := object(text, "the policy")
	if err != nil {
		return Document{}, err
	}
	var doc Document
	statements := json.RawMessage(nil)
	for name, raw := range members {
		switch name {
		case "Version":
			var v string
			if json.Unmarshal(raw, &v) != nil || v != versionOld && v != versionNew {
				return Document{}, fmt.Errorf("%s Version must be %q or %q", syntaxMessage, versionNew, versionOld)
			}
			doc.Variables = v == versionNew
		case "Id":
		case "Statement":
			statements = raw
		default:
			return Document{}, fmt.Errorf("%s %q is not an element of a policy; there are Version, Id and Statement", syntaxMessage, name)
		}
	}
	if statements == nil {
		return Document{}, fmt.Errorf("%s Statement is missing", syntaxMessage)
	}
	doc.Statements, err = parseStatements(statements, kind)
	return doc, err
}

// parseStatements takes one statement or a list of them.
func parseStatements(raw json.RawMessage, kind DocumentKind) ([]Statement, error) {
	list := []json.RawMessage{raw}
	if raw[0] == '[' {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("%s %w", syntaxMessage, err)
		}
	}
	out := make([]Statement, 0, len(list))
	sids := make(map[string]bool)
	for i, item := range list {
		s, err := parseStatement(item)
		if err == nil {
			err = s.check(kind)
		}
		if err == nil && s.SID != "" && sids[s.SID] {
			err = fmt.Errorf("Sid %q is used twice; statement ids (SID) in a single policy must be unique", clip(s.SID))
		}
		if err != nil {
			return nil, fmt.Errorf("%s Statement %d: %w", syntaxMessage, i+1, err)
		}
		sids[s.SID] = true
		out = append(out, s)
	}
	return out, nil
}

func parseStatement(raw json.RawMessage) (Statement, error) {
	members, err := object(raw, "a statement")
	if err != nil {
		return Statement{}, err
	}
	s := Statement{}
	effect := ""
	for name, value := range members {
		switch name {
		case "Sid":
			err = json.Unmarshal(value, &s.SID)
		case "Effect":
			err = json.Unmarshal(value, &effect)
		case "Action":
			s.Actions, err = stringList(value)
		case "NotAction":
			s.NotActions, err = stringList(value)
		case "Resource":
			s.Resources, err = stringList(value)
		case "NotResource":
			s.NotResources, err = stringList(value)
		case "Principal":
			s.Principals, err = parsePrincipals(value)
		case "NotPrincipal":
			s.NotPrincipals, err = parsePrincipals(value)
		case "Condition":
			s.Conditions, err = parseConditions(value)
		default:
			err = errors.New("it is not an element of a statement")
		}
		if err != nil {
			return Statement{}, fmt.Errorf("%s: %w", clip(name), err)
		}
	}
	if effect != "Allow" && effect != "Deny" {
		return Statement{}, errors.New(`Effect must be "Allow" or "Deny"`)
	}
	s.Deny = effect == "Deny"
	return s, nil
}

var (
	actionForm = pattern.Of(`^(\*|(\*|[A-Za-z0-9-]+):[A-Za-z0-9*?]+)$`)
	arnForm    = pattern.Of(`^arn:.+$`)
)

// check holds a statement against what its kind of policy must and may have.
func (s *Statement) check(kind DocumentKind) error {
	if (s.Actions == nil) == (s.NotActions == nil) {
		return errors.New("exactly one of Action and NotAction is required")
	}
	for _, a := range slices.Concat(s.Actions, s.NotActions) {
		if !actionForm.MatchString(a) {
			return fmt.Errorf("the action %q does not have the form <service>:<action>, with * and ? in the action only", clip(a))
		}
	}
	if s.Resources != nil && s.NotResources != nil || kind == IdentityPolicy && s.Resources == nil && s.NotResources == nil {
		return errors.New("exactly one of Resource and NotResource is required")
	}
	if kind == TrustPolicy && (s.Resources != nil || s.NotResources != nil) {
		return errors.New("a trust policy names no Resource: it is about its own role")
	}
	for _, r := range slices.Concat(s.Resources, s.NotResources) {
		if r != "*" && !arnForm.MatchString(r) {
			return fmt.Errorf("Resource %s must be in ARN format or \"*\"", clip(r))
		}
	}
	named := s.Principals != nil || s.NotPrincipals != nil
	if kind == IdentityPolicy && named {
		return errors.New("a policy of a user, group or role names no Principal")
	}
	if kind != IdentityPolicy && (s.Principals == nil) == (s.NotPrincipals == nil) {
		return errors.New("exactly one of Principal and NotPrincipal is required")
	}
	return nil
}

// parsePrincipals takes "*" or an object of kinds.
func parsePrincipals(raw json.RawMessage) (Principals, error) {
	var all string
	if json.Unmarshal(raw, &all) == nil {
		if all != "*" {
			return nil, errors.New(`it must be "*" or an object with AWS, Service or Federated`)
		}
		return Principals{"AWS": {"*"}}, nil
	}
	members, err := object(raw, "it")
	if err != nil {
		return nil, err
	}
	out := make(Principals)
	for kind, value := range members {
		if !slices.Contains([]string{"AWS", "Service", "Federated", "CanonicalUser"}, kind) {
			return nil, fmt.Errorf("%q is not a kind of principal", clip(kind))
		}
		if out[kind], err = stringList(value); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
	}
	return out, nil
}

func parseConditions(raw json.RawMessage) ([]Condition, error) {
	operators, err := object(raw, "it")
	if err != nil {
		return nil, err
	}
	var out []Condition
	for name, body := range operators {
		op, err := parseOperator(name)
		if err != nil {
			return nil, err
		}
		keys, err := object(body, name)
		if err != nil {
			return nil, err
		}
		for key, value := range keys {
			values, err := scalarList(value)
			if err == nil {
				err = op.checkValues(values)
			}
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", name, clip(key), err)
			}
			out = append(out, Condition{Operator: op, Key: strings.ToLower(key), Values: values})
		}
	}
	return out, nil
}

func object(raw json.RawMessage, what string) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil || m == nil {
		return nil, fmt.Errorf("%s must be a JSON object", what)
	}
	return m, nil
}

// stringList takes one string or a list of at least one.
func stringList(raw json.RawMessage) ([]string, error) {
	var one string
	if json.Unmarshal(raw, &one) == nil && raw[0] == '"' {
		return []string{one}, nil
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 || slices.Contains(list, nil) {
		return nil, errors.New("it must be a string or a list of strings, not empty")
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = *s
	}
	return out, nil
}

// scalarList takes one value or a list; numbers and booleans may stand without quotes in conditions.
func scalarList(raw json.RawMessage) ([]string, error) {
	list := []json.RawMessage{raw}
	if raw[0] == '[' {
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		item = bytes.TrimSpace(item)
		switch item[0] {
		case '"':
			var s string
			if err := json.Unmarshal(item, &s); err != nil {
				return nil, err
			}
			out = append(out, s)
		case '{', '[', 'n':
			return nil, errors.New("values must be strings, numbers or booleans")
		default:
			out = append(out, string(item))
		}
	}
	return out, nil
}

// checkJSON accepts one well-formed JSON value without doubled member names, which encoding/json would pass over: of two rules
// under one name the second would silently win.
func checkJSON(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := checkValue(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text after the policy")
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return fmt.Errorf("not valid JSON: %w", err)
	}
	delim, composite := tok.(json.Delim)
	if !composite {
		return nil
	}
	seen := make(map[string]bool)
	for dec.More() {
		if delim == '{' {
			name, err := dec.Token()
			if err != nil {
				return fmt.Errorf("not valid JSON: %w", err)
			}
			key, _ := name.(string)
			if seen[key] {
				return fmt.Errorf("the member %q is there twice", clip(key))
			}
			seen[key] = true
		}
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// documentCache keeps parsed policies by their text: they are read for every request and change rarely.
type documentCache struct {
	mu   sync.Mutex
	docs map[string]Document
}

const maxCached = 2048

func (c *documentCache) parse(text string, kind DocumentKind) (Document, error) {
	key := string(rune('0'+kind)) + text
	c.mu.Lock()
	doc, ok := c.docs[key]
	c.mu.Unlock()
	if ok {
		return doc, nil
	}
	doc, err := ParseDocument(text, kind)
	if err != nil {
		return Document{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.docs == nil || len(c.docs) >= maxCached {
		c.docs = make(map[string]Document)
	}
	c.docs[key] = doc
	return doc, nil
}
