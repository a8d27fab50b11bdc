package network

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// EndpointServices are the services that endpoints can be for.
func EndpointServices() []string { return []string{ServiceAPI, ServiceRequests} }

// ServiceName is how a service of endpoints is called in a region, such as com.amazonaws.us-east-1.apprunner.
func ServiceName(region, service string) string { return "com.amazonaws." + region + "." + service }

// PrivateName is the name that resolves to an endpoint inside a VPC where private DNS is enabled; "" for a service that has none of its
// own: private services are reached under their own names.
func PrivateName(region, service string) string {
	if service == ServiceAPI {
		return "apprunner." + region + ".amazonaws.com"
	}
	return ""
}

// Name is one of the names of an endpoint: the regional one, whose Zone is empty, or that of a zone.
type Name struct{ Host, Zone string }

// BaseName is the domain below which the endpoints of a service have their names.
func BaseName(region, service string) string {
	labels := strings.Split(service, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "." + region + ".vpce.amazonaws.com"
}

// Names are the names of an endpoint: the regional one first, which stands for all its addresses, then one for each zone (adjacent §8).
func (e Endpoint) Names() []Name {
	base := "." + BaseName(e.Scope.Region, e.Service)
	names := []Name{{Host: e.ID + "-" + e.Suffix + base}}
	for _, i := range e.Interfaces {
		names = append(names, Name{Host: e.ID + "-" + e.Suffix + "-" + i.Zone + base, Zone: i.Zone})
	}
	slices.SortFunc(names[1:], func(a, b Name) int { return strings.Compare(a.Zone, b.Zone) })
	return names
}

// FullAccess is the policy of an endpoint that was given none.
const FullAccess = `{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}`

// EndpointInput is a CreateVpcEndpoint call for an interface endpoint.
type EndpointInput struct {
	VPCID, ServiceName string
	Subnets, Groups    []string // no groups: the VPC's default one
	PrivateDNS         *bool    // nil: on where the service has a name of its own
	Policy             string   // "" for full access
	Token              string
	Tags               map[string]string
}

// CreateEndpoint makes an endpoint with an interface in each of its subnets; the same token makes no second one.
func (n *Network) CreateEndpoint(ctx context.Context, sc apprunner.Scope, in EndpointInput) (x Endpoint, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		for _, other := range e.Endpoints {
			if in.Token == "" || other.Token != in.Token {
				continue
			}
			if other.VPCID != in.VPCID || ServiceName(sc.Region, other.Service) != in.ServiceName {
				return apprunner.Errorf("IdempotentParameterMismatch", "The client token %s was used for another endpoint, %s.", in.Token, other.ID)
			}
			x = other
			return nil
		}
		x, err = e.makeEndpoint(in)
		return err
	})
	return x, err
}

func (e *edit) makeEndpoint(in EndpointInput) (x Endpoint, err error) {
	v, err := need(e.VPCs, in.VPCID)
	if err != nil {
		return x, err
	}
	service, err := serviceOf(e.Scope.Region, in.ServiceName)
	if err != nil {
		return x, err
	}
	if err := limit("VpcEndpointLimitExceeded", "endpoints", len(e.Endpoints), maxEndpoints); err != nil {
		return x, err
	}
	x = Endpoint{
		Head: e.newHead(TypeEndpoint, in.Tags), VPCID: v.ID, Service: service, PrivateDNS: PrivateName(e.Scope.Region, service) != "", State: EndpointAvailable,
		Suffix: apprunner.NewID()[:8], Token: in.Token,
	}
	set(&x.PrivateDNS, in.PrivateDNS)
	if e.n.Hosted {
		x.State = EndpointPending
	}
	if x.Policy, err = policyFor(service, in.Policy); err != nil {
		return x, err
	}
	if err := e.checkPrivateDNS(*v, x); err != nil {
		return x, err
	}
	if x.Groups, err = e.endpointGroups(*v, in.Groups); err != nil {
		return x, err
	}
	if err := e.enterSubnets(&x, in.Subnets); err != nil {
		return x, err
	}
	return x, add(e, &e.Endpoints, x)
}

func serviceOf(region, name string) (string, error) {
	if name == "" {
		return "", Missing("ServiceName")
	}
	for _, s := range EndpointServices() {
		if name == ServiceName(region, s) {
			return s, nil
		}
	}
	return "", apprunner.Errorf(CodeServiceName, "The Vpc Endpoint Service '%s' does not exist", clip(name)).
		WithHint("Those of this region are %s and %s.", ServiceName(region, ServiceAPI), ServiceName(region, ServiceRequests))
}

