package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/apprunner"
)

// connectTimeout bounds the first contact; git itself waits five minutes for a host that swallows packets.
const connectTimeout = 20 * time.Second

// reach finds out quickly, and in better words than git's, whether an http(s) server can be connected to. Behind a proxy only the proxy
// knows, and ssh has a time limit of its own.
func (g *Git) reach(ctx context.Context, t *target) error {
	if t.hosted || t.ref.Scheme != "http" && t.ref.Scheme != "https" || g.proxied() {
		return nil
	}
	u, err := url.Parse(t.ref.Git)
	if err != nil {
		return notGit(t.ref)
	}
	conn, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), or(u.Port(), u.Scheme)))
	if err == nil {
		return conn.Close()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	why := "connecting failed"
	var unknown *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &unknown):
		why = "the name " + t.ref.Host + " is not known to the resolver"
	case errors.Is(err, unix.ECONNREFUSED):
		why = "connection refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		why = fmt.Sprintf("no answer within %s", connectTimeout)
	case errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ENETUNREACH):
		why = "there is no route to it"
	}
	e := unreachable(t.ref, why)
	e.Err = err
	return e
}

func (g *Git) proxied() bool {
	for _, kv := range g.env {
		if k, _, _ := strings.Cut(kv, "="); strings.HasSuffix(strings.ToLower(k), "_proxy") && k != "no_proxy" && k != "NO_PROXY" {
			return true
		}
	}
	return false
}

// access is the part of a job that reaches the repository: protocols, paths, credentials. The caller releases it after the run.
func (g *Git) access(t *target) (job, func(), error) {
	switch t.ref.Scheme {
	case "ssh":
		if !t.hosted {
			return g.accessSSH(t.ref.cred)
		}
	case "http", "https":
		if !t.hosted {
			return g.accessHTTP(t.ref)
		}
	}
	read := t.paths
	if t.hosted {
		read = []string{t.local}
	}
	return job{protocols: "file", confinement: confinement{read: read, foreign: !t.hosted}}, func() {}, nil
}

// helper hands the credential over to git. It only answers for the host it was configured for, so a redirect elsewhere gets nothing.
const helper = `!f() { test "$1" = get && cat /proc/self/fd/3; }; f`

// accessHTTP passes the credential through an anonymous file in memory: not on a command line, not in the environment, not on disk.
func (g *Git) accessHTTP(r repositoryRef) (job, func(), error) {
	j := job{protocols: "https", confinement: confinement{network: true}}
	if r.Scheme == "http" {
		j.protocols = "http:https" // servers redirect from one to the other
	}
	user, password, ok := r.cred.basic(r.Host)
	if !ok {
		return j, func() {}, nil
	}
	if strings.ContainsAny(user+password, "\r\n\x00") {
		return j, nil, apprunner.Errorf(apprunner.CodeInvalidRequest, "The credential for %s holds a line break.", r.hostName()).WithHint("Give it again without.")
	}
	fd, err := unix.MemfdCreate("credential", unix.MFD_CLOEXEC)
	if err != nil {
		return j, nil, fmt.Errorf("pass a credential: %w", err)
	}
	f := os.NewFile(uintptr(fd), "credential")
	if _, err := fmt.Fprintf(f, "username=%s\npassword=%s\n", user, password); err != nil {
		return j, nil, errors.Join(fmt.Errorf("pass a credential: %w", err), f.Close())
	}
	u, err := url.Parse(r.Git)
	if err != nil {
		return j, nil, errors.Join(fmt.Errorf("pass a credential: %w", err), f.Close())
	}
	j.files = []*os.File{f}
	j.env = []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=credential." + u.Scheme + "://" + u.Host + ".helper", "GIT_CONFIG_VALUE_0=" + helper}
	return j, func() { f.Close() }, nil
}

// accessSSH writes the key into a directory of its own that goes with the run: ssh takes keys from files only.
func (g *Git) accessSSH(c Credential) (job, func(), error) {
	dir, err := os.MkdirTemp(g.runs, "ssh-*")
	if err != nil {
		return job{}, nil, fmt.Errorf("pass a key: %w", err)
	}
	release := func() { _ = os.RemoveAll(dir) } // what is left, the next start removes
	identity, known, strict := "none", filepath.Join(g.known, "known_hosts"), "accept-new"
	if c.PrivateKey != "" {
		identity = filepath.Join(dir, "key")
		key := strings.TrimRight(strings.ReplaceAll(c.PrivateKey, "\r\n", "\n"), "\n") + "\n"
		err = os.WriteFile(identity, []byte(key), 0o600)
	}
	if c.KnownHosts != "" {
		known, strict = filepath.Join(dir, "known_hosts"), "yes"
		err = errors.Join(err, os.WriteFile(known, []byte(c.KnownHosts+"\n"), 0o600))
	}
	if err != nil {
		release()
		return job{}, nil, fmt.Errorf("pass a key: %w", err)
	}
	command := []string{"ssh", "-F", "none"}
	for _, option := range []string{
		"BatchMode=yes", "StrictHostKeyChecking=" + strict, "UserKnownHostsFile=" + quoteSSH(known), "IdentityFile=" + quoteSSH(identity), "IdentitiesOnly=yes",
		"IdentityAgent=none", "ClearAllForwardings=yes", "PermitLocalCommand=no", "UpdateHostKeys=no", "ControlPath=none",
		"ConnectTimeout=20", "ServerAliveInterval=15", "ServerAliveCountMax=3",
	} {
		command = append(command, "-o", quoteShell(option))
	}
	return job{
		protocols: "ssh", env: []string{"GIT_SSH_COMMAND=" + strings.Join(command, " "), "GIT_SSH_VARIANT=ssh"},
		confinement: confinement{read: []string{dir}, write: []string{g.known}, network: true},
	}, release, nil
}

func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// quoteSSH protects blanks and percent signs of a path in an ssh option.
func quoteSSH(path string) string { return `"` + strings.ReplaceAll(path, "%", "%%") + `"` }
