package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
	"slipway.dev/slipway/internal/store"
)

// Credentials are temporary: they work until ExpiresAt, with the token.
type Credentials struct {
	AccessKeyID, Secret, Token string
	ExpiresAt                  time.Time
	Principal                  Principal
}

const (
	purposeToken = "session token"

	minSession     = 15 * time.Minute
	maxUserSession = 36 * time.Hour
	maxRootSession = time.Hour
	tokenVersion   = 1
)

// sealedSession is what a session token holds. The token carries its own secret, so no table of sessions is kept, and any control
// plane with the key file can verify it.
type sealedSession struct {
	Version   int       `json:"v"`
	KeyID     string    `json:"k"`
	Secret    string    `json:"s"`
	Principal Principal `json:"p"`
}

// AssumeRoleInput asks for a role session.
type AssumeRoleInput struct {
	RoleARN     string
	SessionName string
	Duration    time.Duration // zero: one hour
	Policies    []string      // session policies, documents
	PolicyARNs  []string      // session policies, managed ones by ARN
	Tags        map[string]string
	// Transitive names those of the tags that the roles assumed with the session have as well.
	Transitive     []string
	ExternalID     string
	SourceIdentity string
	MFA            MFAProof
	Context        map[string][]string // condition keys about the call
}

// MFAProof is what a caller shows of an MFA device: its serial number and the password it shows now. The zero value shows none.
type MFAProof struct{ Serial, Code string }

// prove returns when the caller proved to have a device: now, earlier in its session, or never.
func (d *Directory) prove(ctx context.Context, p Principal, proof MFAProof) (time.Time, error) {
	if proof != (MFAProof{}) {
		return d.now().UTC().Truncate(time.Second), d.ProveMFA(ctx, p, proof.Serial, proof.Code)
	}
	if p.Session != nil && p.Type != TypeAssumedRole {
		return p.Session.MFAAt, nil
	}
	return time.Time{}, nil
}

var sessionNameForm = form{pattern.Of(`^[\w+=,.@-]+$`), 2, 64}

// AssumeRole gives a caller temporary credentials of a role whose trust policy allows it (adjacent §2.4, §2.5).
func (d *Directory) AssumeRole(ctx context.Context, caller Principal, in AssumeRoleInput) (Credentials, error) {
	if !sessionNameForm.MatchString(in.SessionName) {
		return Credentials{}, apprunner.Errorf(CodeValidationError, "RoleSessionName must have 2 to 64 characters of letters, digits and =,.@_-")
	}
	in.Tags = maps.Clone(in.Tags)
	if in.Tags == nil {
		in.Tags = map[string]string{}
	}
	if err := checkTags(in.Tags); err != nil {
		return Credentials{}, err
	}
	for _, k := range in.Transitive {
		if _, given := in.Tags[k]; !given {
			return Credentials{}, apprunner.Errorf(CodeInvalidInput, "The transitive tag key %s is not among the tags.", clip(k))
		}
	}
	if err := in.inherit(caller.Session); err != nil {
		return Credentials{}, err
	}
	if in.Duration == 0 {
		in.Duration = defaultSession
	}
	proved, err := d.prove(ctx, caller, in.MFA)
	if err != nil {
		return Credentials{}, err
	}
	role, err := d.assumable(ctx, caller, in, proved)
	if err != nil {
		return Credentials{}, err
	}
	limit := role.MaxSession
	if caller.Type == TypeAssumedRole {
		limit = min(limit, time.Hour) // role chaining
	}
	if in.Duration < minSession || in.Duration > limit {
		return Credentials{}, apprunner.Errorf(CodeValidationError, "DurationSeconds is %d; for this role it must be from %d to %d.",
			int64(in.Duration/time.Second), int64(minSession/time.Second), int64(limit/time.Second))
	}
	policies, err := d.sessionPolicies(ctx, role.Account, in.Policies, in.PolicyARNs)
	if err != nil {
		return Credentials{}, err
	}
	p := d.roleSession(role, in.SessionName, in.Tags, policies)
	p.Session.SourceIdentity, p.Session.Transitive, p.Session.MFAAt = in.SourceIdentity, in.Transitive, proved
	if caller.Session != nil {
		p.Session.InstanceID = caller.Session.InstanceID // what an instance's session assumes ends with the instance
	}
	return d.issue(p, in.Duration)
}

