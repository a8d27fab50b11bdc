package secret

import (
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// FuzzLocate: an ARN of a secret leads to its account and region, everything else is a name in the caller's.
func FuzzLocate(f *testing.F) {
	here := apprunner.Scope{Account: "123456789012", Region: "us-east-1"}
	for _, s := range []string{"a", "a/b-AbCdEf", arnHead(here) + "a-AbCdEf", "arn:aws:secretsmanager:r:1:secret:", "arn:aws:ssm:r:1:secret:a", ":::::::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		home, name, isARN := locate(here, id)
		if isARN != (arnHead(home)+name == id) || !isARN && (home != here || name != id) {
			t.Fatalf("%q: %+v, %q, %v", id, home, name, isARN)
		}
		if short, suffix, found := cutSuffix(name); found && short+"-"+suffix != name {
			t.Fatalf("%q: %q, %q", name, short, suffix)
		}
		if arn := ToBeARN(here, id); !strings.HasPrefix(arn, arnHead(home)) {
			t.Fatalf("%q: %s", id, arn)
		}
	})
}