// maxPolicy is how long the policy of an endpoint may be, in bytes (EC2 quotas).
const maxPolicy = 20480

// policyFor holds a policy document against what the service takes: private services take none but the default one (§20.2).
func policyFor(service, document string) (string, error) {
	full := document == "" || sameJSON(document, FullAccess)
	switch {
	case service == ServiceRequests && !full:
		return "", apprunner.Errorf(CodeParameterValue, "Endpoint policies are not supported for apprunner.requests; leave PolicyDocument out.")
	case service == ServiceRequests:
		return "", nil
	case full:
		return FullAccess, nil
	case len(document) > maxPolicy:
		return "", apprunner.Errorf("InvalidPolicyDocument", "The policy document has %d characters; the most is %d.", len(document), maxPolicy)
	case !json.Valid([]byte(document)):
		return "", apprunner.Errorf("InvalidPolicyDocument", "The policy document is no valid JSON.")
	}
	return document, nil
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	if m, ok := x.(map[string]any); ok {
		delete(m, "Version") // says nothing about full access
	}
	return reflect.DeepEqual(x, y)
}

// checkPrivateDNS holds what private DNS needs: names in the VPC at all, and no other endpoint under the same ones.
func (s *Snapshot) checkPrivateDNS(v VPC, x Endpoint) error {
	if !x.PrivateDNS {
		return nil
	}
	if PrivateName(x.Scope.Region, x.Service) == "" {
		return apprunner.Errorf(CodeParameter, "Private DNS can't be enabled because the service %s does not provide a private DNS name.", ServiceName(x.Scope.Region, x.Service))
	}
	if !v.DNSSupport || !v.DNSHostnames {
		return apprunner.Errorf(CodeParameter, "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for %s", v.ID).
			WithHint("Set them, or leave private DNS out (PrivateDnsEnabled=false).")
	}
	for _, other := range s.Endpoints {
		if other.ID != x.ID && other.VPCID == v.ID && other.Service == x.Service && other.PrivateDNS && other.State != EndpointDeleted {
			return apprunner.Errorf(CodeParameter, "private-dns-enabled cannot be set because there is already a conflicting DNS domain for %s in the VPC %s", x.Service, v.ID).
				WithHint("%s has it.", other.ID)
		}
	}
	return nil
}

// endpointGroups are the groups of an endpoint: the given ones, which must be of its VPC, else the default one.
func (s *Snapshot) endpointGroups(v VPC, ids []string) ([]string, error) {
	if len(ids) == 0 {
		if g := s.groupNamed(v.ID, defaultGroup); g != nil {
			return []string{g.ID}, nil
		}
		return nil, noRecord(TypeGroup, defaultGroup)
	}
	var out []string
	for _, id := range ids {
		g, err := need(s.Groups, id)
		switch {
		case err != nil:
			return nil, err
		case g.VPCID != v.ID:
			return nil, apprunner.Errorf(CodeGroupNotFound, "The security group '%s' does not exist in VPC '%s'", id, v.ID)
		case !slices.Contains(out, id):
			out = append(out, id)
		}
	}
	return out, nil
}

// enterSubnets gives an endpoint an interface in each of these subnets of its VPC; it has one in a zone at most.
func (e *edit) enterSubnets(x *Endpoint, ids []string) error {
	for _, id := range ids {
		sub, err := need(e.Subnets, id)
		if err != nil {
			return err
		}
		if sub.VPCID != x.VPCID {
			return apprunner.Errorf(CodeParameterValue, "The subnet '%s' is not in VPC '%s'", id, x.VPCID)
		}
		for _, i := range x.Interfaces {
			if i.Zone == sub.Zone {
				return apprunner.Errorf("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of %s: %s in %s.", id, i.SubnetID, i.Zone)
			}
		}
		i, err := e.connect(*sub, Interface{
			Kind: InterfaceEndpoint, Owner: x.ID, Groups: x.Groups, Description: "VPC Endpoint Interface " + x.ID,
		}, netip.Addr{})
		if err != nil {
			return err
		}
		x.Subnets, x.Interfaces = append(x.Subnets, id), append(x.Interfaces, i)
	}
	return nil
}

// EndpointChange is a ModifyVpcEndpoint call; what is nil or empty stays.
type EndpointChange struct {
	AddSubnets, RemoveSubnets []string
	AddGroups, RemoveGroups   []string
	PrivateDNS                *bool
	Policy                    string
	ResetPolicy               bool
}

