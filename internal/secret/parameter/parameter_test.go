package parameter_test

import (
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/secret/parameter"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		path, name  string
		level, deep bool
	}{
		{"/", "/a", true, true},
		{"/", "a", true, true},
		{"/", "/a/b", false, true},
		{"/a", "/a/b", true, true},
		{"/a/", "/a/b", true, true},
		{"/a", "/a/b/c", false, true},
		{"/a", "/ab/c", false, false},
		{"/a", "/a", false, false},
	} {
		if level, deep := parameter.Below(c.path, c.name, false), parameter.Below(c.path, c.name, true); level != c.level || deep != c.deep {
			t.Errorf("%s below %s: %v, %v", c.name, c.path, level, deep)
		}
	}
}

// FuzzLocate: whatever a request calls a parameter, it is somewhere, and a name holds no selector.
func FuzzLocate(f *testing.F) {
	for _, s := range []string{"a", "/a/b", "a:1", "arn:aws:ssm:eu-west-1:123456789012:parameter/a/b:label", "arn:aws:ssm:::parameter/", "arn:aws:ssm:r:1:document/a", ":::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		home, name, selector := parameter.Locate(scope, text)
		if strings.Contains(name, ":") || !strings.Contains(text, name) || !strings.HasSuffix(text, selector) {
			t.Fatalf("%q: %q, %q", text, name, selector)
		}
		if home != scope && !strings.HasPrefix(text, "arn:aws:ssm:"+home.Region+":"+home.Account+":parameter/") {
			t.Fatalf("%q is in %+v", text, home)
		}
	})
}
