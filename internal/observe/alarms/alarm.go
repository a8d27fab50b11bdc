package alarms

import (
	"slices"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe/metrics"
)

// The codes of the CloudWatch API that this room answers with, beside those of package metrics.
const (
	CodeNotFound      apprunner.Code = "ResourceNotFound"
	CodeLimitExceeded apprunner.Code = "LimitExceededFault"
	CodeInvalidFormat apprunner.Code = "InvalidFormatFault"
	CodeValidation    apprunner.Code = "ValidationError"
)

// The limits of alarms.
const (
	maxAlarms  = 5000 // of an account and region
	maxActions = 5    // for a state
	maxTags    = 50
	longest    = 7 * 24 * time.Hour // that the periods of an alarm may be together
)

// Alarm is one alarm, its settings and its state.
type Alarm struct {
	apprunner.Scope
	Name, Description string
	// Queries are the metric, or the metrics and the expressions over them, of which one is watched: the only one that is not hidden.
	Queries []metrics.Query
	// Plain alarms were given as one metric, and are shown so.
	Plain bool
	Condition

	ActionsEnabled bool
	Actions        map[State][]string // ARNs
	Tags           map[string]string
	Configured     time.Time

	State              State
	Reason, ReasonData string
	Updated            time.Time // when the state was last set
	Transitioned       time.Time // when it last became another
}

// ARN is the name of the alarm everywhere.
func (a Alarm) ARN() string { return ARN(a.Scope, a.Name) }

// ARN is the name of an alarm everywhere.
func ARN(sc apprunner.Scope, name string) string {
	return "arn:aws:cloudwatch:" + sc.Region + ":" + sc.Account + ":alarm:" + name
}

// Watched is the query whose values are held against the threshold.
func (a Alarm) Watched() metrics.Query {
	i := slices.IndexFunc(a.Queries, func(q metrics.Query) bool { return !q.Hidden })
	return a.Queries[max(0, i)]
}

// Period is how long one period is: where an expression says nothing, the shortest of its metrics.
func (a Alarm) Period() time.Duration {
	watched := a.Watched()
	switch {
	case watched.Stat != nil:
		return watched.Stat.Period
	case watched.Period != 0:
		return watched.Period
	}
	var shortest time.Duration
	for _, q := range a.Queries {
		if q.Stat != nil && (shortest == 0 || q.Stat.Period < shortest) {
			shortest = q.Stat.Period
		}
	}
	return shortest
}

// Watches tells whether the alarm is about a metric; a zero period and an empty statistic and unit stand for any.
func (a Alarm) Watches(s metrics.Stat) bool {
	return slices.ContainsFunc(a.Queries, func(q metrics.Query) bool {
		return q.Stat != nil && q.Stat.Metric == s.Metric && q.Stat.Namespace == s.Namespace && sameDimensions(q.Stat.Dimensions, s.Dimensions) &&
			(s.Period == 0 || s.Period == q.Stat.Period) && (s.Statistic == "" || s.Statistic == q.Stat.Statistic) && (s.Unit == "" || s.Unit == q.Stat.Unit)
	})
}

func sameDimensions(a, b []metrics.Dimension) bool {
	if len(a) != len(b) {
		return false
	}
	for _, d := range a {
		if !slices.Contains(b, d) {
			return false
		}
	}
	return true
}

func invalid(format string, args ...any) error {
	return apprunner.Errorf(CodeValidation, format, args...)
}

// check refuses settings that no alarm can have.
func (a Alarm) check() error {
	if err := metrics.CheckQueries(a.Queries); err != nil {
		return err
	}
	shown := slices.DeleteFunc(slices.Clone(a.Queries), func(q metrics.Query) bool { return q.Hidden })
	if len(shown) != 1 {
		return invalid("Exactly one element of the metrics list should return data; here %d do.", len(shown))
	}
	if a.Period() == 0 {
		return invalid("The expression of the alarm has no metric and no Period.")
	}
	if err := a.Condition.check(a.Period()); err != nil {
		return err
	}
	for state, arns := range a.Actions {
		if err := checkActions(state, arns); err != nil {
			return err
		}
	}
	if len(a.Tags) > maxTags {
		return invalid("An alarm has at most %d tags; here are %d.", maxTags, len(a.Tags))
	}
	return nil
}

func (c Condition) check(period time.Duration) error {
	if _, served := operators[c.Operator]; !served {
		return invalid("The comparison operator %q is not served here; allowed are GreaterThanOrEqualToThreshold, GreaterThanThreshold, LessThanThreshold and LessThanOrEqualToThreshold. There are no anomaly detection models.", string(c.Operator))
	}
	switch {
	case c.Periods < 1:
		return invalid("The parameter EvaluationPeriods must be at least 1; it is %d.", c.Periods)
	case c.ToAlarm < 1 || c.ToAlarm > c.Periods:
		return invalid("The parameter DatapointsToAlarm must be from 1 to EvaluationPeriods, %d; it is %d.", c.Periods, c.ToAlarm)
	case time.Duration(c.Periods) > longest/period:
		return invalid("Metrics cannot be checked across more than %d seconds (EvaluationPeriods * Period).", int(longest.Seconds()))
	case !slices.Contains([]string{"", treatMissing, treatIgnore, treatBreaching, treatNotBreaching}, c.TreatMissing):
		return invalid("The parameter TreatMissingData must be missing, ignore, breaching or notBreaching; it is %q.", c.TreatMissing)
	}
	return nil
}

func checkActions(state State, arns []string) error {
	if len(arns) > maxActions {
		return invalid("An alarm has at most %d actions for a state; for %s it has %d.", maxActions, state, len(arns))
	}
	for _, arn := range arns {
		if !strings.HasPrefix(arn, "arn:") || strings.ContainsAny(arn, " \t\r\n") || strings.Count(arn, ":") < 4 {
			return invalid("Invalid arn syntax: %s", arn)
		}
	}
	return nil
}
