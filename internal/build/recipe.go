package build

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// recipe makes the image of one runtime version on this machine.
type recipe struct {
	runtime apprunner.Runtime
	version string
	layers  []layerRecipe // lowest first
	env     []string      // of the image
	seed    *layerRecipe  // what a new package cache begins with; nil for nothing
}

// layerRecipe makes one layer. Runtimes share layers: all stand on the same Debian base.
type layerRecipe struct {
	name   string   // for people: directory names and log lines
	inputs []string // everything the result depends on
	make   maker
}

// key names the finished layer in the cache. Another input, another key; the year's security updates come with a new recipeEdition.
func (l layerRecipe) key() string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{recipeEdition, l.name}, l.inputs...), "\x00")))
	return l.name + "-" + hex.EncodeToString(sum[:8])
}

// recipeEdition changes whenever the code that makes layers changes what they hold.
const recipeEdition = "1"

// key names the whole image. Two runtimes with the same layers are one image.
func (r recipe) key() string {
	parts := slices.Clone(r.env)
	for _, l := range r.layers {
		parts = append(parts, l.key())
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return r.layers[len(r.layers)-1].name + "-" + hex.EncodeToString(sum[:8])
}

// recipes lists what this machine can make, without making anything.
func recipes(cfg Config) []recipe {
	base := debianBase(cfg)
	python := recipe{runtime: "PYTHON_311", version: debianPython, layers: []layerRecipe{base, pythonLayer(cfg, base)}, env: pythonEnv}
	python3 := python
	python3.runtime = "PYTHON_3" // its own line is "3", and Debian's Python is the newest of it there is here
	list := []recipe{python, python3}
	for runtime, versions := range nodeVersions {
		for _, v := range versions {
			list = append(list, recipe{runtime: runtime, version: v, layers: []layerRecipe{base, nodeLayer(cfg, v)}, env: nodeEnv})
		}
	}
	list = append(list, recipe{runtime: "GO_1", version: debianGo, layers: []layerRecipe{base, debianGoLayer(cfg, base)}, env: goEnv})
	if root, version, ok := findGo(cfg.GoRoot); ok && version != debianGo {
		list = append(list, recipe{runtime: "GO_1", version: version, layers: []layerRecipe{base, goTreeLayer(root, version)}, env: goEnv, seed: goSeed(root, version)})
	}
	return list
}

var (
	// Python holds lines back when its output is no terminal; a log wants them when they are printed.
	pythonEnv = []string{"PATH=" + defaultPath, "LANG=C.UTF-8", "PYTHONUNBUFFERED=1"}
	nodeEnv   = []string{"PATH=" + defaultPath, "LANG=C.UTF-8"}
	goEnv     = []string{"PATH=/usr/local/go/bin:/root/go/bin:" + defaultPath, "LANG=C.UTF-8"}
)

// basePackages are in every runtime: what build commands of real repositories take for granted beside a shell.
var basePackages = []string{"ca-certificates", "curl", "git", "netbase", "procps", "tzdata", "unzip", "xz-utils"}

func debianBase(cfg Config) layerRecipe {
	return layerRecipe{
		name:   "debian-" + debianSuite + "-" + cfg.Architecture,
		inputs: append([]string{cfg.DebianMirror}, basePackages...),
		make:   makeDebianBase(basePackages),
	}
}

func pythonLayer(cfg Config, base layerRecipe) layerRecipe {
	packages := []string{"python3", "python3-pip", "python3-venv", "python3-wheel", "python3-setuptools"}
	return layerRecipe{
		name:   "python-" + debianPython + "-" + cfg.Architecture,
		inputs: append([]string{base.key()}, packages...),
		make:   makeDebianPackages(base, packages, finishPython),
	}
}

func debianGoLayer(cfg Config, base layerRecipe) layerRecipe {
	packages := []string{"golang-go"}
	return layerRecipe{
		name:   "go-" + debianGo + "-" + cfg.Architecture,
		inputs: append([]string{base.key()}, packages...),
		make:   makeDebianPackages(base, packages, nil),
	}
}

func nodeLayer(cfg Config, version string) layerRecipe {
	platform := map[string]string{"amd64": "linux-x64", "arm64": "linux-arm64"}[cfg.Architecture]
	packages := []string{"node-" + platform + "@" + version, "npm@" + npmFor(version), "yarn@" + yarnVersion}
	return layerRecipe{
		name:   "node-" + version + "-" + cfg.Architecture,
		inputs: packages,
		make:   makeNode(platform, packages),
	}
}

func goTreeLayer(root, version string) layerRecipe {
	return layerRecipe{name: "go-" + version, inputs: []string{root, version}, make: makeGoTree(root)}
}

func goSeed(root, version string) *layerRecipe {
	return &layerRecipe{name: "go-" + version + "-cache", inputs: append([]string{root, version}, seededPackages...), make: makeGoSeed(root)}
}

// findGo finds a Go tree on this machine that can be copied as it is; Debian's packaged one is scattered and is left out.
func findGo(configured string) (root, version string, ok bool) {
	candidates := []string{configured}
	if configured == "" {
		if program, err := exec.LookPath("go"); err == nil {
			if program, err = filepath.EvalSymlinks(program); err == nil {
				candidates = append(candidates, filepath.Dir(filepath.Dir(program)))
			}
		}
		candidates = append(candidates, "/usr/local/go")
	}
	for _, root := range candidates {
		if version, err := goVersion(root); err == nil {
			return root, version, true
		}
	}
	return "", "", false
}

// goVersion reads the version of a Go tree and checks that the tree is whole.
func goVersion(root string) (string, error) {
	for _, dir := range []string{"bin", "src", "pkg/tool"} {
		if st, err := os.Lstat(filepath.Join(root, dir)); err != nil || !st.IsDir() {
			return "", fmt.Errorf("%s is no complete Go tree", root)
		}
	}
	data, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	version, isRelease := strings.CutPrefix(strings.TrimSpace(first), "go")
	if !isRelease || !lockText.MatchString(version) {
		return "", fmt.Errorf("%s holds %s, which is no release", root, first)
	}
	return version, nil
}
