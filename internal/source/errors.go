package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

// repositoryRef is a repository as error messages name it, and what must not show in them.
type repositoryRef struct {
	Address
	cred Credential
}

func (r repositoryRef) name() string { return clip(r.Git) }

// hostName is what could not be reached.
func (r repositoryRef) hostName() string { return or(r.Host, "this machine") }

// sign is one thing git, ssh or curl say, and what it means.
type sign struct {
	text *pattern.Pattern
	make func(r repositoryRef, m []string) *apprunner.Error
}

// signs are tried in order; the first match counts. The texts are those of git 2.39 to 2.50, OpenSSH and libcurl, and of the servers
// of GitHub, GitLab, Bitbucket and Gitea. They are compiled when something has failed.
var signs = sync.OnceValue(func() []sign {
	return []sign{
		{pattern.Of(`signal 25|File too large|exceeds maximum allowed size`), func(r repositoryRef, _ []string) *apprunner.Error { return tooLarge(r) }},
		{pattern.Of(`No space left on device|Disk quota exceeded`), func(r repositoryRef, _ []string) *apprunner.Error {
			return diskFull(r)
		}},
		{pattern.Of(`Could not resolve (?:host|hostname|proxy):? ?([^\s:;]*)`), func(r repositoryRef, m []string) *apprunner.Error {
			return unreachable(r, fmt.Sprintf("the name %s is not known to the resolver", or(m[1], r.Host)))
		}},
		{pattern.Of(`Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED`), func(r repositoryRef, _ []string) *apprunner.Error {
			return apprunner.Errorf(apprunner.CodeAccessDenied, "The host key of %s is not the one that is known for it, so nothing was read from it.", r.hostName()).
				WithHint("If the server's key was changed on purpose, give the new one to the connection.")
		}},
		{pattern.Of(`(?i)SSL certificate problem:? ?([^\n]*)|server certificate verification failed\.? ?([^\n]*)|SSL_ERROR|gnutls_handshake`), func(r repositoryRef, m []string) *apprunner.Error {
			return apprunner.Errorf(apprunner.CodeUnavailable, "The certificate of %s is not trusted%s.", r.hostName(), reason(m[1], m[2])).
				WithHint("Make the CA known to this machine, or name its file in GIT_SSL_CAINFO, and start Slipway again.")
		}},
		{pattern.Of(`(?i)Connection refused|No route to host|Network is unreachable|Connection timed out|Operation timed out|Connection reset|Connection closed by|Operation too slow|Failed to connect to|Couldn't connect|Empty reply`), func(r repositoryRef, m []string) *apprunner.Error {
			return unreachable(r, strings.ToLower(m[0]))
		}},
		{pattern.Of(`(?i)could not read (?:Username|Password)|terminal prompts disabled`), func(r repositoryRef, _ []string) *apprunner.Error {
			return apprunner.Errorf(apprunner.CodeAccessDenied, "The repository %s asks for credentials and none were given, or it does not exist.", r.name()).
				WithHint("Use a connection that may read it, or correct the URL.")
		}},
		{pattern.Of(`(?i)Authentication failed|invalid (?:username|credentials)|Permission denied \(|returned error: 40[13]|access denied|Load key .* (?:error in libcrypto|invalid format)`), refused},
		{pattern.Of(`(?i)returned error: 404|repository .*not found|Repository not found|does not exist|does not appear to be a git repository|No such file or directory|could not be found`), func(r repositoryRef, _ []string) *apprunner.Error {
			return notFound(r)
		}},
		{pattern.Of(`(?i)the remote end hung up|early EOF|unexpected disconnect`), func(r repositoryRef, _ []string) *apprunner.Error {
			return unreachable(r, "the connection broke off")
		}},
		{pattern.Of(`(?i)returned error: (5\d\d|429)`), func(r repositoryRef, m []string) *apprunner.Error {
			return unreachable(r, "it answered HTTP "+m[1])
		}},
		{pattern.Of(`(?i)not valid: is this a git repository|not a git repository|protocol error|bad line length|unable to update url base|dumb http transport`), func(r repositoryRef, _ []string) *apprunner.Error {
			return notGit(r)
		}},
		{pattern.Of(`transport '([^']*)' not allowed`), func(r repositoryRef, m []string) *apprunner.Error {
			return apprunner.Errorf(apprunner.CodeInvalidRequest, "The server of %s sent git on to the protocol %q, which is not allowed.", r.name(), m[1]).
				WithHint(urlForms)
		}},
	}
})

