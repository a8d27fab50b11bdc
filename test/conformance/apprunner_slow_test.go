//go:build e2e

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The same through the AWS CLI, which starts anew for every call.
//
// checklist: 2
func TestAppRunnerWithTheCLI(t *testing.T) {
	f, h := stage(t)
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	tale(t, h, "cli").play(t, cliClient{t, f})
}

// The same through the SDK for JavaScript, which comes from the npm registry.
//
// checklist: 3
func TestAppRunnerWithJavaScript(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", dir, clientVersion)
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("the npm registry does not serve %s: %s", clientVersion, out)
	}
	f, h := stage(t)
	if out, ok := f.run(t, tale(t, h, "js").json(t), "node", javascriptStory(t, dir)); !ok {
		t.Error(out)
	}
}

// cliClient is the AWS CLI.
type cliClient struct {
	t *testing.T
	f *front
}

// command is the name of an action on the command line.
func command(action string) string {
	var b strings.Builder
	for n, r := range action {
		if n > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}

func (c cliClient) call(action string, input map[string]any) (answer any, class string, err error) {
	b, err := json.Marshal(input)
	if err != nil {
		return nil, "", err
	}
	out, ok := c.f.run(c.t, "", "aws", "apprunner", command(action), "--output", "json", "--no-paginate", "--cli-input-json", string(b))
	if !ok {
		_, rest, _ := strings.Cut(out, "An error occurred (")
		class, _, _ = strings.Cut(rest, ")")
		return nil, class, errors.New(out)
	}
	if strings.TrimSpace(out) == "" {
		return nil, "", nil
	}
	return answer, "", json.Unmarshal([]byte(out), &answer)
}

func (c cliClient) pages(action string, input map[string]any, want storyPages) (found []any, err error) {
	for {
		input["MaxResults"] = want.Size
		answer, _, err := c.call(action, input)
		if err != nil {
			return found, err
		}
		page, _ := answer.(map[string]any)
		entries, _ := page[want.Key].([]any)
		found = append(found, entries...)
		if input["NextToken"] = page["NextToken"]; input["NextToken"] == nil || len(found) > 100 {
			return found, nil
		}
	}
}

// javascriptStory is a copy of the story's program beside the SDK it needs.
func javascriptStory(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile("apprunner_story.js")
	check(t, err)
	path := filepath.Join(dir, "apprunner_story.js")
	check(t, os.WriteFile(path, b, 0o600))
	return path
}
