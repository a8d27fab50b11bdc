package events

import (
	"encoding/json"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// The codes of the EventBridge API that this room answers with.
const (
	CodeValidation     apprunner.Code = "ValidationException"
	CodeInvalidPattern apprunner.Code = "InvalidEventPatternException"
	CodeManagedRule    apprunner.Code = "ManagedRuleException"
	CodeLimitExceeded  apprunner.Code = "LimitExceededException"
)

// DefaultBus is the name of the one event bus that an account has in a region.
const DefaultBus = "default"

// BusARN is the ARN of the default bus of an account and region.
func BusARN(sc apprunner.Scope) string {
	return "arn:aws:events:" + sc.Region + ":" + sc.Account + ":event-bus/" + DefaultBus
}

// ManagedPrefix begins the names of the rules that App Runner makes for itself. Nobody else can make or change one.
const ManagedPrefix = "AWSAppRunnerManagedRule"

// The limits of EventBridge (quotas of event buses and rules, and of PutTargets).
const (
	maxRules      = 300 // on a bus
	maxTargets    = 5   // of a rule
	maxTags       = 50  // of a rule
	defaultTries  = 185
	defaultMaxAge = 24 * time.Hour
)

// Rule sends the events that its pattern chooses to its targets.
type Rule struct {
	apprunner.Scope
	Name        string
	Description string
	Pattern     string // as it was given
	RoleARN     string
	Enabled     bool
	ManagedBy   string // the service that made it for itself, such as apprunner.amazonaws.com; "" for rules of users
	CreatedBy   string // account
	Tags        map[string]string
	Targets     []Target // at most 5, by id
}

// ARN is the rule's name everywhere.
func (r Rule) ARN() string { return RuleARN(r.Scope, r.Name) }

// RuleARN is the ARN of a rule on the default bus.
func RuleARN(sc apprunner.Scope, name string) string {
	return "arn:aws:events:" + sc.Region + ":" + sc.Account + ":rule/" + name
}

// Target is where a rule sends events, and in which form.
type Target struct {
	ID      string
	ARN     string
	RoleARN string

	// At most one of these says what is sent in place of the whole event.
	Input     string // this JSON text
	InputPath string // the part of the event that a JSON path leads to
	Transform *Transform

	Tries      *int   // how often a delivery is tried again after a failure, 0 to 185; nil: 185
	MaxAge     int    // seconds for which an event is tried, 60 to 86400; 0: a day
	DeadLetter string // ARN of the target for what could not be delivered; "" for none

	// Rest is what else was given, for tools that want to see it again: the parameters of kinds of targets that are not here.
	Rest json.RawMessage `json:",omitempty"`
}

// Transform makes what is sent out of parts of the event (EventBridge, input transformers).
type Transform struct {
	Paths    map[string]string // variable to JSON path
	Template string            // JSON with <variable>s
}

// tries is how often a delivery is tried again.
func (t Target) tries() int {
	if t.Tries == nil {
		return defaultTries
	}
	return *t.Tries
}

func (t Target) maxAge() time.Duration {
	if t.MaxAge == 0 {
		return defaultMaxAge
	}
	return time.Duration(t.MaxAge) * time.Second
}

// invalid refuses a request.
func invalid(format string, args ...any) error {
	return apprunner.Errorf(CodeValidation, format, args...)
}

func noRule(name string) error {
	return apprunner.Errorf(apprunner.CodeNotFound, "Rule %s does not exist on EventBus %s.", name, DefaultBus)
}
