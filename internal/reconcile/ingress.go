package reconcile

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/edge"
	"slipway.dev/slipway/internal/instance"
	"slipway.dev/slipway/internal/network"
)

// networks are the VPCs in which private services are reached (§20.2) with the way into them, and through which services call out (§20.1).
type networks interface {
	Layout(ctx context.Context) (network.Layout, error)
	// Connect gives the subnets and groups of VPC connectors their interfaces, once. Subnets that cannot have any are refused with an
	// *apprunner.Error.
	Connect(ctx context.Context, sc apprunner.Scope, subnets, groups []string) ([]network.Interface, error)
	// Connected are the interfaces that Connect has given.
	Connected(ctx context.Context, sc apprunner.Scope, subnets, groups []string) ([]network.Interface, error)
	// WayOut is what instances call out through that go through such an interface. It waits, until ctx ends, for it to work.
	WayOut(ctx context.Context, interfaceID string) (instance.Uplink, error)
	// Namespace is the path of the network namespace of a VPC.
	Namespace(vpcID string) string
	// Dial connects to an address inside a VPC.
	Dial(ctx context.Context, vpcID string, to netip.AddrPort) (net.Conn, error)
}

// ingresses are the ingress connections that wait for work.
type ingresses interface {
	PendingVPCIngressConnections(ctx context.Context) ([]apprunner.VPCIngressConnection, error)
	SettleVPCIngressConnection(ctx context.Context, arn string, ok bool) error
}

// joined tells whether a service is known at the endpoint of its ingress connection. A pending one is already: whether it answers there
// is what it waits for.
func joined(s apprunner.VPCIngressStatus) bool {
	switch s {
	case apprunner.IngressAvailable, apprunner.IngressPendingCreation, apprunner.IngressPendingUpdate, apprunner.IngressFailedDeletion:
		return true
	case apprunner.IngressPendingDeletion, apprunner.IngressFailedCreation, apprunner.IngressFailedUpdate, apprunner.IngressDeleted:
	}
	return false
}

// endpointsOf is the endpoint that each service is joined to, by service ARN.
func endpointsOf(list []apprunner.VPCIngressConnection) map[string]string {
	at := map[string]string{}
	for _, c := range list {
		if joined(c.Status) {
			at[c.ServiceARN] = c.EndpointID
		}
	}
	return at
}

// layout is what there is of VPCs; nothing where there are none.
func (r *Reconciler) layout(ctx context.Context) (network.Layout, error) {
	if r.Networks == nil {
		return network.Layout{}, nil
	}
	return r.Networks.Layout(ctx)
}

// listeners are the addresses of all endpoints at which private services answer, also of those that none is joined to yet.
func (r *Reconciler) listeners(l network.Layout) (list []edge.PrivateListener) {
	for _, vpc := range l.VPCs {
		for _, e := range vpc.Endpoints {
			if e.Service != network.ServiceRequests || e.State != network.EndpointAvailable {
				continue
			}
			for _, i := range e.Interfaces {
				list = append(list, edge.PrivateListener{EndpointID: e.ID, Namespace: r.Networks.Namespace(vpc.ID), Address: i.Address})
			}
		}
	}
	return list
}

