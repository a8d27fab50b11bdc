package api

import (
	"context"
	"strings"

	"slipway.dev/slipway/internal/iam"
)

// Entrance is the interface endpoint of a VPC that a call came in at (§20.3). Calls that came in elsewhere have none.
type Entrance struct {
	EndpointID string
	VPCID      string
	Region     string // whose API answers there; calls signed for other regions are refused
	Service    string // signing name of the one API that answers there
	Policy     string // what the endpoint lets through; "" for everything
}

type entranceKey struct{}

// Through returns the context of a call that came in at an endpoint.
func Through(ctx context.Context, e Entrance) context.Context {
	return context.WithValue(ctx, entranceKey{}, &e)
}

// entranceOf is the endpoint a call came in at; nil for none.
func entranceOf(ctx context.Context) *Entrance {
	e, _ := ctx.Value(entranceKey{}).(*Entrance)
	return e
}

// admits tells whether a service answers at the endpoint.
func (e *Entrance) admits(s *Service) bool {
	return e == nil || s == nil || s.API.SigningName == e.Service
}

// keys puts the condition keys about the way a call came into those about the call. The caller's address inside a VPC means nothing
// outside of it, so it has a key of its own.
func (e *Entrance) keys(keys map[string][]string) {
	if e == nil {
		return
	}
	keys["aws:VpcSourceIp"] = keys["aws:SourceIp"]
	delete(keys, "aws:SourceIp")
	keys["aws:SourceVpce"], keys["aws:SourceVpc"] = []string{e.EndpointID}, []string{e.VPCID}
}

// limit holds a question to the endpoint's policy, which speaks about actions of the service that answers there: what an action needs of
// other services does not pass through the endpoint.
func (e *Entrance) limit(q *iam.Request) {
	if e != nil && strings.HasPrefix(q.Action, e.Service+":") {
		q.EndpointPolicy = e.Policy
	}
}

// id is what records call the endpoint.
func (e *Entrance) id() string {
	if e == nil {
		return ""
	}
	return e.EndpointID
}
