package network

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// users tells who outside this room uses what is in it.
type users interface {
	// EndpointUsers names the ingress connections at an endpoint, by what people call them.
	EndpointUsers(tx *store.Tx, sc apprunner.Scope, endpointID string) ([]string, error)
	// NetworkUsers names the VPC connectors that go through a subnet or security group, by what people call them.
	NetworkUsers(tx *store.Tx, sc apprunner.Scope, id string) ([]string, error)
}

// Config is what a Network needs. DB is required.
type Config struct {
	DB  *store.DB
	Log *slog.Logger
	Now func() time.Time // default time.Now
	// Users tells who uses endpoints, subnets and groups; nil: nobody does.
	Users users
	// Hosted says that somebody shows the layout on this host and settles endpoints. Without, they are records only, which are
	// available and deleted at once.
	Hosted bool
	// ClosedZones are the zones, such as us-east-1c, that VPC connectors cannot use.
	ClosedZones []string
	// Pool is where public addresses are taken from; default 198.18.0.0/15, which is routed nowhere (RFC 2544).
	Pool netip.Prefix
}

// Network keeps the VPCs of all accounts and regions. It is safe for use by several goroutines.
type Network struct{ Config }

// Open brings the room's tables up to date.
func Open(ctx context.Context, c Config) (*Network, error) {
	if c.DB == nil {
		return nil, errors.New("network: DB is required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if !c.Pool.IsValid() {
		c.Pool = netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18}), 15)
	}
	if err := c.DB.Migrate(ctx, "network", migrations); err != nil {
		return nil, err
	}
	return &Network{c}, nil
}