// settleIngresses gives every pending ingress connection a worker.
func (r *Reconciler) settleIngresses(ctx context.Context, start func(id string, do func(context.Context) error)) error {
	if r.Ingresses == nil {
		return nil
	}
	for {
		changed := r.DB.Changed()
		pending, err := r.Ingresses.PendingVPCIngressConnections(ctx)
		if err != nil {
			return fmt.Errorf("read pending ingress connections: %w", err)
		}
		for _, c := range pending {
			start(c.ARN, func(ctx context.Context) error { return r.settleIngress(ctx, c.ARN) })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// settleIngress does the work of a pending ingress connection: the edge is told of it, and a new one is available when the service
// answers at every address of the endpoint. Why one has failed is written into the events log of the service.
func (r *Reconciler) settleIngress(ctx context.Context, arn string) error {
	pending, err := r.Ingresses.PendingVPCIngressConnections(ctx)
	if err != nil {
		return err
	}
	c := find(pending, arn)
	if c == nil {
		return nil // it was settled since this worker was asked for
	}
	within, cancel := context.WithTimeout(ctx, r.JoinTimeout)
	defer cancel()
	fault := r.publish(within)
	if fault == nil && c.Status != apprunner.IngressPendingDeletion {
		fault = r.awaitAnswers(within, *c)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.tellIngress(ctx, *c, fault)
	return r.Ingresses.SettleVPCIngressConnection(ctx, c.ARN, fault == nil)
}

func find(list []apprunner.VPCIngressConnection, arn string) *apprunner.VPCIngressConnection {
	for i := range list {
		if list[i].ARN == arn {
			return &list[i]
		}
	}
	return nil
}

// tellIngress writes into the events log what became of an ingress connection.
func (r *Reconciler) tellIngress(ctx context.Context, c apprunner.VPCIngressConnection, fault error) {
	a, err := apprunner.ParseARN(c.ServiceARN)
	if err != nil {
		return
	}
	svc := apprunner.Service{Scope: a.Scope, Name: a.Name, ID: a.ID}
	switch {
	case fault != nil:
		r.logEvents(ctx, svc, fmt.Sprintf("VPC ingress connection %s is %s: %v.", c.Name, c.Status.Settled(false), fault))
	case c.Status == apprunner.IngressPendingDeletion:
		r.logEvents(ctx, svc, fmt.Sprintf("VPC ingress connection %s is deleted.", c.Name))
	default:
		r.logEvents(ctx, svc, fmt.Sprintf("VPC ingress connection %s is available: the service answers at the endpoint %s.", c.Name, c.EndpointID))
	}
}

// askAgain is the pause between two looks at whether a service answers at its endpoint.
const askAgain = 200 * time.Millisecond

// awaitAnswers returns nil when the service answers at all addresses of the endpoint, and why not when ctx has ended or it never will.
func (r *Reconciler) awaitAnswers(ctx context.Context, c apprunner.VPCIngressConnection) (fault error) {
	for {
		l, err := r.layout(ctx)
		e, lost := endpointIn(l, c)
		switch {
		case err == nil && lost != nil:
			return lost
		case err == nil && e.State == network.EndpointAvailable:
			if err = r.answers(ctx, c, e); err == nil {
				return nil
			}
		}
		if ctx.Err() == nil && err != nil {
			fault = err // what comes after the end says nothing
		}
		if sleep(ctx, askAgain); ctx.Err() != nil {
			return errors.Join(fault, ctx.Err())
		}
	}
}

// endpointIn finds the endpoint of an ingress connection, and tells when it will never serve.
func endpointIn(l network.Layout, c apprunner.VPCIngressConnection) (network.Endpoint, error) {
	for _, vpc := range l.VPCs {
		for _, e := range vpc.Endpoints {
			switch {
			case e.ID != c.EndpointID:
			case e.State == network.EndpointFailed:
				return e, fmt.Errorf("the endpoint %s has failed: %s", e.ID, e.Reason)
			case e.State == network.EndpointDeleting:
				return e, fmt.Errorf("the endpoint %s is being deleted", e.ID)
			case len(e.Interfaces) == 0:
				return e, fmt.Errorf("the endpoint %s is in no subnet", e.ID)
			default:
				return e, nil
			}
		}
	}
	return network.Endpoint{}, fmt.Errorf("the endpoint %s does not exist any more", c.EndpointID)
}

// answers tells whether the edge knows the service at every address of the endpoint: it shows a certificate for its name only then.
func (r *Reconciler) answers(ctx context.Context, c apprunner.VPCIngressConnection, e network.Endpoint) error {
	for _, i := range e.Interfaces {
		conn, err := r.Networks.Dial(ctx, e.VPCID, netip.AddrPortFrom(i.Address, 443))
		if err != nil {
			return err
		}
		if err := greet(ctx, conn, c.DomainName); err != nil {
			return fmt.Errorf("the service does not answer at %v: %w", i.Address, err)
		}
	}
	return nil
}

// greet shakes hands under a name and hangs up.
func greet(ctx context.Context, conn net.Conn, name string) error {
	client := tls.Client(conn, &tls.Config{
		ServerName: name, MinVersion: tls.VersionTLS12,
		// Who issued the certificate is the client's business; that it is for this name is what is asked here.
		InsecureSkipVerify: true,
		VerifyConnection:   func(s tls.ConnectionState) error { return s.PeerCertificates[0].VerifyHostname(name) },
	})
	return errors.Join(client.HandshakeContext(ctx), conn.Close())
}
