package build_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"slipway.dev/slipway/internal/build"
)

var update = flag.Bool("update", false, "rewrite the expected parts of golden files")

const divider = "\n==== expected ====\n"

// A golden file is the configuration file, a divider, and what ParseConfig makes of it: one diagnostic a line, then, for an
// accepted file, the settings.
//
// checklist: 39, 42, 44, 46, 171, 172, 173, 174, 175, 176, 177, 178, 179
func TestParseConfigGoldens(t *testing.T) {
	names, err := filepath.Glob("testdata/apprunner/*.golden")
	if err != nil || len(names) < 40 {
		t.Fatalf("found %d golden files (%v)", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".golden"), func(t *testing.T) {
			golden, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(golden), divider)
			got := judge(t, []byte(input))
			if *update {
				if err := os.WriteFile(name, []byte(input+divider+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func judge(t *testing.T, data []byte) string {
	t.Helper()
	file, diagnostics := build.ParseConfig(data, "apprunner.yaml")
	var out bytes.Buffer
	for _, d := range diagnostics {
		out.WriteString(d.String() + "\n")
	}
	if len(build.Faults(diagnostics)) > 0 {
		out.WriteString("rejected\n")
		return out.String()
	}
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(file); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func FuzzParseConfig(f *testing.F) {
	names, err := filepath.Glob("testdata/apprunner/*.golden")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		golden, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(golden), divider)
		f.Add([]byte(input))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, diagnostics := build.ParseConfig(data, "f")
		for _, d := range diagnostics {
			if d.Line < 1 || d.Column < 1 || d.Message == "" || !utf8.ValidString(d.String()) || strings.Contains(d.String(), "\n") {
				t.Errorf("bad diagnostic %q", d)
			}
		}
		if len(build.Faults(diagnostics)) == 0 && (len(file.Build) == 0 || file.Command == "" || file.Port < 1 || file.Runtime == "") {
			t.Errorf("accepted an incomplete file: %+v", file)
		}
	})
}

func TestParseConfigRefusesWhatIsTooBigOrTooDeep(t *testing.T) {
	good := "version: 1.0\nruntime: go1\nbuild: {commands: {build: [make]}}\nrun: {command: ./app}\n"
	for name, data := range map[string]string{
		"64 KiB and one byte": good + strings.Repeat("#", 64<<10+1-len(good)),
		"deep flow lists":     "version: " + strings.Repeat("[", 30000),
		"deep flow mappings":  "version: " + strings.Repeat("{a: ", 10000),
		"strung list markers": strings.Repeat("- ", 30000) + "x",
	} {
		if _, diagnostics := build.ParseConfig([]byte(data), "f"); len(build.Faults(diagnostics)) != 1 {
			t.Errorf("%s: got %v", name, diagnostics)
		}
	}
	fits := good + strings.Repeat("#", 64<<10-len(good))
	if _, diagnostics := build.ParseConfig([]byte(fits), "f"); len(diagnostics) != 0 {
		t.Errorf("exactly 64 KiB: got %v", diagnostics)
	}
}
