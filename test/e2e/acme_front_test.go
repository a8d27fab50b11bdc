//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// TestACMEAtTheFrontDoor proves names by what the front door answers, over plain HTTP and in the handshake, before they are routed.
func TestACMEAtTheFrontDoor(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			pebble := rig.NewPebble(t)
			h := newNamesHouse(t, "--acme-directory", pebble.Directory, "--acme-ca", pebble.CAFile, "--acme-challenge", challenge, "--domain", "apps.example.net")
			h.dns.Delegate("apps.example.net", h.Env["SLIPWAY_DNS"])
			s := h.Create(t, "acme-front", rig.ImageSource("app", "v1", nil), types.ServiceStatusRunning, rig.Small)
			pebble.Start(t, h.dns, h.House)
			h.dns.Set(t, "a.example.com. 60 CNAME "+s.Host()+".")
			h.dns.Set(t, "www.a.example.com. 60 CNAME "+s.Host()+".")
			h.link(t, s, "a.example.com")
			h.prove(t, s, "a.example.com")
			h.until(t, s, "a.example.com", "ACTIVE")
			h.byPebble(t, "a.example.com")
			h.byPebble(t, "www.a.example.com")
			eventually(t, "default domains have a certificate of the authority", func() bool { return strings.Contains(h.leaf(t, s.Host()).Issuer.CommonName, "Pebble") })
			h.byPebble(t, s.Host())
		})
	}
}
