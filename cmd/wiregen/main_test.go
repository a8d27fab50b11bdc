package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	models    = "../../spec/models"
	generated = "../../internal/wire"
)

func TestGeneratedPackagesAreUpToDate(t *testing.T) {
	files, err := generateAll(models)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(generated, name))
		if err != nil {
			t.Fatalf("%v; run go generate ./internal/wire", err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what the model gives; run go generate ./internal/wire and look at the difference: it is a change of the public API", name)
		}
	}
	for _, pattern := range []string{"types.go", "schema.go"} {
		found, err := filepath.Glob(filepath.Join(generated, "*", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			rel, _ := filepath.Rel(generated, f)
			if files[rel] == nil {
				t.Errorf("%s comes from no model in spec/models", rel)
			}
		}
	}
}

func TestModelWithUnknownTraitIsRefused(t *testing.T) {
	for name, shapes := range map[string]string{
		"trait of a shape":  `{"In": {"type": "structure", "members": {}, "eventstream": true}}`,
		"trait of a member": `{"In": {"type": "structure", "members": {"A": {"shape": "S", "location": "header"}}}, "S": {"type": "string"}}`,
		"type":              `{"In": {"type": "structure", "members": {"A": {"shape": "S"}}}, "S": {"type": "document"}}`,
		"look-ahead":        `{"In": {"type": "structure", "members": {"A": {"shape": "S"}}}, "S": {"type": "string", "pattern": "(?!x).*"}}`,
		"uncountable":       `{"In": {"type": "structure", "members": {"A": {"shape": "S"}}}, "S": {"type": "string", "max": 3000, "pattern": "a{1,2000}"}}`,
		"missing shape":     `{"In": {"type": "structure", "members": {"A": {"shape": "S"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := generateFrom(t, "json", shapes); err == nil {
				t.Error("the model was accepted")
			}
		})
	}
}

func TestProtocolWithoutCodecIsRefused(t *testing.T) {
	err := generateFrom(t, "rest-xml", `{"In": {"type": "structure", "members": {}}}`)
	if err == nil || !strings.Contains(err.Error(), "no codec") {
		t.Errorf("got %v, want an error that says there is no codec", err)
	}
}

func generateFrom(t *testing.T, protocol, shapes string) error {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "toy", "2020-01-01")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	src := `{"metadata": {"apiVersion": "2020-01-01", "protocol": "` + protocol + `", "jsonVersion": "1.0", "endpointPrefix": "toy"},
		"operations": {"Do": {"name": "Do", "http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "In"}}}, "shapes": ` + shapes + `}`
	if err := os.WriteFile(filepath.Join(dir, "service-2.json"), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := generateAll(filepath.Dir(filepath.Dir(dir)))
	return err
}

func TestExpressions(t *testing.T) {
	for _, tc := range []struct{ pattern, max, want string }{
		{`a{1,1011}`, "1011", `a{1,}`},
		{`a{1,1000}`, "1024", `a{1,1000}`},
		{`^\S+$`, "", `\S+`},
		{`.*`, "10", ``},
		{`[\u0020-\uD7FF\u10000-\u10FFFF]+`, "", `[\x{0020}-\x{D7FF}\x{10000}-\x{10FFFF}]+`},
	} {
		s := &shape{Type: "string", Pattern: tc.pattern}
		s.Max = json.Number(tc.max)
		got, err := expression("toy", "S", s)
		if err != nil || got != tc.want {
			t.Errorf("%s: got %q, %v; want %q", tc.pattern, got, err, tc.want)
		}
	}
}