// ModifyEndpoint changes the subnets, groups, policy and private DNS of an endpoint.
func (n *Network) ModifyEndpoint(ctx context.Context, sc apprunner.Scope, id string, c EndpointChange) error {
	return n.change(ctx, sc, func(e *edit) error {
		x, err := need(e.Endpoints, id)
		if err != nil {
			return err
		}
		v, err := need(e.VPCs, x.VPCID)
		if err != nil {
			return err
		}
		if x.State == EndpointDeleting || x.State == EndpointDeleted {
			return apprunner.Errorf("InvalidState", "The endpoint %s is %s.", id, x.State)
		}
		if c.Policy != "" || c.ResetPolicy {
			if x.Policy, err = policyFor(x.Service, c.Policy); err != nil {
				return err
			}
		}
		set(&x.PrivateDNS, c.PrivateDNS)
		if err := e.checkPrivateDNS(*v, *x); err != nil {
			return err
		}
		if err := e.changeGroups(*v, x, c); err != nil {
			return err
		}
		if err := e.changeSubnets(x, c); err != nil {
			return err
		}
		return e.put(x)
	})
}

func (e *edit) changeGroups(v VPC, x *Endpoint, c EndpointChange) error {
	if len(c.AddGroups)+len(c.RemoveGroups) == 0 {
		return nil
	}
	for _, id := range c.RemoveGroups {
		if !slices.Contains(x.Groups, id) {
			return apprunner.Errorf(CodeGroupNotFound, "The security group '%s' is not one of the endpoint %s", clip(id), x.ID)
		}
	}
	groups := append(x.Groups[:len(x.Groups):len(x.Groups)], c.AddGroups...)
	groups = slices.DeleteFunc(groups, func(id string) bool { return slices.Contains(c.RemoveGroups, id) })
	if len(groups) == 0 {
		return apprunner.Errorf(CodeParameterValue, "The endpoint %s must keep at least one security group.", x.ID)
	}
	var err error
	if x.Groups, err = e.endpointGroups(v, groups); err != nil {
		return err
	}
	for i := range e.Interfaces {
		if e.Interfaces[i].Owner != x.ID {
			continue
		}
		e.Interfaces[i].Groups = x.Groups
		if err := e.put(&e.Interfaces[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *edit) changeSubnets(x *Endpoint, c EndpointChange) error {
	for _, id := range c.RemoveSubnets {
		if !slices.Contains(x.Subnets, id) {
			return apprunner.Errorf(CodeSubnetNotFound, "The subnet '%s' is not one of the endpoint %s", clip(id), x.ID)
		}
	}
	gone := func(id string) bool { return slices.Contains(c.RemoveSubnets, id) }
	if err := remove(e, &e.Interfaces, func(i Interface) bool { return i.Owner == x.ID && gone(i.SubnetID) }); err != nil {
		return err
	}
	x.Subnets, x.Interfaces = slices.DeleteFunc(x.Subnets, gone), ownedBy(e.Interfaces, x.ID)
	more := slices.DeleteFunc(slices.Clone(c.AddSubnets), func(id string) bool { return slices.Contains(x.Subnets, id) })
	return e.enterSubnets(x, more)
}

// Kept is an endpoint that could not be deleted, and why.
type Kept struct {
	ID  string
	Err error // an *apprunner.Error
}

// DeleteEndpoints deletes endpoints, each on its own, and tells which it could not.
func (n *Network) DeleteEndpoints(ctx context.Context, sc apprunner.Scope, ids []string) (kept []Kept, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		for _, id := range ids {
			refused, err := e.deleteEndpoint(id)
			if err != nil {
				return err
			}
			if refused != nil {
				kept = append(kept, Kept{ID: id, Err: refused})
			}
		}
		return nil
	})
	return kept, err
}

func (e *edit) deleteEndpoint(id string) (refused, err error) {
	x, refused := need(e.Endpoints, id)
	if refused != nil {
		return refused, nil
	}
	if x.State == EndpointDeleting || x.State == EndpointDeleted {
		return nil, nil
	}
	if e.n.Users != nil {
		users, err := e.n.Users.EndpointUsers(e.tx, e.Scope, id)
		if err != nil {
			return nil, fmt.Errorf("look for users of %s: %w", id, err)
		}
		if len(users) > 0 {
			return apprunner.Errorf(CodeDependency, "The endpoint '%s' is in use by the VPC ingress connection %s.", id, strings.Join(users, ", ")).
				WithHint("Delete that first."), nil
		}
	}
	if e.n.Hosted {
		x.State = EndpointDeleting
		return nil, e.put(x)
	}
	return nil, e.n.release(e.tx, *x)
}
