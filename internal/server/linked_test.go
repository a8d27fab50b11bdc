package server

import (
	"path/filepath"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// The role of networks is needed while there are VPC connectors, in whatever region.
//
// checklist: 210
func TestConnectorsNeedTheirRole(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, account := &System{db: db}, "123456789012"
	put := func(region string, active bool) {
		t.Helper()
		arn := apprunner.ARN{Scope: apprunner.Scope{Account: account, Region: region}, Kind: apprunner.KindVPCConnector, Name: "inside", Revision: 1, ID: "0123456789abcdef0123456789abcdef"}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			return tx.PutResource(apprunner.VPCConnector{ARN: arn.String(), Name: "inside", Revision: 1, Active: active, CreatedAt: time.Now()})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(service string) int {
		t.Helper()
		uses, err := s.needLinkedRole(t.Context(), account, service)
		if err != nil {
			t.Fatal(err)
		}
		return len(uses)
	}
	put("us-east-1", true)
	put("eu-west-1", true)
	if n, other := count(networkingPrincipal), count(servicesPrincipal); n != 2 || other != 0 {
		t.Errorf("with connectors in two regions: %d uses, and %d of the services' role", n, other)
	}
	put("us-east-1", false)
	put("eu-west-1", false)
	if n := count(networkingPrincipal); n != 0 {
		t.Errorf("without connectors: %d uses", n)
	}
}
