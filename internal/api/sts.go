package api

import (
	"context"
	"errors"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	wire "slipway.dev/slipway/internal/wire/sts"
)

// NewSTS returns the Security Token Service (adjacent §2.5).
func NewSTS(d *iam.Directory) (*Service, error) {
	if d == nil {
		return nil, errors.New("sts: a directory is required")
	}
	s := &sts{d}
	return &Service{
		API: &wire.API, Constraint: iam.CodeValidationError, Internal: "InternalFailure",
		Actions: map[string]Action{
			// Everyone may know who they are: no policy can take that away.
			"GetCallerIdentity": action(nothing[wire.GetCallerIdentityRequest], s.getCallerIdentity),
			// The directory asks both the trust policy and the identity policies, which decide together.
			"AssumeRole":                action(nothing[wire.AssumeRoleRequest], s.assumeRole),
			"AssumeRoleWithWebIdentity": unsigned(action(nothing[wire.AssumeRoleWithWebIdentityRequest], s.assumeWithToken)),
			"GetSessionToken":           action(nothing[wire.GetSessionTokenRequest], s.getSessionToken),
			"GetFederationToken":        action(s.mayFederate, s.getFederationToken),
			"GetAccessKeyInfo": action(anything[wire.GetAccessKeyInfoRequest]("sts:GetAccessKeyInfo"),
				s.getAccessKeyInfo),
		},
	}, nil
}

type sts struct{ dir *iam.Directory }

// nothing asks the policies nothing.
func nothing[In any](context.Context, Call, *In) ([]iam.Request, error) { return nil, nil }

func (s *sts) getCallerIdentity(_ context.Context, c Call, _ *wire.GetCallerIdentityRequest) (*wire.GetCallerIdentityResponse, error) {
	p := c.Principal
	return &wire.GetCallerIdentityResponse{UserId: &p.ID, Account: &p.Account, Arn: &p.ARN}, nil
}

func (s *sts) assumeRole(ctx context.Context, c Call, in *wire.AssumeRoleRequest) (*wire.AssumeRoleResponse, error) {
	ask := iam.AssumeRoleInput{
		RoleARN: val(in.RoleArn), SessionName: val(in.RoleSessionName), Duration: time.Duration(val(in.DurationSeconds)) * time.Second,
		ExternalID: val(in.ExternalId), Tags: sessionTags(in.Tags), Transitive: in.TransitiveTagKeys, SourceIdentity: val(in.SourceIdentity),
		Context: c.context(nil), MFA: iam.MFAProof{Serial: val(in.SerialNumber), Code: val(in.TokenCode)},
	}
	ask.Policies, ask.PolicyARNs = narrowing(in.Policy, in.PolicyArns)
	cred, err := s.dir.AssumeRole(ctx, c.Principal, ask)
	if err != nil {
		return nil, err
	}
	return &wire.AssumeRoleResponse{
		Credentials:     credentialsOut(cred),
		AssumedRoleUser: &wire.AssumedRoleUser{AssumedRoleId: &cred.Principal.ID, Arn: &cred.Principal.ARN},
		SourceIdentity:  given(cred.Principal.Session.SourceIdentity),
	}, nil
}

// unsigned is an action for callers without keys.
func unsigned(a Action) Action {
	a.Unsigned = true
	return a
}

