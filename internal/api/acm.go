package api

import (
	"context"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/acm"
)

// certificates is what the certificate API needs of the domain room.
type certificates interface {
	List(context.Context, apprunner.Scope) ([]domain.Shown, error)
	Get(ctx context.Context, sc apprunner.Scope, arn string) (domain.Shown, error)
	Delete(ctx context.Context, sc apprunner.Scope, arn string) error
	Import(context.Context, apprunner.Scope, domain.Import) (arn string, err error)
	Tags(ctx context.Context, sc apprunner.Scope, arn string) (map[string]string, error)
	AddTags(ctx context.Context, sc apprunner.Scope, arn string, tags map[string]string) error
	RemoveTags(ctx context.Context, sc apprunner.Scope, arn string, tags map[string]*string) error
}

type acmAPI struct {
	kept   certificates
	tokens *Tokens
}

// NewACM returns the part of the certificate API that concerns custom domains (adjacent §11).
func NewACM(kept certificates, tokens *Tokens) (*Service, error) {
	if kept == nil || tokens == nil {
		return nil, errors.New("certificate API: the certificates and the tokens are required")
	}
	a := &acmAPI{kept, tokens}
	return &Service{
		API: &wire.API, Constraint: domain.CodeCertificateArgument, Internal: "InternalFailure",
		Actions: map[string]Action{
			"ListCertificates":          action(anything[wire.ListCertificatesRequest]("acm:ListCertificates"), a.list),
			"DescribeCertificate":       action(onCertificate(a, "DescribeCertificate", func(in *wire.DescribeCertificateRequest) *string { return in.CertificateArn }), a.describe),
			"GetCertificate":            action(onCertificate(a, "GetCertificate", func(in *wire.GetCertificateRequest) *string { return in.CertificateArn }), a.get),
			"DeleteCertificate":         command(onCertificate(a, "DeleteCertificate", func(in *wire.DeleteCertificateRequest) *string { return in.CertificateArn }), a.delete),
			"ImportCertificate":         action(a.mayImport, a.importOne),
			"ListTagsForCertificate":    action(onCertificate(a, "ListTagsForCertificate", func(in *wire.ListTagsForCertificateRequest) *string { return in.CertificateArn }), a.tags),
			"AddTagsToCertificate":      command(a.mayAddTags, a.addTags),
			"RemoveTagsFromCertificate": command(a.mayRemoveTags, a.removeTags),
		},
	}, nil
}

// onCertificate asks for an action on the certificate that a request names, whose tags conditions may look at.
func onCertificate[In any](a *acmAPI, name string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		return []iam.Request{a.question(ctx, c, name, val(of(in)))}, nil
	}
}

func (a *acmAPI) question(ctx context.Context, c Call, name, arn string) iam.Request {
	q := iam.Request{Action: "acm:" + name, Resource: or(&arn, "*"), Context: map[string][]string{}}
	if tags, err := a.kept.Tags(ctx, c.Scope, arn); err == nil { // of one that is not there nothing is known
		for k, v := range tags {
			q.Context["aws:ResourceTag/"+k] = []string{v}
		}
	}
	return q
}

func (a *acmAPI) mayImport(ctx context.Context, c Call, in *wire.ImportCertificateRequest) ([]iam.Request, error) {
	arn := or(in.CertificateArn, "arn:aws:acm:"+c.Scope.Region+":"+c.Scope.Account+":certificate/*")
	asked := []iam.Request{withTags(a.question(ctx, c, "ImportCertificate", arn), in.Tags)}
	if len(in.Tags) > 0 {
		asked = append(asked, withTags(iam.Request{Action: "acm:AddTagsToCertificate", Resource: arn, Context: map[string][]string{}}, in.Tags))
	}
	return asked, nil
}

// withTags lets conditions look at the tags that a request brings.
func withTags(q iam.Request, tags []wire.Tag) iam.Request {
	for _, t := range tags {
		q.Context["aws:RequestTag/"+val(t.Key)] = []string{val(t.Value)}
		q.Context["aws:TagKeys"] = append(q.Context["aws:TagKeys"], val(t.Key))
	}
	return q
}

func (a *acmAPI) mayAddTags(ctx context.Context, c Call, in *wire.AddTagsToCertificateRequest) ([]iam.Request, error) {
	return []iam.Request{withTags(a.question(ctx, c, "AddTagsToCertificate", val(in.CertificateArn)), in.Tags)}, nil
}

func (a *acmAPI) mayRemoveTags(ctx context.Context, c Call, in *wire.RemoveTagsFromCertificateRequest) ([]iam.Request, error) {
	return []iam.Request{withTags(a.question(ctx, c, "RemoveTagsFromCertificate", val(in.CertificateArn)), in.Tags)}, nil
}

