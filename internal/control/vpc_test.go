package control_test

import (
	"context"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	"slipway.dev/slipway/internal/store"
)

// What connectors need is made before the first, and is not mistaken for the connector: the hook of the action waits for that.
func TestConnectorsBringTheirRole(t *testing.T) {
	var made []string
	var h *house
	h = open(t, func(c *control.Config) {
		c.FirstConnector = func(ctx context.Context, account string) error {
			made = append(made, account)
			return h.db.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting("role", account) })
		}
	})
	create := func() (bool, error) {
		ctx, committed := store.AtCommit(t.Context(), func(*store.Tx) error { return nil })
		_, err := h.CreateVPCConnector(ctx, scope, apprunner.VPCConnectorInput{Name: "inside", Subnets: []string{"subnet-0123456789abcdef0"}})
		return committed(), err
	}
	if committed, err := create(); err != nil || !committed || len(made) != 1 || made[0] != scope.Account {
		t.Errorf("the first: %v, committed %v, roles for %v", err, committed, made)
	}
	if committed, err := create(); apprunner.CodeOf(err) != apprunner.CodeInvalidRequest || committed {
		t.Errorf("of the same name: %v, committed %v", err, committed)
	}
}

// vanishing is a network room whose subnets go between the question and the record.
type vanishing struct {
	vpc
	asked *int
}

func (v vanishing) Connector(tx *store.Tx, sc apprunner.Scope, subnets, groups []string) ([]string, error) {
	if *v.asked++; *v.asked > 1 {
		return nil, apprunner.Errorf(ir, "The subnet %s does not exist.", subnets[0])
	}
	return v.vpc.Connector(tx, sc, subnets, groups)
}

func TestSubnetThatGoesMeanwhile(t *testing.T) {
	asked := 0
	h := open(t, func(c *control.Config) { c.Networks = vanishing{asked: &asked} })
	_, err := h.CreateVPCConnector(t.Context(), scope, apprunner.VPCConnectorInput{Name: "inside", Subnets: []string{"subnet-0123456789abcdef0"}})
	code(t, "a subnet that has gone", err, ir)
	if list, err := h.ListVPCConnectors(t.Context(), scope); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}
