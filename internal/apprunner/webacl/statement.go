package webacl

import "iter"

// Refused is a member of the API that is not evaluated here; [Definition.Check] refuses what has one.
type Refused map[string]any

// Statement is one condition: exactly one member is set.
type Statement struct {
	ByteMatchStatement                *ByteMatch      `json:",omitempty"`
	SqliMatchStatement                *Detect         `json:",omitempty"`
	XssMatchStatement                 *Detect         `json:",omitempty"`
	SizeConstraintStatement           *Size           `json:",omitempty"`
	IPSetReferenceStatement           *IPSetReference `json:",omitempty"`
	RegexMatchStatement               *RegexMatch     `json:",omitempty"`
	RegexPatternSetReferenceStatement *RegexReference `json:",omitempty"`
	RateBasedStatement                *Rate           `json:",omitempty"`
	LabelMatchStatement               *LabelMatch     `json:",omitempty"`
	AndStatement                      *Several        `json:",omitempty"`
	OrStatement                       *Several        `json:",omitempty"`
	NotStatement                      *Not            `json:",omitempty"`
	ManagedRuleGroupStatement         *ManagedGroup   `json:",omitempty"`
	GeoMatchStatement                 Refused         `json:",omitempty"`
	AsnMatchStatement                 Refused         `json:",omitempty"`
	RuleGroupReferenceStatement       Refused         `json:",omitempty"`
}

// Inspect is the part of a request that a condition looks at.
type Inspect struct {
	FieldToMatch        Field
	TextTransformations []Transformation
	// PreParseTextTransformations are not evaluated.
	PreParseTextTransformations []Refused `json:",omitempty"`
}

// ByteMatch looks for a text.
type ByteMatch struct {
	Inspect
	SearchString         []byte
	PositionalConstraint string // EXACTLY, STARTS_WITH, ENDS_WITH, CONTAINS or CONTAINS_WORD
}

// Detect looks for what attacks look like.
type Detect struct {
	Inspect
	SensitivityLevel string `json:",omitempty"` // of SQL injection: LOW (default) or HIGH
}

// Size compares a length in bytes, after the transformations.
type Size struct {
	Inspect
	ComparisonOperator string // EQ, NE, LE, LT, GE or GT
	Size               int64
}

// IPSetReference asks whether the client's address is in a set.
type IPSetReference struct {
	ARN                    string
	IPSetForwardedIPConfig *ForwardedIP `json:",omitempty"`
}

// ForwardedIP takes the address from a header field that a proxy in front sets.
type ForwardedIP struct {
	HeaderName       string
	FallbackBehavior string // MATCH or NO_MATCH, where the field holds no address
	Position         string `json:",omitempty"` // FIRST (default), LAST or ANY
}

// RegexMatch looks for a regular expression.
type RegexMatch struct {
	Inspect
	RegexString string
}

// RegexReference looks for one of a set of regular expressions.
type RegexReference struct {
	Inspect
	ARN string
}

// Rate matches the requests of who sends more than a limit.
type Rate struct {
	Limit               int64
	EvaluationWindowSec int64        `json:",omitempty"` // 60, 120, 300 (default) or 600
	AggregateKeyType    string       // IP, FORWARDED_IP or CONSTANT
	ForwardedIPConfig   *ForwardedIP `json:",omitempty"`
	// ScopeDownStatement says which requests count; nil: all.
	ScopeDownStatement *Statement `json:",omitempty"`
	CustomKeys         []Refused  `json:",omitempty"`
}

// LabelMatch asks whether an earlier rule has put a label on.
type LabelMatch struct {
	Scope string // LABEL or NAMESPACE
	Key   string
}

// Several joins conditions.
type Several struct{ Statements []Statement }

// Not turns a condition round.
type Not struct{ Statement *Statement }

// ManagedGroup names a rule group that is built in.
type ManagedGroup struct {
	VendorName, Name        string
	Version                 string       `json:",omitempty"`
	ExcludedRules           []Label      `json:",omitempty"` // only counted
	RuleActionOverrides     []RuleAction `json:",omitempty"`
	ScopeDownStatement      *Statement   `json:",omitempty"`
	ManagedRuleGroupConfigs []Refused    `json:",omitempty"`
}

// RuleAction gives a rule of a group another action.
type RuleAction struct {
	Name        string
	ActionToUse Action
}

