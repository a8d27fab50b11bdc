package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/store"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

var scope = apprunner.Scope{Account: account, Region: region}

// endpoint is a front door with services behind it, and root's key to it.
type endpoint struct {
	url string
	key iam.AccessKey
	db  *store.DB
}

func openStore(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// serve puts services behind the real front door: signatures, permissions and constraints included.
func serve(t *testing.T, db *store.DB, services ...*api.Service) *endpoint {
	t.Helper()
	ctx := context.Background()
	dir, err := iam.Open(ctx, iam.Config{DB: db, KeyFile: filepath.Join(t.TempDir(), "iam.key")})
	if err != nil {
		t.Fatal(err)
	}
	key, err := dir.EnsureRoot(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	door, err := api.New(api.Config{Services: services, Identities: dir, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(door)
	t.Cleanup(srv.Close)
	return &endpoint{url: srv.URL, key: key, db: db}
}

// config is that of an SDK client.
func (e *endpoint) config() aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: &e.url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(e.key.ID, e.key.Secret, ""),
	}
}

// post sends a signed request as it is and returns status and body. header is pairs of names and values.
func (e *endpoint) post(t *testing.T, service, target, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, e.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", target)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	sum := sha256.Sum256([]byte(body))
	cred := aws.Credentials{AccessKeyID: e.key.ID, SecretAccessKey: e.key.Secret}
	if err := v4.NewSigner().SignHTTP(req.Context(), cred, req, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// aws runs the stock AWS CLI and returns what it prints; ok is false when it ended with an error.
func (e *endpoint) aws(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+e.url, "AWS_ACCESS_KEY_ID="+e.key.ID, "AWS_SECRET_ACCESS_KEY="+e.key.Secret,
		"AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1", "AWS_CONFIG_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true")
	var buf bytes.Buffer
	cmd.Stdout, cmd.Stderr = &buf, &buf
	err = cmd.Run()
	return buf.String(), err == nil
}

// awsJSON runs the CLI and reads its answer, which must be a success.
func (e *endpoint) awsJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	out, ok := e.aws(t, append(args, "--output", "json")...)
	if !ok {
		t.Fatalf("aws %s: %s", strings.Join(args, " "), out)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
