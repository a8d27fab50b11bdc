package oci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/instance"
)

// sandbox is a set of file systems in a mount namespace of its own:
//
//	<stage>/disk         the limited writable file system, with upper/, work/ and etc/
//	<stage>/lower/<n>    the parent directories of the image layers, owners shifted
//	<stage>/l/<n>        short names of the layers, lowest first
//	<stage>/mount/<n>    directories of the host, owners shifted
//	<stage>/root         what the instance sees
//
// The stage is a directory of the host that is covered in this namespace only, so every sandbox uses the same paths, and every
// user may pass through them whatever the rights on the data directory are.
type sandbox struct {
	stage  string
	base   int // host id of the sandbox's root; 0 when it has no user namespace
	mapped bool
}

// sandboxSpec is what a sandbox is made of.
type sandboxSpec struct {
	layers  []string
	image   string // disk image; empty for none, then the writable part is the directory scratch, unlimited
	scratch string
	base    int
	mapped  bool
	mounts  []instance.Mount
	etc     map[string][]byte // hosts, resolv.conf, hostname
	files   map[string][]byte
	inUse   []string // paths that the stage must not cover
	hide    string   // mount point taken away for the runtime's sake; empty for none
}

// prepareSandbox builds the file systems. It must run on a thread that has left the host's mounts (leaveMounts).
func prepareSandbox(s sandboxSpec) (*sandbox, error) {
	stage, err := chooseStage(append(slices.Clone(s.layers), s.inUse...))
	if err != nil {
		return nil, err
	}
	if s.hide != "" {
		if err := unix.Unmount(s.hide, unix.MNT_DETACH); err != nil {
			return nil, fmt.Errorf("hide %s: %w", s.hide, err)
		}
	}
	b := &sandbox{stage: stage, base: s.base, mapped: s.mapped}
	var shift *os.File
	if s.mapped {
		if shift, err = userNamespace(s.base); err != nil {
			return nil, err
		}
		defer shift.Close()
	}
	if err := b.mountStage(s); err != nil {
		return nil, err
	}
	if err := b.mountRoot(shift, s.layers); err != nil {
		return nil, err
	}
	if err := b.bindMounts(shift, s.mounts); err != nil {
		return nil, err
	}
	if err := b.writeEtc(s.etc); err != nil {
		return nil, err
	}
	return b, b.writeFiles(s.files)
}

// chooseStage finds a directory that every machine has and that covers none of the paths in use.
func chooseStage(inUse []string) (string, error) {
	for _, dir := range []string{"/mnt", "/media", "/srv", "/opt", "/home"} {
		info, err := os.Lstat(dir)
		covers := slices.ContainsFunc(inUse, func(p string) bool { return strings.HasPrefix(p+"/", dir+"/") })
		if err == nil && info.IsDir() && !covers {
			return dir, nil
		}
	}
	return "", errors.New("prepare file systems: none of /mnt, /media, /srv, /opt, /home is free to mount on")
}

func (b *sandbox) path(elem ...string) string {
	return filepath.Join(append([]string{b.stage}, elem...)...)
}
func (b *sandbox) root() string { return b.path("root") }

// mountStage covers the stage and brings the writable file system in.
func (b *sandbox) mountStage(s sandboxSpec) error {
	if err := unix.Mount("slipway", b.stage, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0755,size=1m"); err != nil {
		return fmt.Errorf("prepare file systems: %w", err)
	}
	for _, dir := range []string{"disk", "lower", "l", "mount", "root"} {
		if err := os.Mkdir(b.path(dir), 0o755); err != nil {
			return fmt.Errorf("prepare file systems: %w", err)
		}
	}
	if s.image != "" {
		if err := mountDisk(s.image, b.path("disk")); err != nil {
			return err
		}
	} else if err := unix.Mount(s.scratch, b.path("disk"), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("prepare file systems: %w", err)
	}
	for _, dir := range []string{"upper", "work", "etc"} {
		if err := os.Mkdir(b.path("disk", dir), 0o755); err != nil {
			return fmt.Errorf("prepare file systems: %w", err)
		}
	}
	// The root directory of the overlay is that of its upper part.
	return os.Chown(b.path("disk", "upper"), b.base, b.base)
}