// Field is a part of a request: exactly one member is set.
type Field struct {
	SingleHeader        *Named     `json:",omitempty"`
	SingleQueryArgument *Named     `json:",omitempty"`
	AllQueryArguments   *struct{}  `json:",omitempty"`
	UriPath             *struct{}  `json:",omitempty"` //nolint:revive,staticcheck // the API's spelling
	QueryString         *struct{}  `json:",omitempty"`
	Method              *struct{}  `json:",omitempty"`
	Body                *Oversize  `json:",omitempty"`
	JsonBody            *JSONBody  `json:",omitempty"` //nolint:revive,staticcheck // the API's spelling
	Headers             *FieldList `json:",omitempty"`
	Cookies             *FieldList `json:",omitempty"`
	HeaderOrder         *Oversize  `json:",omitempty"`
	JA3Fingerprint      Refused    `json:",omitempty"`
	JA4Fingerprint      Refused    `json:",omitempty"`
	UriFragment         Refused    `json:",omitempty"` //nolint:revive,staticcheck // the API's spelling
}

// Named is a header field or query argument.
type Named struct{ Name string }

// Oversize says what holds for a part that is longer than what is inspected: CONTINUE (default) with its beginning, MATCH or NO_MATCH.
type Oversize struct {
	OversizeHandling string `json:",omitempty"`
}

// JSONBody is the values or keys of a body that is JSON.
type JSONBody struct {
	MatchPattern struct {
		All           *struct{} `json:",omitempty"`
		IncludedPaths []string  `json:",omitempty"` // JSON pointers
	}
	MatchScope              string // ALL, KEY or VALUE
	InvalidFallbackBehavior string `json:",omitempty"` // EVALUATE_AS_STRING (default), MATCH or NO_MATCH
	OversizeHandling        string `json:",omitempty"`
}

// FieldList is several header fields or cookies.
type FieldList struct {
	MatchPattern struct {
		All             *struct{} `json:",omitempty"`
		IncludedHeaders []string  `json:",omitempty"`
		ExcludedHeaders []string  `json:",omitempty"`
		IncludedCookies []string  `json:",omitempty"`
		ExcludedCookies []string  `json:",omitempty"`
	}
	MatchScope       string // ALL, KEY or VALUE
	OversizeHandling string
}

// Transformation changes a part before it is looked at, in the order of priorities.
type Transformation struct {
	Priority int
	Type     string
}

// All visits a statement and every one inside it, with how deep each lies.
func (s *Statement) All() iter.Seq2[int, *Statement] {
	return func(yield func(int, *Statement) bool) { s.walk(0, yield) }
}

func (s *Statement) walk(depth int, yield func(int, *Statement) bool) bool {
	if s == nil {
		return true
	}
	if !yield(depth, s) {
		return false
	}
	for _, inner := range s.inside() {
		if !inner.walk(depth+1, yield) {
			return false
		}
	}
	return true
}

// inside are the statements that a statement is made of.
func (s *Statement) inside() (list []*Statement) {
	for _, several := range [...]*Several{s.AndStatement, s.OrStatement} {
		if several != nil {
			for i := range several.Statements {
				list = append(list, &several.Statements[i])
			}
		}
	}
	switch {
	case s.NotStatement != nil:
		list = append(list, s.NotStatement.Statement)
	case s.RateBasedStatement != nil:
		list = append(list, s.RateBasedStatement.ScopeDownStatement)
	case s.ManagedRuleGroupStatement != nil:
		list = append(list, s.ManagedRuleGroupStatement.ScopeDownStatement)
	}
	return list
}

// inspected is the part of the request that a statement looks at itself; nil for none.
func (s *Statement) inspected() *Inspect {
	switch {
	case s.ByteMatchStatement != nil:
		return &s.ByteMatchStatement.Inspect
	case s.SqliMatchStatement != nil:
		return &s.SqliMatchStatement.Inspect
	case s.XssMatchStatement != nil:
		return &s.XssMatchStatement.Inspect
	case s.SizeConstraintStatement != nil:
		return &s.SizeConstraintStatement.Inspect
	case s.RegexMatchStatement != nil:
		return &s.RegexMatchStatement.Inspect
	case s.RegexPatternSetReferenceStatement != nil:
		return &s.RegexPatternSetReferenceStatement.Inspect
	}
	return nil
}

// References are the ARNs of the sets that an ACL's rules name.
func (d Definition) References() (arns []string) {
	for i := range d.Rules {
		for _, s := range d.Rules[i].Statement.All() {
			switch {
			case s.IPSetReferenceStatement != nil:
				arns = append(arns, s.IPSetReferenceStatement.ARN)
			case s.RegexPatternSetReferenceStatement != nil:
				arns = append(arns, s.RegexPatternSetReferenceStatement.ARN)
			}
		}
	}
	return arns
}
