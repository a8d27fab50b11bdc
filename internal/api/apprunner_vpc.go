package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// vpcs is what the API needs for VPC connectors and VPC ingress connections (§20).
type vpcs interface {
	CreateVPCConnector(context.Context, apprunner.Scope, apprunner.VPCConnectorInput) (apprunner.VPCConnector, error)
	DescribeVPCConnector(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.VPCConnector, error)
	ListVPCConnectors(context.Context, apprunner.Scope) ([]apprunner.VPCConnector, error)
	DeleteVPCConnector(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.VPCConnector, error)
	CreateVPCIngressConnection(context.Context, apprunner.Scope, apprunner.VPCIngressConnectionInput) (apprunner.VPCIngressConnection, error)
	DescribeVPCIngressConnection(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.VPCIngressConnection, error)
	ListVPCIngressConnections(ctx context.Context, sc apprunner.Scope, serviceARN, endpointID string) ([]apprunner.VPCIngressConnection, error)
	UpdateVPCIngressConnection(ctx context.Context, sc apprunner.Scope, arn string, vpcID, endpointID *string) (apprunner.VPCIngressConnection, error)
	DeleteVPCIngressConnection(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.VPCIngressConnection, error)
}

func (a *appRunner) vpcActions() map[string]Action {
	return map[string]Action{
		"CreateVpcConnector": action(creating("CreateVpcConnector", apprunner.KindVPCConnector, func(in *wire.CreateVpcConnectorRequest) (*string, []wire.Tag) {
			return in.VpcConnectorName, in.Tags
		}), a.createVPCConnector),
		"DescribeVpcConnector":       action(on(a, "DescribeVpcConnector", func(in *wire.DescribeVpcConnectorRequest) *string { return in.VpcConnectorArn }), a.describeVPCConnector),
		"ListVpcConnectors":          action(anything[wire.ListVpcConnectorsRequest]("apprunner:ListVpcConnectors"), a.listVPCConnectors),
		"DeleteVpcConnector":         action(on(a, "DeleteVpcConnector", func(in *wire.DeleteVpcConnectorRequest) *string { return in.VpcConnectorArn }), a.deleteVPCConnector),
		"CreateVpcIngressConnection": action(a.mayCreateIngress, a.createIngress),
		"DescribeVpcIngressConnection": action(on(a, "DescribeVpcIngressConnection", func(in *wire.DescribeVpcIngressConnectionRequest) *string {
			return in.VpcIngressConnectionArn
		}), a.describeIngress),
		"ListVpcIngressConnections":  action(anything[wire.ListVpcIngressConnectionsRequest]("apprunner:ListVpcIngressConnections"), a.listIngresses),
		"UpdateVpcIngressConnection": action(a.mayUpdateIngress, a.updateIngress),
		"DeleteVpcIngressConnection": action(on(a, "DeleteVpcIngressConnection", func(in *wire.DeleteVpcIngressConnectionRequest) *string {
			return in.VpcIngressConnectionArn
		}), a.deleteIngress),
	}
}

