package oci_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/instance/oci"
)

// TestCredentialsService: what is served at CredentialsAddr is found by an instance at the address SDKs ask, with the instance's own
// address as the sender's.
func TestCredentialsService(t *testing.T) {
	d := open(t, config(t, t.TempDir()))
	l, err := net.Listen("tcp", d.CredentialsAddr().String())
	must(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "credentials for %s\n", host)
	}), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	where, err := url.Parse(oci.CredentialsURL)
	must(t, err)
	id := apprunner.NewID()
	i, err := d.Start(t.Context(), instance.Spec{
		ID: id, Rootfs: instance.Rootfs{Layers: []string{busybox(t)}}, CPU: 1024, MemoryMiB: 64,
		Args: []string{"/bin/sh", "-c", "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | /bin/busybox nc " + where.Hostname() + " 80"},
	})
	must(t, err)
	exit, err := d.Wait(t.Context(), id)
	must(t, err)
	records, _, err := d.Logs(t.Context(), id, instance.Cursor{})
	must(t, err)
	var said string
	for _, r := range records {
		said += r.Line + "\n"
	}
	if exit.Code != 0 || !strings.Contains(said, "credentials for "+i.Address.String()) {
		t.Errorf("the instance %s: %q", exit, said)
	}
}
