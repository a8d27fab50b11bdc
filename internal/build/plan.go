package build

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// plan is everything the source and the service's settings say about one build.
type plan struct {
	runtime  apprunner.Runtime
	lock     string // version lock, "" for none
	at       string // where the lock stands, for messages
	engines  string // engines.node of package.json
	preBuild []string
	build    []string
	post     []string
	preRun   []string
	env      map[string]string // for the commands
	dir      string            // working directory inside: /app or below
	run      apprunner.RunConfiguration
}

// appDir is where the source lies in every stage (§13.5).
const appDir = "/app"

// readPlan finds out what to do, from the configuration file or from the API's values, and from package.json.
func readPlan(req Request) (plan, error) {
	sub := strings.Trim(path.Clean("/"+req.Subdir), "/")
	root, err := openSource(req.SourceDir, sub)
	if err != nil {
		return plan{}, err
	}
	defer root.Close()
	var p plan
	if req.Code.Source == apprunner.ConfigurationFromAPI {
		p, err = planFromAPI(req.Code.Values, req.Log)
	} else {
		p, err = planFromFile(root, sub, req.Log)
	}
	if err != nil {
		return plan{}, err
	}
	p.dir = path.Join(appDir, sub)
	if isNode(p.runtime) {
		p.engines = readEngines(root, req.Log)
	}
	return p, nil
}

// openSource opens the source directory so that no link in the repository leads out of it.
func openSource(dir, sub string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the source: %w", err)
	}
	if sub == "" {
		return root, nil
	}
	defer root.Close()
	below, err := root.OpenRoot(sub)
	if err != nil {
		return nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "The source directory /%s does not exist in the repository, or is not a directory.", sub).
			WithHint("Set SourceDirectory to a directory of the deployed branch.")
	}
	return below, nil
}

func planFromAPI(v *apprunner.CodeConfigurationValues, log Log) (plan, error) {
	if v == nil {
		return plan{}, apprunner.Errorf(apprunner.CodeInvalidRequest, "The service's settings hold no CodeConfigurationValues, although its configuration source is API.")
	}
	p := plan{
		runtime: v.Runtime,
		run:     apprunner.RunConfiguration{Command: v.StartCommand, Port: v.Port, Env: maps.Clone(v.Env), Secrets: maps.Clone(v.Secrets)},
	}
	if p.run.Port == 0 {
		p.run.Port = DefaultPort
	}
	if strings.TrimSpace(v.BuildCommand) == "" {
		log.Step("Configuration comes from the service's settings; there is no build command, so nothing is built.")
		return p, nil
	}
	p.build = []string{v.BuildCommand}
	log.Step("Configuration comes from the service's settings.")
	return p, nil
}

func planFromFile(root *os.Root, sub string, log Log) (plan, error) {
	name := path.Join(sub, ConfigFileName)
	data, err := readLimited(root, ConfigFileName, maxConfigBytes+1)
	if err != nil {
		return plan{}, missingFile(root, name, err)
	}
	f, diagnostics := ParseConfig(data, name)
	for _, d := range diagnostics {
		log.Step("%s", d)
	}
	if faults := Faults(diagnostics); len(faults) > 0 {
		return plan{}, rejected(name, faults)
	}
	log.Step("%s is read: runtime %s.", name, f.Runtime.FileName())
	return plan{
		runtime: f.Runtime, lock: f.RuntimeVersion, at: fmt.Sprintf("%s:%d:%d: ", name, f.VersionLine, f.VersionColumn),
		preBuild: f.PreBuild, build: f.Build, post: f.PostBuild, preRun: f.PreRun, env: f.BuildEnv,
		run: apprunner.RunConfiguration{Command: f.Command, Port: f.Port, PortEnv: f.PortEnv, Env: f.Env, Secrets: f.Secrets},
	}, nil
}

// rejected is the reason for the event log; the deployment log holds every line of its own already.
func rejected(name string, faults []Diagnostic) error {
	lines := make([]string, len(faults))
	for i, d := range faults {
		lines[i] = d.String()
	}
	what := "a fault"
	if len(lines) > 1 {
		what = fmt.Sprintf("%d faults", len(lines))
	}
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "%s has %s: %s", name, what, strings.Join(lines, "; "))
}

func missingFile(root *os.Root, name string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "%s cannot be read: %w", name, err)
	}
	e := apprunner.Errorf(apprunner.CodeInvalidRequest, "The repository has no %s.", name)
	if _, err := root.Lstat("apprunner.yml"); err == nil {
		return e.WithHint("There is an apprunner.yml: rename it to %s.", ConfigFileName)
	}
	return e.WithHint("Add the file to the deployed branch, or configure the service with ConfigurationSource API.")
}

// readLimited reads at most limit bytes of a regular file.
func readLimited(root *os.Root, name string, limit int64) ([]byte, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if st, err := file.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is not a regular file", name))
	}
	return io.ReadAll(io.LimitReader(file, limit))
}

// readEngines returns engines.node of package.json. npm itself judges the rest of that file, so what cannot be read counts as absent.
func readEngines(root *os.Root, log Log) string {
	const limit = 1 << 20
	data, err := readLimited(root, "package.json", limit)
	if err != nil {
		return ""
	}
	var manifest struct {
		Engines json.RawMessage `json:"engines"`
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if err := json.Unmarshal(data, &manifest); err != nil {
		log.Step("warning: package.json is not valid JSON (%v); engines.node is not considered.", err)
		return ""
	}
	var engines struct {
		Node string `json:"node"`
	}
	if err := json.Unmarshal(manifest.Engines, &engines); len(manifest.Engines) > 0 && err != nil {
		log.Step("warning: engines.node of package.json is not text; it is not considered.")
		return ""
	}
	return engines.Node
}
