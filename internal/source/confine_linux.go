package source

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confinement says what one child may touch.
//
// Why this way and not another: switching to an unprivileged user would make file:// repositories below a home directory (mode 0700)
// unreadable, and so would a user namespace, whose root has no power over files of users it does not map. So the child keeps the
// user, loses every capability (for a file:// repository all but "read any file", which the path rules below then narrow down to that
// one repository), can gain none (no_new_privs), and Landlock limits it to the system's programs and certificates, the paths given
// here and, where it needs no network, to no TCP at all. The data directory with its keys is not among them. All of it is set on a
// thread that then starts the child and ends with it, which costs microseconds and needs no helper program.
type confinement struct {
	read    []string // files and directories, with what is below
	write   []string // likewise; writable implies readable
	foreign bool     // may read files of other users within the paths above
	network bool     // may open TCP connections
}

// systemPaths are what git, ssh and the TLS libraries need on any distribution; what is missing is skipped. /etc is taken in parts:
// without capabilities the child is still root by number, and /etc/shadow belongs to root.
var systemPaths = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store",
	"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies", "/etc/gnutls", "/etc/alternatives",
	"/etc/passwd", "/etc/group", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
	"/etc/services", "/etc/protocols", "/etc/localtime", "/etc/ssh/ssh_known_hosts",
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload",
	"/run/systemd/resolve", "/run/resolvconf", "/run/nscd",
	"/proc", "/dev/zero", "/dev/urandom", "/dev/random",
}

const (
	accessRead  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	accessFile  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	accessFirst = 1<<13 - 1 // every right of the first version
)

// landlockVersion is 0 where the kernel has none. The first version forbids renames between directories, which git cannot do
// without, so it counts as none.
func landlockVersion() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 || v < 2 {
		return 0
	}
	return int(v)
}

// start starts cmd inside the confinement. The thread it was started from is kept until done is closed, because the child is told to
// die with it.
func (c confinement) start(cmd *exec.Cmd, done <-chan struct{}) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the restricted thread must not serve other goroutines, so it ends with this one
		err := c.apply()
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			<-done
		}
	}()
	return <-started
}

// apply restricts the calling thread for ever.
func (c confinement) apply() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("confine git: no_new_privs: %w", err)
	}
	c.dropCapabilities()
	return c.landlock()
}

// dropCapabilities empties the bounding set, so that the next exec leaves nothing. Without CAP_SETPCAP there is nothing to lose.
func (c confinement) dropCapabilities() {
	for capability := uintptr(0); capability <= 63; capability++ {
		if c.foreign && capability == unix.CAP_DAC_READ_SEARCH {
			continue
		}
		if unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0) != nil {
			return
		}
	}
}

func (c confinement) landlock() error {
	version := landlockVersion()
	if version == 0 {
		return nil
	}
	attr, size := c.ruleset(version)
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return fmt.Errorf("confine git: make a landlock ruleset: %w", errno)
	}
	defer unix.Close(int(fd))
	for _, p := range systemPaths {
		if err := allow(int(fd), p, accessRead); err != nil {
			return err
		}
	}
	for _, p := range c.read {
		if err := allow(int(fd), p, accessRead); err != nil {
			return err
		}
	}
	for _, p := range append([]string{"/dev/null"}, c.write...) {
		if err := allow(int(fd), p, attr.Handled_access_fs); err != nil {
			return err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("confine git: restrict: %w", errno)
	}
	return nil
}

// ruleset is what is forbidden unless allowed, as far as this kernel's version knows it, and the size of the structure it knows.
func (c confinement) ruleset(version int) (unix.LandlockRulesetAttr, uintptr) {
	attr, size := unix.LandlockRulesetAttr{Handled_access_fs: accessFirst | unix.LANDLOCK_ACCESS_FS_REFER}, uintptr(8)
	if version >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if version >= 4 {
		attr.Handled_access_net, size = unix.LANDLOCK_ACCESS_NET_BIND_TCP, 16
		if !c.network {
			attr.Handled_access_net |= unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		}
	}
	if version >= 6 {
		attr.Scoped, size = unix.LANDLOCK_SCOPE_SIGNAL|unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, 24
	}
	return attr, size
}

// allow adds a rule for a path that exists; symbolic links are followed once, here.
func allow(ruleset int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		if os.IsNotExist(err) || err == unix.ENOTDIR || err == unix.EACCES {
			return nil
		}
		return fmt.Errorf("confine git: %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("confine git: %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= accessFile
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("confine git: allow %s: %w", path, errno)
	}
	return nil
}
