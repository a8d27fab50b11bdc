package network

import (
	"context"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Endpoint reads an endpoint of a scope, deleted ones while they are kept.
func (n *Network) Endpoint(ctx context.Context, sc apprunner.Scope, id string) (e Endpoint, err error) {
	err = n.DB.View(ctx, func(tx *store.Tx) error {
		var found bool
		e, found, err = one[Endpoint](tx, sc, id)
		switch {
		case err != nil:
			return err
		case !found:
			return noRecord(TypeEndpoint, id)
		}
		interfaces, err := all[Interface](tx, e.Scope)
		e.Interfaces = ownedBy(interfaces, e.ID)
		return err
	})
	return e, err
}

// Settle records what the host has made of an endpoint: a pending one is available or failed then, one that was being deleted is
// deleted and its addresses are free. reason says why it failed, for people. What does not follow from the endpoint's state changes
// nothing: the host may tell the same again, and late.
func (n *Network) Settle(ctx context.Context, endpointID string, state EndpointState, reason string) error {
	return n.DB.Update(ctx, func(tx *store.Tx) error {
		e, found, err := one[Endpoint](tx, apprunner.Scope{}, endpointID)
		if err != nil || !found || !follows(e.State, state) {
			tx.Quiet()
			return err
		}
		e.State, e.Reason = state, reason
		if state == EndpointDeleted {
			return n.release(tx, e)
		}
		return put(tx, &e)
	})
}

// follows tells whether a host may bring an endpoint from one state to another. A failed one may come right later, and an available
// one may break.
func follows(from, to EndpointState) bool {
	switch from {
	case EndpointPending:
		return to == EndpointAvailable || to == EndpointFailed
	case EndpointFailed:
		return to == EndpointAvailable
	case EndpointAvailable:
		return to == EndpointFailed
	case EndpointDeleting:
		return to == EndpointDeleted
	case EndpointDeleted:
	}
	return false
}

// release ends an endpoint: its interfaces are gone, and it is shown as deleted for a while.
func (n *Network) release(tx *store.Tx, e Endpoint) error {
	interfaces, err := all[Interface](tx, e.Scope)
	if err != nil {
		return err
	}
	for _, i := range ownedBy(interfaces, e.ID) {
		if err := drop(tx, i.ID); err != nil {
			return err
		}
	}
	e.State, e.DeletedAt = EndpointDeleted, n.Now().UTC()
	if err := put(tx, &e); err != nil {
		return fmt.Errorf("release endpoint %s: %w", e.ID, err)
	}
	return nil
}
