package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// connections is what the API needs for connections (§11).
type connections interface {
	CreateConnection(context.Context, apprunner.Scope, apprunner.ConnectionInput) (apprunner.Connection, error)
	ListConnections(ctx context.Context, sc apprunner.Scope, name string) ([]apprunner.Connection, error)
	DeleteConnection(ctx context.Context, sc apprunner.Scope, arn string) (apprunner.Connection, error)
	CompleteHandshake(ctx context.Context, sc apprunner.Scope, h apprunner.Handshake) (apprunner.Connection, error)
}

func (a *appRunner) connectionActions() map[string]Action {
	return map[string]Action{
		"CreateConnection": action(creating("CreateConnection", apprunner.KindConnection, func(in *wire.CreateConnectionRequest) (*string, []wire.Tag) {
			return in.ConnectionName, in.Tags
		}), a.createConnection),
		"ListConnections":  action(anything[wire.ListConnectionsRequest]("apprunner:ListConnections"), a.listConnections),
		"DeleteConnection": action(on(a, "DeleteConnection", func(in *wire.DeleteConnectionRequest) *string { return in.ConnectionArn }), a.deleteConnection),
	}
}

func (a *appRunner) createConnection(ctx context.Context, c Call, in *wire.CreateConnectionRequest) (*wire.CreateConnectionResponse, error) {
	conn, err := a.Control.CreateConnection(ctx, c.Scope, apprunner.ConnectionInput{
		Name: val(in.ConnectionName), Provider: val(word[apprunner.ProviderType](in.ProviderType)), Tags: tagsIn(in.Tags),
	})
	if err != nil {
		return nil, err
	}
	return &wire.CreateConnectionResponse{Connection: connectionOut(conn)}, nil
}

func (a *appRunner) listConnections(ctx context.Context, c Call, in *wire.ListConnectionsRequest) (*wire.ListConnectionsResponse, error) {
	all, err := a.Control.ListConnections(ctx, c.Scope, val(in.ConnectionName))
	if err != nil {
		return nil, err
	}
	l := listing{scope: c.Scope, operation: "ListConnections", params: []any{in.ConnectionName, in.MaxResults}}
	at := func(conn apprunner.Connection) position { return apprunner.PlaceOf(conn.CreatedAt, conn.ARN) }
	list, next, err := page(a.Tokens, l, all, at, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListConnectionsResponse{ConnectionSummaryList: make([]wire.ConnectionSummary, len(list)), NextToken: next}
	for i, conn := range list {
		out.ConnectionSummaryList[i] = wire.ConnectionSummary(*connectionOut(conn))
	}
	return out, nil
}

func (a *appRunner) deleteConnection(ctx context.Context, c Call, in *wire.DeleteConnectionRequest) (*wire.DeleteConnectionResponse, error) {
	conn, err := a.Control.DeleteConnection(ctx, c.Scope, *in.ConnectionArn)
	if err != nil {
		return nil, err
	}
	return &wire.DeleteConnectionResponse{Connection: connectionOut(conn)}, nil
}

func connectionOut(c apprunner.Connection) *wire.Connection {
	return &wire.Connection{
		ConnectionName: &c.Name, ConnectionArn: &c.ARN, ProviderType: enumOut(c.Provider), Status: enumOut(c.Status), CreatedAt: moment(c.CreatedAt),
	}
}
