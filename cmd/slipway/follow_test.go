package main

import (
	"bytes"
	"os"
	"testing"
	"time"

	"slipway.dev/slipway/cmd/slipway/internal/show"
)

func TestDeploymentViewFindsTheReason(t *testing.T) {
	var out bytes.Buffer
	p := show.NewProgress(&out, show.Terminal{}, func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) })
	defer p.Close()
	v := &deploymentView{progress: p}
	for i, lines := range [][]string{
		{"[AppRunner] Running build command: npm ci"},
		{"[Build] npm error"},
		{"[AppRunner] The build command \"npm ci\" failed with exit code 1. It printed last:", "[AppRunner] npm error"},
		{"[AppRunner] Rolling back: the previous version keeps serving."},
		{"[AppRunner] Deployment failed. For details, see service logs."},
	} {
		if v.closed {
			t.Errorf("closed before line %d", i)
		}
		for _, line := range lines {
			v.show(line, int64(i))
		}
	}
	if want := "The build command \"npm ci\" failed with exit code 1. It printed last:\n  npm error"; v.reason() != want || !v.closed {
		t.Errorf("reason %q, closed %v", v.reason(), v.closed)
	}
	want := `12:00:00 Running build command: npm ci
12:00:00 | npm error
12:00:00 The build command "npm ci" failed with exit code 1. It printed last:
12:00:00 | npm error
12:00:00 Rolling back: the previous version keeps serving.
12:00:00 Deployment failed. For details, see service logs.
`
	if out.String() != want {
		t.Errorf("shown\n%s", out.String())
	}
}

func TestReadCredentials(t *testing.T) {
	for _, line := range []string{"export AWS_REGION='us-east-1'", "AWS_REGION=us-east-1", `export AWS_REGION="us-east-1"`} {
		path := t.TempDir() + "/credentials.env"
		writeFile(t, path, "# made by slipway up\n"+line+"\n")
		vars, err := readCredentials(path)
		if err != nil || vars["AWS_REGION"] != "us-east-1" || len(vars) != 1 {
			t.Errorf("%s: %v %v", line, vars, err)
		}
	}
}

func TestLinkNamesThePortOnlyWhereItIsNeeded(t *testing.T) {
	for https, want := range map[string]string{"127.0.0.1:8443": "https://x.test:8443/", "127.0.0.1:443": "https://x.test/", "": "https://x.test/"} {
		if got := (&client{https: https}).link("x.test"); got != want {
			t.Errorf("%q: %s", https, got)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
