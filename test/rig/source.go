package rig

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// AccessRole is the role that private images are pulled with; every installation has it from its beginning.
const AccessRole = "arn:aws:iam::123456789012:role/service-role/AppRunnerECRAccessRole"

// appLayer is the layer with the test application, made once.
var appLayer = sync.OnceValues(func() (v1.Layer, error) { return programLayer("slipway.dev/slipway/test/app", "app") })

// programLayer is a layer with a program of this module as /app.
func programLayer(pkg, name string) (v1.Layer, error) {
	path, err := goBuild(pkg, name)
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "var/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "app", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program))},
	} {
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
}

// Program makes an image of another program of this module, such as test/app/caller.
func Program(pkg string) (v1.Image, error) {
	layer, err := programLayer("slipway.dev/slipway/"+pkg, filepath.Base(pkg))
	if err != nil {
		return nil, err
	}
	return imageOf(layer, "1", runtime.GOARCH)
}

// Image makes an image of the test application with the variable VERSION set, for this machine's architecture.
func Image(version string) (v1.Image, error) { return ImageFor(version, runtime.GOARCH) }

// ImageFor is Image for another architecture (the program in it stays what it is).
func ImageFor(version, arch string) (v1.Image, error) {
	layer, err := appLayer()
	if err != nil {
		return nil, err
	}
	return imageOf(layer, version, arch)
}

func imageOf(layer v1.Layer, version, arch string) (v1.Image, error) {
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	conf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	conf = conf.DeepCopy()
	conf.OS, conf.Architecture = "linux", arch
	conf.Config.Entrypoint = []string{"/app"}
	conf.Config.Cmd = []string{"as-built"}
	conf.Config.Env = []string{"VERSION=" + version, "FROM_IMAGE=yes"}
	return mutate.ConfigFile(img, conf)
}

// Repository makes an ECR repository unless there is one of that name.
func (h *House) Repository(t testing.TB, repository string) {
	t.Helper()
	_, err := h.ECR.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &repository})
	if err != nil && Code(err) != "RepositoryAlreadyExistsException" {
		t.Fatal(err)
	}
}

// Login is the password of user AWS at the built-in registry.
func (h *House) Login() (string, error) {
	out, err := h.ECR.GetAuthorizationToken(context.Background(), &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return "", err
	}
	token, err := base64.StdEncoding.DecodeString(aws.ToString(out.AuthorizationData[0].AuthorizationToken))
	_, password, _ := strings.Cut(string(token), ":")
	return password, err
}

// Push pushes an image to the built-in registry as repository:tag and returns its digest.
func (h *House) Push(t testing.TB, repository, tag string, img v1.Image) string {
	t.Helper()
	password, err := h.Login()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(h.API()+"/"+repository+":"+tag, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img, remote.WithAuth(&authn.Basic{Username: "AWS", Password: password})); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// PushApp pushes the test application of a version as repository:tag.
func (h *House) PushApp(t testing.TB, repository, tag, version string) {
	t.Helper()
	img, err := Image(version)
	if err != nil {
		t.Fatal(err)
	}
	h.Repository(t, repository)
	h.Push(t, repository, tag, img)
}

// Identifier is how a service names an image in the built-in registry.
func Identifier(repository, tag string) string {
	return "123456789012.dkr.ecr.us-east-1.amazonaws.com/" + repository + ":" + tag
}

// ImageSource is the source of an image service, deployed by hand, with the application's variables.
func ImageSource(repository, tag string, env map[string]string) *types.SourceConfiguration {
	return &types.SourceConfiguration{
		AutoDeploymentsEnabled:      aws.Bool(false),
		AuthenticationConfiguration: &types.AuthenticationConfiguration{AccessRoleArn: aws.String(AccessRole)},
		ImageRepository: &types.ImageRepository{
			ImageIdentifier: aws.String(Identifier(repository, tag)), ImageRepositoryType: types.ImageRepositoryTypeEcr,
			ImageConfiguration: &types.ImageConfiguration{RuntimeEnvironmentVariables: env},
		},
	}
}

// CodeSource is the source of a code service on branch main, deployed by hand. Without values the repository's file says all.
func CodeSource(url string, values *types.CodeConfigurationValues) *types.SourceConfiguration {
	conf := &types.CodeConfiguration{ConfigurationSource: types.ConfigurationSourceRepository}
	if values != nil {
		conf = &types.CodeConfiguration{ConfigurationSource: types.ConfigurationSourceApi, CodeConfigurationValues: values}
	}
	return &types.SourceConfiguration{
		AutoDeploymentsEnabled: aws.Bool(false),
		CodeRepository: &types.CodeRepository{
			RepositoryUrl: &url, CodeConfiguration: conf,
			SourceCodeVersion: &types.SourceCodeVersion{Type: types.SourceCodeVersionTypeBranch, Value: aws.String("main")},
		},
	}
}

// Git is a git repository of a test with a branch main.
type Git struct {
	t   testing.TB
	Dir string
}

// NewGit makes a repository with a first commit of the given files.
func NewGit(t testing.TB, files map[string]string) *Git {
	t.Helper()
	g := &Git{t, t.TempDir()}
	g.Run("init", "-q", "-b", "main")
	g.Commit(files)
	return g
}

// URL is the address for a service on the same machine.
func (g *Git) URL() string { return "file://" + g.Dir }

// Commit changes files and commits; it returns the commit.
func (g *Git) Commit(files map[string]string) string {
	g.t.Helper()
	for name, content := range files {
		path := filepath.Join(g.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
	g.Run("add", "-A")
	g.Run("commit", "-q", "--allow-empty", "-m", "change")
	return strings.TrimSpace(g.Run("rev-parse", "HEAD"))
}

// Run runs git in the repository.
func (g *Git) Run(args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", g.Dir, "-c", "user.name=e2e", "-c", "user.email=e2e@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Hosted is the address of a repository that the installation hosts, with an access key in it.
func (h *House) Hosted(repository string) string {
	return fmt.Sprintf("http://%s:%s@%s/git/%s.git", h.Env["AWS_ACCESS_KEY_ID"], escape(h.Env["AWS_SECRET_ACCESS_KEY"]), h.API(), repository)
}

// HostedURL is the same address as a service names it.
func (h *House) HostedURL(repository string) string {
	return "http://" + h.API() + "/git/" + repository + ".git"
}

func escape(s string) string {
	return strings.NewReplacer("/", "%2F", "+", "%2B", "=", "%3D").Replace(s)
}
