package build

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

// ConfigFileName is the one name under which a configuration file is found, in the source directory (§13.2).
const ConfigFileName = "apprunner.yaml"

// DefaultPort is the port an application listens on where nothing else is said (§13.2).
const DefaultPort = 8080

// File is a checked apprunner.yaml (§13.2).
type File struct {
	Runtime   apprunner.Runtime
	PreBuild  []string // shell commands, in order
	Build     []string // at least one
	PostBuild []string
	BuildEnv  map[string]string // for the commands above and for PreRun, never for the application

	RuntimeVersion string // as written; empty when the newest of the runtime's own major line is to be used
	PreRun         []string
	Command        string
	Port           int               // 1-65535
	PortEnv        string            // second variable that holds the port; empty for none
	Env            map[string]string // for the application only
	Secrets        map[string]string // variable name to Secrets Manager ARN, SSM parameter ARN or parameter name

	// VersionLine and VersionColumn say where run.runtime-version stands, for what is found out about it later. 0 without it.
	VersionLine, VersionColumn int
}

// ParseConfig reads an apprunner.yaml and reports everything there is to say about it at once. name is what messages call the
// file. The File is complete only when no diagnostic is a Fault.
func ParseConfig(data []byte, name string) (File, []Diagnostic) {
	r := &reader{file: name}
	f := File{Port: DefaultPort}
	if root := r.document(data); root != nil {
		top := r.section(root, "", start(root), "version", "runtime", "build", "run")
		r.version(top)
		f.Runtime = r.runtime(top)
		r.build(top, &f)
		r.run(top, &f)
	}
	sortDiagnostics(r.diagnostics)
	return f, r.diagnostics
}

var (
	versionOne = pattern.Of(`^1(\.0+)?$`)
	versionAny = pattern.Of(`^1\.[0-9]+$`)
)

func (r *reader) version(top section) {
	e, ok := top.get("version")
	if !ok {
		r.fault(top.at, "version", "version is missing: write version: 1.0")
		return
	}
	text, ok := r.scalar(e, "version", "1.0")
	switch {
	case !ok || versionOne.MatchString(text):
	case versionAny.MatchString(text):
		r.warn(e.at(), "version", "version %s is not known here: the file is read as version 1.0", quoted(text))
	default:
		r.fault(e.at(), "version", "version is %s: only 1.0 is allowed", quoted(text))
	}
}

func (r *reader) runtime(top section) apprunner.Runtime {
	e, ok := top.get("runtime")
	if !ok {
		r.fault(top.at, "runtime", "runtime is missing: allowed are %s", runtimeNames())
		return ""
	}
	text, ok := r.scalar(e, "runtime", "one of "+runtimeNames())
	if !ok {
		return ""
	}
	if found, ok := apprunner.RuntimeFromFile(text); ok {
		return found
	}
	r.fault(e.at(), "runtime", "runtime is %s: allowed are %s%s", quoted(text), runtimeNames(), runtimeHint(text))
	return ""
}

func runtimeNames() string {
	var names []string
	for _, runtime := range apprunner.Runtimes() {
		names = append(names, runtime.FileName())
	}
	return strings.Join(names, ", ")
}

// runtimeHint tells what the author may have meant.
func runtimeHint(text string) string {
	switch plain := strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(text)); plain {
	case "docker", "dockerfile", "container", "image":
		return ". There is no runtime for ready images: push the image to a registry and deploy it as an image service " +
			"(SourceConfiguration.ImageRepository), which needs no " + ConfigFileName
	default:
		if found, ok := apprunner.RuntimeFromFile(plain); ok {
			return "; did you mean " + found.FileName() + "?"
		}
	}
	return ""
}

