package iam

import (
	"strings"
	"time"
)

// PrincipalType is the kind of caller, spelt as the audit trail spells it.
type PrincipalType string

// The kinds of callers.
const (
	TypeRoot          PrincipalType = "Root"
	TypeUser          PrincipalType = "IAMUser"
	TypeAssumedRole   PrincipalType = "AssumedRole"
	TypeFederatedUser PrincipalType = "FederatedUser"
	TypeService       PrincipalType = "AWSService"
)

// Principal is a caller whose signature was verified.
type Principal struct {
	Type        PrincipalType
	Account     string
	ID          string // unique id; aws:userid. Of a role session <role id>:<session name>
	ARN         string
	UserName    string // users only
	AccessKeyID string
	Session     *Session // temporary credentials only
}

// Session is what temporary credentials add to a principal.
type Session struct {
	RoleID    string `json:"roleId,omitempty"`
	RoleARN   string `json:"roleArn,omitempty"`
	RoleName  string `json:"roleName,omitempty"`
	Name      string `json:"name,omitempty"`
	IssuedAt  time.Time
	ExpiresAt time.Time
	// Policies narrow the session: what they do not allow is denied whatever the role allows (adjacent §2.4, step 6).
	Policies []string          `json:"policies,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	// UserID is the user whose rights a federated user has at most; empty for root's.
	UserID string `json:"userId,omitempty"`
	// IssuerARN names who vouched for a federated user.
	IssuerARN string `json:"issuerArn,omitempty"`
	// SourceIdentity is set once, when the first role is assumed, and stays for the roles that session assumes.
	SourceIdentity string `json:"sourceIdentity,omitempty"`
	// Transitive names the tags that the roles this session assumes have as well.
	Transitive []string `json:"transitive,omitempty"`
	// MFAAt is when the caller proved to have an MFA device; zero where nobody asked.
	MFAAt time.Time `json:"mfaAt,omitzero"`
	// InstanceID is the instance of a service that the session was made for; the session ends with it.
	InstanceID string `json:"instanceId,omitempty"`
}

// PolicyARN is the name policies and conditions know the principal by (aws:PrincipalArn): a role session goes by its role.
func (p Principal) PolicyARN() string {
	if p.Session != nil && p.Session.RoleARN != "" {
		return p.Session.RoleARN
	}
	return p.ARN
}

// RootARN names the root identity of an account.
func RootARN(account string) string { return "arn:aws:iam::" + account + ":root" }

func entityARN(account, kind, path, name string) string {
	return "arn:aws:iam::" + account + ":" + kind + path + name
}

// AccountOf is the account part of an ARN, empty when the text is not one.
func AccountOf(arn string) string {
	p := strings.SplitN(arn, ":", 6)
	if len(p) < 6 {
		return ""
	}
	return p[4]
}
