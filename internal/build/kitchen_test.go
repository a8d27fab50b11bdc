package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

type quietLog struct{}

func (quietLog) Step(string, ...any) {}
func (quietLog) Output(string)       {}

func textLayer(name, text string, made *atomic.Int32) layerRecipe {
	return layerRecipe{name: name, inputs: []string{text}, make: func(_ context.Context, _ kitchen, work string, out io.Writer) error {
		made.Add(1)
		if entries, err := os.ReadDir(work); err != nil || len(entries) > 0 {
			return fmt.Errorf("the work directory is not empty: %v, %w", entries, err)
		}
		_, err := io.WriteString(out, text)
		return err
	}}
}

func TestALayerIsMadeOnceForAll(t *testing.T) {
	dir := t.TempDir()
	var made atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			// Every kitchen opens its own lock, like processes do.
			file, err := kitchen{dir: dir, log: quietLog{}}.layer(t.Context(), textLayer("x", "content", &made))
			if err != nil {
				t.Error(err)
				return
			}
			if data, err := os.ReadFile(file); err != nil || string(data) != "content" {
				t.Errorf("got %q, %v", data, err)
			}
		})
	}
	group.Wait()
	if made.Load() != 1 {
		t.Errorf("made %d times", made.Load())
	}
}

func TestAnUnfinishedLayerIsMadeAnew(t *testing.T) {
	k := kitchen{dir: t.TempDir(), log: quietLog{}}
	var made atomic.Int32
	good := textLayer("x", "content", &made)
	bad := good
	bad.make = func(_ context.Context, _ kitchen, work string, out io.Writer) error {
		_, _ = io.WriteString(out, "half")
		return errors.Join(os.WriteFile(filepath.Join(work, "left"), nil, 0o600), errors.New("no mirror"))
	}
	if _, err := k.layer(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "no mirror") {
		t.Fatalf("got %v", err)
	}
	// A crash leaves more than a failure does.
	if err := errors.Join(os.Mkdir(k.path(good)+".work", 0o755), os.WriteFile(k.path(good)+".work/left", nil, 0o600), os.WriteFile(k.path(good)+".partial", []byte("half"), 0o600)); err != nil {
		t.Fatal(err)
	}
	file, err := k.layer(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(file); string(data) != "content" {
		t.Errorf("got %q", data)
	}
	if left, _ := filepath.Glob(filepath.Join(k.dir, "*.work")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestOtherInputsAreAnotherLayer(t *testing.T) {
	var made atomic.Int32
	a, b := textLayer("x", "a", &made), textLayer("x", "b", &made)
	if a.key() == b.key() || a.key() != textLayer("x", "a", &made).key() {
		t.Error("keys do not follow the inputs")
	}
}

func TestWaitingForALayerEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	var made atomic.Int32
	recipe := textLayer("x", "content", &made)
	unlock, err := lockFile(t.Context(), filepath.Join(dir, recipe.key()+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := (kitchen{dir: dir, log: quietLog{}}).layer(ctx, recipe); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	err := program(t.Context(), "no-such-program")
	var e *apprunner.Error
	if !errors.As(err, &e) || !strings.Contains(e.Error(), "no-such-program is not installed") || !strings.Contains(e.Hint, "image reference") {
		t.Errorf("got %v", err)
	}
	if err := program(t.Context(), "sh", "-c", "echo the reason; exit 4"); err == nil || !strings.Contains(err.Error(), "exit status 4\nthe reason") {
		t.Errorf("got %v", err)
	}
}

// pinning counts what is let go.
type pinning struct {
	images
	unpinned []string
}

func (p *pinning) Unpin(_ context.Context, owner string) error {
	p.unpinned = append(p.unpinned, owner)
	return nil
}

func TestPruneLetsGoOfWhatWasNotUsedForLong(t *testing.T) {
	pins := &pinning{}
	b := &Builder{Config: Config{Images: pins, Dir: t.TempDir(), RuntimesDir: t.TempDir()}}
	if err := os.MkdirAll(b.importedDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, age := range map[string]time.Duration{
		filepath.Join(b.importedDir(), "old"): 31 * 24 * time.Hour, filepath.Join(b.importedDir(), "new"): 29 * 24 * time.Hour,
		filepath.Join(b.RuntimesDir, "old.tar"): 91 * 24 * time.Hour, filepath.Join(b.RuntimesDir, "new.tar"): 89 * 24 * time.Hour,
		filepath.Join(b.RuntimesDir, "old.lock"): 91 * 24 * time.Hour,
	} {
		if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Chtimes(name, time.Time{}, now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Prune(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(b.importedDir(), "*"))
	layers, _ := filepath.Glob(filepath.Join(b.RuntimesDir, "*"))
	if len(left) != 1 || len(layers) != 2 || strings.Join(pins.unpinned, " ") != "runtime/old" {
		t.Errorf("left %v and %v, unpinned %v", left, layers, pins.unpinned)
	}
}

func TestRecipesOfferWhatTheyCanMake(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"bin", "src", "pkg/tool"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "VERSION"), []byte("go1.25.3\ntime 2026\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := &Builder{recipes: recipes(Config{GoRoot: root, Architecture: "amd64"})}
	for runtime, want := range map[apprunner.Runtime]string{
		"PYTHON_311": "3.11.2", "PYTHON_3": "3.11.2", "NODEJS_22": "22.23.3", "NODEJS_18": "18.20.8", "NODEJS_16": "16.20.2",
		"NODEJS_14": "14.21.3", "NODEJS_12": "12.22.12", "GO_1": "1.25.3",
	} {
		versions := b.versions(runtime)
		if len(versions) == 0 || versions[len(versions)-1] != want {
			t.Errorf("%s offers %v, want %s as the newest", runtime, versions, want)
		}
	}
	for _, runtime := range []apprunner.Runtime{"CORRETTO_8", "CORRETTO_11", "DOTNET_6", "PHP_81", "RUBY_31"} {
		if len(b.versions(runtime)) != 0 {
			t.Errorf("%s is offered without a recipe", runtime)
		}
	}
	if _, version, ok := findGo(t.TempDir()); ok {
		t.Errorf("an empty directory counts as Go %s", version)
	}
}
