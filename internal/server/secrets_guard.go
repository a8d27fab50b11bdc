package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/secret/runtimeenv"
)

// instanceRoles answers what the instance roles of services may read, and keeps a record of each read as if the role itself had called.
type instanceRoles struct{ *System }

// session is the role of a service's instances as a principal. A role that does not exist may read nothing, whether or not roles have to.
func (r instanceRoles) session(ctx context.Context, who runtimeenv.Service) (iam.Principal, error) {
	_, trusts, err := r.iam.RoleTrusts(ctx, who.RoleARN, iam.TasksPrincipal, who.ARN)
	if err != nil {
		return iam.Principal{}, err
	}
	if !trusts {
		return iam.Principal{}, apprunner.Errorf(apprunner.CodeAccessDenied, "%s is not authorized to perform: sts:AssumeRole on resource: %s.", iam.TasksPrincipal, who.RoleARN).
			WithHint("The role must exist, and its trust policy must allow that service.")
	}
	return r.iam.PrincipalOf(ctx, who.RoleARN)
}

// Allow asks the policies of the role, of the secret and of its key.
func (r instanceRoles) Allow(ctx context.Context, who runtimeenv.Service, a runtimeenv.Access) error {
	p, err := r.session(ctx, who)
	if err != nil {
		return err
	}
	asked := []iam.Request{{Action: a.Action, Resource: a.Resource, ResourcePolicy: a.Policy, Context: readingKeys(a)}}
	if a.Key != "" {
		service, _, _ := strings.Cut(a.Action, ":")
		owner := apprunner.Scope{Region: strings.Split(a.Resource, ":")[3], Account: iam.AccountOf(a.Resource)}
		more, err := api.UsingKey(ctx, r.keys, p, owner, api.KeyUse{Service: service, Key: a.Key, Actions: []string{"Decrypt"}, Bound: a.Bound})
		if err != nil {
			return err
		}
		asked = append(asked, more...)
	}
	for _, q := range asked {
		err := r.iam.Authorize(ctx, p, q)
		var denied *apprunner.Error
		if errors.As(err, &denied) && denied.Code == apprunner.CodeAccessDenied {
			return denied.WithHint("Allow %s on it in a policy of the instance role.", q.Action)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readingKeys are the condition keys of a read.
func readingKeys(a runtimeenv.Access) map[string][]string {
	keys := map[string][]string{"aws:ViaAWSService": {"true"}, "aws:SecureTransport": {"true"}}
	if a.Stage != "" {
		keys["secretsmanager:VersionStage"] = []string{a.Stage}
	}
	for k, v := range a.Tags {
		keys["aws:ResourceTag/"+k] = []string{v}
	}
	return keys
}

// Note keeps the record of a read.
func (r instanceRoles) Note(ctx context.Context, who runtimeenv.Service, a runtimeenv.Access, failed error) {
	service, name, _ := strings.Cut(a.Action, ":")
	member, kind := "secretId", "AWS::SecretsManager::Secret"
	if service == "ssm" {
		member, kind = "name", "AWS::SSM::Parameter"
	}
	now := time.Now().UTC()
	rec := observe.AuditRecord{
		EventVersion: "1.08", Time: now, EventTime: now.Format(time.RFC3339), EventSource: service + ".amazonaws.com", EventName: name, AWSRegion: who.Region,
		SourceIPAddress: servicesPrincipal, UserAgent: servicesPrincipal, RequestID: apprunner.NewUUID(), EventID: apprunner.NewUUID(), ReadOnly: true,
		EventType: "AwsApiCall", ManagementEvent: true, EventCategory: "Management", RecipientAccountID: who.Account,
		RequestParameters: map[string]any{member: a.Resource}, Resources: []observe.AuditResource{{Type: kind, Name: a.Resource}, {Type: "AWS::AppRunner::Service", Name: who.ARN}},
		UserIdentity: observe.AuditIdentity{Type: string(iam.TypeAssumedRole), ARN: who.RoleARN, AccountID: who.Account, InvokedBy: servicesPrincipal},
	}
	if p, err := r.session(ctx, who); err == nil {
		rec.UserIdentity.ARN, rec.UserIdentity.PrincipalID = p.ARN, p.ID
	}
	if failed != nil {
		rec.ErrorCode, rec.ErrorMessage = string(apprunner.CodeOf(failed)), failed.Error()
	}
	if err := r.audit.Record(ctx, rec, false); err != nil {
		r.log.Error("keep the record of a secret that was read", "service_arn", who.ARN, "err", err)
	}
}
