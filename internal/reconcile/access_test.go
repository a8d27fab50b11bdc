package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
	"slipway.dev/slipway/internal/observe"
)

// notebook keeps what is appended to logs, by group and stream.
type notebook struct {
	logs
	lines map[string][]string
	err   error
}

func (n *notebook) Append(_ context.Context, sc apprunner.Scope, group, stream string, events []observe.Event) error {
	if n.err != nil {
		return n.err
	}
	for _, e := range events {
		key := sc.Account + " " + group + " " + stream
		n.lines[key] = append(n.lines[key], e.Message)
	}
	return nil
}

const guardedARN = "arn:aws:apprunner:us-east-1:123456789012:service/web/0123456789abcdef0123456789abcdef"

// What the edge left is stored where users read it, as soon as it can be.
func TestAccessLogsReachTheirStreams(t *testing.T) {
	dir := t.TempDir()
	book := &notebook{lines: map[string][]string{}, err: errors.New("the disk is full")}
	r := &Reconciler{Config: Config{Logs: book, AccessDir: dir, Log: slog.New(slog.DiscardHandler), Now: time.Now}}
	file := filepath.Join(dir, "1-1.log")
	text := "+ 1700000000000000 " + guardedARN + ` {"path":"/a"}` + "\n- 1700000000000000 " + guardedARN + " 7\n" +
		"+ 1700000000000000 arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-x:log-stream:us-east-1_acl_0 {}\n+ 1 nonsense x\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop() // one round
	if err := r.collectAccess(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Fatal("lines that could not be stored are gone")
	}
	book.err = nil
	_ = r.collectAccess(ctx)
	if _, err := os.Stat(file); err == nil {
		t.Error("lines that were stored come again")
	}
	const group = "123456789012 /aws/apprunner/web/0123456789abcdef0123456789abcdef/"
	for key, want := range map[string]string{
		group + "application access": `{"path":"/a"}`, group + "service events": "[AppRunner] 7 lines of the access log were dropped",
		"123456789012 aws-waf-logs-x us-east-1_acl_0": "{}",
	} {
		if got := book.lines[key]; len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: %q", key, got)
		}
	}
	if len(book.lines) != 3 {
		t.Errorf("%v", book.lines)
	}
}

// What the owner of a service put in front of it is in the route; a private service's ACL knows no addresses.
//
// checklist: 224
func TestPoliciesAreInTheRoute(t *testing.T) {
	svc := apprunner.Service{Scope: apprunner.Scope{Account: "123456789012", Region: "us-east-1"}, Name: "web", ID: "0123456789abcdef0123456789abcdef"}
	for _, public := range []bool{true, false} {
		svc.Network.Public = public
		s := state{
			services: []apprunner.Service{svc},
			extras: map[string]apprunner.Extras{guardedARN: {
				AllowIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, BasicAuth: []string{"ann:hash"}, AccessLog: "json",
			}},
			acls: map[string]*webacl.Resolved{guardedARN: {Entity: webacl.Entity{Name: "acl"}}},
		}
		r := routes(s)[0]
		if len(r.AllowIPs) != 1 || !slices.Equal(r.BasicAuth, []string{"ann:hash"}) || r.AccessLog != "json" || r.WebACL == nil || r.WebACL.NoAddress == public {
			t.Errorf("public %v: %+v", public, r)
		}
		if s.acls[guardedARN].NoAddress {
			t.Error("the ACL of other services changed too")
		}
	}
}
