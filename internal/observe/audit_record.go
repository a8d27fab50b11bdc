package observe

import (
	"strings"
	"time"
)

// AuditRecord is one API call, refused and failed ones included, in the shape of CloudTrail (adjacent §7): it marshals to the
// record itself. RequestParameters and ResponseElements are in the form of the record already: member names in lower camel case,
// times as text, secrets replaced by [Hidden].
type AuditRecord struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        AuditIdentity  `json:"userIdentity"`
	EventTime           string         `json:"eventTime"` // ISO 8601 in UTC, whole seconds
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"`
	AWSRegion           string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   any            `json:"requestParameters"`
	ResponseElements    any            `json:"responseElements"` // null for calls that only read, and for failed ones
	AdditionalEventData map[string]any `json:"additionalEventData,omitempty"`
	RequestID           string         `json:"requestID"`
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	EventType           string         `json:"eventType"`
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId"`
	VPCEndpointID       string         `json:"vpcEndpointId,omitempty"` // the interface endpoint that the call came in at
	EventCategory       string         `json:"eventCategory"`

	// Time is EventTime with its fractions, for the order of records.
	Time time.Time `json:"-"`
	// Resources are what the call was about, for LookupEvents.
	Resources []AuditResource `json:"-"`
}

// AuditIdentity is who made a call. Of a caller that could not be verified only the key it claimed is known.
type AuditIdentity struct {
	Type           string        `json:"type"` // Root, IAMUser, AssumedRole, FederatedUser, AWSService or Unknown
	PrincipalID    string        `json:"principalId,omitempty"`
	ARN            string        `json:"arn,omitempty"`
	AccountID      string        `json:"accountId,omitempty"`
	AccessKeyID    string        `json:"accessKeyId,omitempty"`
	UserName       string        `json:"userName,omitempty"`
	SessionContext *AuditSession `json:"sessionContext,omitempty"`
	InvokedBy      string        `json:"invokedBy,omitempty"` // of services
}

// IdentityUnknown is the type of a caller that could not be verified.
const IdentityUnknown = "Unknown"

// AuditSession tells where temporary credentials come from.
type AuditSession struct {
	SessionIssuer *AuditIssuer           `json:"sessionIssuer,omitempty"`
	Attributes    AuditSessionAttributes `json:"attributes"`
	// SourceIdentity is who the session was first for.
	SourceIdentity string `json:"sourceIdentity,omitempty"`
}

// AuditIssuer is the role of a session, or who vouched for a federated user.
type AuditIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName,omitempty"`
}

// AuditSessionAttributes are the facts of a session.
type AuditSessionAttributes struct {
	CreationDate     string `json:"creationDate"`
	MFAAuthenticated string `json:"mfaAuthenticated"`
}

// AuditResource is something a call was about.
type AuditResource struct {
	Type string `json:"type"` // for example AWS::AppRunner::Service
	Name string `json:"name"`
}

// Hidden stands in a record for what must not be read there (adjacent §7).
const Hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// username is what LookupEvents finds the caller by: the user, or the session of a role.
func (i AuditIdentity) username() string {
	if i.UserName != "" {
		return i.UserName
	}
	if i.Type == "Root" {
		return "root"
	}
	return i.ARN[strings.LastIndexByte(i.ARN, '/')+1:]
}
