package api_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/network"
	"slipway.dev/slipway/internal/wire"
)

// ec2Spelling is how EC2 spells what the query services say.
var ec2Spelling = map[string]string{
	"InvalidClientTokenId": "AuthFailure", "SignatureDoesNotMatch": "AuthFailure", "ExpiredToken": "RequestExpired", "AccessDenied": "UnauthorizedOperation",
}

// spelt is a code as the service spells it.
func spelt(s *api.Service, code string) string {
	if s.API.Protocol == wire.EC2 && ec2Spelling[code] != "" {
		return ec2Spelling[code]
	}
	return code
}

// openEC2 opens the network room, in which the first account gets one of everything.
func (x *crossing) openEC2(t *testing.T) *api.Service {
	t.Helper()
	db := openStore(t)
	x.dbs = append(x.dbs, db)
	n, err := network.Open(t.Context(), network.Config{DB: db})
	ok(t, err)
	x.ownNetworks(t, n)
	return ec2Service(t, n)
}

func (x *crossing) ownNetworks(t *testing.T, n *network.Network) {
	t.Helper()
	ctx, tags := t.Context(), map[string]string{"note": secretOfA}
	vpc, err := n.CreateVPC(ctx, scope, network.VPCInput{CIDR: "10.0.0.0/16", Tags: tags})
	ok(t, err)
	subnet, err := n.CreateSubnet(ctx, scope, network.SubnetInput{VPCID: vpc.ID, CIDR: "10.0.1.0/24", Tags: tags})
	ok(t, err)
	group, err := n.CreateGroup(ctx, scope, network.GroupInput{VPCID: vpc.ID, Name: "victim", Description: secretOfA, Tags: tags})
	ok(t, err)
	endpoint, err := n.CreateEndpoint(ctx, scope, network.EndpointInput{VPCID: vpc.ID, ServiceName: "com.amazonaws.us-east-1.apprunner.requests", Subnets: []string{subnet.ID}, Tags: tags})
	ok(t, err)
	table, err := n.CreateRouteTable(ctx, scope, vpc.ID, tags)
	ok(t, err)
	association, err := n.AssociateRouteTable(ctx, scope, table.ID, subnet.ID)
	ok(t, err)
	gateway, err := n.CreateInternetGateway(ctx, scope, tags)
	ok(t, err)
	nat, err := n.CreateNAT(ctx, scope, network.NATInput{SubnetID: subnet.ID, Private: true, Tags: tags})
	ok(t, err)
	address, err := n.AllocateAddress(ctx, scope, tags)
	ok(t, err)
	x.ec2 = map[string]any{
		"VpcId": vpc.ID, "VpcIds": []any{vpc.ID}, "SubnetId": subnet.ID, "SubnetIds": []any{subnet.ID}, "GroupId": group.ID, "GroupIds": []any{group.ID},
		"VpcEndpointId": endpoint.ID, "VpcEndpointIds": []any{endpoint.ID}, "RouteTableId": table.ID, "AssociationId": association, "InternetGatewayId": gateway.ID,
		"NatGatewayId": nat.ID, "AllocationId": address.ID, "AllocationIds": []any{address.ID}, "Resources": []any{vpc.ID},
		"Tags": []any{map[string]any{"Key": "made", "Value": "here"}}, "ServiceName": "com.amazonaws.us-east-1.apprunner", "DestinationCidrBlock": "192.168.0.0/16",
	}
}

// ec2Form writes an input as the EC2 protocol does.
func ec2Form(a *wire.Service, form url.Values, prefix string, ref wire.Ref, v any) {
	sh := &a.Shapes[ref]
	switch v := v.(type) {
	case map[string]any:
		for i := range sh.Members {
			m := &sh.Members[i]
			e, sent := v[m.Name]
			if !sent {
				continue
			}
			name := m.Name
			if m.Alias != "" {
				name = m.Alias
			}
			ec2Form(a, form, prefix+strings.ToUpper(name[:1])+name[1:]+".", m.Shape, e)
		}
	case []any:
		for i, e := range v {
			ec2Form(a, form, prefix+strconv.Itoa(i+1)+".", sh.Value, e)
		}
	default:
		form.Set(strings.TrimSuffix(prefix, "."), fmt.Sprint(v))
	}
}
