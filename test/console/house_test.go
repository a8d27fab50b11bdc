package console

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"slipway.dev/slipway/test/rig"
)

// chromium is Debian's; deploy/browser.sh installs it.
const chromium = "/usr/bin/chromium"

var (
	shared     *rig.House
	sharedOnce sync.Once
	sharedErr  error
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if shared != nil {
		if err := shared.Down(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		if code == 0 {
			os.RemoveAll(shared.Dir)
		}
	}
	rig.Clean()
	os.Exit(code)
}

// needBrowser skips a test where no browser can be had, or nothing to show in one.
func needBrowser(t *testing.T) {
	t.Helper()
	rig.NeedRoot(t)
	if _, err := os.Stat(chromium); err != nil {
		t.Skip("there is no Chromium: deploy/browser.sh installs it, as root and with access to a Debian mirror")
	}
	if _, err := os.Stat("../../console/node_modules/playwright-core"); err != nil {
		t.Skip("the console's packages are not installed: make build does it where there is Node.js 20 or newer")
	}
}

// theHouse is the installation that tests share. Each works in an account of its own, or on services of its own.
func theHouse(t *testing.T) *rig.House {
	t.Helper()
	needBrowser(t)
	sharedOnce.Do(func() {
		public.Start()
		shared, sharedErr = rig.Up("--mirrors", "public.ecr.aws="+public.Listener.Addr().String(), "--provider-hosts", "GITHUB=127.0.0.1", "--service-quota", "100", "--start-timeout", "25s", "--stop-grace", "5s", "--drain-timeout", "20s")
		if sharedErr == nil {
			shared.PushApp(t, "app", "v1", "v1")
		}
	})
	if sharedErr != nil {
		t.Fatal(sharedErr)
	}
	res, err := http.Get(shared.Env["AWS_ENDPOINT_URL"] + "/console/")
	ok(t, err)
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotFound {
		t.Skip("the program was built without its console: make build does it where there is Node.js 20 or newer")
	}
	return shared
}

// directory is the IAM API of an account, as somebody with a key.
func directory(h *rig.House, id, secret string) *iam.Client {
	return iam.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(h.Env["AWS_ENDPOINT_URL"]), Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	})
}

// person is a user of the house who can sign in.
type person struct{ account, name, password string }

const (
	mayAll  = "arn:aws:iam::aws:policy/AdministratorAccess"
	mayRead = "arn:aws:iam::aws:policy/AWSAppRunnerReadOnlyAccess"
)

// user makes a user of the house's own account with a managed policy; "" gives no rights.
func user(t *testing.T, h *rig.House, name, policy string) person {
	t.Helper()
	return userOf(t, directory(h, h.Env["AWS_ACCESS_KEY_ID"], h.Env["AWS_SECRET_ACCESS_KEY"]), "123456789012", name, policy)
}

// userOf makes a user in an account.
func userOf(t *testing.T, ids *iam.Client, account, name, policy string) person {
	t.Helper()
	p, ctx := person{account, name, "Open-sesame-1"}, t.Context()
	_, err := ids.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})
	ok(t, err)
	_, err = ids.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: &name, Password: &p.password})
	ok(t, err)
	if policy != "" {
		_, err = ids.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &name, PolicyArn: &policy})
		ok(t, err)
	}
	return p
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// play lets the browser play a story; more is what else it is told.
func play(t *testing.T, h *rig.House, name string, p person, more map[string]any) {
	t.Helper()
	told := map[string]any{
		"chromium": chromium, "url": h.Env["AWS_ENDPOINT_URL"], "account": p.account, "user": p.name, "password": p.password,
		"downloads": t.TempDir(),
	}
	if dir := os.Getenv("CONSOLE_SHOTS"); dir != "" {
		told["shots"] = filepath.Join(dir, name)
	}
	for k, v := range more {
		told[k] = v
	}
	text, err := json.Marshal(told)
	ok(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", filepath.Join("stories", name+".mjs"))
	cmd.Env = append(os.Environ(), "STORY="+string(text))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("story %s: %v\n%s", name, err, out)
	}
}