// inherit takes over what a session hands on to the roles it assumes: its source identity and its transitive tags.
func (in *AssumeRoleInput) inherit(s *Session) error {
	if s == nil {
		return nil
	}
	if s.SourceIdentity != "" {
		if in.SourceIdentity != "" && in.SourceIdentity != s.SourceIdentity {
			return apprunner.Errorf(apprunner.CodeAccessDenied, "The source identity of a session cannot be changed.")
		}
		in.SourceIdentity = s.SourceIdentity
	}
	for _, k := range s.Transitive {
		if _, given := in.Tags[k]; given {
			return apprunner.Errorf(CodeInvalidInput, "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session: %s", clip(k))
		}
		in.Tags[k] = s.Tags[k]
		in.Transitive = append(in.Transitive, k)
	}
	return nil
}

// asks are the rights that assuming a role needs of both sides: tags become aws:PrincipalTag keys of the session and a source
// identity aws:SourceIdentity, so setting them are rights of their own.
func (in AssumeRoleInput) asks(keys map[string][]string) []string {
	actions := []string{ActionAssumeRole}
	if in.SourceIdentity != "" {
		actions = append(actions, actionSetSourceIdentity)
		keys["sts:SourceIdentity"] = []string{in.SourceIdentity}
	}
	if len(in.Tags) > 0 {
		actions = append(actions, actionTagSession)
	}
	for k, v := range in.Tags {
		keys["aws:RequestTag/"+k] = []string{v}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], k)
	}
	if len(in.Transitive) > 0 {
		keys["sts:TransitiveTagKeys"] = in.Transitive
	}
	return actions
}

// roleSession is the principal of a session of a role.
func (d *Directory) roleSession(role Role, name string, tags map[string]string, policies []string) Principal {
	return Principal{
		Type: TypeAssumedRole, Account: role.Account, ID: role.ID + ":" + name,
		ARN: "arn:aws:sts::" + role.Account + ":assumed-role/" + role.Name + "/" + name,
		Session: &Session{
			RoleID: role.ID, RoleARN: role.ARN(), RoleName: role.Name, Name: name, Policies: policies, Tags: tags,
		},
	}
}

// ServiceSession gives the product itself temporary credentials of a role, for an instance; the trust policy must allow the
// service principal (§18).
func (d *Directory) ServiceSession(ctx context.Context, roleARN, servicePrincipal, sessionName string, life time.Duration) (Credentials, error) {
	role, err := d.serviceRole(ctx, roleARN, servicePrincipal, "")
	if err != nil {
		return Credentials{}, err
	}
	return d.issue(d.roleSession(role, sessionName, nil, nil), life)
}

// serviceRole is a role that a service may assume, on behalf of the resource source.
func (d *Directory) serviceRole(ctx context.Context, roleARN, servicePrincipal, source string) (Role, error) {
	role, exists, trusts, err := d.trusted(ctx, roleARN, servicePrincipal, source)
	if err == nil && (!exists || !trusts) {
		err = apprunner.Errorf(apprunner.CodeAccessDenied, "%s is not authorized to perform: %s on resource: %s", servicePrincipal, ActionAssumeRole, roleARN)
	}
	return role, err
}

// assumable finds the role and asks both sides: its trust policy, and the caller's identity policies unless the trust policy
// names the caller itself within one account. A role that does not exist looks like one that may not be assumed.
func (d *Directory) assumable(ctx context.Context, caller Principal, in AssumeRoleInput, proved time.Time) (Role, error) {
	q := Request{Action: ActionAssumeRole, Resource: in.RoleARN}
	if caller.Type == TypeRoot {
		return Role{}, apprunner.Errorf(apprunner.CodeAccessDenied, "Roles may not be assumed by root accounts.")
	}
	var role Role
	var found bool
	err := d.db.View(ctx, func(tx *store.Tx) (err error) {
		role, found, err = findRole(tx, in.RoleARN)
		return err
	})
	if err != nil {
		return Role{}, err
	}
	set, tags, err := d.policiesOf(ctx, caller)
	if err != nil {
		return Role{}, err
	}
	q.Context = d.principalContext(caller, tags, in.Context)
	q.Context["sts:RoleSessionName"] = []string{in.SessionName}
	if in.MFA != (MFAProof{}) {
		(&Session{MFAAt: proved}).mfaContext(func(key, value string) { q.Context[key] = []string{value} }, d.now())
	}
	if in.ExternalID != "" {
		q.Context["sts:ExternalId"] = []string{in.ExternalID}
	}
	if !found {
		return Role{}, Denied(caller, q)
	}
	doc, err := d.parsed.parse(role.Trust, TrustPolicy)
	if err != nil {
		return Role{}, fmt.Errorf("trust policy of %s: %w", in.RoleARN, err)
	}
	for _, q.Action = range in.asks(q.Context) {
		if !set.allowsWith(doc, caller.caller(), q, caller.Account == role.Account, false) {
			return Role{}, Denied(caller, q)
		}
	}
	return role, nil
}

