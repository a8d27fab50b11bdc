package network_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/store"
)

// Subnets that no connector can go through are refused by name, with what to do, and nothing is made then.
//
// checklist: 244
func TestSubnetsThatConnectorsCannotUse(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	n, err := network.Open(t.Context(), network.Config{DB: db, ClosedZones: []string{"us-east-1b", "us-east-1c"}})
	must(t, err)
	sc := apprunner.Scope{Account: "123456789012", Region: "us-east-1"}
	v, err := n.CreateVPC(t.Context(), sc, network.VPCInput{CIDR: "10.0.0.0/16"})
	must(t, err)
	subnet := func(cidr, zone string) string {
		s, err := n.CreateSubnet(t.Context(), sc, network.SubnetInput{VPCID: v.ID, CIDR: cidr, Zone: zone})
		must(t, err)
		return s.ID
	}
	a, b, c, small := subnet("10.0.1.0/24", "us-east-1a"), subnet("10.0.2.0/24", "us-east-1b"), subnet("10.0.3.0/24", "us-east-1c"), subnet("10.0.4.0/28", "us-east-1a")
	for range 11 {
		_, err := n.AttachCommand(t.Context(), small, nil, "1/1")
		must(t, err)
	}
	refused := func(want string, subnets ...string) {
		t.Helper()
		_, err := n.Connect(t.Context(), sc, subnets, []string{"sg-1"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if own, err := n.Connected(t.Context(), sc, subnets, []string{"sg-1"}); err != nil || len(own) > 0 {
			t.Errorf("interfaces were made: %v, %v", own, err)
		}
	}
	refused(fmt.Sprintf("zones that VPC connectors cannot use: %s (us-east-1b), %s (us-east-1c). Create a VPC connector without them.", b, c), a, b, c)
	refused(fmt.Sprintf("The subnet %s (us-east-1a) cannot have a network interface: ", small), a, small)
	refused("The subnet subnet-gone does not exist any more.", a, "subnet-gone")
	own, err := n.Connect(t.Context(), sc, []string{a}, []string{"sg-1"})
	if err != nil || len(own) != 1 || !own[0].IsConnector() {
		t.Error(own, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
