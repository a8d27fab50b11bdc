package network_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/store"
)

var scope = apprunner.Scope{Account: "123456789012", Region: "us-east-1"}

func open(t *testing.T, c network.Config) *network.Network {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "slipway.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	c.DB = db
	n, err := network.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// history plays actions at random, with ids of what there is and of what there was.
type history struct {
	*testing.T
	n   *network.Network
	r   *rand.Rand
	ids map[string][]string // by type, deleted ones too
}

func (h *history) any(of string) string {
	if list := h.ids[of]; len(list) > 0 {
		return list[h.r.IntN(len(list))]
	}
	return of + "-00000000"
}

// made notes the id of what an action made.
func (h *history) made(of, id string, err error) error {
	if err == nil {
		h.ids[of] = append(h.ids[of], id)
	}
	return err
}

func (h *history) step() error {
	ctx, n := h.Context(), h.n
	const vpc, subnet, group, endpoint, table, gateway, nat, address = network.TypeVPC, network.TypeSubnet, network.TypeGroup, network.TypeEndpoint, network.TypeTable, network.TypeGateway, network.TypeNAT, network.TypeAddress
	cidr := fmt.Sprintf("10.0.0.%d/28", 16*h.r.IntN(4))
	switch h.r.IntN(22) {
	case 0:
		v, err := n.CreateVPC(ctx, scope, network.VPCInput{CIDR: "10.0.0.0/24"})
		return h.made(vpc, v.ID, err)
	case 1, 2, 3:
		s, err := n.CreateSubnet(ctx, scope, network.SubnetInput{VPCID: h.any(vpc), CIDR: cidr})
		return h.made(subnet, s.ID, err)
	case 4, 5:
		g, err := n.CreateGroup(ctx, scope, network.GroupInput{VPCID: h.any(vpc), Name: fmt.Sprint("g", h.r.IntN(3)), Description: "d"})
		return h.made(group, g.ID, err)
	case 6:
		_, _, err := n.Authorize(ctx, scope, network.GroupRef{ID: h.any(group)}, h.r.IntN(2) == 0, []network.Peer{{Protocol: "-1", Group: network.GroupRef{ID: h.any(group)}}}, nil)
		return err
	case 7, 8, 9:
		x, err := n.CreateEndpoint(ctx, scope, network.EndpointInput{VPCID: h.any(vpc), ServiceName: network.ServiceName(scope.Region, network.ServiceRequests), Subnets: []string{h.any(subnet)}})
		return h.made(endpoint, x.ID, err)
	case 10:
		return n.ModifyEndpoint(ctx, scope, h.any(endpoint), network.EndpointChange{AddSubnets: []string{h.any(subnet)}, AddGroups: []string{h.any(group)}})
	case 11:
		_, err := n.DeleteEndpoints(ctx, scope, []string{h.any(endpoint)})
		return err
	case 12:
		t, err := n.CreateRouteTable(ctx, scope, h.any(vpc), nil)
		return h.made(table, t.ID, err)
	case 13:
		_, err := n.AssociateRouteTable(ctx, scope, h.any(table), h.any(subnet))
		return err
	case 14:
		g, err := n.CreateInternetGateway(ctx, scope, nil)
		return h.made(gateway, g.ID, err)
	case 15:
		return n.AttachInternetGateway(ctx, scope, h.any(gateway), h.any(vpc))
	case 16:
		a, err := n.AllocateAddress(ctx, scope, nil)
		return h.made(address, a.ID, err)
	case 17, 18:
		g, err := n.CreateNAT(ctx, scope, network.NATInput{SubnetID: h.any(subnet), Allocation: h.any(address)})
		return h.made(nat, g.ID, err)
	case 19:
		return n.CreateRoute(ctx, scope, h.any(table), "0.0.0.0/0", h.any(gateway))
	case 20:
		_, err := n.Connect(ctx, scope, []string{h.any(subnet)}, nil)
		return err
	}
	return h.remove([]string{vpc, subnet, group, table, gateway, nat, address}[h.r.IntN(7)])
}

func (h *history) remove(of string) (err error) {
	ctx, n, id := h.Context(), h.n, h.any(of)
	switch of {
	case network.TypeVPC:
		return n.DeleteVPC(ctx, scope, id)
	case network.TypeSubnet:
		return n.DeleteSubnet(ctx, scope, id)
	case network.TypeGroup:
		_, err = n.DeleteGroup(ctx, scope, network.GroupRef{ID: id})
		return err
	case network.TypeTable:
		return n.DeleteRouteTable(ctx, scope, id)
	case network.TypeGateway:
		return n.DetachInternetGateway(ctx, scope, id, h.any(network.TypeVPC))
	case network.TypeNAT:
		return n.DeleteNAT(ctx, scope, id)
	}
	return n.ReleaseAddress(ctx, scope, id, "")
}

// Whatever is done in whatever order, nothing points to what there is not, no address is given twice, and every refusal has a code.
func TestRandomHistories(t *testing.T) {
	for seed := range uint64(4) {
		n := open(t, network.Config{})
		h := &history{T: t, n: n, r: rand.New(rand.NewPCG(seed, 0)), ids: map[string][]string{}}
		done := 0
		for range 250 {
			if err := h.step(); err == nil {
				done++
			} else if apprunner.CodeOf(err) == apprunner.CodeInternal {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if done < 50 {
			t.Errorf("seed %d: only %d actions were possible", seed, done)
		}
		l, err := n.Layout(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range l.VPCs {
			checkPlan(t, p)
		}
	}
}

// checkPlan holds what is always so of a VPC.
func checkPlan(t *testing.T, p network.Plan) {
	t.Helper()
	main, standard, at := 0, 0, map[string]bool{}
	for _, table := range p.Tables {
		if table.Main != "" {
			main++
		}
		for _, a := range table.Associations {
			if !slices.ContainsFunc(p.Subnets, func(s network.Subnet) bool { return s.ID == a.SubnetID }) || at[a.SubnetID] {
				t.Errorf("%s has an association with %s, which is gone or has another", table.ID, a.SubnetID)
			}
			at[a.SubnetID] = true
		}
	}
	for _, g := range p.Groups {
		if g.Name == "default" {
			standard++
		}
		for _, r := range slices.Concat(g.Ingress, g.Egress) {
			if r.GroupID != "" && !slices.ContainsFunc(p.Groups, func(o network.SecurityGroup) bool { return o.ID == r.GroupID }) {
				t.Errorf("a rule of %s names %s, which is gone", g.ID, r.GroupID)
			}
		}
	}
	if main != 1 || standard != 1 {
		t.Errorf("%s has %d main tables and %d default groups", p.ID, main, standard)
	}
	for i, x := range p.Interfaces {
		sub := slices.IndexFunc(p.Subnets, func(s network.Subnet) bool { return s.ID == x.SubnetID })
		if sub < 0 || !p.Subnets[sub].CIDR.Contains(x.Address) {
			t.Errorf("%s has %s, in no subnet that there is", x.ID, x.Address)
		}
		for _, other := range p.Interfaces[:i] {
			if other.Address == x.Address {
				t.Errorf("%s and %s have the address %s", x.ID, other.ID, x.Address)
			}
		}
	}
	for _, e := range p.Endpoints {
		if len(e.Interfaces) != len(e.Subnets) || len(e.Groups) == 0 {
			t.Errorf("%s has %d interfaces in %d subnets and %d groups", e.ID, len(e.Interfaces), len(e.Subnets), len(e.Groups))
		}
	}
}
