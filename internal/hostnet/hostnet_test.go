package hostnet_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"slipway.dev/slipway/internal/hostnet"
)

func TestWithoutOverlap(t *testing.T) {
	var list []netip.Prefix
	for _, p := range []string{"10.0.0.0/8", "10.1.0.0/16", "192.168.1.7/24", "10.0.0.0/8", "fd00::/8"} {
		list = append(list, netip.MustParsePrefix(p))
	}
	if got := fmt.Sprint(hostnet.WithoutOverlap(list)); got != "[10.0.0.0/8 192.168.1.0/24]" {
		t.Error(got)
	}
}

func TestNameservers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	text := "# comment\nsearch example.com\nnameserver 127.0.0.53\nnameserver 9.9.9.9 \nnameserver nonsense\nnameserver 2620:fe::fe\nnameserver 10.0.0.2\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(hostnet.Nameservers(path)); got != "[127.0.0.53 9.9.9.9 2620:fe::fe 10.0.0.2]" {
		t.Error(got)
	}
	if got := hostnet.Nameservers(path + ".missing"); got != nil {
		t.Error(got)
	}
}

func TestWhatIsNoNamespace(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "missing"), t.TempDir()} {
		if id, err := hostnet.Identify(path); err == nil {
			t.Errorf("%s is said to be the network namespace %v", path, id)
		}
	}
	one, err := hostnet.Identify("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := hostnet.Identify("/proc/thread-self/ns/net"); err != nil || other != one {
		t.Error(other, err)
	}
}
