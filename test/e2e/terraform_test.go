//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"

	"slipway.dev/slipway/test/rig"
)

// What Terraform needs, which no package manager of this project brings: the program as terraform or tofu on PATH or by name in TF_CLI,
// and the directory of a terraform-provider-aws program in TF_PROVIDER_DIR.
type terraform struct {
	cli, config string
}

// theTerraform skips the test where one of both is missing.
func theTerraform(t *testing.T) terraform {
	t.Helper()
	cli := os.Getenv("TF_CLI")
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); cli == "" && err == nil {
			cli = path
		}
	}
	providers, _ := filepath.Glob(filepath.Join(os.Getenv("TF_PROVIDER_DIR"), "terraform-provider-aws*"))
	if cli == "" || os.Getenv("TF_PROVIDER_DIR") == "" || len(providers) == 0 {
		t.Skip("needs terraform or tofu (on PATH or as TF_CLI) and a directory with the program terraform-provider-aws (TF_PROVIDER_DIR)")
	}
	return terraform{cli, mirror(t, providers[0])}
}

// mirror makes a provider to be found without a registry, and returns the file that says so.
func mirror(t *testing.T, provider string) string {
	t.Helper()
	dir := t.TempDir()
	version := "5.0.0"
	if parts := strings.Split(filepath.Base(provider), "_"); len(parts) > 1 {
		version = strings.TrimPrefix(parts[1], "v")
	}
	for _, registry := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		at := filepath.Join(dir, registry, "hashicorp", "aws", version, runtime.GOOS+"_"+runtime.GOARCH)
		if err := errors.Join(os.MkdirAll(at, 0o755), os.Symlink(provider, filepath.Join(at, "terraform-provider-aws_v"+version+"_x5"))); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "terraform.rc")
	text := fmt.Sprintf("disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// stack is one of the configurations in testdata/terraform, in a directory of its own.
type stack struct {
	terraform
	dir string
	env []string
}

// stack initialises a configuration. Of the environment it knows what credentials.env says, less the variables that without names.
func (tf terraform) stack(t *testing.T, h house, name string, without ...string) stack {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "terraform", name, "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	s := stack{tf, t.TempDir(), append(os.Environ(), "TF_CLI_CONFIG_FILE="+tf.config, "TF_IN_AUTOMATION=1", "TF_INPUT=0")}
	for _, command := range []string{"init", "plan", "apply", "destroy"} {
		s.env = append(s.env, "TF_CLI_ARGS_"+command+"=-no-color")
	}
	for k, v := range h.Env {
		s.env = append(s.env, k+"="+v)
	}
	for _, k := range without {
		s.env = append(s.env, k+"=")
	}
	if err := os.WriteFile(filepath.Join(s.dir, "main.tf"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.must(t, "init")
	return s
}

func (s stack) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.cli, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = s.dir, s.env, time.Minute
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s stack) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.run(args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// apply makes it so, and wants nothing left to do.
func (s stack) apply(t *testing.T, vars ...string) {
	t.Helper()
	s.must(t, append([]string{"apply", "-auto-approve"}, vars...)...)
	s.settled(t, vars...)
}

// settled wants a plan without changes.
func (s stack) settled(t *testing.T, vars ...string) {
	t.Helper()
	if out, err := s.run(append([]string{"plan", "-detailed-exitcode"}, vars...)...); err != nil {
		t.Fatalf("there is a change after the last was applied: %v\n%s", err, out)
	}
}

func (s stack) output(t *testing.T, name string) string {
	t.Helper()
	var v string
	text := s.must(t, "output", "-json", name)
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("output %s: %v in %s", name, err, text)
	}
	return v
}

// TestTerraform runs real configurations through their lives: first and second plan, changes in place, import, the end.
func TestTerraform(t *testing.T) {
	tf := theTerraform(t)
	h := house{rig.Own(t, "--provider-hosts", "GITHUB=127.0.0.1", "--start-timeout", startTimeout, "--stop-grace", "5s", "--drain-timeout", "20s")}
	h.PushApp(t, "app", "v1", "v1")
	for name, story := range map[string]func(*testing.T, terraform, house){
		"image": terraformImage, "code": terraformCode, "network": terraformNetwork, "domain": terraformDomain, "rest": terraformRest,
	} {
		t.Run(name, func(t *testing.T) { story(t, tf, h) })
	}
	list, err := h.Apps.ListServices(t.Context(), &apprunner.ListServicesInput{})
	if err != nil || len(list.ServiceSummaryList) > 0 {
		t.Errorf("what is left: %v, %v", list, err)
	}
}

func terraformImage(t *testing.T, tf terraform, h house) {
	s := tf.stack(t, h, "image")
	s.must(t, "apply", "-auto-approve", "-target=aws_ecr_repository.app")
	h.PushApp(t, "tf-image/app", "v1", "v1")
	h.PushApp(t, "tf-image/app", "v2", "v2")
	s.apply(t)
	if account := s.output(t, "account"); account != "123456789012" {
		t.Errorf("the account is %s", account)
	}
	arn := s.output(t, "arn")
	service := h.reach(t, arn)
	service.Says(t, "/", "hello v1")
	s.apply(t, "-var=tag=v2", "-var=greeting=salut")
	service.Says(t, "/", "hello v2")
	s.apply(t, "-var=tag=v2", "-var=greeting=") // the last variable goes
	s.must(t, "state", "rm", "aws_apprunner_service.web", "aws_iam_role.instance")
	s.must(t, "import", "-var=tag=v2", "-var=greeting=", "aws_apprunner_service.web", arn)
	s.must(t, "import", "-var=tag=v2", "-var=greeting=", "aws_iam_role.instance", "tf-image-instance")
	s.settled(t, "-var=tag=v2", "-var=greeting=")
	s.must(t, "destroy", "-auto-approve")
}

func terraformCode(t *testing.T, tf terraform, h house) {
	const token = "ghp_0123456789abcdefghij"
	at := rig.Provider(t, rig.NewGit(t, map[string]string{"server.py": reporter}), token) + "/private.git"
	s, repository := tf.stack(t, h, "code"), "-var=repository="+at
	s.must(t, "apply", "-auto-approve", "-target=aws_apprunner_connection.hub", repository)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	arn := s.output(t, "connection")
	if out, err := h.Slipway("connection", "complete", "--data-dir", h.Dir, "--arn", arn, "--token-file", file, "--repository", at); err != nil {
		t.Fatalf("slipway connection complete: %v\n%s", err, out)
	}
	s.apply(t, repository)
	h.reach(t, s.output(t, "arn")).Says(t, "/", `"A": "b"`)
	s.must(t, "destroy", "-auto-approve", repository)
}

func terraformNetwork(t *testing.T, tf terraform, h house) {
	s := tf.stack(t, h, "network")
	s.apply(t)
	s.apply(t, "-var=words=other words")
	if domain := s.output(t, "domain"); !strings.HasSuffix(domain, ".apprunner.localhost") {
		t.Errorf("inside the VPC the service is called %q", domain)
	}
	s.must(t, "destroy", "-auto-approve")
}

func terraformDomain(t *testing.T, tf terraform, h house) {
	s := tf.stack(t, h, "domain")
	s.apply(t)
	if target := s.output(t, "target"); !strings.HasSuffix(target, ".apprunner.localhost") {
		t.Errorf("the domain points to %q", target)
	}
	const provided = "-var=default=arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/DefaultConfiguration/1/00000000000000000000000000000001"
	s.apply(t, provided)
	s.must(t, "destroy", "-auto-approve", provided)
}

// terraformRest names the endpoint in the provider, and not in the environment.
func terraformRest(t *testing.T, tf terraform, h house) {
	s, endpoint := tf.stack(t, h, "rest", "AWS_ENDPOINT_URL"), "-var=endpoint="+h.Env["AWS_ENDPOINT_URL"]
	s.apply(t, endpoint)
	s.apply(t, endpoint, "-var=words=two")
	s.must(t, "destroy", "-auto-approve", endpoint)
}

// reach is a service as its clients see it.
func (h house) reach(t *testing.T, arn string) rig.Service {
	t.Helper()
	s, err := h.Describe(arn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
