package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/server"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slipway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	path := configFile(t, `
api-addr: 127.0.0.1:1
https-addr: 127.0.0.1:2
domain: file.test
drain-timeout: 90s
account: 000000000001
runtime-images:
  python311: registry.test/python:3.11
  nodejs22: registry.test/node
mirrors:
  public.ecr.aws: {url: "mirror.test:5000/ecr", username: "me", password: "a,b:c@d"}
allow-egress: [10.1.0.0/16, 192.168.7.0/24]
`)
	c, settings, err := server.Load(server.Input{
		Flags: map[string]string{"api-addr": "127.0.0.1:3"},
		Env:   env("SLIPWAY_API_ADDR", "127.0.0.1:4", "SLIPWAY_DOMAIN", "env.test", "SLIPWAY_CONFIG", path, "HOME", "/home/x", "XDG_CACHE_HOME", "/cache"),
	})
	if err != nil {
		t.Fatal(err)
	}
	from := map[string]string{}
	for _, s := range settings {
		from[s.Name] = s.Value + " | " + strings.ReplaceAll(s.From, path, "FILE")
	}
	want := map[string]string{
		"api-addr":       "127.0.0.1:3 | flag --api-addr",
		"domain":         "env.test | environment SLIPWAY_DOMAIN",
		"https-addr":     "127.0.0.1:2 | FILE:3:13",
		"drain-timeout":  "1m30s | FILE:5:16",
		"account":        "000000000001 | FILE:6:10",
		"region":         "us-east-1 | default",
		"cache-dir":      "/cache/slipway | default",
		"mirrors":        "public.ecr.aws=me:***@mirror.test:5000/ecr | FILE:11:3",
		"runtime-images": "nodejs22=registry.test/node,python311=registry.test/python:3.11 | FILE:8:3",
		"allow-egress":   "10.1.0.0/16,192.168.7.0/24 | FILE:12:15",
	}
	for name, w := range want {
		if name == "mirrors" || name == "runtime-images" { // where a mapping begins is the parser's choice
			w, from[name] = strings.Split(w, " | ")[0], strings.Split(from[name], " | ")[0]
		}
		if from[name] != w {
			t.Errorf("%s: got %s, want %s", name, from[name], w)
		}
	}
	if c.DrainTimeout != 90*time.Second || c.ServiceQuota != 10 || *c.FileSources != true {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff(server.Mirror{URL: "mirror.test:5000/ecr", Username: "me", Password: "a,b:c@d"}, c.Mirrors["public.ecr.aws"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(c, (server.Config{}).WithDefaults(env("HOME", "/h")), cmp.FilterPath(func(p cmp.Path) bool {
		return strings.Contains("APIAddr HTTPSAddr Domain DrainTimeout Account CacheDir RuntimeImages Mirrors AllowEgress", strings.TrimPrefix(p.String(), "."))
	}, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
}

func TestEveryFaultNamesPlaceValueAndWhatIsAllowed(t *testing.T) {
	path := configFile(t, `api_addr: x
colour: red
domian: x.test
region: moon
drain-timeout: 5
domain: [a, b]
network-pool: {a: {b: c}}
`)
	_, _, err := server.Load(server.Input{File: path, Env: env("HOME", "/h")})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`FILE:1:1: "api_addr" is not a setting; did you mean api-addr?`,
		`FILE:3:1: "domian" is not a setting; did you mean domain?`,
		`FILE:2:1: "colour" is not a setting; the settings are data-dir, api-addr,`,
		`FILE:7:15: network-pool: "b" is not known here; allowed are url, username and password`,
	} {
		if !strings.Contains(strings.ReplaceAll(err.Error(), path, "FILE"), want) {
			t.Errorf("missing %s in\n%v", want, err)
		}
	}
	_, _, err = server.Load(server.Input{
		Flags: map[string]string{"account": "12", "api-addr": "0.0.0.0:77000", "api-rate": "-1", "api-names": "a b", "file-sources": "maybe", "mirrors": "a=secret@:", "acme-ca": "/absent/ca.pem", "api-cert": "/"},
		Env:   env("HOME", "/h", "SLIPWAY_REGION", "moon", "SLIPWAY_DRAIN_TIMEOUT", "5"),
	})
	for _, want := range []string{
		`flag --account: "12" is not allowed; allowed is 12 digits`,
		`environment SLIPWAY_REGION: "moon" is not allowed; allowed is a region name such as us-east-1`,
		`environment SLIPWAY_DRAIN_TIMEOUT: "5" is not allowed; allowed is a time such as 90s, 5m or 1h30m, from 1s`,
		`flag --api-addr: "0.0.0.0:77000" is not allowed; allowed is host:port`,
		`flag --api-rate: "-1" is not allowed; allowed is a whole number from 1, or off`,
		`flag --api-names: "a b" is not allowed; allowed is names and addresses, separated by commas`,
		`flag --acme-ca: "/absent/ca.pem" is not allowed; allowed is a file that is there and can be read`,
		`flag --api-cert: "/" is not allowed; allowed is a file that is there and can be read`,
		`flag --file-sources: "maybe" is not allowed; allowed is true or false`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing %s in\n%v", want, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("a secret is shown: %v", err)
	}
}

func TestBrokenConfigFile(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a: b: c\n", "FILE:1:"},
		{"- a\n", "FILE:1:1: the file is to be one mapping"},
		{"region: us-east-1\nregion: us-east-1\n", "FILE:2:1: "},
		{"region: &a us-east-1\n", "a plain value is wanted here"},
	} {
		path := configFile(t, c.text)
		_, _, err := server.Load(server.Input{File: path, Env: env("HOME", "/h")})
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), path, "FILE"), c.want) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
	if _, _, err := server.Load(server.Input{File: configFile(t, "# nothing\n"), Env: env("HOME", "/h")}); err != nil {
		t.Error(err)
	}
	if _, _, err := server.Load(server.Input{File: "/no/such/file", Env: env()}); err == nil {
		t.Error("a missing file is accepted")
	}
}
