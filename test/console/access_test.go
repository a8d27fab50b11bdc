package console

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"slipway.dev/slipway/internal/iam/iamtest"
	"slipway.dev/slipway/test/rig"
)

// found reads what a story told, of the directory it was given for that.
func found(t *testing.T, dir string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "found.json"))
	ok(t, err)
	out := map[string]string{}
	ok(t, json.Unmarshal(b, &out))
	return out
}

// is checks whose credentials these are.
func is(t *testing.T, h *rig.House, id, secret, token, want string) {
	t.Helper()
	out, err := sts.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(h.Env["AWS_ENDPOINT_URL"]), Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	}).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || aws.ToString(out.Arn) != want {
		t.Errorf("the credentials are those of %+v, %v; want %s", out, err, want)
	}
}

// A key's secret is shown once, with a file to keep; the key works.
//
// checklist: 15, 17
func TestAKeyIsShownOnce(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	dir := t.TempDir()
	play(t, h, "accesskeys", user(t, h, "kim", mayAll), map[string]any{"downloads": dir})
	key := found(t, dir)
	is(t, h, key["id"], key["secret"], "", "arn:aws:iam::123456789012:user/kim")
}

// The page of settings makes command line tools work as the person who has signed in.
//
// checklist: 182
func TestSettingsForTheCommandLine(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	dir := t.TempDir()
	play(t, h, "cli", user(t, h, "lia", mayAll), map[string]any{"downloads": dir})
	text := found(t, dir)
	if text["sh"] != text["copied"] || !strings.Contains(text["powershell"], "$Env:AWS_ENDPOINT_URL = 'http") || !strings.HasPrefix(text["profile"], "[profile slipway]\n") {
		t.Errorf("the settings are %v", text)
	}
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`export ([A-Z_]+)='([^']*)'`).FindAllStringSubmatch(text["sh"], -1) {
		env[m[1]] = m[2]
	}
	if env["AWS_ENDPOINT_URL"] != h.Env["AWS_ENDPOINT_URL"] || env["AWS_REGION"] != "us-east-1" {
		t.Errorf("the variables are %v", env)
	}
	is(t, h, env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"], "arn:aws:iam::123456789012:user/lia")
	file := filepath.Join(dir, "config")
	ok(t, os.WriteFile(file, []byte(text["profile"]), 0o600))
	out, err := h.AWSWith([]string{"AWS_CONFIG_FILE=" + file, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_ENDPOINT_URL="}, "sts", "get-caller-identity", "--profile", "slipway")
	if err != nil || !strings.Contains(out, "user/lia") {
		t.Errorf("with the profile: %s %v", out, err)
	}
}

var password = regexp.MustCompile(`(?m)password +(\S+)$`)

// Root signs in with its mail address, and has to choose a password of its own at first.
//
// checklist: 14
func TestRootSignsIn(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	a := newTenant(t, h, "300000000014")
	text, err := h.Slipway("root-password", "--account", a.id, "--mail", "owner@example.com", "--data-dir", h.Dir)
	ok(t, err)
	m := password.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("slipway root-password printed %s", text)
	}
	play(t, h, "root", person{account: a.id, name: "root", password: m[1]}, nil)
}

// Who has an MFA device is asked for its code.
//
// checklist: 14
func TestSigningInWithAnMFADevice(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	p, ctx := user(t, h, "mia", mayAll), t.Context()
	ids := directory(h, h.Env["AWS_ACCESS_KEY_ID"], h.Env["AWS_SECRET_ACCESS_KEY"])
	made, err := ids.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &p.name})
	ok(t, err)
	seed, now := string(made.VirtualMFADevice.Base32StringSeed), time.Now()
	_, err = ids.EnableMFADevice(ctx, &iam.EnableMFADeviceInput{
		UserName: &p.name, SerialNumber: made.VirtualMFADevice.SerialNumber,
		AuthenticationCode1: aws.String(iamtest.Code(seed, now.Add(-30*time.Second))), AuthenticationCode2: aws.String(iamtest.Code(seed, now)),
	})
	ok(t, err)
	// This one has been used; the next one is good already.
	play(t, h, "mfa", p, map[string]any{"code": iamtest.Code(seed, now.Add(30*time.Second))})
}

// At first use the home page offers the creation of a service.
//
// checklist: 59, 67
func TestFirstUse(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	play(t, h, "firstuse", newTenant(t, h, "300000000067").user(t, "nia", mayAll), nil)
}

// Who lacks a permission is told which, with the words of the API.
func TestMissingPermissionsAreNamed(t *testing.T) {
	t.Parallel()
	h := theHouse(t)
	service := "/services/arn:aws:apprunner:us-east-1:123456789012:service%2Fx%2F0123456789abcdef0123456789abcdef"
	play(t, h, "denied", user(t, h, "ole", ""), map[string]any{"pages": []map[string]string{
		{"name": "home", "where": "/", "header": "The services cannot be listed", "action": "apprunner:ListServices"},
		{"name": "keys", "where": "/keys", "header": "The access keys cannot be listed", "action": "iam:ListAccessKeys"},
		{"name": "service", "where": service, "header": "The service cannot be shown", "action": "apprunner:DescribeService"},
	}})
}