func (a *appRunner) createVPCConnector(ctx context.Context, c Call, in *wire.CreateVpcConnectorRequest) (*wire.CreateVpcConnectorResponse, error) {
	conn, err := a.Control.CreateVPCConnector(ctx, c.Scope, apprunner.VPCConnectorInput{
		Name: val(in.VpcConnectorName), Subnets: in.Subnets, SecurityGroups: in.SecurityGroups, Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateVpcConnectorResponse{VpcConnector: vpcConnectorOut(conn)}, nil
}

func (a *appRunner) describeVPCConnector(ctx context.Context, c Call, in *wire.DescribeVpcConnectorRequest) (*wire.DescribeVpcConnectorResponse, error) {
	conn, err := a.Control.DescribeVPCConnector(ctx, c.Scope, *in.VpcConnectorArn)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeVpcConnectorResponse{VpcConnector: vpcConnectorOut(conn)}, nil
}

func (a *appRunner) listVPCConnectors(ctx context.Context, c Call, in *wire.ListVpcConnectorsRequest) (*wire.ListVpcConnectorsResponse, error) {
	all, err := a.Control.ListVPCConnectors(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := listing{scope: c.Scope, operation: "ListVpcConnectors", params: in.MaxResults}
	at := func(conn apprunner.VPCConnector) position { return apprunner.PlaceOf(conn.CreatedAt, conn.ARN) }
	list, next, err := page(a.Tokens, l, all, at, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListVpcConnectorsResponse{VpcConnectors: make([]wire.VpcConnector, len(list)), NextToken: next}
	for i, conn := range list {
		out.VpcConnectors[i] = *vpcConnectorOut(conn)
	}
	return out, nil
}

func (a *appRunner) deleteVPCConnector(ctx context.Context, c Call, in *wire.DeleteVpcConnectorRequest) (*wire.DeleteVpcConnectorResponse, error) {
	conn, err := a.Control.DeleteVPCConnector(ctx, c.Scope, *in.VpcConnectorArn)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteVpcConnectorResponse{VpcConnector: vpcConnectorOut(conn)}, nil
}

func vpcConnectorOut(c apprunner.VPCConnector) *wire.VpcConnector {
	return &wire.VpcConnector{
		VpcConnectorName:     &c.Name,
		VpcConnectorArn:      &c.ARN,
		VpcConnectorRevision: int32Out(c.Revision),
		Subnets:              c.Subnets,
		SecurityGroups:       c.SecurityGroups,
		Status:               new(activeWord(c.Active)),
		CreatedAt:            moment(c.CreatedAt),
		DeletedAt:            moment(c.DeletedAt),
	}
}

// mayCreateIngress asks with the service and the endpoint as condition keys.
func (a *appRunner) mayCreateIngress(ctx context.Context, c Call, in *wire.CreateVpcIngressConnectionRequest) ([]iam.Request, error) {
	keys := map[string][]string{}
	if in.ServiceArn != nil {
		keys["apprunner:ServiceArn"] = []string{a.completed(ctx, c, *in.ServiceArn)}
	}
	endpointKeys(keys, in.IngressVpcConfiguration)
	return toBe(c, "CreateVpcIngressConnection", apprunner.KindVPCIngress, val(in.VpcIngressConnectionName), tagsIn(in.Tags), keys), nil
}

func (a *appRunner) mayUpdateIngress(ctx context.Context, c Call, in *wire.UpdateVpcIngressConnectionRequest) ([]iam.Request, error) {
	arn, keys := a.resource(ctx, c, val(in.VpcIngressConnectionArn))
	if keys == nil {
		keys = map[string][]string{}
	}
	endpointKeys(keys, in.IngressVpcConfiguration)
	return []iam.Request{{Action: "apprunner:UpdateVpcIngressConnection", Resource: arn, Context: keys}}, nil
}

func endpointKeys(keys map[string][]string, in *wire.IngressVpcConfiguration) {
	if in == nil {
		return
	}
	if in.VpcId != nil {
		keys["apprunner:VpcId"] = []string{*in.VpcId}
	}
	if in.VpcEndpointId != nil {
		keys["apprunner:VpcEndpointId"] = []string{*in.VpcEndpointId}
	}
}

func (a *appRunner) createIngress(ctx context.Context, c Call, in *wire.CreateVpcIngressConnectionRequest) (*wire.CreateVpcIngressConnectionResponse, error) {
	conn, err := a.Control.CreateVPCIngressConnection(ctx, c.Scope, apprunner.VPCIngressConnectionInput{
		Name: val(in.VpcIngressConnectionName), ServiceARN: val(in.ServiceArn), Tags: tagsIn(in.Tags),
		VPCID: val(in.IngressVpcConfiguration.VpcId), EndpointID: val(in.IngressVpcConfiguration.VpcEndpointId),
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateVpcIngressConnectionResponse{VpcIngressConnection: ingressOut(conn)}, nil
}

func (a *appRunner) describeIngress(ctx context.Context, c Call, in *wire.DescribeVpcIngressConnectionRequest) (*wire.DescribeVpcIngressConnectionResponse, error) {
	conn, err := a.Control.DescribeVPCIngressConnection(ctx, c.Scope, *in.VpcIngressConnectionArn)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeVpcIngressConnectionResponse{VpcIngressConnection: ingressOut(conn)}, nil
}

func (a *appRunner) listIngresses(ctx context.Context, c Call, in *wire.ListVpcIngressConnectionsRequest) (*wire.ListVpcIngressConnectionsResponse, error) {
	filter := val(in.Filter)
	all, err := a.Control.ListVPCIngressConnections(ctx, c.Scope, val(filter.ServiceArn), val(filter.VpcEndpointId))
	if err != nil {
		return nil, err
	}
	l := listing{scope: c.Scope, operation: "ListVpcIngressConnections", params: []any{filter.ServiceArn, filter.VpcEndpointId, in.MaxResults}}
	at := func(conn apprunner.VPCIngressConnection) position { return apprunner.PlaceOf(conn.CreatedAt, conn.ARN) }
	list, next, err := page(a.Tokens, l, all, at, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListVpcIngressConnectionsResponse{VpcIngressConnectionSummaryList: make([]wire.VpcIngressConnectionSummary, len(list)), NextToken: next}
	for i, conn := range list {
		out.VpcIngressConnectionSummaryList[i] = wire.VpcIngressConnectionSummary{VpcIngressConnectionArn: &conn.ARN, ServiceArn: &conn.ServiceARN}
	}
	return out, nil
}

func (a *appRunner) updateIngress(ctx context.Context, c Call, in *wire.UpdateVpcIngressConnectionRequest) (*wire.UpdateVpcIngressConnectionResponse, error) {
	conf := in.IngressVpcConfiguration
	conn, err := a.Control.UpdateVPCIngressConnection(ctx, c.Scope, *in.VpcIngressConnectionArn, conf.VpcId, conf.VpcEndpointId)
	if err != nil {
		return nil, err
	}
	return &wire.UpdateVpcIngressConnectionResponse{VpcIngressConnection: ingressOut(conn)}, nil
}

func (a *appRunner) deleteIngress(ctx context.Context, c Call, in *wire.DeleteVpcIngressConnectionRequest) (*wire.DeleteVpcIngressConnectionResponse, error) {
	conn, err := a.Control.DeleteVPCIngressConnection(ctx, c.Scope, *in.VpcIngressConnectionArn)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteVpcIngressConnectionResponse{VpcIngressConnection: ingressOut(conn)}, nil
}

func ingressOut(c apprunner.VPCIngressConnection) *wire.VpcIngressConnection {
	return &wire.VpcIngressConnection{
		VpcIngressConnectionArn:  &c.ARN,
		VpcIngressConnectionName: &c.Name,
		ServiceArn:               &c.ServiceARN,
		Status:                   enumOut(c.Status),
		AccountId:                &c.Account,
		DomainName:               &c.DomainName,
		IngressVpcConfiguration:  &wire.IngressVpcConfiguration{VpcId: &c.VPCID, VpcEndpointId: &c.EndpointID},
		CreatedAt:                moment(c.CreatedAt),
		DeletedAt:                moment(c.DeletedAt),
	}
}
