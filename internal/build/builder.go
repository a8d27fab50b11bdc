package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// Config says what a Builder works with. Images, Sandbox, Dir and RuntimesDir are required.
type Config struct {
	Images  images
	Sandbox sandbox

	Dir         string // of this installation: caches per service and which runtime images were imported
	RuntimesDir string // finished runtime layers, shared by all installations of this user; costly to make, safe to delete

	// RuntimeImages are image references by runtime and version, such as NODEJS_22 → "22.23.3" → "mirror.example/node:22.23.3".
	// A version that is not here, or whose image cannot be pulled, is made on this machine where a recipe for it exists.
	RuntimeImages map[apprunner.Runtime]map[string]string

	BuildEnv []string // "NAME=value" for build commands only: proxies and package registries of this network
	CABundle string   // file with the certificate authorities that build commands trust; empty leaves the runtime's own

	CPU       int           // of one build, 1024 is one vCPU; 0 is 2048
	MemoryMiB int           // of one build; 0 is 4096
	DiskMiB   int           // what one build may write; 0 is 10240
	CacheMiB  int           // a service's package cache is emptied when it has grown beyond this; 0 is 4096
	Timeout   time.Duration // of one build, §13.6; 0 is 30 minutes

	DebianMirror string // where runtime recipes take packages from; empty is Debian's own
	NPM          string // the npm program for Node.js recipes; empty looks in PATH
	GoRoot       string // a Go tree to offer as runtime GO_1; empty looks for the one in PATH and in /usr/local/go
	Architecture string // as Go spells it; empty is this machine's
}

// images keeps images on this machine.
type images interface {
	// Get returns an image that is here already; an error when it is not.
	Get(ctx context.Context, digest string) (Image, error)
	// Pull fetches an image from a registry.
	Pull(ctx context.Context, reference string) (Image, error)
	// Append makes an image from base and one more layer, an uncompressed tar. A zero base stands for the empty image.
	Append(ctx context.Context, base Image, layer io.Reader, settings ImageSettings) (Image, error)
	// Pin keeps an image until Unpin.
	Pin(ctx context.Context, owner, digest string) error
	// Unpin lets all images of an owner go.
	Unpin(ctx context.Context, owner string) error
}

// sandbox runs commands on an image's files.
type sandbox interface {
	Open(ctx context.Context, spec WorkspaceSpec) (Workspace, error)
}

// Image is an unpacked image.
type Image struct {
	Digest string
	Layers []string // directories, lowest first
	Env    []string // "NAME=value"
}

// ImageSettings is what an appended image changes about how it starts; what is empty stays as it is in the base.
type ImageSettings struct {
	Env        []string
	WorkingDir string
	Cmd        []string // replaces the base's command and its entry point
}

// WorkspaceSpec describes a sandbox for commands.
type WorkspaceSpec struct {
	ID                      string // 32 lower-case hex digits
	Layers                  []string
	CPU, MemoryMiB, DiskMiB int
	Files                   map[string][]byte // placed before the first command
	Mounts                  map[string]string // path inside → directory of this host, read and write
}

// Command is one program to run in a Workspace as root.
type Command struct {
	Args   []string
	Env    []string // "NAME=value", complete
	Dir    string
	Output io.Writer // standard output and standard error as they come
}

// Workspace is a sandbox in which commands run one at a time over the same files.
type Workspace interface {
	CopyIn(ctx context.Context, hostDir, path string) error
	Exec(ctx context.Context, command Command) (exitCode int, err error)
	Layer(ctx context.Context, w io.Writer) error // what changed, as an uncompressed tar
	Close() error
}

// Log is where a deployment's log lines go while they happen.
type Log interface {
	Step(format string, args ...any) // a line of ours, [AppRunner]
	Output(line string)              // a line that a build command printed, [Build]
}

// Request is one build.
type Request struct {
	ServiceID    string // 32 hex; whose caches are used
	DeploymentID string
	SourceDir    string // directory of this host with the repository's tree, without .git; not changed
	Subdir       string // source directory inside it; "", "/" and "." are the root
	Code         apprunner.CodeConfiguration
	Log          Log
}