// mountRoot lays the writable part over the layers.
func (b *sandbox) mountRoot(shift *os.File, layers []string) error {
	var parents, lower []string
	for i, layer := range layers {
		source := layer
		if shift != nil {
			parent, name := filepath.Split(filepath.Clean(layer))
			n := slices.Index(parents, parent)
			if n < 0 {
				n, parents = len(parents), append(parents, parent)
				if err := b.mountShifted(shift, parent, b.path("lower", strconv.Itoa(n))); err != nil {
					return err
				}
			}
			source = b.path("lower", strconv.Itoa(n), name)
		}
		// mount(2) takes one page of options; dozens of layers only fit under short names.
		if err := os.Symlink(source, b.path("l", strconv.Itoa(i))); err != nil {
			return fmt.Errorf("prepare file systems: %w", err)
		}
		lower = append(lower, strconv.Itoa(i))
	}
	slices.Reverse(lower) // overlayfs wants the topmost first
	options := "lowerdir=" + strings.Join(lower, ":") + ",upperdir=" + b.path("disk", "upper") + ",workdir=" + b.path("disk", "work") +
		// Without these a layer made from the upper part is complete in itself.
		",redirect_dir=off,metacopy=off,index=off"
	if err := unix.Chdir(b.path("l")); err != nil { // this thread's own directory since leaveMounts
		return fmt.Errorf("prepare file systems: %w", err)
	}
	err := unix.Mount("overlay", b.root(), "overlay", 0, options)
	if chdirErr := unix.Chdir("/"); err == nil {
		err = chdirErr
	}
	if err != nil {
		return fmt.Errorf("lay the image's %d layers over each other: %w", len(layers), err)
	}
	return nil
}

func (b *sandbox) mountShifted(shift *os.File, source, target string) error {
	if err := os.Mkdir(target, 0o755); err != nil {
		return fmt.Errorf("prepare file systems: %w", err)
	}
	return mountMapped(shift, source, target)
}

// bindMounts brings directories of the host in.
func (b *sandbox) bindMounts(shift *os.File, mounts []instance.Mount) error {
	for i, m := range mounts {
		if err := os.MkdirAll(m.HostDir, 0o755); err != nil {
			return fmt.Errorf("mount %s: %w", m.HostDir, err)
		}
		target := b.mountPath(i)
		if shift != nil {
			if err := b.mountShifted(shift, m.HostDir, target); err != nil {
				return err
			}
			continue
		}
		if err := os.Mkdir(target, 0o755); err != nil {
			return fmt.Errorf("mount %s: %w", m.HostDir, err)
		}
		if err := unix.Mount(m.HostDir, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.HostDir, err)
		}
	}
	return nil
}

func (b *sandbox) mountPath(i int) string { return b.path("mount", strconv.Itoa(i)) }

// etcFiles are shown inside by mounts, so that they neither depend on the image nor become part of a layer. They lie on the
// limited disk because the instance may write to them.
var etcFiles = []string{"hosts", "hostname", "resolv.conf"}

func (b *sandbox) writeEtc(files map[string][]byte) error {
	for _, name := range etcFiles {
		path := b.path("disk", "etc", name)
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return fmt.Errorf("write /etc/%s: %w", name, err)
		}
		if err := errors.Join(os.Chmod(path, 0o644), os.Chown(path, b.base, b.base)); err != nil {
			return fmt.Errorf("write /etc/%s: %w", name, err)
		}
	}
	return nil
}

func (b *sandbox) writeFiles(files map[string][]byte) error {
	if len(files) == 0 {
		return nil
	}
	root, err := openTree(b.root(), b.base)
	if err != nil {
		return err
	}
	defer root.Close()
	for path, content := range files {
		if err := root.writeFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
