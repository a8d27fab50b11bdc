package api

import (
	"context"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/wire"
)

// CallRecord is the audit record of one call, in the shape of CloudTrail (adjacent §7). It marshals to the record itself.
type CallRecord struct {
	EventVersion       string       `json:"eventVersion"`
	UserIdentity       UserIdentity `json:"userIdentity"`
	EventTime          string       `json:"eventTime"` // ISO 8601 in UTC, whole seconds
	EventSource        string       `json:"eventSource"`
	EventName          string       `json:"eventName"`
	AWSRegion          string       `json:"awsRegion"`
	SourceIPAddress    string       `json:"sourceIPAddress"`
	UserAgent          string       `json:"userAgent"`
	ErrorCode          string       `json:"errorCode,omitempty"`
	ErrorMessage       string       `json:"errorMessage,omitempty"`
	RequestParameters  any          `json:"requestParameters"`
	ResponseElements   any          `json:"responseElements"`
	RequestID          string       `json:"requestID"`
	EventID            string       `json:"eventID"`
	ReadOnly           bool         `json:"readOnly"`
	EventType          string       `json:"eventType"`
	ManagementEvent    bool         `json:"managementEvent"`
	RecipientAccountID string       `json:"recipientAccountId"`
	EventCategory      string       `json:"eventCategory"`

	// Time is EventTime with its fractions, for the order of records.
	Time time.Time `json:"-"`
}

// UserIdentity is who made a call. Of a caller that could not be verified only the key it claimed is known.
type UserIdentity struct {
	Type           string          `json:"type"`
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *SessionContext `json:"sessionContext,omitempty"`
}

// SessionContext tells where temporary credentials come from.
type SessionContext struct {
	SessionIssuer *SessionIssuer    `json:"sessionIssuer,omitempty"`
	Attributes    SessionAttributes `json:"attributes"`
}

// SessionIssuer is the role of a session.
type SessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName,omitempty"`
}

// SessionAttributes are the facts of a session.
type SessionAttributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

// hidden stands in a record for what must not be read there (adjacent §7).
const hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// hiddenMembers are members that carry secrets although the models do not mark them.
var hiddenMembers = map[string]bool{"sessionToken": true, "authorizationToken": true, "tokenCode": true, "webIdentityToken": true, "privateKey": true}

// record writes the audit record of a call. A record that cannot be kept does not undo the action, but it is an operator's
// problem.
func (s *Server) record(ctx context.Context, x *exchange, f *fault) {
	if s.Audit == nil {
		return
	}
	r := s.callRecord(x, f)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.Audit.RecordCall(ctx, r); err != nil {
		s.Log.Error("keep the audit record of a call", "request_id", x.id, "event", r.EventName, "error", err)
	}
}

func (s *Server) callRecord(x *exchange, f *fault) CallRecord {
	now := s.Now().UTC()
	r := CallRecord{
		EventVersion: "1.08", Time: now, EventTime: now.Format(time.RFC3339), EventSource: x.source(), EventName: clip(x.claimed, 128),
		AWSRegion: x.call.Scope.Region, SourceIPAddress: sourceIP(x.http), UserAgent: clip(x.http.UserAgent(), 1024),
		RequestID: x.id, EventID: apprunner.NewUUID(), ReadOnly: readOnly(x.claimed), EventType: "AwsApiCall",
		ManagementEvent: true, EventCategory: "Management", RecipientAccountID: s.Account, UserIdentity: identityOf(x),
	}
	if x.call.Principal.Account != "" {
		r.RecipientAccountID = x.call.Principal.Account
	} else if scope, ok := iam.ClaimedScope(x.http); ok && regionForm.MatchString(scope.Region) {
		r.AWSRegion = scope.Region
	}
	if x.input != nil && x.operation.Input != wire.None {
		r.RequestParameters = describe(x.service.API, x.operation.Input, x.input)
	}
	if f != nil {
		r.ErrorCode, r.ErrorMessage = f.code, f.message
		return r
	}
	if !r.ReadOnly && x.output != nil && x.operation.Output != wire.None {
		r.ResponseElements = describe(x.service.API, x.operation.Output, x.output)
	}
	return r
}