// Result is a finished build. The image is not pinned.
type Result struct {
	ImageDigest    string
	Run            apprunner.RunConfiguration
	Runtime        apprunner.Runtime
	RuntimeVersion string
}

// Builder builds images from source. It is safe for concurrent use; builds of one service wait for each other (§13.6).
type Builder struct {
	Config
	ca       []byte
	recipes  []recipe
	services keyedLock
	bases    keyedLock
}

// New checks cfg and looks at what this machine can make runtimes from. It builds and downloads nothing.
func New(cfg Config) (*Builder, error) {
	if cfg.Images == nil || cfg.Sandbox == nil || cfg.Dir == "" || cfg.RuntimesDir == "" {
		return nil, errors.New("new builder: Images, Sandbox, Dir and RuntimesDir are required")
	}
	cfg.CPU = cmp.Or(cfg.CPU, 2048)
	cfg.MemoryMiB = cmp.Or(cfg.MemoryMiB, 4096)
	cfg.DiskMiB = cmp.Or(cfg.DiskMiB, 10240)
	cfg.CacheMiB = cmp.Or(cfg.CacheMiB, 4096)
	cfg.Timeout = cmp.Or(cfg.Timeout, 30*time.Minute)
	cfg.Architecture = cmp.Or(cfg.Architecture, runtime.GOARCH)
	b := &Builder{Config: cfg}
	for _, dir := range []string{b.cachesDir(), b.importedDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("new builder: %w", err)
		}
	}
	if cfg.CABundle != "" {
		ca, err := os.ReadFile(cfg.CABundle)
		if err != nil {
			return nil, fmt.Errorf("new builder: read certificate authorities: %w", err)
		}
		b.ca = ca
	}
	b.recipes = recipes(cfg)
	return b, nil
}

// Build makes the image of one deployment. It returns an *apprunner.Error with the reason for the user where the source, its
// configuration or its commands are at fault. Nothing is left behind when it fails or ctx ends, but for the service's caches.
func (b *Builder) Build(ctx context.Context, req Request) (Result, error) {
	unlock, err := b.services.lock(ctx, req.ServiceID)
	if err != nil {
		return Result{}, fmt.Errorf("wait for the service's other build: %w", err)
	}
	defer unlock()
	timed, cancel := context.WithTimeoutCause(ctx, b.Timeout, errTimeLimit)
	defer cancel()
	result, err := b.build(timed, req)
	var told *apprunner.Error
	if err != nil && errors.Is(context.Cause(timed), errTimeLimit) && !errors.As(err, &told) {
		err = apprunner.Errorf(apprunner.CodeInvalidRequest, "The build took longer than its limit of %s and was stopped.", b.Timeout)
	}
	return result, err
}

// errTimeLimit is why a build's context ends when its own time is over.
var errTimeLimit = errors.New("the build's time is over")

func (b *Builder) build(ctx context.Context, req Request) (Result, error) {
	p, err := readPlan(req)
	if err != nil {
		return Result{}, err
	}
	base, err := b.base(ctx, p, req.Log)
	if err != nil {
		return Result{}, err
	}
	j := &job{builder: b, request: req, plan: p, base: base.image}
	if j.cache, err = b.prepareCache(ctx, req, base.seed); err != nil {
		return Result{}, fmt.Errorf("prepare the package cache: %w", err)
	}
	image, err := j.run(ctx)
	if err != nil {
		return Result{}, err
	}
	req.Log.Step("The image is stored as %s.", image.Digest)
	return Result{ImageDigest: image.Digest, Run: p.run, Runtime: p.runtime, RuntimeVersion: base.version}, nil
}

// Prepare makes the newest version of a runtime ready on this machine, so that the first build with it need not.
func (b *Builder) Prepare(ctx context.Context, runtime apprunner.Runtime, log Log) error {
	_, err := b.base(ctx, plan{runtime: runtime}, log)
	return err
}
