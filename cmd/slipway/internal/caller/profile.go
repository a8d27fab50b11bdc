package caller

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// profile is what the shared files of AWS's tools say under one name.
type profile struct {
	name   string
	values map[string]string
}

// readProfile reads the profile that AWS_PROFILE names, or default. A file that is not there says nothing; a profile that was named must
// be in one. The credentials file comes before the other one.
func readProfile(env func(string) string) (profile, error) {
	p := profile{name: cmp.Or(env("AWS_PROFILE"), "default"), values: map[string]string{}}
	config := cmp.Or(env("AWS_CONFIG_FILE"), filepath.Join(env("HOME"), ".aws", "config"))
	credentials := cmp.Or(env("AWS_SHARED_CREDENTIALS_FILE"), filepath.Join(env("HOME"), ".aws", "credentials"))
	found := false
	for _, path := range []string{config, credentials} {
		values, err := readSection(path, p.name)
		if err != nil {
			return p, fmt.Errorf("read the AWS settings: %w", err)
		}
		found = found || values != nil
		maps.Copy(p.values, values)
	}
	if !found && env("AWS_PROFILE") != "" {
		return p, fmt.Errorf("AWS_PROFILE: there is no profile %s in %s or %s", p.name, config, credentials)
	}
	return p, nil
}

// readSection reads what a file says of a profile; nil when it says nothing.
func readSection(path, name string) (map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var values map[string]string
	inside := false
	for lines := bufio.NewScanner(f); ; {
		if !lines.Scan() {
			return values, lines.Err()
		}
		line := lines.Text()
		if title, ok := sectionTitle(line); ok {
			if inside = title == name; inside && values == nil {
				values = map[string]string{}
			}
		} else if key, value, ok := setting(line); ok && inside {
			values[key] = value
		}
	}
}

// sectionTitle is the name of the profile that begins with a line. The config file writes the word profile before it.
func sectionTitle(line string) (string, bool) {
	inner, ok := strings.CutPrefix(strings.TrimSpace(line), "[")
	if !ok {
		return "", false
	}
	inner, _, _ = strings.Cut(inner, "]")
	words := strings.Fields(inner)
	if len(words) == 2 && words[0] == "profile" {
		words = words[1:]
	}
	return strings.Join(words, " "), true
}

// setting reads a line of a section; not the indented ones, which belong to a group of settings that concerns nobody here.
func setting(line string) (key, value string, ok bool) {
	if line == "" || strings.ContainsRune("#; \t", rune(line[0])) {
		return "", "", false
	}
	key, value, ok = strings.Cut(line, "=")
	for _, comment := range []string{" #", " ;", "\t#", "\t;"} {
		value, _, _ = strings.Cut(value, comment)
	}
	return strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value), ok
}

// elsewhere are settings that say where the keys of a profile come from in ways that are left to AWS's own tools.
func elsewhere() []string {
	return []string{"role_arn", "sso_session", "sso_start_url", "login_session", "web_identity_token_file"}
}

// keys are where the keys of the profile come from.
func (p profile) keys() (func(context.Context) (Keys, error), error) {
	for _, setting := range elsewhere() {
		if p.values[setting] != "" {
			return nil, fmt.Errorf("the AWS profile %[1]s gets its keys by %[2]s; put them into the environment first: eval \"$(aws configure export-credentials --profile %[1]s --format env)\" && unset AWS_PROFILE", p.name, setting)
		}
	}
	k := Keys{ID: p.values["aws_access_key_id"], Secret: p.values["aws_secret_access_key"], Token: p.values["aws_session_token"]}
	if k.complete() {
		return Always(k), nil
	}
	if command := p.values["credential_process"]; command != "" {
		return (&process{command: command}).keys, nil
	}
	return nil, fmt.Errorf("there are no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name the data directory with --data-dir (the AWS profile %s holds none either)", p.name)
}
