package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"

	"slipway.dev/slipway/internal/server"
)

// client talks to an installation through its AWS APIs.
type client struct {
	apps  *apprunner.Client
	logs  *cloudwatchlogs.Client
	conf  aws.Config
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
		return fromEnvironment(cmd.Context(), p.env)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return fromDataDir(abs)
}

func fromEnvironment(ctx context.Context, env func(string) string) (*client, error) {
	conf, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the AWS settings: %w", err)
	}
	c := newClient(conf, env("SLIPWAY_HTTPS"))
	c.ca = env("AWS_CA_BUNDLE") // which the SDK has read as well
	return c, nil
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
	endpoint := vars["AWS_ENDPOINT_URL"]
	conf := aws.Config{
		Region: vars["AWS_REGION"], BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], ""),
	}
	ca := vars["AWS_CA_BUNDLE"]
	if ca != "" {
		if conf.HTTPClient, err = trusting(ca); err != nil {
			return nil, err
		}
	}
	c := newClient(conf, vars["SLIPWAY_HTTPS"])
	c.ca = ca
	return c, nil
}

// trusting is an HTTP client of the SDK that trusts the certificates of a file beside the system's.
func trusting(caFile string) (aws.HTTPClient, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("trust the API: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(pem)
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}), nil
}

func newClient(conf aws.Config, https string) *client {
	return &client{apps: apprunner.NewFromConfig(conf), logs: cloudwatchlogs.NewFromConfig(conf), conf: conf, https: https}
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
	if c.conf.BaseEndpoint == nil || *c.conf.BaseEndpoint == "" {
		return "", "", "", errors.New("the folder is pushed to Slipway's own git server, and AWS_ENDPOINT_URL does not say where that is; name the data directory with --data-dir")
	}
	key, err := c.conf.Credentials.Retrieve(ctx)
	if err != nil {
		return "", "", "", fmt.Errorf("find the access key: %w", err)
	}
	return strings.TrimSuffix(*c.conf.BaseEndpoint, "/") + "/git/" + name + ".git", key.AccessKeyID, key.SecretAccessKey, nil
}

// link is the address of a service as a browser takes it.
func (c *client) link(host string) string {
	if _, port, err := net.SplitHostPort(c.https); err == nil && port != "443" {
		return "https://" + host + ":" + port + "/"
	}
	return "https://" + host + "/"
}

// explain turns an error of the SDK into what the server said, or into what to do when no server answers.
func explain(err error) error {
	var said smithy.APIError
	if errors.As(err, &said) && said.ErrorMessage() != "" {
		return fmt.Errorf("%s (%s)", said.ErrorMessage(), said.ErrorCode())
	}
	var netErr *net.OpError
	if errors.As(err, &netErr) && netErr.Op == "dial" {
		return fmt.Errorf("no Slipway answers at %s; `slipway status` tells more: %w", netErr.Addr, netErr.Err)
	}
	return err
}

func hasCode(err error, codes ...string) bool {
	var said smithy.APIError
	if !errors.As(err, &said) {
		return false
	}
	for _, c := range codes {
		if said.ErrorCode() == c {
			return true
		}
	}
	return false
}
