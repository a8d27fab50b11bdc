package source

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errNoFiles says that references of a repository are not kept as files, so a process has to be asked.
var errNoFiles = errors.New("the references are not kept as files")

// gitDir finds the directory that holds references and objects: dir itself where it is bare, dir/.git, or what a .git file points to
// (a linked work tree). more are directories that hold a part of it.
func gitDir(dir string) (common string, more []string, ok bool) {
	d := dir
	if st, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		d = filepath.Join(dir, ".git")
		if !st.IsDir() {
			d = under(dir, pointer(d, "gitdir: "))
		}
	}
	common = d
	if c := pointer(filepath.Join(d, "commondir"), ""); c != "" {
		common = under(d, c)
		more = append(more, d)
	}
	if _, err := os.Stat(filepath.Join(common, "objects")); err != nil {
		return "", nil, false
	}
	for line := range strings.SplitSeq(head(filepath.Join(common, "objects", "info", "alternates")), "\n") {
		if line != "" {
			more = append(more, under(filepath.Join(common, "objects"), line))
		}
	}
	return common, more, true
}

// under is path, seen from dir where it is relative.
func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// pointer reads a one-line file that begins with prefix.
func pointer(name, prefix string) string {
	s, ok := strings.CutPrefix(strings.TrimSpace(head(name)), prefix)
	if !ok {
		return ""
	}
	return s
}

// head reads the first 4 KiB of a regular file; anything else is empty. It never blocks on a pipe someone put there.
func head(name string) string {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return ""
	}
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return ""
	}
	return string(b)
}

// refReader reads branch heads of local repositories without a process, and large packed-refs files only when they changed.
type refReader struct {
	mu     sync.Mutex
	packed map[string]packedRefs // by file
}

type packedRefs struct {
	stamp stamp
	refs  map[string]string // only those ever asked for
}

// stamp tells whether a file changed.
type stamp struct {
	inode uint64
	size  int64
	mtime time.Time
}

func stampOf(st fs.FileInfo) stamp {
	s := stamp{size: st.Size(), mtime: st.ModTime()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}

// read gives the commit a reference of the repository in dir (as gitDir found it) points to, empty where there is none.
func (r *refReader) read(dir, ref string) (string, error) {
	if _, err := os.Stat(filepath.Join(dir, "reftable")); err == nil {
		return "", errNoFiles
	}
	for range 5 { // a branch may be a symbolic reference to another
		text := strings.TrimSpace(head(filepath.Join(dir, filepath.FromSlash(ref))))
		target, symbolic := strings.CutPrefix(text, "ref: ")
		if symbolic && strings.HasPrefix(target, "refs/") && checkBranch(target) == nil {
			ref = target
			continue
		}
		if isHash(text) {
			return text, nil
		}
		break
	}
	return r.readPacked(filepath.Join(dir, "packed-refs"), ref)
}

func (r *refReader) readPacked(file, ref string) (string, error) {
	st, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.packed == nil {
		r.packed = map[string]packedRefs{}
	}
	have, ok := r.packed[file]
	if !ok || have.stamp != stampOf(st) || time.Since(st.ModTime()) < 2*time.Second { // a coarse clock may hide a second change
		have = packedRefs{stamp: stampOf(st), refs: map[string]string{}}
	}
	if sha, ok := have.refs[ref]; ok {
		return sha, nil
	}
	sha, err := scanPacked(file, ref)
	if err != nil {
		return "", err
	}
	have.refs[ref] = sha
	r.packed[file] = have
	return sha, nil
}

func scanPacked(file, ref string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		sha, name, ok := strings.Cut(lines.Text(), " ")
		if ok && name == ref && isHash(sha) {
			return sha, nil
		}
	}
	return "", lines.Err()
}

// isHash reports whether s is a full object id, SHA-1 or SHA-256.
func isHash(s string) bool {
	return (len(s) == 40 || len(s) == 64) && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f')
	})
}
