package api

import (
	"context"
	"errors"
	"math"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/servicequotas"
)

// quotaKeeper is what the Service Quotas API needs of the control room.
type quotaKeeper interface {
	ListQuotas(context.Context, apprunner.Scope) ([]apprunner.QuotaValue, error)
	RaiseQuota(ctx context.Context, sc apprunner.Scope, code string, desired int, requester string) (apprunner.QuotaRequest, error)
	ListQuotaRequests(context.Context, apprunner.Scope) ([]apprunner.QuotaRequest, error)
}

// The errors of the Service Quotas API.
const (
	codeNoSuchQuota    apprunner.Code = "NoSuchResourceException"
	codeQuotaArgument  apprunner.Code = "IllegalArgumentException"
	codeQuotaState     apprunner.Code = "InvalidResourceStateException"
	codeQuotaPageToken apprunner.Code = "InvalidPaginationTokenException"
)

// The one service that has quotas here.
const (
	quotaServiceCode = "apprunner"
	quotaServiceName = "AWS App Runner"
)

type quotasAPI struct {
	keeper quotaKeeper
	tokens *Tokens
}

// NewQuotas returns the Service Quotas API (adjacent §13).
func NewQuotas(keeper quotaKeeper, tokens *Tokens) (*Service, error) {
	if keeper == nil || tokens == nil {
		return nil, errors.New("service quotas API: the control room and the tokens are required")
	}
	q := &quotasAPI{keeper, tokens}
	s := &Service{
		API:        &wire.API,
		Constraint: codeQuotaArgument,
		Internal:   "ServiceException",
		Actions: map[string]Action{
			"ListServices":                           action(anything[wire.ListServicesRequest]("servicequotas:ListServices"), q.listServices),
			"ListServiceQuotas":                      action(anything[wire.ListServiceQuotasRequest]("servicequotas:ListServiceQuotas"), q.list),
			"ListAWSDefaultServiceQuotas":            action(anything[wire.ListAWSDefaultServiceQuotasRequest]("servicequotas:ListAWSDefaultServiceQuotas"), q.listDefaults),
			"GetServiceQuota":                        action(anything[wire.GetServiceQuotaRequest]("servicequotas:GetServiceQuota"), q.get),
			"GetAWSDefaultServiceQuota":              action(anything[wire.GetAWSDefaultServiceQuotaRequest]("servicequotas:GetAWSDefaultServiceQuota"), q.getDefault),
			"RequestServiceQuotaIncrease":            action(q.mayRaise, q.raise),
			"GetRequestedServiceQuotaChange":         action(anything[wire.GetRequestedServiceQuotaChangeRequest]("servicequotas:GetRequestedServiceQuotaChange"), q.getRequest),
			"ListRequestedServiceQuotaChangeHistory": action(anything[wire.ListRequestedServiceQuotaChangeHistoryRequest]("servicequotas:ListRequestedServiceQuotaChangeHistory"), q.history),
		},
	}
	return quotaErrors(s), nil
}

// quotaErrors spells the errors of the control room as this API does.
func quotaErrors(s *Service) *Service {
	codes := map[apprunner.Code]apprunner.Code{
		apprunner.CodeNotFound: codeNoSuchQuota, apprunner.CodeInvalidRequest: codeQuotaArgument, apprunner.CodeInvalidState: codeQuotaState,
	}
	for name, act := range s.Actions {
		do := act.Do
		act.Do = func(ctx context.Context, c Call, in any) (any, error) {
			out, err := do(ctx, c, in)
			var own *apprunner.Error
			if errors.As(err, &own) && codes[own.Code] != "" {
				return nil, &apprunner.Error{Code: codes[own.Code], Message: own.Message, Hint: own.Hint, Err: err}
			}
			return out, err
		}
		s.Actions[name] = act
	}
	return s
}

func quotaARN(sc apprunner.Scope, code string) string {
	return "arn:aws:servicequotas:" + sc.Region + ":" + sc.Account + ":" + quotaServiceCode + "/" + code
}

func (q *quotasAPI) mayRaise(_ context.Context, c Call, in *wire.RequestServiceQuotaIncreaseRequest) ([]iam.Request, error) {
	return []iam.Request{{
		Action: "servicequotas:RequestServiceQuotaIncrease", Resource: quotaARN(c.Scope, val(in.QuotaCode)),
		Context: map[string][]string{"servicequotas:service": {val(in.ServiceCode)}},
	}}, nil
}

