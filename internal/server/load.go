package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"slipway.dev/slipway/internal/apprunner/spell"
)

// errNotAllowed marks a value a setting cannot have; the setting makes the message.
var errNotAllowed = errors.New("not allowed")

// maxConfigFile is how long the configuration file may be, in bytes.
const maxConfigFile = 1 << 20

// Input is where settings come from. A flag beats an environment variable, which beats the file, which beats the default.
type Input struct {
	Flags map[string]string   // settings given as flags, by name
	Env   func(string) string // for example os.Getenv
	File  string              // path of the configuration file; empty: what SLIPWAY_CONFIG says, if anything
}

// Setting is a setting as it is in effect.
type Setting struct {
	Name  string
	Value string // as text; passwords are left out
	From  string // "flag --name", "environment NAME", "FILE:LINE:COL" or "default"
}

// SettingHelp describes a setting for the command line.
type SettingHelp struct {
	Name, Usage, Default string
}

// SettingsHelp lists all settings in the order they are shown.
func SettingsHelp(env func(string) string) []SettingHelp {
	var all []SettingHelp
	for _, s := range settings() {
		all = append(all, SettingHelp{s.name, s.usage, s.initial(env)})
	}
	return all
}

// given is a value and where it was given.
type given struct {
	value, from string
	inFile      bool
}

// Load settles the configuration and tells where each value came from. All faults are reported together, each naming where it
// is, the value found and what is allowed.
func Load(in Input) (Config, []Setting, error) {
	table := settings()
	values, err := readFile(cmp.Or(in.File, in.Env("SLIPWAY_CONFIG")), table)
	if err != nil {
		return Config{}, nil, err
	}
	for _, s := range table {
		if v := in.Env(EnvName(s.name)); v != "" {
			values[s.name] = given{value: v, from: "environment " + EnvName(s.name)}
		}
		if v, ok := in.Flags[s.name]; ok {
			values[s.name] = given{value: v, from: "flag --" + s.name}
		}
	}
	var c Config
	var shown []Setting
	var faults []error
	for _, s := range table {
		g, ok := values[s.name]
		if !ok {
			g = given{value: s.initial(in.Env), from: "default"}
		}
		if g.value != "" || ok {
			if err := s.parse(&c, g.value); err != nil {
				faults = append(faults, s.refusal(g, err))
			}
		}
		shown = append(shown, Setting{Name: s.name, Value: cmp.Or(s.show(c), g.value), From: g.from})
	}
	return c, shown, errors.Join(faults...)
}

// WithDefaults fills the settings that have their zero value.
func (c Config) WithDefaults(env func(string) string) Config {
	for _, s := range settings() {
		if v := s.initial(env); v != "" && s.show(c) == "" {
			if err := s.parse(&c, v); err != nil {
				panic(fmt.Sprintf("the default of %s: %v", s.name, err)) // the table is wrong
			}
		}
	}
	return c
}

// readFile reads the YAML file: one mapping from setting to value.
func readFile(path string, table []setting) (map[string]given, error) {
	values := map[string]given{}
	if path == "" {
		return values, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration file: %w", err)
	}
	if len(b) > maxConfigFile {
		return nil, fmt.Errorf("%s: the file has %d bytes; at most %d are read", path, len(b), maxConfigFile)
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, yamlFault(path, err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return values, nil
	}
	fields, ok := mappingOf(file.Docs[0].Body)
	if !ok || len(file.Docs) > 1 {
		return nil, fmt.Errorf("%s:1:1: the file is to be one mapping from setting to value, such as\napi-addr: 127.0.0.1:7700", path)
	}
	var faults []error
	for _, f := range fields {
		at := position(path, f.Key)
		name := f.Key.GetToken().Value
		if !slices.ContainsFunc(table, func(s setting) bool { return s.name == name }) {
			faults = append(faults, fmt.Errorf("%s: %q is not a setting; %s", at, name, suggest(name, table)))
			continue
		}
		if _, twice := values[name]; twice {
			faults = append(faults, fmt.Errorf("%s: %s is given twice", at, name))
			continue
		}
		v, err := flatten(f.Value)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %s: %w", position(path, f.Value), name, err))
			continue
		}
		values[name] = given{v, position(path, f.Value), true}
	}
	return values, errors.Join(faults...)
}

func yamlFault(path string, err error) error {
	text := strings.TrimSpace(err.Error())
	if rest, ok := strings.CutPrefix(text, "["); ok { // "[line:column] message", then an excerpt
		if at, message, ok := strings.Cut(rest, "] "); ok {
			return fmt.Errorf("%s:%s: %s", path, at, message)
		}
	}
	return fmt.Errorf("%s: %s", path, text)
}

func position(path string, n ast.Node) string {
	p := n.GetToken().Position
	return fmt.Sprintf("%s:%d:%d", path, p.Line, p.Column)
}

func mappingOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// flatten gives a value the text form that flags and environment variables have.
func flatten(n ast.Node) (string, error) {
	if fields, ok := mappingOf(n); ok {
		var parts []string
		for _, f := range fields {
			v, err := flattenEntry(f.Value)
			if err != nil {
				return "", err
			}
			parts = append(parts, f.Key.GetToken().Value+"="+v)
		}
		return strings.Join(parts, ","), nil
	}
	if list, ok := n.(*ast.SequenceNode); ok {
		var parts []string
		for _, e := range list.Values {
			v, err := scalar(e)
			if err != nil {
				return "", err
			}
			parts = append(parts, v)
		}
		return strings.Join(parts, ","), nil
	}
	return scalar(n)
}

// flattenEntry is flatten for a member of a mapping: a text, or a mirror with url, username and password.
func flattenEntry(n ast.Node) (string, error) {
	fields, ok := mappingOf(n)
	if !ok {
		return scalar(n)
	}
	m := map[string]string{}
	for _, f := range fields {
		key := f.Key.GetToken().Value
		if !slices.Contains([]string{"url", "username", "password"}, key) {
			return "", fmt.Errorf("%q is not known here; allowed are url, username and password", key)
		}
		v, err := scalar(f.Value)
		if err != nil {
			return "", err
		}
		m[key] = v
	}
	if m["username"] == "" {
		return m["url"], nil
	}
	return escapeUser(m["username"]) + ":" + escapeUser(m["password"]) + "@" + m["url"], nil
}

// escapeUser makes a name or password fit between the commas, colons and at signs of a setting's text form.
func escapeUser(s string) string {
	return strings.NewReplacer(":", "%3A", "@", "%40").Replace(url.PathEscape(s))
}

func scalar(n ast.Node) (string, error) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	case *ast.NullNode:
		return "", nil
	}
	return "", fmt.Errorf("a plain value is wanted here, not a %s", strings.ToLower(n.Type().String()))
}

// suggest names the setting that was probably meant, or all of them.
func suggest(name string, table []setting) string {
	all := make([]string, len(table))
	for n, s := range table {
		all[n] = s.name
	}
	if meant := spell.Nearest(name, all); meant != "" {
		return "did you mean " + meant + "?"
	}
	return "the settings are " + strings.Join(all, ", ")
}
