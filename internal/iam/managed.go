package iam

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	_ "embed" // the documents
)

//go:embed managed-policies.json
var managedPolicyFile []byte

// managedPolicy is a policy that belongs to AWS rather than to an account: it cannot be changed, and all accounts see it.
type managedPolicy struct {
	Policy
	text string
}

type managedPolicies map[string]managedPolicy // by ARN

// managedSince is the creation time all of them show.
var managedSince = time.Date(2021, 5, 18, 0, 0, 0, 0, time.UTC)

func loadManagedPolicies() (managedPolicies, error) {
	var file map[string]struct {
		ARN      string `json:"Arn"`
		Path     string
		Document json.RawMessage
	}
	if err := json.Unmarshal(managedPolicyFile, &file); err != nil {
		return nil, err
	}
	out := make(managedPolicies, len(file))
	for name, f := range file {
		if _, err := ParseDocument(string(f.Document), IdentityPolicy); err != nil {
			return nil, err
		}
		p := Policy{
			ID: managedID(name), ARN: f.ARN, Name: name, Path: f.Path, DefaultVersion: 1,
			Attachable: !strings.HasPrefix(f.Path, servicePath), Created: managedSince, Updated: managedSince,
		}
		out[f.ARN] = managedPolicy{Policy: p, text: string(f.Document)}
	}
	return out, nil
}

// managedID derives the unique id from the name, so that it is the same everywhere and for ever.
func managedID(name string) string {
	b := mac([]byte("managed policy"), name)
	id := make([]byte, 17)
	for i := range id {
		id[i] = idAlphabet[b[i]&31]
	}
	return policyIDPrefix + string(id)
}

func (m managedPolicies) sorted() []managedPolicy {
	out := make([]managedPolicy, 0, len(m))
	for _, p := range m {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b managedPolicy) int { return strings.Compare(a.Name, b.Name) })
	return out
}
