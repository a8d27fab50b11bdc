package source

import (
	"net"
	"net/url"
	"path"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

// maxURLLength is the model's limit of RepositoryUrl, in characters (§6.1).
const maxURLLength = 51_200

// Address is a repository URL that passed the rules of §6.1.
type Address struct {
	Scheme string // "https", "http", "ssh" or "file"
	Host   string // without port, lower case; empty for file
	Path   string // decoded; for file the absolute directory
	Git    string // the form git is given; never holds a secret
}

// scpForm is the short form of an ssh address, user@host:path.
var scpForm = pattern.Of(`^([A-Za-z0-9_][A-Za-z0-9._-]*)@([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):([^-:\s][^\s]*)$`)

// urlForms tells users what is taken.
const urlForms = "Use https://host/path, ssh://git@host/path, git@host:path or, where this installation allows it, file:///path."

// ParseURL checks a repository URL: https, http, ssh (both spellings) or file, and no credentials in it, because a URL shows up in
// answers, logs and events (§6.1). It fails with CodeInvalidRequest.
func ParseURL(raw string) (Address, error) {
	switch {
	case raw == "":
		return Address{}, badURL("the repository URL is empty")
	case len(raw) > maxURLLength:
		return Address{}, badURL("the repository URL is longer than 51200 characters")
	case strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return Address{}, badURL("the repository URL holds white space or control characters")
	}
	if !strings.Contains(raw, "://") {
		return parseSCP(raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's own message quotes the URL, which may hold a password.
		return Address{}, badURL("the repository URL is malformed")
	}
	return parseURL(u)
}

func parseSCP(raw string) (Address, error) {
	m := scpForm.FindStringSubmatch(raw)
	if m == nil {
		return Address{}, badURL("the repository URL has no scheme and is not of the form user@host:path")
	}
	if strings.Trim(m[3], "/") == "" {
		return Address{}, badURL("the repository URL has no valid path")
	}
	if strings.Contains(m[3], "::") {
		return Address{}, badURL("the repository URL names a remote helper")
	}
	return Address{Scheme: "ssh", Host: strings.ToLower(strings.Trim(m[2], "[]")), Path: strings.TrimPrefix(m[3], "/"), Git: raw}, nil
}

func parseURL(u *url.URL) (Address, error) {
	a := Address{Scheme: strings.ToLower(u.Scheme), Host: strings.ToLower(u.Hostname()), Path: u.Path}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return Address{}, badURL("the repository URL has a query or a fragment")
	}
	switch a.Scheme {
	case "file":
		return parseFile(u, a)
	case "http", "https":
		if u.User != nil {
			return Address{}, noCredentials()
		}
	case "ssh":
		if _, secret := u.User.Password(); secret {
			return Address{}, noCredentials()
		}
		if strings.HasPrefix(u.User.Username(), "-") {
			return Address{}, badURL("the user of the repository URL begins with a dash")
		}
	default:
		return Address{}, badURL("the scheme %q is not supported", clip(a.Scheme))
	}
	if !validHost(a.Host) {
		return Address{}, badURL("the repository URL has no valid host")
	}
	if strings.Trim(a.Path, "/") == "" || strings.ContainsAny(a.Path, "\x00\r\n") {
		return Address{}, badURL("the repository URL has no valid path")
	}
	u.Scheme = a.Scheme
	a.Git = u.String()
	return a, nil
}

func parseFile(u *url.URL, a Address) (Address, error) {
	if u.User != nil {
		return Address{}, noCredentials()
	}
	if u.Host != "" && a.Host != "localhost" {
		return Address{}, badURL("a file URL names a directory of this machine: file:///path, with three slashes")
	}
	if !path.IsAbs(a.Path) || path.Clean(a.Path) == "/" || strings.ContainsAny(a.Path, "\x00\r\n") {
		return Address{}, badURL("the file URL has no valid path")
	}
	a.Host, a.Path = "", path.Clean(a.Path)
	a.Git = (&url.URL{Scheme: "file", Path: a.Path}).String()
	return a, nil
}

func validHost(h string) bool {
	if net.ParseIP(h) != nil {
		return true
	}
	return h != "" && len(h) <= 253 && !strings.HasPrefix(h, "-") && !strings.ContainsFunc(h, func(r rune) bool {
		return !(r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z')
	})
}

// key is what two spellings of one repository have in common: https, ssh and scp forms, with or without .git, in any case.
func (a Address) key() string {
	return a.Host + "/" + strings.ToLower(strings.TrimSuffix(strings.Trim(a.Path, "/"), ".git"))
}

func badURL(format string, args ...any) error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, format+".", args...).WithHint(urlForms)
}

func noCredentials() error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "The repository URL holds credentials, which would show up in answers and logs.").
		WithHint("Leave them out of the URL and give them to the connection.")
}

// checkBranch applies git's rules for reference names, so that a branch can neither become an option nor leave its directory.
func checkBranch(name string) error {
	bad := name == "" || len(name) > 1024 || name == "@" || strings.HasPrefix(name, "-") || strings.HasSuffix(name, ".") ||
		strings.ContainsAny(name, " ~^:?*[\\\x7f") || strings.Contains(name, "..") || strings.Contains(name, "@{") ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' })
	for part := range strings.SplitSeq(name, "/") {
		bad = bad || part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock")
	}
	if bad {
		return apprunner.Errorf(apprunner.CodeInvalidRequest, "%q is not a valid branch name.", clip(name)).
			WithHint("Give the branch as git spells it, for example main or release/2.")
	}
	return nil
}

// clip shortens a value for an error message.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
