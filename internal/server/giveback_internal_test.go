package server

import (
	"os"
	"strings"
	"testing"
)

func TestUntouched(t *testing.T) {
	const smaps = `00400000-01400000 r-xp 00000000 08:01 1  /bin/x
Size:              16384 kB
Anonymous:             0 kB
01400000-01500000 r--p 01000000 08:01 1  /bin/x
Anonymous:             4 kB
01500000-01600000 rw-p 01100000 08:01 1  /bin/x
Anonymous:             0 kB
01600000-01700000 r--p 01200000 08:01 1  /bin/x
Anonymous:             0 kB
7f0000000000-7f0000001000 r--p 00000000 08:01 2  /lib/y
Anonymous:             0 kB
`
	list := untouched(strings.NewReader(smaps), "/bin/x")
	if len(list) != 2 || list[0] != (mapping{0x400000, 0x1400000}) || list[1] != (mapping{0x1600000, 0x1700000}) {
		t.Errorf("%x", list)
	}
}

// TestGiveBack: a program goes on after it has given its pages back, and holds fewer of them.
func TestGiveBack(t *testing.T) {
	resident := func() (kib int) {
		b, err := os.ReadFile("/proc/self/smaps_rollup")
		if err != nil {
			t.Skip("this kernel does not tell what is resident: ", err)
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); f[0] == "Rss:" {
				for _, c := range f[1] {
					kib = 10*kib + int(c-'0')
				}
			}
		}
		return kib
	}
	before := resident()
	new(thrift).giveBack()
	if after := resident(); after >= before {
		t.Errorf("%d KiB before, %d after", before, after)
	}
}