// quotaPage is page with tokens in the letters that this API's model allows.
func quotaPage[T any](q *quotasAPI, l listing, items []T, at func(T) position, limit *int32, token *string) ([]T, *string, error) {
	if token != nil {
		token = new(strings.NewReplacer("+", "-", "/", "_").Replace(*token))
	}
	list, next, err := page(q.tokens, l, items, at, limit, token)
	if err != nil {
		return nil, nil, apprunner.Errorf(codeQuotaPageToken, "%w", err)
	}
	if next != nil {
		next = new(strings.NewReplacer("-", "+", "_", "/").Replace(*next))
	}
	return list, next, nil
}

func (q *quotasAPI) listServices(_ context.Context, c Call, in *wire.ListServicesRequest) (*wire.ListServicesResponse, error) {
	all := []string{quotaServiceCode}
	l := listing{scope: c.Scope, operation: "quotas/ListServices", params: in.MaxResults}
	list, next, err := quotaPage(q, l, all, func(code string) position { return position{Name: code} }, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListServicesResponse{Services: make([]wire.ServiceInfo, len(list)), NextToken: next}
	for i := range list {
		out.Services[i] = wire.ServiceInfo{ServiceCode: &list[i], ServiceName: new(quotaServiceName)}
	}
	return out, nil
}

// all reads the quotas of a service; only App Runner has any.
func (q *quotasAPI) all(ctx context.Context, c Call, service *string) ([]apprunner.QuotaValue, error) {
	if val(service) != quotaServiceCode {
		return nil, apprunner.Errorf(codeNoSuchQuota, "There are no quotas of the service %q here; the service code is %s.", clip(val(service), 64), quotaServiceCode)
	}
	return q.keeper.ListQuotas(ctx, c.Scope)
}

func (q *quotasAPI) one(ctx context.Context, c Call, service, code *string) (apprunner.QuotaValue, error) {
	all, err := q.all(ctx, c, service)
	if err != nil {
		return apprunner.QuotaValue{}, err
	}
	for _, v := range all {
		if v.Code == val(code) {
			return v, nil
		}
	}
	return apprunner.QuotaValue{}, apprunner.Errorf(codeNoSuchQuota, "There is no quota %s; ListServiceQuotas tells the codes.", val(code))
}

func quotaPlace(v apprunner.QuotaValue) position { return position{Name: v.Code} }

func (q *quotasAPI) list(ctx context.Context, c Call, in *wire.ListServiceQuotasRequest) (*wire.ListServiceQuotasResponse, error) {
	all, err := q.all(ctx, c, in.ServiceCode)
	if err != nil {
		return nil, err
	}
	var chosen []apprunner.QuotaValue
	for _, v := range all {
		if in.QuotaCode == nil || v.Code == *in.QuotaCode {
			chosen = append(chosen, v)
		}
	}
	l := listing{scope: c.Scope, operation: "ListServiceQuotas", params: []any{in.ServiceCode, in.QuotaCode, in.QuotaAppliedAtLevel, in.MaxResults}}
	list, next, err := quotaPage(q, l, chosen, quotaPlace, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListServiceQuotasResponse{Quotas: make([]wire.ServiceQuota, len(list)), NextToken: next}
	for i, v := range list {
		out.Quotas[i] = *quotaOut(c.Scope, v, v.Value)
	}
	return out, nil
}

func (q *quotasAPI) listDefaults(ctx context.Context, c Call, in *wire.ListAWSDefaultServiceQuotasRequest) (*wire.ListAWSDefaultServiceQuotasResponse, error) {
	all, err := q.all(ctx, c, in.ServiceCode)
	if err != nil {
		return nil, err
	}
	l := listing{scope: c.Scope, operation: "ListAWSDefaultServiceQuotas", params: []any{in.ServiceCode, in.MaxResults}}
	list, next, err := quotaPage(q, l, all, quotaPlace, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListAWSDefaultServiceQuotasResponse{Quotas: make([]wire.ServiceQuota, len(list)), NextToken: next}
	for i, v := range list {
		out.Quotas[i] = *quotaOut(c.Scope, v, v.Default)
	}
	return out, nil
}

func (q *quotasAPI) get(ctx context.Context, c Call, in *wire.GetServiceQuotaRequest) (*wire.GetServiceQuotaResponse, error) {
	v, err := q.one(ctx, c, in.ServiceCode, in.QuotaCode)
	if err != nil {
		return nil, err
	}
	return &wire.GetServiceQuotaResponse{Quota: quotaOut(c.Scope, v, v.Value)}, nil
}

func (q *quotasAPI) getDefault(ctx context.Context, c Call, in *wire.GetAWSDefaultServiceQuotaRequest) (*wire.GetAWSDefaultServiceQuotaResponse, error) {
	v, err := q.one(ctx, c, in.ServiceCode, in.QuotaCode)
	if err != nil {
		return nil, err
	}
	return &wire.GetAWSDefaultServiceQuotaResponse{Quota: quotaOut(c.Scope, v, v.Default)}, nil
}

// maxQuota keeps values far inside what an int holds; the installation's ceiling is lower.
const maxQuota = 1 << 30

func (q *quotasAPI) raise(ctx context.Context, c Call, in *wire.RequestServiceQuotaIncreaseRequest) (*wire.RequestServiceQuotaIncreaseResponse, error) {
	if _, err := q.one(ctx, c, in.ServiceCode, in.QuotaCode); err != nil {
		return nil, err
	}
	desired := *in.DesiredValue
	if desired != math.Trunc(desired) || desired > maxQuota {
		return nil, apprunner.Errorf(codeQuotaArgument, "desiredValue must be a whole number of at most %d.", maxQuota)
	}
	r, err := q.keeper.RaiseQuota(ctx, c.Scope, *in.QuotaCode, int(desired), c.Principal.ARN)
	if err != nil {
		return nil, err
	}
	return &wire.RequestServiceQuotaIncreaseResponse{RequestedQuota: quotaRequestOut(r)}, nil
}

func (q *quotasAPI) getRequest(ctx context.Context, c Call, in *wire.GetRequestedServiceQuotaChangeRequest) (*wire.GetRequestedServiceQuotaChangeResponse, error) {
	all, err := q.keeper.ListQuotaRequests(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.ID == *in.RequestId {
			return &wire.GetRequestedServiceQuotaChangeResponse{RequestedQuota: quotaRequestOut(r)}, nil
		}
	}
	return nil, apprunner.Errorf(codeNoSuchQuota, "There is no request %s.", clip(*in.RequestId, 64))
}

// history lists requests. All were decided, and approved, when they were made.
func (q *quotasAPI) history(ctx context.Context, c Call, in *wire.ListRequestedServiceQuotaChangeHistoryRequest) (*wire.ListRequestedServiceQuotaChangeHistoryResponse, error) {
	var chosen []apprunner.QuotaRequest
	if (in.ServiceCode == nil || *in.ServiceCode == quotaServiceCode) && (in.Status == nil || *in.Status == wire.RequestStatusApproved) {
		all, err := q.keeper.ListQuotaRequests(ctx, c.Scope)
		if err != nil {
			return nil, err
		}
		chosen = all
	}
	l := listing{scope: c.Scope, operation: "ListRequestedServiceQuotaChangeHistory", params: []any{in.ServiceCode, in.Status, in.QuotaRequestedAtLevel, in.MaxResults}}
	at := func(r apprunner.QuotaRequest) position { return apprunner.PlaceOf(r.CreatedAt, r.ID) }
	list, next, err := quotaPage(q, l, chosen, at, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.ListRequestedServiceQuotaChangeHistoryResponse{RequestedQuotas: make([]wire.RequestedServiceQuotaChange, len(list)), NextToken: next}
	for i, r := range list {
		out.RequestedQuotas[i] = *quotaRequestOut(r)
	}
	return out, nil
}

func quotaOut(sc apprunner.Scope, q apprunner.QuotaValue, value int) *wire.ServiceQuota {
	return &wire.ServiceQuota{
		ServiceCode:         new(quotaServiceCode),
		ServiceName:         new(quotaServiceName),
		QuotaArn:            new(quotaARN(sc, q.Code)),
		QuotaCode:           &q.Code,
		QuotaName:           &q.Name,
		Value:               new(float64(value)),
		Unit:                new("None"),
		Adjustable:          &q.Adjustable,
		GlobalQuota:         new(false),
		QuotaAppliedAtLevel: new(wire.AppliedLevelEnumAccount),
	}
}

func quotaRequestOut(r apprunner.QuotaRequest) *wire.RequestedServiceQuotaChange {
	return &wire.RequestedServiceQuotaChange{
		Id:                    &r.ID,
		ServiceCode:           new(quotaServiceCode),
		ServiceName:           new(quotaServiceName),
		QuotaCode:             &r.Quota.Code,
		QuotaName:             &r.Quota.Name,
		QuotaArn:              new(quotaARN(r.Scope, r.Quota.Code)),
		DesiredValue:          new(float64(r.Desired)),
		Status:                new(wire.RequestStatusApproved),
		Created:               &r.CreatedAt,
		LastUpdated:           &r.CreatedAt,
		Requester:             new(`{"arn":"` + r.Requester + `"}`),
		GlobalQuota:           new(false),
		Unit:                  new("None"),
		QuotaRequestedAtLevel: new(wire.AppliedLevelEnumAccount),
	}
}
