package lifecycle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/image/lifecycle"
)

var now = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

// rule is a rule of a policy; selection is the rest of its selection.
func rule(priority int, selection string) string {
	return fmt.Sprintf(`{"rulePriority":%d,"description":"d","selection":{%s},"action":{"type":"expire"}}`, priority, selection)
}

func policy(rules ...string) string { return `{"rules":[` + strings.Join(rules, ",") + `]}` }

// image is one that was pushed so many days ago.
func image(digest string, days int, tags ...string) lifecycle.Image {
	return lifecycle.Image{Digest: digest, Tags: tags, PushedAt: now.Add(-time.Duration(days)*24*time.Hour - time.Second)}
}

func TestWhatPoliciesEnd(t *testing.T) {
	images := []lifecycle.Image{
		image("old-release", 90, "release-1", "stable"), image("release", 30, "release-2"), image("new-release", 1, "release-3"),
		image("branch", 20, "pr-7-linux"), image("left", 9), image("just-left", 2),
	}
	const two = `"countType":"imageCountMoreThan","countNumber":2`
	const week = `"countType":"sinceImagePushed","countUnit":"days","countNumber":7`
	for _, tc := range []struct {
		name, policy string
		want         []string
	}{
		{"too many of any", policy(rule(1, `"tagStatus":"any",`+two)), []string{"left", "branch", "release", "old-release"}},
		{"untagged for a week", policy(rule(1, `"tagStatus":"untagged",`+week)), []string{"left"}},
		{"prefix", policy(rule(1, `"tagStatus":"tagged","tagPrefixList":["release-"],`+two)), []string{"old-release"}},
		{"all prefixes", policy(rule(1, `"tagStatus":"tagged","tagPrefixList":["release-","stable"],`+week)), []string{"old-release"}},
		{"pattern", policy(rule(1, `"tagStatus":"tagged","tagPatternList":["pr-*-linux"],`+week)), []string{"branch"}},
		{"no such pattern", policy(rule(1, `"tagStatus":"tagged","tagPatternList":["pr-*-linux*x"],`+week)), nil},
		{"rules before others keep", policy(rule(9, `"tagStatus":"any",`+week), rule(1, `"tagStatus":"tagged","tagPrefixList":["release-"],"countType":"imageCountMoreThan","countNumber":3`)), []string{"left", "branch"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := lifecycle.Parse(tc.policy)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Expired(images, now); !slices.Equal(got, tc.want) {
				t.Errorf("ends %v, want %v", got, tc.want)
			}
		})
	}
}

func TestPoliciesThatAreRefused(t *testing.T) {
	const two = `"countType":"imageCountMoreThan","countNumber":2`
	anyTwo := `"tagStatus":"any",` + two
	for _, tc := range []struct{ policy, want string }{
		{`{}`, "0 rules"},
		{policy(slices.Repeat([]string{rule(1, anyTwo)}, 51)...), "51 rules"},
		{`{"rules":[]} x`, "follows"},
		{`{"rules":[],"more":1}`, "more"},
		{policy(rule(0, anyTwo)), "rulePriority"},
		{policy(rule(1, `"tagStatus":"untagged",`+two), rule(1, anyTwo)), "two rules"},
		{policy(rule(1, anyTwo), rule(2, `"tagStatus":"untagged",`+two)), "comes last"},
		{policy(rule(1, `"tagStatus":"some",`+two)), `tagStatus "some"`},
		{policy(rule(1, `"tagStatus":"tagged",`+two)), "tagPrefixList"},
		{policy(rule(1, `"tagStatus":"any","tagPrefixList":["a"],`+two)), "go with"},
		{policy(rule(1, `"tagStatus":"tagged","tagPrefixList":["a"],"tagPatternList":["a"],`+two)), "exclude"},
		{policy(rule(1, `"tagStatus":"any","countType":"imageCountMoreThan","countNumber":0`)), "countNumber"},
		{policy(rule(1, `"tagStatus":"any","countType":"sinceImagePulled","countNumber":1,"countUnit":"days"`)), "sinceImagePulled"},
		{policy(rule(1, `"tagStatus":"any","countType":"sinceImagePushed","countNumber":1`)), "countUnit"},
		{policy(rule(1, anyTwo+`,"countUnit":"days"`)), "countUnit"},
		{strings.ReplaceAll(policy(rule(1, anyTwo)), "expire", "transition"), "transition"},
	} {
		if _, err := lifecycle.Parse(tc.policy); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.policy, err, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(policy(rule(1, `"tagStatus":"tagged","tagPatternList":["a*b*"],"countType":"imageCountMoreThan","countNumber":1`)), "aab")
	f.Fuzz(func(t *testing.T, text, tag string) {
		p, err := lifecycle.Parse(text)
		if err != nil {
			return
		}
		images := []lifecycle.Image{image("a", 1, tag), image("b", 400), image("c", 9, tag, "x")}
		ended := p.Expired(images, now)
		for _, d := range ended {
			if !slices.ContainsFunc(images, func(i lifecycle.Image) bool { return i.Digest == d }) {
				t.Fatalf("ends %s, which is none of the images", d)
			}
		}
		if slices.Sort(ended); len(slices.Compact(ended)) != len(ended) {
			t.Fatalf("ends an image twice: %v", ended)
		}
	})
}
