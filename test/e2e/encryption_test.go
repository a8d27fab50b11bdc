package e2e

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// What is in the source of an application and, once that is built, in its image.
const (
	confidential = "words of an application that nobody else is to read"
	internal     = "words of an application that go out with nobody's disk"
)

const confidentialFile = `version: 1.0
runtime: python311
build:
  commands:
    build:
      - cat server.py > built.txt
run:
  command: python3 server.py
  network:
    port: 9191
    env: LISTEN_ON
`

// readable tells which files of an installation hold a text.
func readable(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// newKMSKey makes a KMS key with the AWS CLI and gives its ARN.
func newKMSKey(t *testing.T, h *rig.House) string {
	t.Helper()
	return h.AWSText(t, "KeyMetadata.Arn", "kms", "create-key")
}

// cli runs the AWS CLI and gives what it prints.
func cli(t *testing.T, h *rig.House, args ...string) string {
	t.Helper()
	out, err := h.AWS(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func encryptedWith(key string) func(*apprunner.CreateServiceInput) {
	return func(in *apprunner.CreateServiceInput) {
		rig.Small(in)
		in.EncryptionConfiguration = &types.EncryptionConfiguration{KmsKey: &key}
	}
}

// TestCopiesAreEncrypted: what is kept of sources and images cannot be read in the data directory, with a key of the customer and without
// one, and the services are back after down and up. Of a service with a key of its own nothing is left unpacked when it does not run. Without
// its key a service cannot be started.
//
// checklist: 183
func TestCopiesAreEncrypted(t *testing.T) {
	t.Parallel()
	h := rig.Own(t, "--stop-grace", "2s")
	key := newKMSKey(t, h)
	repository := func(words string) string {
		return rig.NewGit(t, map[string]string{"apprunner.yaml": confidentialFile, "server.py": "# " + words + "\n" + reporter}).URL()
	}
	h.PushApp(t, "app", "v1", "v1")
	own := h.Create(t, "own-key", rig.CodeSource(repository(confidential), nil), types.ServiceStatusRunning, encryptedWith(key))
	servers := h.Create(t, "servers-key", rig.CodeSource(repository(internal), nil), types.ServiceStatusRunning, rig.Small)
	pulled := h.Create(t, "image-own-key", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, encryptedWith(key))
	own.Says(t, "/", confidential) // in built.txt
	if got := aws.ToString(own.EncryptionConfiguration.KmsKey); got != key {
		t.Errorf("the service shows the key %q", got)
	}
	if len(readable(t, filepath.Join(h.Dir, "images", "layers"), confidential)) == 0 {
		t.Error("the words are not to be found while instances run: the test looks for the wrong thing")
	}
	if left, _ := filepath.Glob(filepath.Join(h.Dir, "builds", "caches", *own.ServiceId)); len(left) > 0 {
		t.Errorf("the package cache of a service with a key of its own is still there: %v", left)
	}
	if err := h.Down(); err != nil {
		t.Fatal(err)
	}
	if names := readable(t, h.Dir, confidential); len(names) > 0 {
		t.Errorf("sources or images can be read in %v", names)
	}
	layers := filepath.Join(h.Dir, "images", "layers")
	for _, name := range readable(t, h.Dir, internal) {
		if !strings.HasPrefix(name, layers) {
			t.Errorf("sources or images can be read in %s", name)
		}
	}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	own.Says(t, "/", confidential)
	servers.Says(t, "/", internal)
	pulled.Says(t, "/", "hello v1")
	keyIsNeeded(t, h, own, key)
	grants := func() string {
		return strings.TrimSpace(cli(t, h, "kms", "list-grants", "--key-id", key, "--query", "length(Grants)"))
	}
	if n := grants(); n != "2" {
		t.Errorf("%s grants for two services", n)
	}
	h.Remove(t, pulled.ARN())
	if n := grants(); n != "1" {
		t.Errorf("%s grants when one of the two services is deleted", n)
	}
}

// keyIsNeeded: with its key disabled a service goes on, but is not started again.
func keyIsNeeded(t *testing.T, h *rig.House, s rig.Service, key string) {
	t.Helper()
	cli(t, h, "kms", "disable-key", "--key-id", key)
	s.Says(t, "/", confidential)
	cli(t, h, "apprunner", "pause-service", "--service-arn", s.ARN())
	h.Await(t, s.ARN(), types.ServiceStatusPaused)
	cli(t, h, "apprunner", "resume-service", "--service-arn", s.ARN())
	h.Await(t, s.ARN(), types.ServiceStatusPaused)
	if story := s.Events(); !strings.Contains(story, "is disabled") || !strings.Contains(story, "kms:EnableKey") {
		t.Errorf("the events do not say what is wrong:\n%s", story)
	}
	cli(t, h, "kms", "enable-key", "--key-id", key)
	cli(t, h, "apprunner", "resume-service", "--service-arn", s.ARN())
	h.Await(t, s.ARN(), types.ServiceStatusRunning)
	s.Says(t, "/", confidential)
}

// TestKeysThatCannotEncryptAService: a key that is missing, elsewhere, disabled or somebody else's is refused with the cause, before anything
// is made; what a service is granted on its key ends with the service.
func TestKeysThatCannotEncryptAService(t *testing.T) {
	t.Parallel()
	h := theHouse(t).House
	key := newKMSKey(t, h)
	in := map[string]any{
		"ServiceName": "no-key",
		"SourceConfiguration": map[string]any{
			"AuthenticationConfiguration": map[string]any{"AccessRoleArn": rig.AccessRole},
			"ImageRepository":             map[string]any{"ImageIdentifier": rig.Identifier("team/none", "1"), "ImageRepositoryType": "ECR"},
		},
	}
	refused := func(arn, want string) {
		t.Helper()
		in["EncryptionConfiguration"] = map[string]any{"KmsKey": arn}
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.AWS("apprunner", "create-service", "--cli-input-json", string(body))
		if err == nil || !strings.Contains(err.Error(), "InvalidRequestException") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	at := strings.LastIndexByte(key, '/') + 1
	refused(key[:at]+"00000000-0000-4000-8000-000000000000", "does not exist")
	refused(strings.Replace(key, "us-east-1", "eu-west-1", 1), "another region")
	refused(h.AWSText(t, "KeyMetadata.Arn", "kms", "describe-key", "--key-id", "alias/aws/ssm"), "managed key")
	cli(t, h, "kms", "disable-key", "--key-id", key)
	refused(key, "is disabled")
	cli(t, h, "kms", "enable-key", "--key-id", key)
	cli(t, h, "kms", "put-key-policy", "--key-id", key, "--policy-name", "default", "--policy",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["kms:PutKeyPolicy","kms:ListGrants","kms:DescribeKey"],"Resource":"*"}}`)
	refused(key, "kms:CreateGrant")
	if out := cli(t, h, "kms", "list-grants", "--key-id", key, "--query", "length(Grants)"); strings.TrimSpace(out) != "0" {
		t.Errorf("%s grants are left of services that were refused", out)
	}
}