func (a *acmAPI) list(ctx context.Context, c Call, in *wire.ListCertificatesRequest) (*wire.ListCertificatesResponse, error) {
	all, err := a.kept.List(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(all, func(s domain.Shown) bool { return !wanted(in, s) })
	if val(in.SortOrder) == wire.SortOrderAscending {
		slices.Reverse(chosen)
	}
	l := listing{scope: c.Scope, operation: "ListCertificates", params: []any{in.CertificateStatuses, in.Includes, in.SortBy, in.SortOrder, in.MaxItems}}
	at := func(s domain.Shown) position { return apprunner.PlaceOf(s.CreatedAt, s.ARN) }
	list, next, err := page(a.tokens, l, chosen, at, in.MaxItems, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListCertificatesResponse{CertificateSummaryList: make([]wire.CertificateSummary, len(list)), NextToken: next}
	for i := range list {
		out.CertificateSummaryList[i] = certificateSummary(list[i])
	}
	return out, nil
}

// wanted tells whether a list's filters let a certificate through. Without a filter on keys all do.
func wanted(in *wire.ListCertificatesRequest, s domain.Shown) bool {
	if len(in.CertificateStatuses) > 0 && !slices.Contains(in.CertificateStatuses, string(s.Status)) {
		return false
	}
	f := in.Includes
	return f == nil || (len(f.KeyTypes) == 0 || slices.Contains(f.KeyTypes, keyAlgorithm(s))) && val(f.ExportOption) != "ENABLED" && f.ManagedBy == nil
}

func (a *acmAPI) describe(ctx context.Context, c Call, in *wire.DescribeCertificateRequest) (*wire.DescribeCertificateResponse, error) {
	s, err := a.kept.Get(ctx, c.Scope, *in.CertificateArn)
	if err != nil {
		return nil, err
	}
	return &wire.DescribeCertificateResponse{Certificate: certificateDetail(s)}, nil
}

func (a *acmAPI) get(ctx context.Context, c Call, in *wire.GetCertificateRequest) (*wire.GetCertificateResponse, error) {
	s, err := a.kept.Get(ctx, c.Scope, *in.CertificateArn)
	if err != nil {
		return nil, err
	}
	if len(s.Chain) == 0 {
		return nil, apprunner.Errorf(domain.CodeCertificateInProgress, "Certificate %s has not been issued.", s.ARN)
	}
	var parts []string
	for _, c := range s.Chain {
		parts = append(parts, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})))
	}
	return &wire.GetCertificateResponse{Certificate: &parts[0], CertificateChain: given(strings.Join(parts[1:], ""))}, nil
}

func (a *acmAPI) delete(ctx context.Context, c Call, in *wire.DeleteCertificateRequest) error {
	return a.kept.Delete(ctx, c.Scope, *in.CertificateArn)
}

func (a *acmAPI) importOne(ctx context.Context, c Call, in *wire.ImportCertificateRequest) (*wire.ImportCertificateResponse, error) {
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[*t.Key] = val(t.Value)
	}
	arn, err := a.kept.Import(ctx, c.Scope, domain.Import{ARN: val(in.CertificateArn), Certificate: in.Certificate, Key: in.PrivateKey, Chain: in.CertificateChain, Tags: tags})
	if err != nil {
		return nil, err
	}
	return &wire.ImportCertificateResponse{CertificateArn: &arn}, nil
}

func (a *acmAPI) tags(ctx context.Context, c Call, in *wire.ListTagsForCertificateRequest) (*wire.ListTagsForCertificateResponse, error) {
	tags, err := a.kept.Tags(ctx, c.Scope, *in.CertificateArn)
	if err != nil {
		return nil, err
	}
	out := &wire.ListTagsForCertificateResponse{Tags: []wire.Tag{}}
	for _, k := range sortedKeys(tags) {
		out.Tags = append(out.Tags, wire.Tag{Key: &k, Value: new(tags[k])})
	}
	return out, nil
}

func (a *acmAPI) addTags(ctx context.Context, c Call, in *wire.AddTagsToCertificateRequest) error {
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[*t.Key] = val(t.Value)
	}
	return a.kept.AddTags(ctx, c.Scope, *in.CertificateArn, tags)
}

func (a *acmAPI) removeTags(ctx context.Context, c Call, in *wire.RemoveTagsFromCertificateRequest) error {
	tags := map[string]*string{}
	for _, t := range in.Tags {
		tags[*t.Key] = t.Value
	}
	return a.kept.RemoveTags(ctx, c.Scope, *in.CertificateArn, tags)
}
