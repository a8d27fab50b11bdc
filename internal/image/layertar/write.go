package layertar

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Write writes a directory as a layer tar: owners and modes as they are, hard links as such, file capabilities kept,
// devices and sockets left out. It closes tw, not what lies below it.
func Write(ctx context.Context, root string, tw *tar.Writer) error {
	t := &treeWriter{root: root, tw: tw, seen: map[inode]string{}}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return t.add(path, d)
	})
	if err != nil {
		return err
	}
	return tw.Close()
}

type inode struct{ dev, ino uint64 }

type treeWriter struct {
	root string
	tw   *tar.Writer
	seen map[inode]string // files with several names
}

func (t *treeWriter) add(path string, d fs.DirEntry) error {
	name, err := filepath.Rel(t.root, path)
	if err != nil {
		return err
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	if info.Mode()&(fs.ModeDevice|fs.ModeSocket) != 0 {
		return nil
	}
	hdr, err := t.header(path, name, info)
	if err != nil {
		return err
	}
	if err := t.tw.WriteHeader(hdr); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if hdr.Typeflag != tar.TypeReg {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(t.tw, f)
	return errors.Join(err, f.Close())
}

func (t *treeWriter) header(path, name string, info fs.FileInfo) (*tar.Header, error) {
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if target, err = os.Readlink(path); err != nil {
			return nil, err
		}
	}
	hdr, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return nil, err
	}
	hdr.Name, hdr.Format = name, tar.FormatPAX
	hdr.Uname, hdr.Gname = "", "" // names of this host
	if info.IsDir() {
		hdr.Name += "/"
		return hdr, nil
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		key := inode{uint64(st.Dev), st.Ino}
		if first, again := t.seen[key]; again {
			hdr.Typeflag, hdr.Linkname, hdr.Size = tar.TypeLink, first, 0
			return hdr, nil
		}
		t.seen[key] = name
	}
	if info.Mode().IsRegular() {
		capability := make([]byte, 64)
		if n, err := unix.Lgetxattr(path, "security.capability", capability); err == nil && n > 0 {
			hdr.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": string(capability[:n])}
		}
	}
	return hdr, nil
}
