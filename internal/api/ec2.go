package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/wire"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

// networks is what the EC2 API needs of the network room.
type networks interface {
	Snapshot(ctx context.Context, sc apprunner.Scope) (*network.Snapshot, error)
	Peek(ctx context.Context, sc apprunner.Scope) (*network.Snapshot, error)

	CreateVPC(ctx context.Context, sc apprunner.Scope, in network.VPCInput) (network.VPC, error)
	CreateDefaultVPC(ctx context.Context, sc apprunner.Scope) (network.VPC, error)
	ModifyVPC(ctx context.Context, sc apprunner.Scope, id string, c network.VPCChange) error
	DeleteVPC(ctx context.Context, sc apprunner.Scope, id string) error
	CreateSubnet(ctx context.Context, sc apprunner.Scope, in network.SubnetInput) (network.Subnet, error)
	ModifySubnet(ctx context.Context, sc apprunner.Scope, id string, c network.SubnetChange) error
	DeleteSubnet(ctx context.Context, sc apprunner.Scope, id string) error

	CreateGroup(ctx context.Context, sc apprunner.Scope, in network.GroupInput) (network.SecurityGroup, error)
	DeleteGroup(ctx context.Context, sc apprunner.Scope, ref network.GroupRef) (string, error)
	Authorize(ctx context.Context, sc apprunner.Scope, ref network.GroupRef, egress bool, peers []network.Peer, tags map[string]string) (network.SecurityGroup, []network.Rule, error)
	Revoke(ctx context.Context, sc apprunner.Scope, ref network.GroupRef, egress bool, peers []network.Peer, ids []string) (network.SecurityGroup, []network.Rule, error)

	CreateEndpoint(ctx context.Context, sc apprunner.Scope, in network.EndpointInput) (network.Endpoint, error)
	ModifyEndpoint(ctx context.Context, sc apprunner.Scope, id string, c network.EndpointChange) error
	DeleteEndpoints(ctx context.Context, sc apprunner.Scope, ids []string) ([]network.Kept, error)

	CreateRouteTable(ctx context.Context, sc apprunner.Scope, vpcID string, tags map[string]string) (network.RouteTable, error)
	DeleteRouteTable(ctx context.Context, sc apprunner.Scope, id string) error
	AssociateRouteTable(ctx context.Context, sc apprunner.Scope, tableID, subnetID string) (string, error)
	DisassociateRouteTable(ctx context.Context, sc apprunner.Scope, id string) error
	CreateRoute(ctx context.Context, sc apprunner.Scope, tableID, destination, target string) error
	DeleteRoute(ctx context.Context, sc apprunner.Scope, tableID, destination string) error

	ReplaceRoute(ctx context.Context, sc apprunner.Scope, tableID, destination, target string) error
	ReplaceRouteTableAssociation(ctx context.Context, sc apprunner.Scope, association, tableID string) (string, error)
	ModifyRules(ctx context.Context, sc apprunner.Scope, groupID string, changes map[string]network.Peer) error
	DescribeRules(ctx context.Context, sc apprunner.Scope, ref network.GroupRef, egress bool, peers []network.Peer, ids map[string]string) error
	DisassociateAddress(ctx context.Context, sc apprunner.Scope, association, public string) error

	CreateInternetGateway(ctx context.Context, sc apprunner.Scope, tags map[string]string) (network.InternetGateway, error)
	DeleteInternetGateway(ctx context.Context, sc apprunner.Scope, id string) error
	AttachInternetGateway(ctx context.Context, sc apprunner.Scope, id, vpcID string) error
	DetachInternetGateway(ctx context.Context, sc apprunner.Scope, id, vpcID string) error
	CreateNAT(ctx context.Context, sc apprunner.Scope, in network.NATInput) (network.NATGateway, error)
	DeleteNAT(ctx context.Context, sc apprunner.Scope, id string) error
	AllocateAddress(ctx context.Context, sc apprunner.Scope, tags map[string]string) (network.Address, error)
	ReleaseAddress(ctx context.Context, sc apprunner.Scope, allocation, public string) error

	CreateTags(ctx context.Context, sc apprunner.Scope, ids []string, tags map[string]string) error
	DeleteTags(ctx context.Context, sc apprunner.Scope, ids []string, tags map[string]*string) error
}

// ec2API serves the EC2 API for networks.
type ec2API struct {
	net    networks
	tokens *Tokens
	// endpoint is the URL of the installation's API, which regions are described with.
	endpoint string
}