func (x *exchange) source() string {
	if x.service == nil {
		return "unknown"
	}
	return x.service.API.SigningName + ".amazonaws.com"
}

// readOnly tells by its name whether an operation only reads.
func readOnly(operation string) bool {
	for _, verb := range []string{"List", "Describe", "Get", "BatchGet", "BatchCheck", "Filter", "Lookup", "Simulate", "Decode", "Head", "Test"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}

func identityOf(x *exchange) UserIdentity {
	p := x.call.Principal
	if p.Type == "" {
		scope, _ := iam.ClaimedScope(x.http)
		return UserIdentity{Type: "Unknown", AccessKeyID: clip(scope.KeyID, 128)}
	}
	u := UserIdentity{Type: string(p.Type), PrincipalID: p.ID, ARN: p.ARN, AccountID: p.Account, AccessKeyID: p.AccessKeyID, UserName: p.UserName}
	if p.Session == nil {
		return u
	}
	u.SessionContext = &SessionContext{Attributes: SessionAttributes{CreationDate: p.Session.IssuedAt.UTC().Format(time.RFC3339), MFAAuthenticated: "false"}}
	if issuer := p.Session.IssuerARN; issuer != "" {
		u.SessionContext.SessionIssuer = &SessionIssuer{Type: "Root", PrincipalID: p.Account, ARN: issuer, AccountID: p.Account}
		if p.Session.UserID != "" {
			u.SessionContext.SessionIssuer = &SessionIssuer{
				Type: "IAMUser", PrincipalID: p.Session.UserID, ARN: issuer, AccountID: p.Account, UserName: issuer[strings.LastIndexByte(issuer, '/')+1:],
			}
		}
	}
	if p.Session.RoleARN != "" {
		u.SessionContext.SessionIssuer = &SessionIssuer{
			Type: "Role", PrincipalID: p.Session.RoleID, ARN: p.Session.RoleARN, AccountID: p.Account, UserName: p.Session.RoleName,
		}
	}
	return u
}

// describe gives a wire struct as plain values for a record: member names with a lower-case first letter at every level, times
// in ISO 8601, sensitive members replaced as a whole.
func describe(api *wire.Service, shape wire.Ref, v any) any {
	return describer{api}.value(&api.Shapes[shape], reflect.ValueOf(v))
}

type describer struct{ api *wire.Service }

func (d describer) value(sh *wire.Shape, v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch sh.Kind {
	case wire.Structure:
		return d.structure(sh, v)
	case wire.List:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = d.value(&d.api.Shapes[sh.Value], v.Index(i))
		}
		return out
	case wire.Map:
		out := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = d.value(&d.api.Shapes[sh.Value], it.Value())
		}
		return out
	case wire.Timestamp:
		if t, ok := v.Interface().(time.Time); ok {
			return t.UTC().Format("2006-01-02T15:04:05.000Z")
		}
	case wire.Blob:
		return nil // contents, not parameters
	}
	return v.Interface()
}

func (d describer) structure(sh *wire.Shape, v reflect.Value) map[string]any {
	out := make(map[string]any)
	for i := range sh.Members {
		m, f := &sh.Members[i], v.Field(i)
		if f.IsNil() {
			continue
		}
		name := lowerFirst(m.Name)
		if hiddenMembers[name] || d.sensitive(&d.api.Shapes[m.Shape]) {
			out[name] = hidden
			continue
		}
		out[name] = d.value(&d.api.Shapes[m.Shape], f)
	}
	return out
}

// sensitive tells whether a shape, or what a list or map of it holds, is marked so.
func (d describer) sensitive(sh *wire.Shape) bool {
	switch sh.Kind {
	case wire.List:
		return sh.Sensitive || d.sensitive(&d.api.Shapes[sh.Value])
	case wire.Map:
		return sh.Sensitive || d.sensitive(&d.api.Shapes[sh.Key]) || d.sensitive(&d.api.Shapes[sh.Value])
	default:
		return sh.Sensitive
	}
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