func (r *reader) build(top section, f *File) {
	build, ok := r.requiredSection(top, "build", "commands", "env")
	if !ok {
		return
	}
	f.BuildEnv = r.env(build, "build.env", false).values
	e, ok := build.get("commands")
	if _, isList := e.value.(*ast.SequenceNode); ok && isList {
		r.fault(e.at(), "build.commands", "build.commands is a list: it must be a mapping with the keys pre-build, build and post-build, "+
			"each a list of commands; put these commands under build.commands.build")
		return
	}
	commands, ok := r.requiredSection(build, "commands", "pre-build", "build", "post-build")
	if !ok {
		return
	}
	f.PreBuild = r.commands(commands, "pre-build")
	f.Build = r.commands(commands, "build")
	f.PostBuild = r.commands(commands, "post-build")
	if e, ok := commands.get("build"); !ok {
		r.fault(commands.at, "build.commands.build", "build.commands.build is missing: a list of at least one command is required")
	} else if list, isList := e.value.(*ast.SequenceNode); isNull(e.value) || (isList && len(list.Values) == 0) {
		r.fault(e.at(), "build.commands.build", "build.commands.build is empty: at least one command is required")
	}
}

func (r *reader) run(top section, f *File) {
	run, ok := r.requiredSection(top, "run", "runtime-version", "pre-run", "command", "network", "env", "secrets")
	if !ok {
		return
	}
	r.runtimeVersion(run, f)
	f.PreRun = r.commands(run, "pre-run")
	if e, _ := run.get("pre-run"); len(f.PreRun) > 0 && f.Runtime != "" && !f.Runtime.Revised() {
		r.fault(e.key, "run.pre-run", "run.pre-run must not be used with runtime %s: it belongs to the revised build of %s", f.Runtime.FileName(), revisedNames())
	}
	r.command(run, f)
	r.network(run, f)
	r.runEnv(run, f)
}

func (r *reader) runtimeVersion(run section, f *File) {
	e, ok := run.get("runtime-version")
	if !ok || isNull(e.value) {
		return
	}
	text, ok := r.scalar(e, "run.runtime-version", "a version such as 22 or 3.11.2")
	if !ok || text == "latest" {
		return
	}
	if err := checkLock(f.Runtime, text); err != "" {
		r.fault(e.at(), "run.runtime-version", "run.runtime-version is %s: %s", quoted(text), err)
		return
	}
	f.RuntimeVersion = text
	if at := e.at(); at.Position != nil {
		f.VersionLine, f.VersionColumn = at.Position.Line, at.Position.Column
	}
}

func (r *reader) command(run section, f *File) {
	e, ok := run.get("command")
	if !ok {
		r.fault(run.at, "run.command", "run.command is missing: the command that starts the application is required")
		return
	}
	text, ok := r.scalar(e, "run.command", "one command as text")
	if ok && strings.TrimSpace(text) == "" {
		r.fault(e.at(), "run.command", "run.command is empty: the command that starts the application is required")
		return
	}
	r.noNUL(e, "run.command", text)
	f.Command = text
}

// network reads run.network: the port, and the second variable that holds it.
func (r *reader) network(run section, f *File) {
	e, ok := run.get("network")
	if !ok || isNull(e.value) {
		return
	}
	network, ok := r.requiredSection(run, "network", "port", "env")
	if !ok {
		return
	}
	if e, ok := network.get("port"); ok && !isNull(e.value) {
		r.port(e, f)
	}
	e, ok = network.get("env")
	if !ok || isNull(e.value) {
		return
	}
	name, ok := r.scalar(e, "run.network.env", "the name of a variable")
	if ok && r.variableName(e.at(), "run.network.env", name) && name != "PORT" {
		f.PortEnv = name
	}
}

var decimal = pattern.Of(`^[0-9]{1,9}$`)

func (r *reader) port(e entry, f *File) {
	const key = "run.network.port"
	text, ok := r.scalar(e, key, "an integer from 1 to 65535")
	if !ok {
		return
	}
	port, err := strconv.Atoi(text)
	if err != nil || !decimal.MatchString(text) || port < 1 || port > 65535 {
		r.fault(e.at(), key, "%s is %s: an integer from 1 to 65535 is allowed", key, quoted(text))
		return
	}
	if isText(e.value) {
		r.warn(e.at(), key, "%s is quoted text: it is read as the number %d", key, port)
	}
	f.Port = port
}

