package source

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// sshServer is a real sshd that answers on a loopback port.
type sshServer struct {
	addr    string // host:port
	key     string // private key that may log in
	hostKey string // known_hosts line
}

func newSSHServer(t *testing.T) sshServer {
	t.Helper()
	sshd := "/usr/sbin/sshd"
	if _, err := os.Stat(sshd); err != nil {
		t.Skip("openssh-server is not installed")
	}
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for _, k := range []string{"host", "client"} {
		run(t, dir, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, k))
	}
	config := strings.Join([]string{
		"HostKey " + dir + "/host", "AuthorizedKeysFile " + dir + "/client.pub", "StrictModes no", "UsePAM no", "PasswordAuthentication no",
		"KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "PidFile none", "LogLevel ERROR",
	}, "\n")
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.TCPConn).File()
			c.Close()
			if err != nil {
				continue
			}
			cmd := exec.Command(sshd, "-i", "-e", "-f", filepath.Join(dir, "config"))
			cmd.Stdin, cmd.Stdout = f, f
			if cmd.Start() == nil {
				go func() { _ = cmd.Wait() }()
			}
			f.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return sshServer{
		addr: l.Addr().String(), key: read(t, dir, "client"),
		hostKey: "[127.0.0.1]:" + port + " " + read(t, dir, "host.pub"),
	}
}

func TestFetchOverSSH(t *testing.T) {
	s, r, g := newSSHServer(t), newRepo(t), newGit(t)
	sha := r.commit("first", map[string]string{"f": "1"})
	user := or(os.Getenv("USER"), "root")
	url := "ssh://" + user + "@" + s.addr + r.dir
	get := func(url string, c Credential) (Commit, error) {
		return g.Fetch(t.Context(), Repository{URL: url, Branch: "main", Credential: c}, filepath.Join(t.TempDir(), "out"))
	}
	for name, c := range map[string]Credential{
		"host believed at first sight": {PrivateKey: strings.ReplaceAll(s.key, "\n", "\r\n")},
		"host known before":            {PrivateKey: s.key, KnownHosts: s.hostKey},
	} {
		if got, err := get(url, c); err != nil || got.SHA != sha {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
	if !strings.Contains(read(t, g.known, "known_hosts"), "ed25519") {
		t.Error("the host key was not remembered")
	}
	if left, _ := os.ReadDir(g.runs); len(left) > 0 {
		t.Errorf("keys are left behind: %v", left)
	}
	other := newSSHServer(t)
	_, err := get(url, Credential{PrivateKey: other.key})
	wantError(t, err, apprunner.CodeAccessDenied, "refuses the credentials")
	_, err = get(url, Credential{})
	wantError(t, err, apprunner.CodeAccessDenied, "without credentials")
	_, err = get(url, Credential{PrivateKey: s.key, KnownHosts: strings.Replace(other.hostKey, strings.Split(other.addr, ":")[1], strings.Split(s.addr, ":")[1], 1)})
	wantError(t, err, apprunner.CodeAccessDenied, "host key")
	_, err = get("ssh://"+user+"@"+s.addr+"/no/such/repo", Credential{PrivateKey: s.key})
	wantError(t, err, apprunner.CodeNotFound, "no repository")
	_, err = get("ssh://"+user+"@127.0.0.1:1/x", Credential{PrivateKey: s.key})
	wantError(t, err, apprunner.CodeUnavailable, "connection refused")
}
