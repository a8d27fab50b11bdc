package iam_test

import (
	"testing"

	"slipway.dev/slipway/internal/iam"
)

// Keys of KMS: their policy has the last word, and a grant stands in for it.
func TestResourceWhosePolicyComesFirst(t *testing.T) {
	const (
		key      = "arn:aws:kms:eu-west-1:123456789012:key/k"
		delegate = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}}`
		nobody   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/nobody"},"Action":"kms:*","Resource":"*"}}`
		jo       = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/jo"},"Action":"kms:*","Resource":"*"}}`
		closed   = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*"}}`
		mayUse   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}}`
		mayNot   = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}}`
	)
	for name, c := range map[string]struct {
		root     bool
		identity string
		policy   string
		granted  bool
		want     bool
	}{
		"the policy leaves it to the account, whose policies allow":    {identity: mayUse, policy: delegate, want: true},
		"the policy leaves it to the account, whose policies are mute": {policy: delegate},
		"the account's policies alone":                                 {identity: mayUse, policy: nobody},
		"named by the key policy":                                      {policy: jo, want: true},
		"root, whom the policy does not name":                          {root: true, policy: nobody},
		"root, whom the policy names":                                  {root: true, policy: delegate, want: true},
		"a grant":                                                      {policy: nobody, granted: true, want: true},
		"a grant against a deny of the key policy":                     {policy: closed, granted: true},
		"a grant against a deny of the caller's":                       {identity: mayNot, policy: delegate, granted: true},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := newDirectory(t)
			p := userOf(t, d, account, "jo", c.identity)
			if c.root {
				p = iam.Principal{Type: iam.TypeRoot, Account: account, ARN: iam.RootARN(account), ID: account}
			}
			err := d.Authorize(t.Context(), p, iam.Request{Action: "kms:Decrypt", Resource: key, ResourcePolicy: c.policy, PolicyFirst: true, Granted: c.granted})
			if (err == nil) != c.want {
				t.Fatalf("allowed: %v, want %v (%v)", err == nil, c.want, err)
			}
		})
	}
}
