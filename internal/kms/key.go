package kms

import (
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// The codes of the KMS API that this room answers with.
const (
	CodeNotFound          apprunner.Code = "NotFoundException"
	CodeDisabled          apprunner.Code = "DisabledException"
	CodeInvalidState      apprunner.Code = "KMSInvalidStateException"
	CodeInvalidCiphertext apprunner.Code = "InvalidCiphertextException"
	CodeIncorrectKey      apprunner.Code = "IncorrectKeyException"
	CodeInvalidKeyUsage   apprunner.Code = "InvalidKeyUsageException"
	CodeInvalidMarker     apprunner.Code = "InvalidMarkerException"
	CodeDryRun            apprunner.Code = "DryRunOperationException"
	CodeAlreadyExists     apprunner.Code = "AlreadyExistsException"
	CodeInvalidARN        apprunner.Code = "InvalidArnException"
	CodeInvalidAlias      apprunner.Code = "InvalidAliasNameException"
	CodeInvalidGrantID    apprunner.Code = "InvalidGrantIdException"
	CodeInvalidGrantToken apprunner.Code = "InvalidGrantTokenException"
	CodeLimitExceeded     apprunner.Code = "LimitExceededException"
	CodeMalformedPolicy   apprunner.Code = "MalformedPolicyDocumentException"
	CodeTag               apprunner.Code = "TagException"
	CodeUnsupported       apprunner.Code = "UnsupportedOperationException"
	CodeValidation        apprunner.Code = "ValidationException"
	CodeInternal          apprunner.Code = "KMSInternalException"
)

// State says whether a key can be used.
type State string

// The states of a key. A key that is deleted has none: it is gone, and its material with it.
const (
	StateEnabled         State = "Enabled"
	StateDisabled        State = "Disabled"
	StatePendingDeletion State = "PendingDeletion"
)

// The limits of KMS (quotas of keys, aliases, grants and tags).
const (
	maxKeys    = 100_000 // of an account in a region
	maxAliases = 50      // of a key
	maxGrants  = 50_000  // of a key
	maxTags    = 50      // of a key
)

// Key is the record of a symmetric key (AES-256-GCM, SYMMETRIC_DEFAULT). Its material is elsewhere.
type Key struct {
	apprunner.Scope
	ID          string // UUID
	Description string
	State       State
	Managed     bool // made and kept by the installation for one of its services; users cannot change it
	CreatedAt   time.Time
	DeletionAt  time.Time // while it waits for its deletion
	Policy      string    // the key policy, JSON
	Tags        map[string]string
	Rotation    Rotation
	Material    int // the number of the material that encrypts, from 1
}

// Rotation is the yearly, or more or less frequent, change of a key's material.
type Rotation struct {
	On   bool
	Days int       // 90 to 2560
	Next time.Time // when the material changes; zero while Off
}

// ARN is the key's name everywhere.
func (k Key) ARN() string { return arnOf(k.Scope, "key/"+k.ID) }

// due is when something has to be done about the key by itself; zero: never.
func (k Key) due() time.Time {
	switch {
	case k.State == StatePendingDeletion:
		return k.DeletionAt
	case k.Rotation.On && k.State == StateEnabled:
		return k.Rotation.Next
	}
	return time.Time{}
}

// usable fails with CodeDisabled or CodeInvalidState unless the key can encrypt and decrypt.
func (k Key) usable() error {
	switch k.State {
	case StateEnabled:
		return nil
	case StateDisabled:
		return apprunner.Errorf(CodeDisabled, "%s is disabled.", k.ARN())
	default:
		return apprunner.Errorf(CodeInvalidState, "%s is pending deletion.", k.ARN())
	}
}

// changeable fails unless users may change the key, which must not be about to be deleted.
func (k Key) changeable() error {
	if k.Managed {
		return apprunner.Errorf(apprunner.CodeAccessDenied, "%s is a managed key: its state, policy, rotation and tags cannot be changed.", k.ARN())
	}
	if k.State == StatePendingDeletion {
		return apprunner.Errorf(CodeInvalidState, "%s is pending deletion.", k.ARN())
	}
	return nil
}

func arnOf(sc apprunner.Scope, resource string) string {
	return "arn:aws:kms:" + sc.Region + ":" + sc.Account + ":" + resource
}

// KeyARN is the ARN of a key by its id.
func KeyARN(sc apprunner.Scope, id string) string { return arnOf(sc, "key/"+id) }

// AliasARN is the ARN of an alias by its name, "alias/…".
func AliasARN(sc apprunner.Scope, name string) string { return arnOf(sc, name) }

// name is what a request calls a key by: an id or an alias, in an account and region.
type name struct {
	apprunner.Scope
	id    string // UUID; "" where an alias is named
	alias string // "alias/…"
}

// parseName takes the name of a key apart: an id, an alias, or the ARN of one, which may lie in another account but not in another
// region. It fails with CodeNotFound or CodeInvalidARN.
func parseName(sc apprunner.Scope, text string) (name, error) {
	resource := text
	if strings.HasPrefix(text, "arn:") {
		parts := strings.SplitN(text, ":", 6)
		if len(parts) != 6 || parts[2] != "kms" || len(parts[4]) != 12 {
			return name{}, apprunner.Errorf(CodeInvalidARN, "%s is not the ARN of a key or an alias; the form is arn:aws:kms:<region>:<account>:key/<id>.", clip(text))
		}
		if parts[3] != sc.Region {
			return name{}, apprunner.Errorf(CodeNotFound, "Invalid arn %s: the key is in another region than %s, which was asked.", clip(parts[3]), sc.Region)
		}
		sc.Account, resource = parts[4], parts[5]
		if !strings.HasPrefix(resource, "key/") && !strings.HasPrefix(resource, aliasPrefix) {
			return name{}, apprunner.Errorf(CodeInvalidARN, "%s names neither a key nor an alias.", clip(text))
		}
		resource = strings.TrimPrefix(resource, "key/")
	}
	if strings.HasPrefix(resource, aliasPrefix) {
		return name{Scope: sc, alias: resource}, nil
	}
	return name{Scope: sc, id: resource}, nil
}

func (n name) missing() error {
	if n.alias != "" {
		return apprunner.Errorf(CodeNotFound, "Alias %s is not found.", arnOf(n.Scope, clip(n.alias)))
	}
	return apprunner.Errorf(CodeNotFound, "Key '%s' does not exist", KeyARN(n.Scope, clip(n.id)))
}

// clip shortens a client's text for a message.
func clip(s string) string {
	if len(s) > 120 {
		return strings.ToValidUTF8(s[:120], "") + "…"
	}
	return s
}
