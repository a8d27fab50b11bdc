package oci

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"slipway.dev/slipway/internal/apprunner"
)

func TestChooseSubnet(t *testing.T) {
	pool := netip.MustParsePrefix("10.213.0.0/18")
	p := netip.MustParsePrefix
	for name, test := range map[string]struct {
		preferred netip.Prefix
		taken     []netip.Prefix
		want      string
	}{
		"first":                        {want: "10.213.0.0/22"},
		"beside another installation":  {taken: []netip.Prefix{p("10.213.0.0/22")}, want: "10.213.4.0/22"},
		"beside a single address":      {taken: []netip.Prefix{p("10.213.1.7/32")}, want: "10.213.4.0/22"},
		"the recorded one":             {preferred: p("10.213.8.0/22"), want: "10.213.8.0/22"},
		"the recorded one is taken":    {preferred: p("10.213.8.0/22"), taken: []netip.Prefix{p("10.213.8.0/24")}, want: "10.213.0.0/22"},
		"the recorded one is foreign":  {preferred: p("10.9.0.0/22"), want: "10.213.0.0/22"},
		"a route covers the pool":      {taken: []netip.Prefix{p("10.0.0.0/8")}},
		"an unrelated route":           {taken: []netip.Prefix{p("192.168.0.0/16")}, want: "10.213.0.0/22"},
		"an address of IPv6 elsewhere": {taken: []netip.Prefix{p("fd00::1/128")}, want: "10.213.0.0/22"},
	} {
		got, err := chooseSubnet(pool, 22, test.preferred, test.taken)
		if test.want == "" && err == nil || test.want != "" && (err != nil || got.String() != test.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// Every address given is free, in the subnet, and neither its network, gateway nor broadcast address.
func TestChooseAddress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subnet := netip.MustParsePrefix("10.213.4.0/28")
		used := map[netip.Addr]bool{}
		var last netip.Addr
		for n := range 13 {
			a, err := chooseAddress(subnet, last, used)
			if err != nil {
				t.Fatalf("address %d: %v", n, err)
			}
			if used[a] || !subnet.Contains(a) || a == subnet.Addr() || a == gateway(subnet) || a.String() == "10.213.4.15" {
				t.Fatalf("got %v", a)
			}
			used[a], last = true, a
			if len(used) > 3 && rapid.Bool().Draw(t, "free one") {
				for u := range used {
					delete(used, u)
					break
				}
			}
		}
		for len(used) < 13 {
			a, err := chooseAddress(subnet, last, used)
			if err != nil {
				t.Fatal(err)
			}
			used[a] = true
		}
		if a, err := chooseAddress(subnet, last, used); err == nil {
			t.Fatalf("a full subnet gave %v", a)
		}
	})
}

func TestIDRangesAreDistinct(t *testing.T) {
	seen := map[int]bool{}
	for a := defaultPool.Addr(); defaultPool.Contains(a); a = a.Next() {
		base := idBase(defaultPool, a)
		if seen[base] || base < uidFirst || base+idRange > 1<<31 {
			t.Fatalf("%v begins at %#x", a, base)
		}
		seen[base] = true
	}
}

func TestNamesFitInterfaces(t *testing.T) {
	n := namesFor("/var/lib/slipway")
	for _, name := range []string{n.bridge(), n.link(strings.Repeat("a", 32))} {
		if len(name) > 15 {
			t.Errorf("%s is too long", name)
		}
	}
}

func TestResolveUser(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\nbroken\n"
	const group = "root:x:0:\nstaff:x:50:web,other\nweb:x:1001:\nmore:x:60:web\n"
	for user, want := range map[string]identity{
		"":          {home: "/root"},
		"0":         {home: "/root"},
		"root":      {home: "/root"},
		"web":       {uid: 1000, gid: 1001, groups: []int{50, 60}, home: "/home/web"},
		"1000":      {uid: 1000, gid: 1001, groups: []int{50, 60}, home: "/home/web"},
		"web:staff": {uid: 1000, gid: 50, home: "/home/web"},
		"4711":      {uid: 4711, home: "/"},
		"4711:12":   {uid: 4711, gid: 12, home: "/"},
	} {
		got, err := resolveUser(user, passwd, group)
		if err != nil || got.uid != want.uid || got.gid != want.gid || got.home != want.home || !slices.Equal(got.groups, want.groups) {
			t.Errorf("%q: %+v, %v", user, got, err)
		}
	}
	for _, user := range []string{"nobody", "web:nogroup", "70000", "1:70000", "-1", "9999999999"} {
		if _, err := resolveUser(user, passwd, group); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest {
			t.Errorf("%q: %v", user, err)
		}
	}
}

func TestRuntimeFaults(t *testing.T) {
	for message, want := range map[string]string{
		`runc create failed: unable to start container process: exec: "gunicorn": executable file not found in $PATH: unknown`: `no program "gunicorn"`,
		`unable to start container process: exec: "/app/start": stat /app/start: no such file or directory`:                    `no program "/app/start"`,
		"executable file `/no/such/program` not found: No such file or directory":                                              `no program "/no/such/program"`,
		`unable to start container process: exec: "/app/start": permission denied`:                                             `"/app/start" is not executable`,
		`exec /app: exec format error`:     "format is not one of this machine's",
		`something the runtime never said`: "something the runtime never said",
	} {
		if err := runtimeFault(message); !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n gives %v", message, err)
		}
	}
}

func TestListening(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0200D50A:C350 0100D50A:0050 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   2: 00000000000000000000000001000000:0BB8 00000000000000000000000000000000:0000 0A 0 0
   3: 0000000000000000FFFF00000100007F:0BB9 00000000000000000000000000000000:0000 0A 0 0
   4: nonsense 0 0A
`
	got := fmt.Sprint(listening(strings.NewReader(table)))
	if got != "[127.0.0.1:8080 [::1]:3000 127.0.0.1:3001]" {
		t.Error(got)
	}
}

func TestResolvConf(t *testing.T) {
	servers := []netip.Addr{netip.MustParseAddr("127.0.0.53"), netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("2620:fe::fe"), netip.MustParseAddr("10.0.0.2")}
	got := string(resolvConf(netip.MustParseAddr("10.213.0.1"), servers))
	if got != "nameserver 10.213.0.1\nnameserver 9.9.9.9\nnameserver 10.0.0.2\noptions timeout:2 attempts:3\n" {
		t.Error(got)
	}
}

func TestUnmapCapability(t *testing.T) {
	v3 := []byte{1, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x30}
	want := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if got := unmapCapability(v3); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := unmapCapability(want); !slices.Equal(got, want) {
		t.Errorf("version 2 became %v", got)
	}
}

// Tables in an image, and those of /proc, are read without trusting them.
func FuzzTables(f *testing.F) {
	f.Add("web", "web:x:1000:1000::/home/web:/bin/sh", "web:x:1000:web")
	f.Add("0:0", "0:A 0:A 0A 0A", "")
	f.Fuzz(func(t *testing.T, user, a, b string) {
		who, err := resolveUser(user, a, b)
		if err == nil && (who.uid < 0 || who.uid >= idRange || who.gid < 0 || who.gid >= idRange) {
			t.Errorf("%+v", who)
		}
		_ = listening(strings.NewReader(a))
		_ = runtimeFault(a)
	})
}
