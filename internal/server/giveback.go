package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// thrift returns memory to the system that a process's work so far took and the rest does not need: free memory of the heap, and pages of
// the program itself. Those that are needed again are still in the system's cache of the file: a start of an instance then has a tenth more
// page faults than it has anyway, of which each costs some microseconds.
type thrift struct {
	look  sync.Once
	pages []mapping // of the program
}

func (t *thrift) giveBack() {
	debug.FreeOSMemory()
	t.look.Do(func() { t.pages = ownPages() })
	for _, m := range t.pages {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED) // a favour that may be refused
	}
}

// rest gives back what control took for work that is over.
func (s *System) rest() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.db.Rest(ctx); err != nil {
		s.log.Warn("memory stays taken", "err", err)
	}
	s.memory.giveBack()
}

// mapping is a part of a process's memory.
type mapping struct{ from, to uintptr }

// ownPages are where the program of this process is mapped and was not changed; none where the system does not tell.
func ownPages() []mapping {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil
	}
	defer f.Close()
	return untouched(f, self)
}

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