func refused(r repositoryRef, _ []string) *apprunner.Error {
	if r.cred == (Credential{}) {
		return apprunner.Errorf(apprunner.CodeAccessDenied, "%s refuses to show the repository %s without credentials.", r.hostName(), r.name()).
			WithHint("Use a connection that may read it.")
	}
	return apprunner.Errorf(apprunner.CodeAccessDenied, "%s refuses the credentials given for the repository %s.", r.hostName(), r.name()).
		WithHint("Give the connection a token or key that may read the repository and has not expired.")
}

func unreachable(r repositoryRef, why string) *apprunner.Error {
	return apprunner.Errorf(apprunner.CodeUnavailable, "The repository %s could not be reached: %s (host %s).", r.name(), why, r.hostName()).
		WithHint("Check the URL and that this machine can reach the host, then deploy again.")
}

func diskFull(r repositoryRef) *apprunner.Error {
	return apprunner.Errorf(apprunner.CodeInternal, "The disk is full: the repository %s could not be stored.", r.name()).
		WithHint("Free some space below the data directory and deploy again.")
}

func tooLarge(r repositoryRef) *apprunner.Error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "The repository %s is larger than this installation accepts.", r.name()).
		WithHint("Take large files out of the branch, or raise the size limit of sources.")
}

func notFound(r repositoryRef) *apprunner.Error {
	hint := "Check the spelling of the URL; servers also say this about private repositories the given credentials may not see."
	if r.Scheme == "file" {
		hint = "Check the path; it is one on the machine Slipway runs on."
	}
	return apprunner.Errorf(apprunner.CodeNotFound, "There is no repository at %s.", r.name()).WithHint("%s", hint)
}

func notGit(r repositoryRef) *apprunner.Error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "%s is not a git repository that can be read over %s.", r.name(), r.Scheme).
		WithHint("Give the address that git clone takes.")
}

func emptyRepository(r repositoryRef) *apprunner.Error {
	return apprunner.Errorf(apprunner.CodeNotFound, "The repository %s has no commits yet.", r.name()).WithHint("Push a branch to it, then deploy again.")
}

// maxNamedBranches is how many branches a "no such branch" message names.
const maxNamedBranches = 10

func noBranch(r repositoryRef, branch string, have []string, more bool) *apprunner.Error {
	names := strings.Join(have[:min(len(have), maxNamedBranches)], ", ")
	if len(have) > maxNamedBranches || more {
		names += ", and more"
	}
	return apprunner.Errorf(apprunner.CodeNotFound, "The repository %s has no branch %q; it has: %s.", r.name(), branch, names).
		WithHint("Push the branch or choose one that exists.")
}

func noCommit(r repositoryRef, sha string) *apprunner.Error {
	return apprunner.Errorf(apprunner.CodeNotFound, "The repository %s no longer has the commit %s.", r.name(), sha).
		WithHint("Deploy the newest commit of the branch instead.")
}

// explain turns what a run of git ended with into an error for users. Errors that already are one, and the caller's own
// cancellation, pass.
func explain(r repositoryRef, limit time.Duration, err error) error {
	var known *apprunner.Error
	var failed *runError
	switch {
	case err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		e := apprunner.Errorf(apprunner.CodeUnavailable, "Reading the repository %s took longer than %s and was given up (host %s).", r.name(), limit, r.hostName())
		e.Err = err
		return e.WithHint("Check the network to the host; a smaller repository or a nearer mirror helps too.")
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		e := diskFull(r)
		e.Err = err
		return e
	case !errors.As(err, &failed):
		return fmt.Errorf("read %s: %w", r.name(), err)
	}
	text := r.cred.redact(failed.stderr)
	cause := &runError{verb: failed.verb, stderr: text, err: failed.err}
	for _, s := range signs() {
		if m := s.text.FindStringSubmatch(text); m != nil {
			e := s.make(r, m)
			e.Err = cause
			return e
		}
	}
	e := apprunner.Errorf(apprunner.CodeInternal, "Reading the repository %s failed: %s.", r.name(), lastWords(text, failed.err))
	e.Err = cause
	return e.WithHint("Try the same with git clone to see whether the repository is sound.")
}

// lastWords is git's own final complaint in one line.
func lastWords(stderr string, err error) string {
	var last string
	for line := range strings.SplitSeq(stderr, "\n") {
		line = strings.TrimSpace(line)
		if after, ok := strings.CutPrefix(line, "fatal: "); ok {
			return clip(after)
		}
		last = or(line, last)
	}
	return or(clip(last), err.Error())
}

func reason(parts ...string) string {
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			return ": " + clip(strings.TrimSuffix(p, "."))
		}
	}
	return ""
}
