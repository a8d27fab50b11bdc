package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner/pattern"
)

// ConfigFile is the name of App Runner's configuration file.
const ConfigFile = "apprunner.yaml"

// Plan says how a folder is built and started. With FromFile the settings are read from its apprunner.yaml at every deployment,
// and the other members are empty.
type Plan struct {
	FromFile bool
	Runtime  string // as the API names it, such as PYTHON_311
	Build    string
	Start    string
	Why      string // what the plan was made from, for people
}

// Override replaces parts of a plan.
type Override struct {
	Runtime, Build, Start string
}

func (o Override) any() bool { return o != Override{} }

// Detect looks for the signs of a way to build and start the folder. It fails with a message that tells the next step.
func Detect(dir string, o Override) (Plan, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return Plan{}, fmt.Errorf("%s is no folder; give one that holds an application", dir)
	}
	has := func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, name))
		return err == nil && info.Mode().IsRegular()
	}
	if has(ConfigFile) && !o.any() {
		return Plan{FromFile: true, Why: ConfigFile}, nil
	}
	p, err := guess(dir, has)
	if err != nil && (o.Runtime == "" || o.Start == "") {
		return Plan{}, err
	}
	if o.Runtime != "" && o.Runtime != p.Runtime {
		p = Plan{Runtime: o.Runtime, Why: "--runtime"}
	}
	if o.Build != "" {
		p.Build = o.Build
	}
	if o.Start != "" {
		p.Start = o.Start
	}
	if command := procfile(dir); p.Start == "" && command != "" {
		p.Start = command
	}
	if p.Start == "" {
		return Plan{}, fmt.Errorf("found %s, but not how the application starts; name the command with --start, such as --start %q", p.Why, example(p.Runtime))
	}
	if strings.HasPrefix(p.Build, makeVenv) {
		p.Start = inVenv(p.Start)
	}
	if p.Build == "" {
		p.Build = "true" // the API wants a command
	}
	return p, nil
}

// makeVenv begins the builds of Python applications. Packages go below the application's folder, since what a build leaves outside of
// it is not part of the image (§13.5). The runtime's own pip serves, which is there at once.
const makeVenv = "python3 -m venv --system-site-packages --without-pip --clear .venv && .venv/bin/python -m pip install "

// plainCommand is a command of one program, which can take the shell's place.
var plainCommand = pattern.Of("^[\\w./-]+(\\s[^;&|<>()\n`]*)?$")

// inVenv makes a command see the packages and programs that the build installed. The application gets SIGTERM itself where that is possible.
func inVenv(command string) string {
	first, _, _ := strings.Cut(command, " ")
	if plainCommand.MatchString(command) && first != "exec" {
		command = "exec " + command
	}
	return ". .venv/bin/activate && " + command
}

func guess(dir string, has func(string) bool) (Plan, error) {
	switch {
	case has("requirements.txt"):
		return Plan{Runtime: "PYTHON_311", Build: makeVenv + "-r requirements.txt", Start: pythonStart(has), Why: "requirements.txt"}, nil
	case has("pyproject.toml"):
		return Plan{Runtime: "PYTHON_311", Build: makeVenv + ".", Start: pythonStart(has), Why: "pyproject.toml"}, nil
	case has("package.json"):
		return node(dir, has)
	case has("go.mod"):
		return golang(dir)
	case pythonStart(has) != "":
		return Plan{Runtime: "PYTHON_311", Start: pythonStart(has), Why: strings.TrimPrefix(pythonStart(has), "python3 ")}, nil
	case has("Dockerfile"):
		return Plan{}, errors.New("the folder has a Dockerfile and no other sign of how to build it; App Runner takes ready images: " +
			"build the image, push it to the registry of this installation and create an image service from it (aws apprunner create-service " +
			"with ImageRepository), or describe the build in an " + ConfigFile)
	}
	return Plan{}, errors.New("found nothing to build in " + dir + ": looked for " + ConfigFile + ", requirements.txt, pyproject.toml, package.json, go.mod and app.py; " +
		"add one of them, or say how with --runtime, --build and --start")
}

func example(runtime string) string {
	switch {
	case strings.HasPrefix(runtime, "PYTHON"):
		return "python3 app.py"
	case strings.HasPrefix(runtime, "NODEJS"):
		return "node server.js"
	}
	return "./app"
}

func pythonStart(has func(string) bool) string {
	for _, name := range []string{"app.py", "main.py", "server.py"} {
		if has(name) {
			return "python3 " + name
		}
	}
	return ""
}

func node(dir string, has func(string) bool) (Plan, error) {
	b, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return Plan{}, err
	}
	var pkg struct {
		Main    string            `json:"main"`
		Scripts map[string]string `json:"scripts"`
	}
	if err := json.Unmarshal(b, &pkg); err != nil {
		return Plan{}, fmt.Errorf("package.json: %w", err)
	}
	p := Plan{Runtime: "NODEJS_22", Build: "npm install", Why: "package.json"}
	if has("package-lock.json") {
		p.Build = "npm ci"
	}
	if pkg.Scripts["build"] != "" {
		p.Build += " && npm run build"
	}
	switch {
	case pkg.Scripts["start"] != "":
		p.Start = "npm start"
	case pkg.Main != "" && has(pkg.Main):
		p.Start = "node " + pkg.Main
	case has("server.js"):
		p.Start = "node server.js"
	case has("index.js"):
		p.Start = "node index.js"
	}
	return p, nil
}

// golang finds the program: the root, or the only one below cmd.
func golang(dir string) (Plan, error) {
	p := Plan{Runtime: "GO_1", Start: "./app", Why: "go.mod"}
	if mainPackage(dir) {
		p.Build = "go build -o app ."
		return p, nil
	}
	entries, err := os.ReadDir(filepath.Join(dir, "cmd"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Plan{}, err
	}
	var programs []string
	for _, e := range entries {
		if e.IsDir() && mainPackage(filepath.Join(dir, "cmd", e.Name())) {
			programs = append(programs, "./cmd/"+e.Name())
		}
	}
	if len(programs) != 1 {
		return Plan{}, fmt.Errorf("found go.mod, but %d programs (%s); name one with --runtime GO_1 --build %q --start ./app",
			len(programs), strings.Join(programs, ", "), "go build -o app ./cmd/NAME")
	}
	p.Build = "go build -o app " + programs[0]
	return p, nil
}

func mainPackage(dir string) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	return err == nil && slices.ContainsFunc(files, func(f string) bool {
		b, err := os.ReadFile(f)
		return err == nil && !strings.HasSuffix(f, "_test.go") && slices.Contains(strings.Split(strings.ReplaceAll(string(b), "\r", ""), "\n"), "package main")
	})
}

// procfile is the command of the "web" process, if there is one.
func procfile(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "Procfile"))
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "web:"); ok {
			return strings.TrimSpace(command)
		}
	}
	return ""
}

// ServiceName makes the name of a service from that of a folder (4 to 40 letters, digits, - and _, a letter or digit first).
func ServiceName(dir string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, filepath.Base(dir))
	name = strings.TrimLeft(name, "-_")
	if len(name) < 4 {
		name = strings.TrimPrefix(name+"-service", "-")
	}
	return strings.TrimRight(name[:min(len(name), 40)], "-_")
}
