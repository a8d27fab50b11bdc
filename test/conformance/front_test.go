package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/image"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

var scope = apprunner.Scope{Account: account, Region: region}

// front is an endpoint, root's key to it, and the actions it serves by the signing name of their API.
type front struct {
	url, region string
	key         iam.AccessKey
	served      map[string][]string
	ca          string
}

// serve gives the endpoint that the environment names, else one of this process.
func serve(t *testing.T) *front {
	t.Helper()
	if file := os.Getenv("SLIPWAY_CONFORMANCE"); file != "" {
		return elsewhere(t, file)
	}
	ctx, dir := context.Background(), t.TempDir()
	db, err := store.Open(ctx, filepath.Join(dir, "slipway.db"))
	check(t, err)
	t.Cleanup(func() { db.Close() })
	ids, err := iam.Open(ctx, iam.Config{DB: db, KeyFile: filepath.Join(dir, "iam.key")})
	check(t, err)
	key, err := ids.EnsureRoot(ctx, account)
	check(t, err)
	services := services(t, db, ids, dir)
	audit := runAudit(t, db, dir)
	trails, err := api.NewCloudTrail(audit)
	check(t, err)
	services = append(services, trails)
	door, err := api.New(api.Config{Services: services, Identities: ids, Audit: audit, Account: account, Throttle: api.NewLimiter(api.DefaultRate).Allow})
	check(t, err)
	srv := httptest.NewServer(door)
	t.Cleanup(srv.Close)
	f := &front{url: srv.URL, region: region, key: key, served: map[string][]string{}}
	for _, s := range services {
		for name := range s.Actions {
			f.served[s.API.SigningName] = append(f.served[s.API.SigningName], name)
		}
	}
	return f
}

func services(t *testing.T, db *store.DB, ids *iam.Directory, dir string) []*api.Service {
	t.Helper()
	tokens, err := api.NewTokens([]byte("0123456789abcdef"))
	check(t, err)
	ctl, err := control.New(control.Config{DB: db, Suffix: "apprunner.localhost", Log: slog.New(slog.DiscardHandler), Roles: ids, SealKey: []byte("0123456789abcdef0123456789abcdef"), Epoch: time.Now()})
	check(t, err)
	images, err := image.Open(t.Context(), image.Config{Dir: filepath.Join(dir, "images"), DB: db, Scope: scope})
	check(t, err)
	logs, err := observe.Open(t.Context(), observe.Config{Dir: filepath.Join(dir, "logs"), DB: db})
	check(t, err)
	t.Cleanup(func() { logs.Close() })
	runner, err1 := api.NewAppRunner(api.AppRunnerConfig{Control: ctl, Tokens: tokens})
	quotas, err2 := api.NewQuotas(ctl, tokens)
	ecr, err3 := api.NewECR(images)
	logsAPI, err4 := api.NewLogs(logs)
	identity, err5 := api.NewIAM(api.IAMConfig{Directory: ids})
	sts, err6 := api.NewSTS(ids)
	nets, err7 := network.Open(t.Context(), network.Config{DB: db})
	check(t, err7)
	ec2, err7 := api.NewEC2(nets, tokens, "api.apprunner.localhost")
	keys, err := kms.Open(t.Context(), kms.Config{DB: db, Root: make([]byte, 32), RootFile: "kms.key", Now: time.Now})
	check(t, err)
	encryption, err8 := api.NewKMS(keys, ids, tokens)
	check(t, errors.Join(err1, err2, err3, err4, err5, err6, err7, err8))
	return []*api.Service{runner, quotas, ecr, logsAPI, identity, sts, ec2, encryption, figures(t, db, tokens)}
}

func runAudit(t *testing.T, db *store.DB, dir string) *observe.Audit {
	t.Helper()
	audit, err := observe.OpenAudit(t.Context(), observe.AuditConfig{DB: db, ChainKey: []byte("0123456789abcdef"), TrailDir: filepath.Join(dir, "trails")})
	check(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() {
		if err := audit.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		group.Wait()
		if _, err := audit.Verify(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return audit
}

// elsewhere reads the shell lines that point to an endpoint.
func elsewhere(t *testing.T, file string) *front {
	t.Helper()
	r, err := os.Open(file)
	check(t, err)
	defer r.Close()
	vars := map[string]string{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		name, value, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "=")
		vars[name] = strings.Trim(value, `'"`)
	}
	return &front{
		url: vars["AWS_ENDPOINT_URL"], region: vars["AWS_REGION"], ca: vars["AWS_CA_BUNDLE"],
		key: iam.AccessKey{ID: vars["AWS_ACCESS_KEY_ID"], Secret: vars["AWS_SECRET_ACCESS_KEY"]},
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// config is that of the Go SDK.
func (f *front) config() aws.Config {
	return aws.Config{Region: f.region, BaseEndpoint: &f.url, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider(f.key.ID, f.key.Secret, "")}
}

// environ is what other clients read.
func (f *front) environ() []string {
	env := append(os.Environ(), "AWS_ENDPOINT_URL="+f.url, "AWS_ACCESS_KEY_ID="+f.key.ID, "AWS_SECRET_ACCESS_KEY="+f.key.Secret, "AWS_SESSION_TOKEN=",
		"AWS_REGION="+f.region, "AWS_DEFAULT_REGION="+f.region, "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1", "AWS_CONFIG_FILE=/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true")
	if f.ca != "" {
		env = append(env, "AWS_CA_BUNDLE="+f.ca, "NODE_EXTRA_CA_CERTS="+f.ca)
	}
	return env
}

// run runs a client and returns what it prints; one that is not installed is skipped.
func (f *front) run(t *testing.T, stdin string, program string, args ...string) (out string, ok bool) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed", program)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Stdin = f.environ(), strings.NewReader(stdin)
	b, err := cmd.CombinedOutput()
	return string(b), err == nil
}

func (f *front) servedJSON(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(f.served)
	check(t, err)
	return string(b)
}
