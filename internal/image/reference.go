package image

import (
	"net"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

const (
	maxReference  = 1024 // ImageIdentifier, §6.1
	maxRepository = 256  // RepositoryName of ECR
	defaultTag    = "latest"
	dockerHub     = "docker.io"
)

var (
	repositoryForm = pattern.Of(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm        = pattern.Of(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digestForm     = pattern.Of(`^sha256:[0-9a-f]{64}$`)
	hostForm       = pattern.Of(`^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$`)
	ecrHostForm    = pattern.Of(`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com$`)
)

// Reference names an image: where it is and which of its versions is meant.
type Reference struct {
	Registry   string // host, with port where one was given; "docker.io" where none was
	Repository string // path in the registry
	Tag        string // "" only when a digest is given
	Digest     string // "sha256:…" or ""; it counts before the tag
}

// ParseReference takes the text of an image reference apart. A reference without a tag or digest means the tag "latest"; one
// without a host means Docker Hub, as container tools read it. It fails with CodeInvalidRequest.
func ParseReference(text string) (Reference, error) {
	bad := func(why string) (Reference, error) {
		return Reference{}, apprunner.Errorf(apprunner.CodeInvalidRequest, "%q is not an image reference: %s", clip(text), why).
			WithHint("The form is <registry>/<repository>[:<tag>|@<digest>].")
	}
	if text == "" || len(text) > maxReference {
		return bad("it must have 1 to 1024 characters")
	}
	var ref Reference
	rest := text
	if name, digest, found := strings.Cut(rest, "@"); found {
		if !digestForm.MatchString(digest) {
			return bad("after @ comes sha256: and 64 lower-case hex digits")
		}
		rest, ref.Digest = name, digest
	}
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		rest, ref.Tag = rest[:colon], rest[colon+1:]
		if !tagForm.MatchString(ref.Tag) {
			return bad("a tag has 1 to 128 letters, digits, _, . or -, and does not begin with . or -")
		}
	}
	ref.Registry, ref.Repository = splitHost(rest)
	if !hostForm.MatchString(ref.Registry) {
		return bad("the registry is not a host name")
	}
	if !validRepository(ref.Repository) {
		return bad("a repository has at most 256 lower-case letters, digits, ., _, - and /")
	}
	if ref.Tag == "" && ref.Digest == "" {
		ref.Tag = defaultTag
	}
	return ref, nil
}

// splitHost tells the registry from the path the way container tools do: the first part is a host when it looks like one.
func splitHost(name string) (host, path string) {
	first, rest, found := strings.Cut(name, "/")
	if found && (strings.ContainsAny(first, ".:[") || first == "localhost") {
		host, path = first, rest
	} else {
		host, path = dockerHub, name
	}
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = dockerHub
	}
	if host == dockerHub && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	return host, path
}

// Name is the reference without tag and digest.
func (r Reference) Name() string { return r.Registry + "/" + r.Repository }

// Version is what a registry is asked for: the digest where there is one, else the tag.
func (r Reference) Version() string {
	if r.Digest != "" {
		return r.Digest
	}
	return r.Tag
}

// String gives the reference in full.
func (r Reference) String() string {
	s := r.Name()
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// ECRScope tells the account and region of a private ECR reference.
func (r Reference) ECRScope() (apprunner.Scope, bool) {
	m := ecrHostForm.FindStringSubmatch(r.Registry)
	if m == nil {
		return apprunner.Scope{}, false
	}
	return apprunner.Scope{Account: m[1], Region: m[2]}, true
}

func validRepository(name string) bool {
	return len(name) <= maxRepository && repositoryForm.MatchString(name)
}

// loopback tells whether a host (with or without port) can only be this machine, where plain HTTP gives nothing away.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// clip shortens a value for an error message.
func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