// runEnv reads run.env and run.secrets and holds the two against each other and against the reserved names.
func (r *reader) runEnv(run section, f *File) {
	env := r.env(run, "run.env", true)
	secrets := r.secrets(run)
	for name, at := range secrets.at {
		if _, both := env.values[name]; both {
			r.fault(at, "run.secrets", "%s is named both in run.env and in run.secrets: keep one of them", cut(name))
		}
	}
	if f.PortEnv != "" {
		for list, values := range map[string]variables{"run.env": env, "run.secrets": secrets} {
			if _, ok := values.values[f.PortEnv]; ok {
				r.warn(values.at[f.PortEnv], list, "%s in %s is ignored: run.network.env gives the port in it", cut(f.PortEnv), list)
				delete(values.values, f.PortEnv)
			}
		}
	}
	f.Env, f.Secrets = env.values, secrets.values
}

// requiredSection returns the mapping under name and faults where it is missing or something else.
func (r *reader) requiredSection(parent section, name string, known ...string) (section, bool) {
	key := parent.key(name)
	e, ok := parent.get(name)
	if !ok || isNull(e.value) {
		at, what := parent.at, "missing"
		if ok {
			at, what = e.key, "empty"
		}
		r.fault(at, key, "%s is %s: it must be a mapping with the keys %s", key, what, strings.Join(known, ", "))
		return section{}, false
	}
	node, ok := r.mapping(e.value)
	if !ok {
		r.fault(e.at(), key, "%s is %s: it must be a mapping with the keys %s", key, describe(e.value), strings.Join(known, ", "))
		return section{}, false
	}
	return r.section(node, key, e.key, known...), true
}

// scalar returns an entry's text. A mapping, a list or nothing at all is a fault that names what is allowed.
func (r *reader) scalar(e entry, key, allowed string) (string, bool) {
	text, ok := scalarText(e.value)
	if !ok || isNull(e.value) {
		r.fault(e.at(), key, "%s is %s: allowed is %s", key, describe(e.value), allowed)
		return "", false
	}
	return strings.TrimSpace(text), true
}

// commands returns the list of shell commands under name; a missing or empty key is an empty list.
func (r *reader) commands(parent section, name string) []string {
	key := parent.key(name)
	e, ok := parent.get(name)
	if !ok || isNull(e.value) {
		return nil
	}
	list, ok := e.value.(*ast.SequenceNode)
	if !ok {
		r.fault(e.at(), key, "%s is %s: it must be a list of commands, each on its own line after \"- \"", key, describe(e.value))
		return nil
	}
	var commands []string
	for i, item := range list.Values {
		text, ok := scalarText(item)
		at := listItem(list, i)
		switch {
		case !ok && describe(item) == "a mapping":
			r.fault(at.at(), key, "an item of %s is a mapping: each item must be one command as text; quote a command that holds \": \"", key)
		case !ok:
			r.fault(at.at(), key, "an item of %s is %s: each item must be one command as text", key, describe(item))
		case isNull(item) || strings.TrimSpace(text) == "":
			r.fault(at.at(), key, "an item of %s is empty: each item must be one command as text", key)
		default:
			r.noNUL(at, key, text)
			commands = append(commands, text)
		}
	}
	return commands
}

// listItem is one item of a list, in the form that knows where to point; an empty item has only its dash.
func listItem(list *ast.SequenceNode, i int) entry {
	e := entry{key: list.GetToken(), value: list.Values[i]}
	if i < len(list.Entries) && list.Entries[i] != nil && list.Entries[i].Start != nil {
		e.key = list.Entries[i].Start
	}
	return e
}

func (r *reader) noNUL(e entry, key, text string) {
	if strings.ContainsRune(text, 0) {
		r.fault(e.at(), key, "%s holds a NUL character: only text is allowed", key)
	}
}

func revisedNames() string {
	var names []string
	for _, runtime := range apprunner.Runtimes() {
		if runtime.Revised() {
			names = append(names, runtime.FileName())
		}
	}
	return strings.Join(names, ", ")
}
