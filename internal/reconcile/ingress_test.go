package reconcile_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/network"
)

const (
	vpcID     = "vpc-0123456789abcdef0"
	endpointA = "vpce-0000000000000000a"
	endpointB = "vpce-0000000000000000b"
)

// vpcs are one VPC with endpoints at which somebody answers under one name, or nobody.
type vpcs struct {
	mu        sync.Mutex
	endpoints []network.Endpoint
	answers   *tls.Certificate // nil: nobody answers
	connected []network.Interface
	fault     error // of connectors
}

func (v *vpcs) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

func (v *vpcs) Layout(context.Context) (network.Layout, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return network.Layout{VPCs: []network.Plan{{VPC: network.VPC{Head: network.Head{ID: vpcID}}, Endpoints: v.endpoints}}}, nil
}

func (v *vpcs) Connect(_ context.Context, _ apprunner.Scope, subnets, _ []string) ([]network.Interface, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.connected = nil
	for n, id := range subnets {
		v.connected = append(v.connected, network.Interface{Head: network.Head{ID: fmt.Sprintf("eni-%d", n)}, SubnetID: id, Zone: "us-east-1a"})
	}
	return v.connected, nil
}

func (v *vpcs) Connected(context.Context, apprunner.Scope, []string, []string) ([]network.Interface, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.connected, nil
}

func (v *vpcs) WayOut(ctx context.Context, id string) (instance.Uplink, error) {
	v.mu.Lock()
	fault := v.fault
	v.mu.Unlock()
	if fault != nil {
		<-ctx.Done()
	}
	return instance.Uplink{Namespace: "/run/" + id}, fault
}

func (v *vpcs) Namespace(id string) string { return "/nonexistent/" + id }

func (v *vpcs) Dial(context.Context, string, netip.AddrPort) (net.Conn, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.answers == nil {
		return nil, errors.New("connection refused")
	}
	here, there := net.Pipe()
	server := tls.Server(there, &tls.Config{Certificates: []tls.Certificate{*v.answers}})
	go func() {
		_ = server.Handshake() // the client tells how it went
		there.Close()
	}()
	return here, nil
}

// endpoint is one for private services in a state.
func endpoint(id string, state network.EndpointState) network.Endpoint {
	return network.Endpoint{
		Head: network.Head{ID: id}, VPCID: vpcID, Service: network.ServiceRequests, State: state, Reason: "no room",
		Interfaces: []network.Interface{{Address: netip.MustParseAddr("10.0.0.10")}, {Address: netip.MustParseAddr("10.0.1.10")}},
	}
}

// shown is a certificate for a host.
func shown(t *testing.T, host string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// becomes waits until an ingress connection has a status.
func (w *world) becomes(arn string, want apprunner.VPCIngressStatus) {
	w.t.Helper()
	var got apprunner.VPCIngressStatus
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		c, err := w.control.DescribeVPCIngressConnection(w.t.Context(), scope, arn)
		check(w.t, err)
		if got = c.Status; got == want {
			return
		}
	}
	w.t.Fatalf("the ingress connection is %s, want %s", got, want)
}

// private is a service that is not publicly accessible.
func (w *world) private() apprunner.Service {
	w.t.Helper()
	s := w.create("inside")
	s, _ = w.await(s.ARN())
	_, _, err := w.control.UpdateService(w.t.Context(), scope, apprunner.UpdateServiceInput{ServiceARN: s.ARN(), ServicePatch: apprunner.ServicePatch{Network: &apprunner.NetworkPatch{Public: p(false)}}})
	check(w.t, err)
	s, _ = w.await(s.ARN())
	return s
}

// An ingress connection becomes available when the service answers at every address of its endpoint, and fails with the reason in the
// events log otherwise; a reconciler that starts anew goes on with what is pending.
//
// checklist: 218, 220, 221
func TestIngressConnectionsAreSettled(t *testing.T) {
	w := newWorld(t)
	w.vpcs = &vpcs{endpoints: []network.Endpoint{endpoint(endpointA, network.EndpointAvailable)}}
	w.run(nil)
	s := w.private()
	conn, err := w.control.CreateVPCIngressConnection(t.Context(), scope, apprunner.VPCIngressConnectionInput{
		Name: "door", ServiceARN: s.ARN(), VPCID: vpcID, EndpointID: endpointA,
	})
	check(t, err)
	w.becomes(conn.ARN, apprunner.IngressFailedCreation)
	w.tells(s, "VPC ingress connection door is FAILED_CREATION: ", "connection refused")

	update := func(endpointID string) {
		t.Helper()
		_, err := w.control.UpdateVPCIngressConnection(t.Context(), scope, conn.ARN, nil, p(endpointID))
		check(t, err)
	}
	w.vpcs.set(func() { w.vpcs.answers = shown(t, "other.test") })
	update(endpointA)
	w.becomes(conn.ARN, apprunner.IngressFailedUpdate)
	w.tells(s, "is FAILED_UPDATE: ", "the service does not answer at 10.0.0.10", "other.test")

	w.vpcs.set(func() { w.vpcs.endpoints = append(w.vpcs.endpoints, endpoint(endpointB, network.EndpointFailed)) })
	update(endpointB)
	w.becomes(conn.ARN, apprunner.IngressFailedUpdate)
	w.tells(s, "the endpoint "+endpointB+" has failed: no room")

	w.vpcs.set(func() { w.vpcs.answers = shown(t, s.URL) })
	w.halt() // whoever would do the work is away
	update(endpointA)
	w.run(nil)
	w.becomes(conn.ARN, apprunner.IngressAvailable)
	w.tells(s, "VPC ingress connection door is available: the service answers at the endpoint "+endpointA)

	_, err = w.control.DeleteVPCIngressConnection(t.Context(), scope, conn.ARN)
	check(t, err)
	w.becomes(conn.ARN, apprunner.IngressDeleted)
	w.tells(s, "VPC ingress connection door is deleted.")
}

// tells checks that the service's log has texts.
func (w *world) tells(s apprunner.Service, texts ...string) {
	w.t.Helper()
	log := w.log(s.ARN())
	for _, text := range texts {
		if !strings.Contains(log, text) {
			w.t.Errorf("the log does not tell %q:\n%s", text, log)
		}
	}
}
