package parameter

import (
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// The codes of the SSM API beside the common ones.
const (
	CodeNotFound        apprunner.Code = "ParameterNotFound"
	CodeExists          apprunner.Code = "ParameterAlreadyExists"
	CodeVersionNotFound apprunner.Code = "ParameterVersionNotFound"
	CodeValidation      apprunner.Code = "ValidationException"
	CodeKey             apprunner.Code = "InvalidKeyId"
	CodeTypeMismatch    apprunner.Code = "HierarchyTypeMismatchException"
	CodeLevels          apprunner.Code = "HierarchyLevelLimitExceededException"
	CodeBadPattern      apprunner.Code = "InvalidAllowedPatternException"
	CodePattern         apprunner.Code = "ParameterPatternMismatchException"
	CodeMaxVersions     apprunner.Code = "ParameterMaxVersionLimitExceeded"
	CodeLabels          apprunner.Code = "ParameterVersionLabelLimitExceeded"
	CodeTooManyTags     apprunner.Code = "TooManyTagsError"
	CodePolicyType      apprunner.Code = "InvalidPolicyTypeException"
	CodeUnsupportedType apprunner.Code = "UnsupportedParameterType"
)

// ManagedKey is the key of parameters that name none.
const ManagedKey = "alias/aws/ssm"

// Type says what a value is.
type Type string

// The types.
const (
	String       Type = "String"
	StringList   Type = "StringList" // parts between commas
	SecureString Type = "SecureString"
)

// Tier says how long a value may be.
type Tier string

// The tiers. Intelligent tiering chooses one of the other two.
const (
	Standard    Tier = "Standard"
	Advanced    Tier = "Advanced"
	Intelligent Tier = "Intelligent-Tiering"
)

// DataType is the only data type there is.
const DataType = "text"

// The limits of the Parameter Store.
const (
	maxStandard = 4096 // characters of a value
	maxAdvanced = 8192
	maxVersions = 100
	maxLabels   = 10 // of a version
	maxTags     = 50
	maxLevels   = 15
	maxFullName = 1011 // bytes of the whole ARN
)

// Parameter is what is known of a parameter beside its values.
type Parameter struct {
	apprunner.Scope
	Name     string // as it was given first
	Type     Type
	Tags     map[string]string
	Versions []Version // oldest first; the last is the present one
}

// Version is what one write said, without the value.
type Version struct {
	Number      int64 // from 1
	Labels      []string
	KeyID       string // of a SecureString
	Description string
	Pattern     string // which values are allowed; empty: all
	Tier        Tier
	ModifiedAt  time.Time
	ModifiedBy  string // ARN of who wrote it
}

// ARN names the parameter.
func (p Parameter) ARN() string { return ARN(p.Scope, p.Name) }

// ARN names the parameter of a name, whether it is there or not.
func ARN(sc apprunner.Scope, name string) string {
	return "arn:aws:ssm:" + sc.Region + ":" + sc.Account + ":parameter/" + bare(name)
}

// Present is the newest version.
func (p Parameter) Present() Version { return p.Versions[len(p.Versions)-1] }

// OwnKey tells whether the user chose the key of a version, so that whoever uses the value needs rights on the key too.
func (v Version) OwnKey() bool { return v.KeyID != "" && v.KeyID != ManagedKey }

// bare is a name without its leading slash, under which a parameter is kept.
func bare(name string) string { return strings.TrimPrefix(name, "/") }

// Locate takes what a request calls a parameter apart: a name in the caller's scope or an ARN, with or without a selector, which is
// the number or a label of a version.
func Locate(sc apprunner.Scope, text string) (home apprunner.Scope, name, selector string) {
	home, name = sc, text
	if parts := strings.SplitN(text, ":", 6); len(parts) == 6 && parts[0] == "arn" && parts[1] == "aws" && parts[2] == "ssm" && strings.HasPrefix(parts[5], "parameter/") {
		home, name = apprunner.Scope{Region: parts[3], Account: parts[4]}, parts[5][len("parameter"):]
	}
	name, selector, _ = strings.Cut(name, ":")
	return home, name, selector
}

// pick finds the version that a selector means; an empty one means the present version.
func (p Parameter) pick(selector string) (Version, error) {
	if selector == "" {
		return p.Present(), nil
	}
	i := slices.IndexFunc(p.Versions, func(v Version) bool { return v.isNumber(selector) || slices.Contains(v.Labels, selector) })
	if i < 0 {
		return Version{}, apprunner.Errorf(CodeVersionNotFound, "Systems Manager could not find version %s of %s. Verify the version and try again.", clip(selector), p.Name)
	}
	return p.Versions[i], nil
}

func notFound(name string) error {
	return apprunner.Errorf(CodeNotFound, "Parameter %s not found.", clip(name))
}

func invalid(format string, args ...any) error {
	return apprunner.Errorf(CodeValidation, format, args...)
}

func clip(s string) string {
	if len(s) > 120 {
		return strings.ToValidUTF8(s[:120], "") + "…"
	}
	return s
}
