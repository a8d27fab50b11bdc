package build

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

func TestParseRange(t *testing.T) {
	versions := []string{"0.0.1", "0.2.3", "1.0.0", "1.2.0", "1.2.3", "1.3.0", "2.0.0", "16.20.2", "18.0.0", "18.20.8", "22.0.0", "22.11.0", "22.23.3"}
	for text, want := range map[string][]string{
		"22":                 {"22.0.0", "22.11.0", "22.23.3"},
		"22.x":               {"22.0.0", "22.11.0", "22.23.3"},
		">=22.11":            {"22.11.0", "22.23.3"},
		">= 18 < 22":         {"18.0.0", "18.20.8"},
		"^1.2.0":             {"1.2.0", "1.2.3", "1.3.0"},
		"^0.2.0":             {"0.2.3"},
		"^0.0.1":             {"0.0.1"},
		"~1.2":               {"1.2.0", "1.2.3"},
		"~> 1.2.3":           {"1.2.3"},
		"1.2.3 - 2":          {"1.2.3", "1.3.0", "2.0.0"},
		"1.2 - 1.2.2":        {"1.2.0"},
		"16 || 18":           {"16.20.2", "18.0.0", "18.20.8"},
		"*":                  versions,
		"":                   versions,
		"v22.11.0":           {"22.11.0"},
		"=1.0.0":             {"1.0.0"},
		">1":                 {"2.0.0", "16.20.2", "18.0.0", "18.20.8", "22.0.0", "22.11.0", "22.23.3"},
		"<1":                 {"0.0.1", "0.2.3"},
		"<=1.2":              {"0.0.1", "0.2.3", "1.0.0", "1.2.0", "1.2.3"},
		">=18.0.0-rc.1 <=18": {"18.0.0", "18.20.8"},
		"<22.0.0-0 >=18":     {"18.0.0", "18.20.8"},
		">*":                 nil,
		"1.2.3-beta":         nil,
	} {
		r, err := parseRange(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var got []string
		for _, v := range versions {
			if r.allows(v) {
				got = append(got, v)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%q allows %v, want %v", text, got, want)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%q allows %v, want %v", text, got, want)
			}
		}
	}
	for _, text := range []string{"lts/*", "latest", ">", "1.2.3.4", "node 22", "1 2 three", "^^1", "01.2.3"} {
		if _, err := parseRange(text); err == nil {
			t.Errorf("%q is taken for a range", text)
		}
	}
}

// The reference is the library npm itself judges engines with, where this machine has npm.
func TestParseRangeAgreesWithNpm(t *testing.T) {
	library := findSemver(t)
	number := rapid.SampledFrom([]string{"0", "1", "2", "18", "22"})
	wild := rapid.SampledFrom([]string{"x", "*", "X"})
	version := rapid.Custom(func(t *rapid.T) string {
		v := rapid.SampledFrom([]string{"", "", "v"}).Draw(t, "lead")
		known, length := rapid.IntRange(0, 3).Draw(t, "known"), rapid.IntRange(1, 3).Draw(t, "length")
		for i := range length {
			part := wild
			if i < known {
				part = number
			}
			v += part.Draw(t, "part")
			if i < length-1 {
				v += "."
			}
		}
		if known == 3 && length == 3 && rapid.IntRange(0, 3).Draw(t, "pre") == 0 {
			v += "-beta.1"
		}
		return v
	})
	simple := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "", "<", "<=", ">", ">=", "^", "~", "~>", "= ", ">= "}).Draw(t, "operator") + version.Draw(t, "version")
	})
	alternative := rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			return version.Draw(t, "low") + " - " + version.Draw(t, "high")
		case 1:
			return simple.Draw(t, "one") + " " + simple.Draw(t, "two")
		}
		return simple.Draw(t, "only")
	})
	whole := rapid.Custom(func(t *rapid.T) string {
		text := alternative.Draw(t, "first")
		if rapid.IntRange(0, 3).Draw(t, "alternatives") == 0 {
			text += " || " + alternative.Draw(t, "second")
		}
		return text
	})
	var ranges []string
	for i := range 4000 {
		ranges = append(ranges, whole.Example(i))
	}
	versions := []string{"0.0.0", "0.0.1", "0.1.0", "1.0.0", "1.0.1", "1.2.2", "1.18.0", "2.0.0", "2.2.2", "18.0.0", "18.1.2", "22.0.0", "22.22.22"}
	for text, want := range askSemver(t, library, ranges, versions) {
		r, err := parseRange(text)
		if (err != nil) != (want == nil) {
			t.Errorf("%q: our verdict is %v, npm's %v", text, err, want)
			continue
		}
		for i, v := range versions {
			if want != nil && r.allows(v) != want[i] {
				t.Errorf("%q and %s: ours %v, npm's %v", text, v, r.allows(v), want[i])
			}
		}
	}
}

func findSemver(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("no npm here to compare with")
	}
	if npm, err = filepath.EvalSymlinks(npm); err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(filepath.Dir(filepath.Dir(npm)), "node_modules", "semver")
	if _, err := os.Stat(library); err != nil {
		t.Skip("npm's semver library is not beside npm")
	}
	return library
}

// askSemver returns, for each range, whether each version satisfies it; nil for what is no range.
func askSemver(t *testing.T, library string, ranges, versions []string) map[string][]bool {
	t.Helper()
	const script = `
const [library, ranges, versions] = JSON.parse(require("fs").readFileSync(0));
const semver = require(library);
const out = {};
for (const r of ranges) {
  out[r] = semver.validRange(r) === null ? null : versions.map(v => semver.satisfies(v, r));
}
console.log(JSON.stringify(out));`
	input, err := json.Marshal([]any{library, ranges, versions})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "-e", script)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = stdin.Write(input); _ = stdin.Close() }()
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string][]bool
	if err := json.Unmarshal(output, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func FuzzParseRange(f *testing.F) {
	for _, text := range []string{"^18 || >=20.1 <22", "1.2 - 3", "~1.x", "*", ">=v1.2.3-rc.1", "<=", "99999999999999999.0"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRange(text)
		if err != nil && r != nil {
			t.Error("a range beside an error")
		}
		r.allows("22.1.0")
	})
}