// NewEC2 returns the EC2 API (adjacent §8). endpoint is the host name under which this installation's API is reached.
func NewEC2(net networks, tokens *Tokens, endpoint string) (*Service, error) {
	if net == nil || tokens == nil {
		return nil, errors.New("EC2 API: the network room and the tokens are required")
	}
	e := &ec2API{net, tokens, endpoint}
	s := &Service{
		API: &ec2.API, Constraint: network.CodeParameterValue, Internal: "InternalError", Refuse: refuseEC2, Actions: map[string]Action{},
		Codes: ec2Codes,
	}
	for _, part := range []map[string]Action{e.vpcActions(), e.groupActions(), e.endpointActions(), e.routeActions(), e.replaceActions(), e.gatewayActions(), e.readActions(), e.tagActions()} {
		for name, a := range part {
			s.Actions[name] = a
		}
	}
	return s, nil
}

// ec2Codes is how EC2 spells the common errors.
var ec2Codes = map[apprunner.Code]spelling{
	apprunner.CodeAccessDenied:     {code: "UnauthorizedOperation"},
	apprunner.CodeUnrecognizedKey:  {code: "AuthFailure"},
	apprunner.CodeInvalidSignature: {code: "AuthFailure"},
	apprunner.CodeIncomplete:       {code: "AuthFailure"},
	apprunner.CodeExpiredToken:     {code: "RequestExpired"},
	apprunner.CodeMissingAuth:      {code: "MissingAuthenticationToken"},
	apprunner.CodeUnknownOperation: {code: "InvalidAction", status: http.StatusBadRequest},
	apprunner.CodeSerialization:    {code: "InvalidParameterValue"},
	apprunner.CodeThrottling:       {code: "RequestLimitExceeded", status: http.StatusServiceUnavailable},
	apprunner.CodeUnavailable:      {code: "Unavailable"},
	apprunner.CodeInvalidRequest:   {code: "InvalidNextToken"}, // only tokens of pages are refused with it
	network.CodeDryRun:             {code: "DryRunOperation", status: http.StatusPreconditionFailed},
}

// refuseEC2 words a request that breaks a constraint of the model as EC2 does.
func refuseEC2(err error) error {
	var broken *wire.ValidationError
	if !errors.As(err, &broken) || len(broken.Failures) == 0 {
		return apprunner.Errorf(network.CodeParameterValue, "%w", err)
	}
	if f := broken.Failures[0]; f.Missing() {
		return network.Missing(f.Path)
	}
	return apprunner.Errorf(network.CodeParameterValue, "%w", err)
}

// ec2Action is action with the DryRun that nearly every request may carry: what the caller may not do, or would fail, is answered as
// always, and all else as what would have succeeded.
func ec2Action[In, Out any](permissions permitting[In], do func(context.Context, Call, *In) (*Out, error)) Action {
	return action(permissions, func(ctx context.Context, c Call, in *In) (*Out, error) {
		if !dryRun(in) {
			return do(ctx, c, in)
		}
		if _, err := do(network.Rehearse(ctx), c, in); err != nil {
			return nil, err
		}
		return nil, network.Rehearsed()
	})
}

// ec2Command is ec2Action for an operation that answers nothing.
func ec2Command[In any](permissions permitting[In], do func(context.Context, Call, *In) error) Action {
	a := ec2Action(permissions, func(ctx context.Context, c Call, in *In) (*struct{}, error) { return nil, do(ctx, c, in) })
	run := a.Do
	a.Do = func(ctx context.Context, c Call, in any) (any, error) {
		_, err := run(ctx, c, in)
		return nil, err
	}
	return a
}

// dryRun reads the member of that name, which requests have in common and their types do not.
func dryRun(in any) bool {
	f := reflect.ValueOf(in).Elem().FieldByName("DryRun")
	return f.IsValid() && !f.IsNil() && f.Elem().Bool()
}

// notServed refuses members that stand for what is not served here; given tells of each whether it was sent.
func notServed(given map[string]bool) error {
	var names []string
	for name, sent := range given {
		if sent {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return apprunner.Errorf(network.CodeUnsupported, "What %s asks for is not served here.", strings.Join(names, ", "))
}

// specified are the tags of a request for the one type of resource that it makes.
func specified(resourceType string, specs []ec2.TagSpecification) (map[string]string, error) {
	tags := map[string]string{}
	for _, s := range specs {
		if val(s.ResourceType) != resourceType {
			return nil, apprunner.Errorf(network.CodeParameterValue, "'%s' is not a valid taggable resource type for this operation; use %s.", clip(val(s.ResourceType), 64), resourceType)
		}
		for _, t := range s.Tags {
			if _, twice := tags[val(t.Key)]; twice {
				return nil, apprunner.Errorf(network.CodeParameterValue, "Duplicate tag key '%s' specified.", clip(val(t.Key), 128))
			}
			tags[val(t.Key)] = val(t.Value)
		}
	}
	return tags, network.CheckTags(tags)
}

// tagsEC2 are tags as answers show them, by key.
func tagsEC2(tags map[string]string) []ec2.Tag {
	out := make([]ec2.Tag, 0, len(tags))
	for k, v := range tags {
		out = append(out, ec2.Tag{Key: &k, Value: &v})
	}
	slices.SortFunc(out, func(a, b ec2.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	return out
}
