package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/control"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// customDomains is what the API needs for custom domains (§16).
type customDomains interface {
	AssociateCustomDomain(ctx context.Context, sc apprunner.Scope, serviceARN, domain string, www *bool) (control.Domains, error)
	DescribeCustomDomains(ctx context.Context, sc apprunner.Scope, serviceARN string) (control.Domains, error)
	DisassociateCustomDomain(ctx context.Context, sc apprunner.Scope, serviceARN, domain string) (control.Domains, error)
}

func (a *appRunner) domainActions() map[string]Action {
	return map[string]Action{
		"AssociateCustomDomain":    action(on(a, "AssociateCustomDomain", func(in *wire.AssociateCustomDomainRequest) *string { return in.ServiceArn }), a.associateDomain),
		"DescribeCustomDomains":    action(on(a, "DescribeCustomDomains", func(in *wire.DescribeCustomDomainsRequest) *string { return in.ServiceArn }), a.describeDomains),
		"DisassociateCustomDomain": action(on(a, "DisassociateCustomDomain", func(in *wire.DisassociateCustomDomainRequest) *string { return in.ServiceArn }), a.disassociateDomain),
	}
}

func (a *appRunner) associateDomain(ctx context.Context, c Call, in *wire.AssociateCustomDomainRequest) (*wire.AssociateCustomDomainResponse, error) {
	d, err := a.Control.AssociateCustomDomain(ctx, c.Scope, *in.ServiceArn, *in.DomainName, in.EnableWWWSubdomain)
	if err != nil {
		return nil, err
	}
	return &wire.AssociateCustomDomainResponse{
		DNSTarget: &d.Service.URL, ServiceArn: new(d.Service.ARN()), CustomDomain: a.to(c).domain(d.List[0]), VpcDNSTargets: vpcTargets(d),
	}, nil
}

func (a *appRunner) describeDomains(ctx context.Context, c Call, in *wire.DescribeCustomDomainsRequest) (*wire.DescribeCustomDomainsResponse, error) {
	d, err := a.Control.DescribeCustomDomains(ctx, c.Scope, *in.ServiceArn)
	if err != nil {
		return nil, err
	}
	l := listing{scope: c.Scope, operation: "DescribeCustomDomains", params: []any{in.ServiceArn, in.MaxResults}}
	at := func(d apprunner.CustomDomain) position { return apprunner.PlaceOf(d.CreatedAt, d.Name) }
	list, next, err := page(a.Tokens, l, d.List, at, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeCustomDomainsResponse{
		DNSTarget: &d.Service.URL, ServiceArn: new(d.Service.ARN()), CustomDomains: make([]wire.CustomDomain, len(list)), VpcDNSTargets: vpcTargets(d), NextToken: next,
	}
	for i := range list {
		out.CustomDomains[i] = *a.to(c).domain(list[i])
	}
	return out, nil
}

func (a *appRunner) disassociateDomain(ctx context.Context, c Call, in *wire.DisassociateCustomDomainRequest) (*wire.DisassociateCustomDomainResponse, error) {
	d, err := a.Control.DisassociateCustomDomain(ctx, c.Scope, *in.ServiceArn, *in.DomainName)
	if err != nil {
		return nil, err
	}
	return &wire.DisassociateCustomDomainResponse{
		DNSTarget: &d.Service.URL, ServiceArn: new(d.Service.ARN()), CustomDomain: a.to(c).domain(d.List[0]), VpcDNSTargets: vpcTargets(d),
	}, nil
}

func (a answerTo) domain(d apprunner.CustomDomain) *wire.CustomDomain {
	out := &wire.CustomDomain{DomainName: &d.Name, EnableWWWSubdomain: &d.WWW, Status: a.status(string(d.Status))}
	for _, r := range d.Records {
		out.CertificateValidationRecords = append(out.CertificateValidationRecords, wire.CertificateValidationRecord{
			Name: &r.Name, Type: new("CNAME"), Value: &r.Value, Status: enumOut(r.Status),
		})
	}
	return out
}

// vpcTargets are the names under which the service is reached inside VPCs, one an ingress connection (§16.1).
func vpcTargets(d control.Domains) []wire.VpcDNSTarget {
	out := make([]wire.VpcDNSTarget, len(d.Ingresses))
	for i, conn := range d.Ingresses {
		out[i] = wire.VpcDNSTarget{VpcIngressConnectionArn: &conn.ARN, VpcId: &conn.VPCID, DomainName: &conn.DomainName}
	}
	return out
}
