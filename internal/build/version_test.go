package build

import (
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// checklist: 39, 172
func TestChooseVersion(t *testing.T) {
	node := []string{"22.9.0", "22.10.0", "22.11.0", "22.2.0"}
	python := []string{"3.11.2", "3.10.1", "3.1.5"}
	tests := map[string]struct {
		runtime       apprunner.Runtime
		lock, engines string
		available     []string
		want          string // version, or part of the error when it begins with "!"
		note          string
	}{
		"newest without lock":                     {runtime: "NODEJS_22", available: node, want: "22.11.0"},
		"major lock moves minor and patch":        {runtime: "NODEJS_22", lock: "22", available: node, want: "22.11.0"},
		"minor lock moves patch only":             {runtime: "NODEJS_22", lock: "22.2", available: node, want: "22.2.0"},
		"full lock":                               {runtime: "NODEJS_22", lock: "22.9.0", available: node, want: "22.9.0"},
		"3.1 is not 3.10":                         {runtime: "PYTHON_3", lock: "3.1", available: python, want: "3.1.5"},
		"3.10 is not 3.1":                         {runtime: "PYTHON_3", lock: "3.10", available: python, want: "3.10.1"},
		"other lines do not count":                {runtime: "PYTHON_311", available: python, want: "3.11.2"},
		"a lock wider than the line":              {runtime: "PYTHON_311", lock: "3", available: python, want: "3.11.2"},
		"unknown version names the available":     {runtime: "NODEJS_22", lock: "22.99", available: node, want: "!22.2.0, 22.9.0, 22.10.0, 22.11.0"},
		"nothing in the line":                     {runtime: "NODEJS_18", available: node, want: "!no version of runtime nodejs18"},
		"engines choose without lock":             {runtime: "NODEJS_22", engines: "<22.10", available: node, want: "22.9.0"},
		"engines without any fit":                 {runtime: "NODEJS_22", engines: "^18", available: node, want: `!satisfies engines.node "^18"`},
		"engines agree with a full lock":          {runtime: "NODEJS_22", lock: "22.9.0", engines: ">=20", available: node, want: "22.9.0"},
		"engines disagree with a full lock":       {runtime: "NODEJS_22", lock: "22.9.0", engines: ">=22.10", available: node, want: "!disagree"},
		"engines agree with part of a partial":    {runtime: "NODEJS_22", lock: "22", engines: "<=22.9.x", available: node, want: "22.9.0"},
		"engines disagree with all of a partial":  {runtime: "NODEJS_22", lock: "22.2", engines: ">=22.9", available: node, want: "!disagree"},
		"engines that are no range are ignored":   {runtime: "NODEJS_22", engines: "lts/*", available: node, want: "22.11.0", note: "not a version range"},
		"engines mean nothing to other languages": {runtime: "PYTHON_311", engines: "^18", available: python, want: "3.11.2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := chooseVersion(test.runtime, test.lock, test.engines, test.available)
			if part, wantErr := strings.CutPrefix(test.want, "!"); wantErr {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Fatalf("got %v, %v; want an error with %q", got, err, part)
				}
				return
			}
			if err != nil || got.version != test.want || !strings.Contains(got.note, test.note) {
				t.Errorf("got %+v, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestListVersionsShortensLongLists(t *testing.T) {
	text := listVersions(nodeVersions["NODEJS_12"])
	if !strings.HasSuffix(text, "12.21.0, 12.22.12 and earlier patches of these") || strings.Contains(text, "12.22.11,") {
		t.Errorf("got %s", text)
	}
}
