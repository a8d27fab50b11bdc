package source

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tracked gives the branch memory of a repository, read from disk when it is first asked for, which is before the first push runs.
func (h *Host) tracked(name string) (*trackedHeads, error) {
	dir := h.dir(name)
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.heads[dir]; t != nil {
		return t, nil
	}
	refs, err := readHeads(dir)
	if err != nil {
		return nil, fmt.Errorf("read the branches of %s: %w", name, err)
	}
	h.heads[dir] = &trackedHeads{refs: refs}
	return h.heads[dir], nil
}

// diff gives the branches that moved since the last time, in alphabetical order, and remembers where they are.
func (t *trackedHeads) diff(dir string) ([]Push, error) {
	t.Lock()
	defer t.Unlock()
	now, err := readHeads(dir)
	if err != nil {
		return nil, fmt.Errorf("read the branches: %w", err)
	}
	names := maps.Clone(t.refs)
	maps.Copy(names, now)
	var moved []Push
	for _, branch := range slices.Sorted(maps.Keys(names)) {
		if t.refs[branch] != now[branch] {
			moved = append(moved, Push{Branch: branch, Old: t.refs[branch], New: now[branch]})
		}
	}
	t.refs = now
	return moved, nil
}

// readHeads reads all branches of a repository of ours, whose references are files.
func readHeads(dir string) (map[string]string, error) {
	refs, err := readPackedHeads(filepath.Join(dir, "packed-refs"))
	if err != nil {
		return nil, err
	}
	root := filepath.Join(dir, "refs", "heads")
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a push that runs now deleted it
		}
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(p, ".lock") {
			return err
		}
		if sha := strings.TrimSpace(head(p)); isHash(sha) {
			refs[filepath.ToSlash(p[len(root)+1:])] = sha
		}
		return nil
	})
	return refs, err
}

func readPackedHeads(file string) (map[string]string, error) {
	refs := map[string]string{}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return refs, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		sha, name, _ := strings.Cut(lines.Text(), " ")
		if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok && isHash(sha) {
			refs[branch] = sha
		}
	}
	return refs, lines.Err()
}

// pointHead makes the first branch that is pushed the default one, as people expect of a clone.
func pointHead(dir string, moved []Push) error {
	target, ok := strings.CutPrefix(strings.TrimSpace(head(filepath.Join(dir, "HEAD"))), "ref: refs/heads/")
	var reader refReader
	if ok {
		if sha, err := reader.read(dir, "refs/heads/"+target); err != nil || sha != "" {
			return err
		}
	}
	for _, p := range moved {
		if p.New != "" {
			return writeFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/"+p.Branch+"\n"), 0o600)
		}
	}
	return nil
}
