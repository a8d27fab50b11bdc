package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// kitchen is where layers of runtimes are made and kept: a directory that several installations of one user share.
type kitchen struct {
	dir    string
	mirror string
	npm    string
	log    Log
}

// maker makes a layer: work is an empty directory for it to use, and the layer is written to out.
type maker func(ctx context.Context, k kitchen, work string, out io.Writer) error

// layer returns the file that holds a finished layer, and makes it where it is missing. Of several processes that want it one
// makes it and the others wait. A file under its final name is complete.
func (k kitchen) layer(ctx context.Context, recipe layerRecipe) (string, error) {
	final := k.path(recipe)
	if touch(final) == nil {
		return final, nil
	}
	if err := os.MkdirAll(k.dir, 0o755); err != nil {
		return "", fmt.Errorf("make the runtime cache: %w", err)
	}
	unlock, err := lockFile(ctx, filepath.Join(k.dir, recipe.key()+".lock"))
	if err != nil {
		return "", fmt.Errorf("wait for the runtime cache: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(final); err == nil {
		return final, nil // made while we waited
	}
	k.log.Step("Making the runtime layer %s on this machine. This happens once.", recipe.name)
	began := time.Now()
	if err := k.makeLayer(ctx, recipe, final); err != nil {
		return "", err
	}
	k.log.Step("The runtime layer %s is ready after %s.", recipe.name, time.Since(began).Round(100*time.Millisecond))
	return final, nil
}

func (k kitchen) path(recipe layerRecipe) string { return filepath.Join(k.dir, recipe.key()+".tar") }

// makeLayer writes to a temporary name first, so that a crash leaves nothing that looks finished. Who holds the lock may remove
// what an earlier crash left.
func (k kitchen) makeLayer(ctx context.Context, recipe layerRecipe, final string) error {
	work, partial := final+".work", final+".partial"
	for _, left := range []string{work, partial} {
		if err := os.RemoveAll(left); err != nil {
			return fmt.Errorf("clear the runtime cache: %w", err)
		}
	}
	if err := os.Mkdir(work, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	file, err := os.Create(partial)
	if err != nil {
		return err
	}
	defer os.Remove(partial)
	defer file.Close()
	if err := recipe.make(ctx, k, work, file); err != nil {
		return fmt.Errorf("make runtime layer %s: %w", recipe.name, err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(partial, final)
}

// program runs a program of this host and returns what it printed when it fails.
func program(ctx context.Context, name string, args ...string) error {
	return runProgram(ctx, exec.CommandContext(ctx, name, args...))
}

func runProgram(ctx context.Context, cmd *exec.Cmd) error {
	name := cmd.Args[0]
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return missingProgram(name)
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	l := newLines(func(string) {})
	_, _ = l.Write(out.Bytes())
	l.flush()
	return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, strings.Join(l.last(), "\n"))
}

func missingProgram(name string) error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "This server cannot make the runtime: the program %s is not installed.", name).
		WithHint("Install the Debian package %s, or configure an image reference for the runtime.", name)
}

// makeDebianBase makes a minimal Debian system.
func makeDebianBase(packages []string) maker {
	return func(ctx context.Context, k kitchen, work string, out io.Writer) error {
		root := filepath.Join(work, "root")
		args := []string{
			"--variant=minbase", "--include=" + strings.Join(packages, ","),
			"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/info/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
			"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
		}
		if err := k.mmdebstrap(ctx, root, args...); err != nil {
			return err
		}
		if err := tidyDebian(root); err != nil {
			return err
		}
		return writeTree(ctx, out, treeLayer{dir: root, skip: volatile})
	}
}

// makeDebianPackages makes the layer that installing packages adds to the base.
func makeDebianPackages(base layerRecipe, packages []string, finish func(root string) error) maker {
	return func(ctx context.Context, k kitchen, work string, out io.Writer) error {
		below, err := k.layer(ctx, base)
		if err != nil {
			return err
		}
		root := filepath.Join(work, "root")
		if err := os.Mkdir(root, 0o755); err != nil {
			return err
		}
		if err := program(ctx, "tar", "-C", root, "--numeric-owner", "-xpf", below); err != nil {
			return err
		}
		before, err := takeSnapshot(root)
		if err != nil {
			return err
		}
		err = k.mmdebstrap(ctx, root, "--variant=custom", "--skip=check/empty", "--include="+strings.Join(packages, ","))
		if err != nil {
			return err
		}
		if err := tidyDebian(root); err != nil {
			return err
		}
		if finish != nil {
			if err := finish(root); err != nil {
				return err
			}
		}
		return writeTree(ctx, out, treeLayer{dir: root, skip: volatile, before: before})
	}
}

// mmdebstrap installs Debian into root with this host's apt settings, so that its proxies count.
func (k kitchen) mmdebstrap(ctx context.Context, root string, args ...string) error {
	args = append(args, "--mode=root", "--components=main", `--aptopt=APT::Install-Recommends "false"`, debianSuite, root)
	if k.mirror != "" {
		args = append(args, k.mirror)
	}
	return program(ctx, "mmdebstrap", args...)
}

// volatile names what belongs to a running system and not to an image.
func volatile(name string) bool {
	for _, dir := range []string{"dev", "proc", "sys", "run", "tmp"} {
		if strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return strings.HasPrefix(name, "var/cache/apt/") || strings.HasPrefix(name, "var/lib/apt/lists/") || strings.HasPrefix(name, "var/log/")
}

// tidyDebian removes traces of the host and makes the places that builds and sandboxes use, so that they leave none in a layer.
func tidyDebian(root string) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, dir := range []string{"app", "var/cache/slipway"} {
		if err := r.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"etc/resolv.conf", "etc/hostname", "etc/hosts", "etc/machine-id"} {
		if err := r.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := r.WriteFile(name, nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// finishPython gives the short names that the documents use, and lets pip install for the whole system as in an image it should.
func finishPython(root string) error {
	r, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Remove("usr/lib/python3.11/EXTERNALLY-MANAGED"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return errors.Join(r.Symlink("/usr/bin/python3", "usr/local/bin/python"), r.Symlink("/usr/bin/pip3", "usr/local/bin/pip"))
}

// makeNode takes Node.js, npm and yarn from the npm registry, each as the package its makers publish.
func makeNode(platform string, packages []string) maker {
	return func(ctx context.Context, k kitchen, work string, out io.Writer) error {
		npm := k.npm
		if npm == "" {
			npm = "npm"
		}
		args := []string{"install", "--prefix", work, "--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--no-bin-links"}
		if err := program(ctx, npm, append(args, packages...)...); err != nil {
			return err
		}
		root, err := arrangeNode(work, "node-"+platform)
		if err != nil {
			return fmt.Errorf("arrange Node.js: %w", err)
		}
		return writeTree(ctx, out, treeLayer{dir: root, prefix: "usr/local", owner: rootOwner})
	}
}

// arrangeNode puts what npm fetched where a Node.js installation has it.
func arrangeNode(work, node string) (root string, err error) {
	from, root := filepath.Join(work, "node_modules"), filepath.Join(work, "root")
	modules, bin := filepath.Join(root, "lib", "node_modules"), filepath.Join(root, "bin")
	errs := []error{os.MkdirAll(modules, 0o755), os.MkdirAll(bin, 0o755)}
	move := func(source, target string) { errs = append(errs, os.Rename(filepath.Join(from, source), target)) }
	link := func(target, name string) { errs = append(errs, os.Symlink(target, filepath.Join(bin, name))) }
	move(node+"/bin/node", filepath.Join(bin, "node"))
	move("npm", filepath.Join(modules, "npm"))
	move("yarn", filepath.Join(modules, "yarn"))
	link("../lib/node_modules/npm/bin/npm-cli.js", "npm")
	link("../lib/node_modules/npm/bin/npx-cli.js", "npx")
	link("../lib/node_modules/yarn/bin/yarn.js", "yarn")
	link("../lib/node_modules/yarn/bin/yarn.js", "yarnpkg")
	link("node", "nodejs")
	for _, name := range []string{"npm-cli.js", "npx-cli.js"} {
		errs = append(errs, os.Chmod(filepath.Join(modules, "npm", "bin", name), 0o755))
	}
	errs = append(errs, os.Chmod(filepath.Join(modules, "yarn", "bin", "yarn.js"), 0o755), os.Chmod(filepath.Join(bin, "node"), 0o755))
	return root, errors.Join(errs...)
}

// makeGoTree copies a Go tree of this host, without its tests and documents.
func makeGoTree(goroot string) maker {
	return func(ctx context.Context, _ kitchen, work string, out io.Writer) error {
		unwanted := func(name string) bool {
			switch name {
			case "api", "doc", "misc", "test", "pkg/obj", "pkg/bootstrap":
				return true
			}
			return strings.HasSuffix(name, "/testdata") && strings.HasPrefix(name, "src/")
		}
		return writeTree(ctx, out, treeLayer{dir: goroot, prefix: "usr/local/go", skip: unwanted, owner: rootOwner})
	}
}

// seededPackages are what nearly every Go service is made of. The rest of the standard library compiles when it is needed.
var seededPackages = []string{
	"net/http", "encoding/json", "encoding/xml", "encoding/csv", "html/template", "text/template", "database/sql", "log/slog", "embed",
	"archive/zip", "compress/gzip", "net/http/httputil", "net/smtp", "os/signal", "flag", "testing", "runtime/pprof",
}

// makeGoSeed compiles the standard library once, in the way a build in the runtime does, so that the first build of a service
// need not. The layer is no part of an image: it holds the content of a build cache.
func makeGoSeed(goroot string) maker {
	return func(ctx context.Context, _ kitchen, work string, out io.Writer) error {
		cache := filepath.Join(work, "cache")
		cmd := exec.CommandContext(ctx, filepath.Join(goroot, "bin", "go"), append([]string{"build"}, seededPackages...)...)
		cmd.Dir = work
		cmd.Env = []string{
			"PATH=" + defaultPath, "HOME=" + work, "GOCACHE=" + cache, "GOENV=off", "GOFLAGS=", "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GO111MODULE=off",
		}
		if err := runProgram(ctx, cmd); err != nil {
			return err
		}
		return writeTree(ctx, out, treeLayer{dir: cache, owner: rootOwner})
	}
}
