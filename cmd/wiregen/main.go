package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	models := flag.String("models", "spec/models", "directory of the API models")
	out := flag.String("out", "internal/wire", "directory that gets a package per service")
	flag.Parse()
	if err := run(*models, *out); err != nil {
		fmt.Fprintln(os.Stderr, "wiregen:", err)
		os.Exit(1)
	}
}

// run regenerates the packages of all models. Files that are right already keep their time.
func run(models, out string) error {
	files, err := generateAll(models)
	if err != nil {
		return err
	}
	for name, src := range files {
		path := filepath.Join(out, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, src) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, src, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generateAll returns every generated file by its path below the output directory.
func generateAll(models string) (map[string][]byte, error) {
	ms, err := readModels(models, "spec/models")
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, m := range ms {
		files, err := generate(m)
		if err != nil {
			return nil, err
		}
		for name, src := range files {
			all[filepath.Join(packageName(m.Name), name)] = src
		}
	}
	return all, nil
}
