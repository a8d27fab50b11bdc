package server

import (
	"net/netip"
	"reflect"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/network"
)

// checklist: 230, 231, 232
func TestNamesOfPrivateServices(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.10"), netip.MustParseAddr("10.0.1.10")
	e := network.Endpoint{
		Head:    network.Head{ID: "vpce-1", Scope: apprunner.Scope{Region: "us-east-1"}},
		Service: network.ServiceRequests, Suffix: "abcdefgh", State: network.EndpointAvailable,
		Interfaces: []network.Interface{{Zone: "us-east-1a", Address: a}, {Zone: "us-east-1b", Address: b}},
	}
	l := network.Layout{VPCs: []network.Plan{{VPC: network.VPC{Head: network.Head{ID: "vpc-1"}}, Endpoints: []network.Endpoint{e}}}}
	conn := func(name, endpoint string, status apprunner.VPCIngressStatus) apprunner.VPCIngressConnection {
		return apprunner.VPCIngressConnection{ServiceARN: name, DomainName: name + ".test", VPCID: "vpc-1", EndpointID: endpoint, Status: status}
	}
	nodes := map[string]domain.Node{"open.test": {}, "waits.test": {}, "moved.test": {}, "lost.test": {}}
	placeEndpoints(nodes, l)
	inside := placePrivate(nodes, l, []apprunner.VPCIngressConnection{
		conn("open", "vpce-1", apprunner.IngressAvailable), conn("waits", "vpce-1", apprunner.IngressPendingCreation),
		conn("moved", "vpce-1", apprunner.IngressPendingUpdate), conn("lost", "vpce-2", apprunner.IngressAvailable),
		conn("gone", "vpce-1", apprunner.IngressAvailable), // whose service is deleted
	}, map[string][]string{"open": {"shop.example", "*.shop.example"}, "waits": {"later.example"}})

	both, base := []netip.Addr{a, b}, ".requests.apprunner.us-east-1.vpce.amazonaws.com"
	want := map[string]domain.Node{
		"open.test": {Addresses: both}, "waits.test": {}, "moved.test": {}, "lost.test": {},
		"vpce-1-abcdefgh" + base: {Addresses: both}, "vpce-1-abcdefgh-us-east-1a" + base: {Addresses: both[:1]}, "vpce-1-abcdefgh-us-east-1b" + base: {Addresses: both[1:]},
	}
	if !reflect.DeepEqual(nodes, want) {
		t.Errorf("%v, want %v", nodes, want)
	}
	for name, known := range map[string]bool{"shop.example": true, "www.shop.example": true, "a.b.shop.example": false, "later.example": false, "example": false} {
		if _, found := inside.find("vpc-1", name); found != known {
			t.Errorf("%s is known inside the VPC: %v, want %v", name, found, known)
		}
	}
	if _, found := inside.find("vpc-2", "shop.example"); found {
		t.Error("a custom domain is known inside another VPC")
	}
}

// checklist: 187
func TestPublicNameOfTheAPI(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.10")
	plan := func(id string, e network.Endpoint) network.Plan {
		e.Scope.Region, e.Interfaces = "eu-west-1", []network.Interface{{Zone: "eu-west-1a", Address: a}}
		return network.Plan{VPC: network.VPC{Head: network.Head{ID: id}}, Endpoints: []network.Endpoint{e}}
	}
	inside := insideNames{}
	placeAPI(inside, network.Layout{VPCs: []network.Plan{
		plan("vpc-on", network.Endpoint{Service: network.ServiceAPI, PrivateDNS: true, State: network.EndpointAvailable}),
		plan("vpc-off", network.Endpoint{Service: network.ServiceAPI, State: network.EndpointAvailable}),
		plan("vpc-pending", network.Endpoint{Service: network.ServiceAPI, PrivateDNS: true, State: network.EndpointPending}),
		plan("vpc-other", network.Endpoint{Service: network.ServiceRequests, PrivateDNS: true, State: network.EndpointAvailable}),
	}})
	if want := (insideNames{"vpc-on": {"apprunner.eu-west-1.amazonaws.com": {a}}}); !reflect.DeepEqual(inside, want) {
		t.Errorf("%v, want %v", inside, want)
	}
}

func TestHoldersOfInterfaces(t *testing.T) {
	me, err := holder(1)
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]bool{me: true, "1/1": false, "1": false, "": false, "4194305/1": false, "x/y": false} {
		if got := alive(who); got != want {
			t.Errorf("%q is alive: %v", who, got)
		}
	}
}
