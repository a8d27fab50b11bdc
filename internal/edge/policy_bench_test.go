package edge

import (
	"encoding/base64"
	"io"
	"net/netip"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner/webacl"
)

// BenchmarkPolicies measures a request through each policy, and through none.
func BenchmarkPolicies(b *testing.B) {
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: now\r\n\r\nok"
	credential := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ann:right one")) + "\r\n"
	managed := aclOf(webacl.Rule{
		Name: "core", OverrideAction: &webacl.OverrideAction{None: &struct{}{}},
		Statement: webacl.Statement{ManagedRuleGroupStatement: &webacl.ManagedGroup{VendorName: "AWS", Name: "AWSManagedRulesCommonRuleSet"}},
	})
	for name, set := range map[string]func(*Route){
		"none":      func(*Route) {},
		"allow-ips": func(r *Route) { r.AllowIPs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} },
		"basic":     func(r *Route) { r.BasicAuth = []string{pair(b, "ann", "right one")} },
		"log":       func(r *Route) { r.AccessLog = "json" },
		"acl":       func(r *Route) { r.WebACL = aclOf(blockIf("path", 1, inPath, "/secret")) },
		"acl-core":  func(r *Route) { r.WebACL = managed },
	} {
		b.Run(name, func(b *testing.B) {
			h := newHouse(b, func(c *Config) { c.Limits.Tick, c.AccessDir = time.Second, b.TempDir() })
			h.publish(func(r *Route) { r.Health.Interval = time.Hour; set(r) }, Target{InstanceID: "i1", Address: benchApp(b, []byte(answer)), Phase: Active})
			conn := dialPlain(b, h)
			conn.SetDeadline(time.Time{})
			request := []byte("GET /path?query HTTP/1.1\r\n" + ownHost + "User-Agent: bench\r\nAccept: */*\r\nCookie: a=b\r\n" + credential + "\r\n")
			got := make([]byte, len(answer))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(request); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != answer {
					b.Fatalf("%s %v", got, err)
				}
			}
		})
	}
}