// sessionPolicies gathers the texts that narrow a session.
func (d *Directory) sessionPolicies(ctx context.Context, account string, documents, arns []string) ([]string, error) {
	for _, doc := range documents {
		if err := checkPolicyText(doc, IdentityPolicy, maxUserInline); err != nil {
			return nil, err
		}
	}
	if len(arns) == 0 {
		return documents, nil
	}
	out := append([]string(nil), documents...)
	err := d.db.View(ctx, func(tx *store.Tx) error {
		for _, arn := range arns {
			if _, err := d.getPolicy(tx, account, arn); err != nil {
				return err
			}
			text, _, err := d.policyText(tx, arn)
			if err != nil {
				return err
			}
			out = append(out, text)
		}
		return nil
	})
	return out, err
}

// SessionToken gives a user or root temporary credentials with its own rights (sts:GetSessionToken).
func (d *Directory) SessionToken(ctx context.Context, caller Principal, life time.Duration, proof MFAProof) (Credentials, error) {
	limit, usual := maxUserSession, 12*time.Hour
	switch {
	case caller.Session != nil:
		return Credentials{}, apprunner.Errorf(apprunner.CodeAccessDenied, "Cannot call GetSessionToken with session credentials")
	case caller.Type == TypeRoot:
		limit, usual = maxRootSession, time.Hour
	}
	if life == 0 {
		life = usual
	}
	if life < minSession || life > maxUserSession {
		return Credentials{}, apprunner.Errorf(CodeValidationError, "DurationSeconds is %d; it must be from %d to %d.",
			int64(life/time.Second), int64(minSession/time.Second), int64(maxUserSession/time.Second))
	}
	proved, err := d.prove(ctx, caller, proof)
	if err != nil {
		return Credentials{}, err
	}
	caller.Session = &Session{MFAAt: proved}
	return d.issue(caller, min(life, limit))
}

// issue makes credentials for a principal that has a Session.
func (d *Directory) issue(p Principal, life time.Duration) (Credentials, error) {
	now := d.now().UTC().Truncate(time.Second)
	s := *p.Session
	s.IssuedAt, s.ExpiresAt = now, now.Add(life)
	p.Session, p.AccessKeyID = &s, newKeyID(temporaryKeyPrefix)
	secret := newSecret()
	text, err := json.Marshal(sealedSession{Version: tokenVersion, KeyID: p.AccessKeyID, Secret: secret, Principal: p})
	if err != nil {
		return Credentials{}, fmt.Errorf("make a session token: %w", err)
	}
	token := d.seal.lock(purposeToken, text)
	if len(token) > maxTokenLength {
		return Credentials{}, apprunner.Errorf("PackedPolicyTooLarge", "The session policies and tags together are too large; shorten them.")
	}
	return Credentials{AccessKeyID: p.AccessKeyID, Secret: secret, Token: token, ExpiresAt: s.ExpiresAt, Principal: p}, nil
}

// openToken reads a session token back; it must belong to the key and must not have expired.
func (d *Directory) openToken(keyID, token string) (secret string, p Principal, err error) {
	text, err := d.seal.open(purposeToken, token)
	if err != nil {
		return "", Principal{}, unknownKey()
	}
	var s sealedSession
	if err := json.Unmarshal(text, &s); err != nil || s.Version != tokenVersion || s.KeyID != keyID || s.Principal.Session == nil {
		return "", Principal{}, unknownKey()
	}
	if !d.now().Before(s.Principal.Session.ExpiresAt) {
		return "", Principal{}, apprunner.Errorf(apprunner.CodeExpiredToken, "The security token included in the request is expired")
	}
	return s.Secret, s.Principal, nil
}
