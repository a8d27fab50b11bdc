package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"slipway.dev/slipway/cmd/slipway/internal/caller"
	"slipway.dev/slipway/internal/server"
)

// client talks to an installation through its AWS APIs.
type client struct {
	api   *caller.Client
	https string // host:port of the applications; "" when unknown
	ca    string // file of the certificates the API is trusted by beside the system's; "" for none
}

// connect finds the installation: by --data-dir or SLIPWAY_DATA_DIR, else by the usual AWS environment, else where `slipway
// up` keeps its data by default.
func (p *program) connect(cmd *cobra.Command) (*client, error) {
	dir, err := cmd.Flags().GetString("data-dir")
	if err != nil {
		return nil, err
	}
	if dir == "" {
		dir = p.env(server.EnvName("data-dir"))
	}
	if dir == "" && p.env("AWS_ENDPOINT_URL") == "" {
		conf, _, err := server.Load(server.Input{Env: p.env})
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(conf.CredentialsFile()); errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("found no running Slipway: start one with `slipway up --detach`, or name its data directory with --data-dir")
		}
		dir = conf.DataDir
	}
	if dir == "" {
		return fromEnvironment(p.env)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return fromDataDir(abs)
}

func fromEnvironment(env func(string) string) (*client, error) {
	api, err := caller.FromEnvironment(env)
	if err != nil {
		return nil, err
	}
	return &client{api: api, https: env("SLIPWAY_HTTPS"), ca: env("AWS_CA_BUNDLE")}, nil
}

func fromDataDir(dir string) (*client, error) {
	path := server.Config{DataDir: dir}.CredentialsFile()
	vars, err := readCredentials(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no Slipway has been started over %s (there is no %s); start one with `slipway up --data-dir %s`", dir, filepath.Base(path), dir)
	}
	if err != nil {
		return nil, err
	}
	c := &client{https: vars["SLIPWAY_HTTPS"], ca: vars["AWS_CA_BUNDLE"]}
	keys := caller.Keys{ID: vars["AWS_ACCESS_KEY_ID"], Secret: vars["AWS_SECRET_ACCESS_KEY"]}
	c.api = &caller.Client{Endpoint: vars["AWS_ENDPOINT_URL"], Region: vars["AWS_REGION"], Keys: caller.Always(keys)}
	if c.ca != "" {
		c.api.HTTP, err = caller.Trusting(c.ca)
	}
	return c, err
}

// readCredentials reads the shell lines of credentials.env.
func readCredentials(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	vars := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		k, v, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export "), "=")
		if ok && !strings.HasPrefix(k, "#") {
			vars[k] = strings.Trim(v, `'"`)
		}
	}
	return vars, lines.Err()
}

// gitURL is the address of a repository that the installation hosts, and the name and password for it.
func (c *client) gitURL(ctx context.Context, name string) (url, user, password string, err error) {
	key, err := c.api.Keys(ctx)
	if err != nil {
		return "", "", "", err
	}
	return strings.TrimSuffix(c.api.Endpoint, "/") + "/git/" + name + ".git", key.ID, key.Secret, nil
}

// link is the address of a service as a browser takes it.
func (c *client) link(host string) string {
	if _, port, err := net.SplitHostPort(c.https); err == nil && port != "443" {
		return "https://" + host + ":" + port + "/"
	}
	return "https://" + host + "/"
}

// explain turns an error of a call into what to do when no server answers. What a server said is clear.
func explain(err error) error {
	var netErr *net.OpError
	if errors.As(err, &netErr) && netErr.Op == "dial" {
		return fmt.Errorf("no Slipway answers at %s; `slipway status` tells more: %w", netErr.Addr, netErr.Err)
	}
	return err
}

func hasCode(err error, code string) bool {
	var said *caller.Error
	return errors.As(err, &said) && said.Code == code
}

// value is what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
