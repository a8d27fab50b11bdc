package signin

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
)

// record keeps how a sign-in ended, as CloudTrail's ConsoleLogin events tell it. Somebody who is not known is not named: people type
// passwords into the wrong field.
func (h *Handler) record(r *http.Request, in attempt, a iam.SignInAnswer, failure error) {
	now := h.Now().UTC()
	outcome, used := "Success", "No"
	if failure != nil {
		outcome = "Failure"
	}
	if a.MFA {
		used = "Yes"
	}
	rec := observe.AuditRecord{
		EventVersion: "1.08", Time: now, EventTime: now.Format(time.RFC3339), EventSource: "signin.amazonaws.com", EventName: "ConsoleLogin",
		AWSRegion: h.Region, SourceIPAddress: address(r), UserAgent: shorten(r.UserAgent(), 1024), RequestID: apprunner.NewUUID(), EventID: apprunner.NewUUID(),
		EventType: "AwsConsoleSignIn", ManagementEvent: true, EventCategory: "Management", RecipientAccountID: h.Account,
		ResponseElements: map[string]any{"ConsoleLogin": outcome}, AdditionalEventData: map[string]any{"LoginTo": h.Endpoint + "/console/", "MFAUsed": used},
		UserIdentity: observe.AuditIdentity{Type: observe.IdentityUnknown, UserName: observe.Hidden},
	}
	if p := a.Who; p.Account != "" {
		rec.RecipientAccountID = p.Account
		rec.UserIdentity = observe.AuditIdentity{Type: string(p.Type), PrincipalID: p.ID, ARN: p.ARN, AccountID: p.Account, UserName: p.UserName}
	}
	if failure != nil {
		rec.ErrorCode, rec.ErrorMessage = string(apprunner.CodeOf(failure)), "Failed authentication"
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	if err := h.Audit.Record(ctx, rec, failure == nil); err != nil {
		h.Log.Error("keep the audit record of a sign-in", "request_id", rec.RequestID, "error", err)
	}
}

func address(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

func shorten(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}
