package observe

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Hidden stands where a record leaves out what was sent or returned (adjacent §7).
const Hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// hidden names the members, in lower camel case, that never reach a record, whatever they hold.
func hidden(member string) bool {
	switch strings.ToLower(member) {
	case "buildcommand", "startcommand", "runtimeenvironmentvariables", "runtimeenvironmentsecrets",
		"secretstring", "secretbinary", "secretaccesskey", "sessiontoken", "password", "newpassword", "oldpassword",
		"authorizationtoken", "plaintext", "plaintextkey", "privatekey", "privatekeyplaintext", "keymaterial", "encryptedkeymaterial",
		"clientsecret", "accesstoken", "samlassertion", "webidentitytoken":
		return true
	}
	return false
}

// AuditShape turns a request or an answer into the form of an audit record: the first letter of each member is lower case at
// every level, times are text with milliseconds, and secrets are replaced by [Hidden] while their member stays.
func AuditShape(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return auditObject(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = AuditShape(e)
		}
		return out
	case []map[string]any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = auditObject(e)
		}
		return out
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return v
}

func auditObject(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		name := lowerFirst(k)
		if hidden(name) {
			out[name] = Hidden
			continue
		}
		out[name] = AuditShape(v)
	}
	if out["type"] == "SecureString" && out["value"] != nil {
		out["value"] = Hidden
	}
	return out
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// shape is the record itself (adjacent §7).
func (r AuditRecord) shape() map[string]any {
	out := map[string]any{
		"eventVersion": "1.08", "userIdentity": r.Identity.shape(), "eventTime": r.Time.UTC().Format(time.RFC3339),
		"eventSource": r.Source, "eventName": r.Name, "awsRegion": r.Region, "sourceIPAddress": r.SourceIP, "userAgent": r.UserAgent,
		"requestParameters": nil, "responseElements": nil, "requestID": r.RequestID, "eventID": r.EventID, "readOnly": r.ReadOnly,
		"eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": r.Account, "eventCategory": "Management",
	}
	if len(r.Request) > 0 {
		out["requestParameters"] = AuditShape(r.Request)
	}
	if len(r.Response) > 0 && !r.ReadOnly && r.ErrorCode == "" {
		out["responseElements"] = AuditShape(r.Response)
	}
	if r.ErrorCode != "" {
		out["errorCode"], out["errorMessage"] = r.ErrorCode, r.ErrorMessage
	}
	return out
}

func (i AuditIdentity) shape() map[string]any {
	out := map[string]any{}
	for k, v := range map[string]string{
		"type": i.Type, "principalId": i.PrincipalID, "arn": i.ARN, "accountId": i.AccountID, "accessKeyId": i.AccessKeyID,
		"userName": i.UserName, "invokedBy": i.InvokedBy,
	} {
		if v != "" {
			out[k] = v
		}
	}
	if len(i.Session) > 0 {
		out["sessionContext"] = i.Session
	}
	return out
}
