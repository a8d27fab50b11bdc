package server

import (
	"context"
	"fmt"
	"slices"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/store"
)

// openNetworks opens the records of VPCs.
func (s *System) openNetworks(ctx context.Context) (err error) {
	s.networks, err = network.Open(ctx, network.Config{DB: s.db, Log: s.log, Users: networkUsers{}, Hosted: true, ClosedZones: s.conf.ClosedZones})
	if err != nil {
		return fmt.Errorf("open the networks: %w", err)
	}
	return nil
}

// vpcs shows the network room to control, whose transactions it takes part in.
type vpcs struct{}

func (vpcs) Connector(tx *store.Tx, sc apprunner.Scope, subnets, groups []string) ([]string, error) {
	return network.CheckConnector(tx, sc, subnets, groups)
}

func (vpcs) Endpoint(tx *store.Tx, sc apprunner.Scope, vpcID, endpointID string) error {
	return network.CheckEndpoint(tx, sc, vpcID, endpointID)
}

func (vpcs) Disconnect(tx *store.Tx, sc apprunner.Scope, subnets, groups []string) error {
	return network.Disconnect(tx, sc, subnets, groups)
}

// networkUsers tells the network room which App Runner resources use its records.
type networkUsers struct{}

func (networkUsers) EndpointUsers(tx *store.Tx, sc apprunner.Scope, endpointID string) (names []string, err error) {
	all, err := store.Resources[apprunner.VPCIngressConnection](tx, sc, apprunner.KindVPCIngress, "")
	for _, c := range all {
		if c.EndpointID == endpointID {
			names = append(names, c.Name)
		}
	}
	return names, err
}

func (networkUsers) NetworkUsers(tx *store.Tx, sc apprunner.Scope, id string) (names []string, err error) {
	all, err := store.Resources[apprunner.VPCConnector](tx, sc, apprunner.KindVPCConnector, "")
	for _, c := range all {
		if slices.Contains(c.Subnets, id) || slices.Contains(c.SecurityGroups, id) {
			names = append(names, "the VPC connector "+c.Name)
		}
	}
	return names, err
}
