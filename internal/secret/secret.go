package secret

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// The codes of Secrets Manager beside the common ones.
const (
	CodeExists           apprunner.Code = "ResourceExistsException"
	CodeInvalidParameter apprunner.Code = "InvalidParameterException"
	CodeLimitExceeded    apprunner.Code = "LimitExceededException"
	CodeEncryption       apprunner.Code = "EncryptionFailure"
	CodeDecryption       apprunner.Code = "DecryptionFailure"
)

// ManagedKey is the key of secrets that name none; it is made for an account and region when it is first used.
const ManagedKey = "alias/aws/secretsmanager"

// Stages that mean something to the room; users may make others.
const (
	StageCurrent  = "AWSCURRENT"
	StagePrevious = "AWSPREVIOUS"
)

// The limits of Secrets Manager.
const (
	maxValue    = 65536 // bytes of a value
	maxVersions = 100   // of a secret
	maxStages   = 20    // of a version
	maxTags     = 50
)

// Secret is what is known of a secret beside its values.
type Secret struct {
	apprunner.Scope
	Name        string
	Suffix      string // six letters and digits at the end of the ARN: a name that is used again is another secret
	Description string
	KeyID       string // the KMS key as it was given; empty: ManagedKey
	Tags        map[string]string
	Policy      string // the resource policy; empty: none
	CreatedAt   time.Time
	ChangedAt   time.Time
	ReadOn      time.Time // the day of the last read, at midnight UTC; zero: never
	DeletedAt   time.Time // when the deletion was asked for; zero: it lives
	PurgeAt     time.Time // when a deleted secret is gone for good
	Versions    []Version // oldest first
}

// Version is one value of a secret, without the value.
type Version struct {
	ID        string
	Stages    []string
	CreatedAt time.Time
	ReadOn    time.Time
	Binary    bool
	KeyARN    string // what the value is sealed under
}

// ARN names the secret.
func (s Secret) ARN() string { return arnHead(s.Scope) + s.Name + "-" + s.Suffix }

// Key is the KMS key the secret's next version is sealed under.
func (s Secret) Key() string {
	if s.KeyID == "" {
		return ManagedKey
	}
	return s.KeyID
}

// OwnKey tells whether the secret's user chose its key, so that whoever uses the secret needs rights on the key too.
func (s Secret) OwnKey() bool { return s.KeyID != "" && s.KeyID != ManagedKey }

// version finds a version by its id; -1: there is none.
func (s Secret) version(id string) int {
	return slices.IndexFunc(s.Versions, func(v Version) bool { return v.ID == id })
}

// staged finds the version that has a stage; -1: none has.
func (s Secret) staged(stage string) int {
	return slices.IndexFunc(s.Versions, func(v Version) bool { return slices.Contains(v.Stages, stage) })
}

// Value is what a secret hides. No verb of fmt and no log shows it.
type Value struct {
	Bytes  []byte
	Binary bool // given as SecretBinary; text otherwise
}

// Text makes a value of text.
func Text(s string) Value { return Value{Bytes: []byte(s)} }

// LogValue keeps the value out of structured logs.
func (v Value) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format keeps the value out of every verb of fmt.
func (v Value) Format(f fmt.State, _ rune) { fmt.Fprint(f, hidden) }

const hidden = "(a secret)"

func notFound() error {
	return apprunner.Errorf(apprunner.CodeNotFound, "Secrets Manager can't find the specified secret.")
}

func marked() error {
	return apprunner.Errorf(apprunner.CodeInvalidRequest, "You can't perform this operation on the secret because it was marked for deletion.").
		WithHint("RestoreSecret brings it back.")
}

func invalid(format string, args ...any) error {
	return apprunner.Errorf(CodeInvalidParameter, format, args...)
}
