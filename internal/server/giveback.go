package server

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// giveBack returns to the system what the work so far took and the rest does not need: free memory, and the pages of the program itself
// that only starting looked at. Those that are needed again are still in the system's cache of the file.
func giveBack() {
	debug.FreeOSMemory()
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close()
	for _, m := range untouched(f, self) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED) // a favour that may be refused
	}
}

// mapping is a part of a process's memory.
type mapping struct{ from, to uintptr }

// untouched are the mappings of a file that cannot be written and in which nothing was, as /proc/<pid>/smaps tells: they hold what the
// file holds.
func untouched(smaps io.Reader, file string) (list []mapping) {
	var m mapping
	ours := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch {
		case strings.HasSuffix(lines.Text(), " "+file):
			var mode string
			_, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &m.from, &m.to, &mode)
			ours = err == nil && len(mode) == 4 && mode[0] == 'r' && mode[1] == '-' && mode[3] == 'p'
		case name == "Anonymous":
			if ours && strings.TrimSpace(value) == "0 kB" {
				list = append(list, m)
			}
			ours = false
		}
	}
	return list
}