func (s *sts) assumeWithToken(ctx context.Context, c Call, in *wire.AssumeRoleWithWebIdentityRequest) (*wire.AssumeRoleWithWebIdentityResponse, error) {
	if in.ProviderId != nil {
		return nil, apprunner.Errorf(iam.CodeInvalidIdentityToken, "Only OpenID Connect tokens are taken, whose issuer is in the token; leave ProviderId out.")
	}
	ask := iam.WebIdentityInput{
		RoleARN: val(in.RoleArn), SessionName: val(in.RoleSessionName), Token: val(in.WebIdentityToken),
		Duration: time.Duration(val(in.DurationSeconds)) * time.Second, Context: c.context(nil),
	}
	ask.Policies, ask.PolicyARNs = narrowing(in.Policy, in.PolicyArns)
	cred, who, err := s.dir.AssumeRoleWithWebIdentity(ctx, ask)
	if err != nil {
		return nil, err
	}
	if c.bearer != nil {
		*c.bearer = observe.AuditIdentity{Type: "WebIdentityUser", PrincipalID: who.Issuer + ":" + who.Audience + ":" + who.Subject, UserName: who.Subject, AccountID: cred.Principal.Account}
	}
	return &wire.AssumeRoleWithWebIdentityResponse{
		Credentials:                 credentialsOut(cred),
		AssumedRoleUser:             &wire.AssumedRoleUser{AssumedRoleId: &cred.Principal.ID, Arn: &cred.Principal.ARN},
		SubjectFromWebIdentityToken: &who.Subject, Audience: &who.Audience, Provider: &who.Issuer,
	}, nil
}

func sessionTags(tags []wire.Tag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[val(t.Key)] = val(t.Value)
	}
	return out
}

// narrowing are the session policies of a request: documents and ARNs.
func narrowing(document *string, list []wire.PolicyDescriptorType) (documents, arns []string) {
	if document != nil {
		documents = []string{*document}
	}
	for _, p := range list {
		arns = append(arns, val(p.Arn))
	}
	return documents, arns
}

func (s *sts) mayFederate(_ context.Context, c Call, in *wire.GetFederationTokenRequest) ([]iam.Request, error) {
	keys := map[string][]string{}
	for _, t := range in.Tags {
		keys["aws:RequestTag/"+val(t.Key)] = []string{val(t.Value)}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], val(t.Key))
	}
	resource := iam.FederatedARN(c.Scope.Account, val(in.Name))
	asked := []iam.Request{{Action: "sts:GetFederationToken", Resource: resource, Context: keys}}
	if len(in.Tags) > 0 {
		asked = append(asked, iam.Request{Action: "sts:TagSession", Resource: resource, Context: keys})
	}
	return asked, nil
}

func (s *sts) getFederationToken(ctx context.Context, c Call, in *wire.GetFederationTokenRequest) (*wire.GetFederationTokenResponse, error) {
	ask := iam.FederationInput{Name: val(in.Name), Duration: time.Duration(val(in.DurationSeconds)) * time.Second, Tags: sessionTags(in.Tags)}
	ask.Policies, ask.PolicyARNs = narrowing(in.Policy, in.PolicyArns)
	cred, err := s.dir.FederationToken(ctx, c.Principal, ask)
	if err != nil {
		return nil, err
	}
	return &wire.GetFederationTokenResponse{
		Credentials:   credentialsOut(cred),
		FederatedUser: &wire.FederatedUser{FederatedUserId: &cred.Principal.ID, Arn: &cred.Principal.ARN},
	}, nil
}

func (s *sts) getSessionToken(ctx context.Context, c Call, in *wire.GetSessionTokenRequest) (*wire.GetSessionTokenResponse, error) {
	proof := iam.MFAProof{Serial: val(in.SerialNumber), Code: val(in.TokenCode)}
	cred, err := s.dir.SessionToken(ctx, c.Principal, time.Duration(val(in.DurationSeconds))*time.Second, proof)
	if err != nil {
		return nil, err
	}
	return &wire.GetSessionTokenResponse{Credentials: credentialsOut(cred)}, nil
}

func (s *sts) getAccessKeyInfo(ctx context.Context, _ Call, in *wire.GetAccessKeyInfoRequest) (*wire.GetAccessKeyInfoResponse, error) {
	account, err := s.dir.AccessKeyAccount(ctx, val(in.AccessKeyId))
	if err != nil {
		return nil, err
	}
	return &wire.GetAccessKeyInfoResponse{Account: &account}, nil
}

func credentialsOut(c iam.Credentials) *wire.Credentials {
	return &wire.Credentials{AccessKeyId: &c.AccessKeyID, SecretAccessKey: &c.Secret, SessionToken: &c.Token, Expiration: &c.ExpiresAt}
}
