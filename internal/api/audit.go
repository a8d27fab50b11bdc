package api

import (
	"context"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/wire"
)

// auditor keeps a record of every call.
type auditor interface {
	// Record keeps a record; with durable it returns when a crash can no longer lose it.
	Record(ctx context.Context, r observe.AuditRecord, durable bool) error
	// Finish completes a record that was begun with the action's own transaction.
	Finish(ctx context.Context, r observe.AuditRecord) error
}

// hiddenMembers are members that carry secrets whether or not the models mark them.
var hiddenMembers = map[string]bool{
	"buildCommand": true, "startCommand": true, "runtimeEnvironmentVariables": true, "runtimeEnvironmentSecrets": true,
	"secretString": true, "secretBinary": true, "secretAccessKey": true, "sessionToken": true, "password": true, "newPassword": true, "oldPassword": true,
	"authorizationToken": true, "tokenCode": true, "webIdentityToken": true, "privateKey": true, "plaintext": true, "keyMaterial": true,
	"clientSecret": true, "accessToken": true, "authenticationCode1": true, "authenticationCode2": true,
	"detail": true, // of a client's event
}

// torrents are actions that change so much so often that their records may wait for company like those of reading ones.
var torrents = map[string]bool{"PutLogEvents": true, "UploadLayerPart": true, "PutMetricData": true, "PutTraceSegments": true, "PutEvents": true}

// begin lets the record of a changing call be written with the transaction of its action. The record that is written there lacks
// the answer, which finish adds.
func (s *Server) begin(ctx context.Context, x *exchange) context.Context {
	if s.Audit == nil || s.Begin == nil || readOnly(x.claimed) || torrents[x.claimed] {
		return ctx
	}
	x.eventID = apprunner.NewUUID()
	ctx, x.begun = s.Begin(ctx, func() observe.AuditRecord { return s.callRecord(x, nil) })
	return ctx
}

// record writes the audit record of a call: that of a change that a known caller made, or was refused, before the client hears of
// it, the others in batches.
// A record that cannot be kept does not undo the action, but it is an operator's problem.
func (s *Server) record(ctx context.Context, x *exchange, f *fault) {
	if s.Audit == nil {
		return
	}
	r := s.callRecord(x, f)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var err error
	if x.begun != nil && x.begun() {
		err = s.Audit.Finish(ctx, r)
	} else {
		err = s.Audit.Record(ctx, r, x.call.Principal.Type != "" && !r.ReadOnly && !torrents[x.claimed])
	}
	if err != nil {
		s.Log.Error("keep the audit record of a call", "request_id", x.id, "event", r.EventName, "error", err)
	}
}

func (s *Server) callRecord(x *exchange, f *fault) observe.AuditRecord {
	now := s.Now().UTC()
	if x.eventID == "" {
		x.eventID = apprunner.NewUUID()
	}
	r := observe.AuditRecord{
		EventVersion: "1.08", Time: now, EventTime: now.Format(time.RFC3339), EventSource: x.source(), EventName: clip(x.claimed, 128),
		AWSRegion: x.call.Scope.Region, SourceIPAddress: sourceIP(x.http), UserAgent: clip(x.http.UserAgent(), 1024),
		RequestID: x.id, EventID: x.eventID, ReadOnly: readOnly(x.claimed), EventType: "AwsApiCall",
		ManagementEvent: true, EventCategory: "Management", RecipientAccountID: s.Account, UserIdentity: identityOf(x),
		VPCEndpointID: x.entrance.id(),
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
	} else if !r.ReadOnly && x.output != nil && x.operation.Output != wire.None {
		r.ResponseElements = describe(x.service.API, x.operation.Output, x.output)
	}
	r.Resources = resourcesIn(x.service, r.RequestParameters, r.ResponseElements)
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
	for _, verb := range []string{"List", "Describe", "Get", "BatchGet", "BatchCheck", "Filter", "Lookup", "Simulate", "Decode", "Head", "Test", "AssumeRole", "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}

func identityOf(x *exchange) observe.AuditIdentity {
	p := x.call.Principal
	if b := x.call.bearer; b != nil && b.Type != "" {
		return *b
	}
	if p.Type == "" {
		scope, _ := iam.ClaimedScope(x.http)
		return observe.AuditIdentity{Type: observe.IdentityUnknown, AccessKeyID: clip(scope.KeyID, 128)}
	}
	u := observe.AuditIdentity{Type: string(p.Type), PrincipalID: p.ID, ARN: p.ARN, AccountID: p.Account, AccessKeyID: p.AccessKeyID, UserName: p.UserName}
	if s := p.Session; s != nil {
		u.SessionContext = &observe.AuditSession{
			SessionIssuer: issuerOf(p), SourceIdentity: s.SourceIdentity,
			Attributes: observe.AuditSessionAttributes{CreationDate: s.IssuedAt.UTC().Format(time.RFC3339), MFAAuthenticated: strconv.FormatBool(!s.MFAAt.IsZero())},
		}
	}
	return u
}

// issuerOf is the role of a session, or who vouched for a federated user.
func issuerOf(p iam.Principal) *observe.AuditIssuer {
	switch s := p.Session; {
	case s.RoleARN != "":
		return &observe.AuditIssuer{Type: "Role", PrincipalID: s.RoleID, ARN: s.RoleARN, AccountID: p.Account, UserName: s.RoleName}
	case s.UserID != "":
		return &observe.AuditIssuer{Type: "IAMUser", PrincipalID: s.UserID, ARN: s.IssuerARN, AccountID: p.Account, UserName: s.IssuerARN[strings.LastIndexByte(s.IssuerARN, '/')+1:]}
	case s.IssuerARN != "":
		return &observe.AuditIssuer{Type: "Root", PrincipalID: p.Account, ARN: s.IssuerARN, AccountID: p.Account}
	}
	return nil
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
			out[name] = observe.Hidden
			continue
		}
		out[name] = d.value(&d.api.Shapes[m.Shape], f)
	}
	if _, there := out["value"]; there && out["type"] == "SecureString" {
		out["value"] = observe.Hidden
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
