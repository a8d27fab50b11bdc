package webacl

import "slipway.dev/slipway/internal/apprunner"

// MaxCapacity is the most that the rules of an ACL may cost together, in web ACL capacity units.
const MaxCapacity = 5000

// Capacity is what rules cost, in the units of the API's documentation: the same rules cost the same there and here.
func Capacity(rules []Rule) (int64, error) {
	var n int64
	for i := range rules {
		n += rules[i].Statement.capacity()
	}
	if n > MaxCapacity {
		return n, apprunner.Errorf(CodeLimits, "The rules need %d capacity units; at most %d are allowed.", n, MaxCapacity)
	}
	return n, nil
}

func (s *Statement) capacity() int64 {
	n := s.own()
	if in := s.inspected(); in != nil {
		n = in.capacity(n)
	}
	for _, inner := range s.inside() {
		if inner != nil {
			n += inner.capacity()
		}
	}
	return n
}

// own is what a statement costs before its field and transformations.
func (s *Statement) own() int64 {
	switch {
	case s.ByteMatchStatement != nil:
		if c := s.ByteMatchStatement.PositionalConstraint; c == "CONTAINS" || c == "CONTAINS_WORD" {
			return 10
		}
		return 2
	case s.SqliMatchStatement != nil:
		if s.SqliMatchStatement.SensitivityLevel == "HIGH" {
			return 30
		}
		return 20
	case s.XssMatchStatement != nil:
		return 40
	case s.RegexMatchStatement != nil:
		return 3
	case s.RegexPatternSetReferenceStatement != nil:
		return 25
	case s.RateBasedStatement != nil:
		return 2
	case s.ManagedRuleGroupStatement != nil:
		g, _ := Group(s.ManagedRuleGroupStatement.VendorName, s.ManagedRuleGroupStatement.Name)
		return g.Capacity
	case s.SizeConstraintStatement != nil, s.IPSetReferenceStatement != nil, s.LabelMatchStatement != nil:
		return 1
	}
	return 0 // and, or and not cost what is in them
}

// capacity adds to n what the field and the transformations cost.
func (in *Inspect) capacity(n int64) int64 {
	if in.FieldToMatch.AllQueryArguments != nil {
		n += 10
	}
	if in.FieldToMatch.JsonBody != nil {
		n *= 2
	}
	for _, t := range in.TextTransformations {
		if t.Type != "NONE" {
			n += 10
		}
	}
	return n
}
