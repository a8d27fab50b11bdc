package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "slipway.dev/slipway/internal/"

// imports says which rooms a room may import. Arrows point down only and siblings never import each other; a need that goes
// sideways is a small interface at its consumer, joined in server. This table is the rule: change it with an ADR.
var imports = map[string][]string{
	"apprunner": {}, "wire": {}, "console": {}, "hostnet": {},
	"store": {"apprunner"}, "build": {"apprunner"}, "instance": {"apprunner", "hostnet"}, "edge": {"apprunner", "hostnet"}, "scale": {"apprunner"},
	"iam": {"apprunner", "store"}, "kms": {"apprunner", "store"}, "secret": {"apprunner", "store"}, "observe": {"apprunner", "store"}, "image": {"apprunner", "store"},
	"network": {"apprunner", "store", "hostnet"}, "domain": {"apprunner", "store"}, "source": {"apprunner", "store"}, "control": {"apprunner", "store"},
	"reconcile": {"apprunner", "store", "scale", "source", "build", "image", "instance", "network", "secret", "domain", "edge", "observe"},
	"api":       {"apprunner", "wire", "control", "iam", "kms", "observe", "secret", "image", "network", "domain"},
	"server": {
		"apprunner", "wire", "console", "hostnet", "store", "build", "instance", "edge", "scale", "iam", "kms", "secret", "observe", "image", "network",
		"domain", "source", "control", "reconcile", "api",
	},
}

// room is the part of the house a package belongs to: the first element below internal.
func room(pkg string) string {
	r, _, _ := strings.Cut(pkg, "/")
	return r
}

func eachGoFile(t *testing.T, visit func(pkg, path string, f *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(filepath.Dir(path)), path, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportsPointDown(t *testing.T) {
	eachGoFile(t, func(pkg, path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return // a test may join rooms; what ships may not
		}
		from := room(pkg)
		allowed, known := imports[from]
		if !known && pkg != "." {
			t.Errorf("%s: room %q is not in the import table", path, from)
			return
		}
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			to, inside := strings.CutPrefix(name, module)
			if !inside || room(to) == from {
				continue
			}
			if !slices.Contains(allowed, room(to)) {
				t.Errorf("%s imports %s: %s may only import %v", path, name, from, allowed)
			}
			if strings.HasSuffix(to, "/instancetest") {
				t.Errorf("%s imports %s: only tests may", path, name)
			}
		}
	})
}

// standardOnly are the rooms that use nothing but the standard library.
var standardOnly = []string{"apprunner", "wire", "console"}

func TestWordsNeedNoLibraries(t *testing.T) {
	eachGoFile(t, func(pkg, path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") || !slices.Contains(standardOnly, room(pkg)) {
			return
		}
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") && !strings.HasPrefix(name, module) {
				t.Errorf("%s imports %s: %s uses the standard library only", path, name, room(pkg))
			}
		}
	})
}

func TestEveryPackageIsDescribed(t *testing.T) {
	described, all := map[string]bool{}, map[string]bool{}
	eachGoFile(t, func(pkg, path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") || pkg == "." {
			return
		}
		all[pkg] = true
		if f.Doc != nil && len(strings.TrimSpace(f.Doc.Text())) > 40 {
			described[pkg] = true
		}
		if b, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(b), "// Code generated") {
			described[pkg] = true
		}
	})
	for pkg := range all {
		if !described[pkg] {
			t.Errorf("package %s says nowhere what it is for; write a doc.go", pkg)
		}
	}
}
