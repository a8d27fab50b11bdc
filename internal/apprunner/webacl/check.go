package webacl

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

const (
	// maxDepth is how deep conditions may lie in one another.
	maxDepth = 10
	// maxBodies is the most bytes that the custom bodies of an ACL may hold together.
	maxBodies = 50 << 10
	// MaxAddresses is the most networks of an IP set.
	MaxAddresses = 10000
	// maxExpressions is the most expressions of a regex pattern set.
	maxExpressions = 10
)

// Transformations are the text transformations that are evaluated.
var Transformations = []string{
	"NONE", "COMPRESS_WHITE_SPACE", "HTML_ENTITY_DECODE", "LOWERCASE", "UPPERCASE", "CMD_LINE", "URL_DECODE", "URL_DECODE_UNI", "BASE64_DECODE",
	"BASE64_DECODE_EXT", "HEX_DECODE", "MD5", "SHA256", "REPLACE_COMMENTS", "REMOVE_COMMENTS_CHAR", "ESCAPE_SEQ_DECODE", "SQL_HEX_DECODE", "CSS_DECODE",
	"JS_DECODE", "NORMALIZE_PATH", "NORMALIZE_PATH_WIN", "REMOVE_NULLS", "REPLACE_NULLS", "UTF8_TO_UNICODE", "REMOVE_WHITESPACE", "TRIM", "TRIM_LEFT",
	"TRIM_RIGHT",
}

// invalid is the error of a definition that cannot be accepted.
func invalid(format string, args ...any) error {
	return apprunner.Errorf(CodeInvalidParameter, format, args...)
}

// within says where in a definition an error lies.
func within(place string, err error) error {
	return apprunner.Errorf(apprunner.CodeOf(err), "%s: %v", place, err)
}

// Check tells the first thing in a definition that is wrong, or that is not evaluated here.
func (d Definition) Check() error {
	if err := d.checkAction(d.DefaultAction); err != nil {
		return within("DefaultAction", err)
	}
	if d.DefaultAction.Count != nil {
		return invalid("DefaultAction: Allow or Block is needed.")
	}
	size := 0
	for _, b := range d.CustomResponseBodies {
		size += len(b.Content)
	}
	if size > maxBodies {
		return apprunner.Errorf(CodeLimits, "The custom response bodies hold %d bytes; at most %d are allowed.", size, maxBodies)
	}
	names, priorities := map[string]bool{}, map[int]bool{}
	for i := range d.Rules {
		r := &d.Rules[i]
		if names[r.Name] || priorities[r.Priority] {
			return invalid("Rule %s: another rule has its name or its priority %d.", r.Name, r.Priority)
		}
		names[r.Name], priorities[r.Priority] = true, true
		if err := d.checkRule(r); err != nil {
			return within("Rule "+r.Name, err)
		}
	}
	return nil
}

func (d Definition) checkRule(r *Rule) error {
	group := r.Statement.ManagedRuleGroupStatement != nil
	switch {
	case group && (r.Action != nil || r.OverrideAction == nil || (r.OverrideAction.None == nil) == (r.OverrideAction.Count == nil)):
		return invalid("a rule that names a rule group needs an OverrideAction with None or Count, and no Action.")
	case !group && (r.Action == nil || r.OverrideAction != nil):
		return invalid("an Action is needed, and no OverrideAction.")
	}
	if r.Action != nil {
		if err := d.checkAction(*r.Action); err != nil {
			return err
		}
	}
	for _, l := range r.RuleLabels {
		if err := checkLabel(l.Name); err != nil {
			return err
		}
	}
	for depth, s := range r.Statement.All() {
		if err := d.checkStatement(depth, s); err != nil {
			return err
		}
	}
	return nil
}

// reserved words may not be parts of labels.
var reserved = []string{"aws", "waf", "awswaf", "managed", "rulegroup", "webacl", "regexpatternset", "ipset"}

func checkLabel(name string) error {
	for part := range strings.SplitSeq(name, ":") {
		if part == "" || slices.Contains(reserved, strings.ToLower(part)) {
			return invalid("label %q: its parts may not be empty nor any of %s.", name, strings.Join(reserved, ", "))
		}
	}
	return nil
}

// checkAction wants one action that is carried out here.
func (d Definition) checkAction(a Action) error {
	n := 0
	for _, set := range [...]bool{a.Allow != nil, a.Block != nil, a.Count != nil, a.Captcha != nil, a.Challenge != nil, a.Monetize != nil} {
		if set {
			n++
		}
	}
	switch {
	case n != 1:
		return invalid("exactly one action is needed.")
	case a.Captcha != nil || a.Challenge != nil || a.Monetize != nil:
		return invalid("the actions Captcha, Challenge and Monetize are not carried out by this server. Use Block, Count or Allow.")
	case a.Block != nil && a.Block.CustomResponse != nil:
		return d.checkResponse(*a.Block.CustomResponse)
	}
	for _, in := range [...]*Insert{a.Allow, a.Count} {
		if in != nil && in.CustomRequestHandling != nil {
			return checkHeaders(in.CustomRequestHandling.InsertHeaders)
		}
	}
	return nil
}

func (d Definition) checkResponse(r Response) error {
	if _, there := d.CustomResponseBodies[r.CustomResponseBodyKey]; r.CustomResponseBodyKey != "" && !there {
		return invalid("CustomResponseBodyKey %q names none of the CustomResponseBodies.", r.CustomResponseBodyKey)
	}
	return checkHeaders(r.ResponseHeaders)
}

func checkHeaders(list []Header) error {
	seen := map[string]bool{}
	for _, h := range list {
		name := strings.ToLower(h.Name)
		switch {
		case seen[name]:
			return invalid("header %s is set twice.", h.Name)
		case slices.Contains([]string{"content-type", "content-length", "transfer-encoding", "connection", "host", "date"}, name):
			return invalid("header %s cannot be set.", h.Name)
		case !headerName.MatchString(h.Name), strings.ContainsFunc(h.Value, func(c rune) bool { return c < ' ' || c == 0x7f }):
			return invalid("header %s: its name or value holds a character that is not allowed.", h.Name)
		}
		seen[name] = true
	}
	return nil
}

var headerName = pattern.Of(`^[a-zA-Z0-9._$-]+$`)

// refusals are the statements that are not evaluated here, and why.
func (s *Statement) refusal() string {
	switch {
	case s.GeoMatchStatement != nil:
		return "GeoMatchStatement needs a database of countries, which this server does not have. List networks in an IP set instead."
	case s.AsnMatchStatement != nil:
		return "AsnMatchStatement needs a database of networks, which this server does not have. List networks in an IP set instead."
	case s.RuleGroupReferenceStatement != nil:
		return "RuleGroupReferenceStatement: this server keeps no rule groups. Put the rules into the web ACL itself."
	}
	return ""
}

// kinds counts the members that are set.
func (s *Statement) kinds() (n int) {
	for _, set := range [...]bool{
		s.ByteMatchStatement != nil, s.SqliMatchStatement != nil, s.XssMatchStatement != nil, s.SizeConstraintStatement != nil,
		s.IPSetReferenceStatement != nil, s.RegexMatchStatement != nil, s.RegexPatternSetReferenceStatement != nil, s.RateBasedStatement != nil,
		s.LabelMatchStatement != nil, s.AndStatement != nil, s.OrStatement != nil, s.NotStatement != nil, s.ManagedRuleGroupStatement != nil,
	} {
		if set {
			n++
		}
	}
	return n
}

func (d Definition) checkStatement(depth int, s *Statement) error {
	if why := s.refusal(); why != "" {
		return invalid("%s", why)
	}
	switch {
	case s.kinds() != 1:
		return invalid("a statement of exactly one kind is needed, but one has %d.", s.kinds())
	case depth > maxDepth:
		return invalid("statements lie more than %d deep in one another.", maxDepth)
	case depth > 0 && (s.RateBasedStatement != nil || s.ManagedRuleGroupStatement != nil):
		return invalid("rate-based and managed rule group statements cannot be inside of another statement.")
	}
	if in := s.inspected(); in != nil {
		if err := in.check(); err != nil {
			return err
		}
	}
	switch {
	case s.AndStatement != nil && len(s.AndStatement.Statements) < 2, s.OrStatement != nil && len(s.OrStatement.Statements) < 2:
		return invalid("and/or statements need at least two statements.")
	case s.NotStatement != nil && s.NotStatement.Statement == nil:
		return invalid("a not statement needs a statement.")
	case s.ByteMatchStatement != nil && (len(s.ByteMatchStatement.SearchString) == 0 || len(s.ByteMatchStatement.SearchString) > 200):
		return invalid("SearchString has %d bytes; 1 to 200 are allowed.", len(s.ByteMatchStatement.SearchString))
	case s.RegexMatchStatement != nil:
		return checkRegex(s.RegexMatchStatement.RegexString)
	case s.RateBasedStatement != nil:
		return s.RateBasedStatement.check()
	case s.ManagedRuleGroupStatement != nil:
		return d.checkGroup(s.ManagedRuleGroupStatement)
	}
	return nil
}

func checkRegex(expression string) error {
	if _, err := regexp.Compile(expression); err != nil {
		return invalid("regular expression %q is not accepted: %v. Expressions are of RE2: no look-around and no back references.", expression, err)
	}
	return nil
}

func (r *Rate) check() error {
	switch {
	case !slices.Contains([]int64{0, 60, 120, 300, 600}, r.EvaluationWindowSec):
		return invalid("EvaluationWindowSec is %d; 60, 120, 300 and 600 are allowed.", r.EvaluationWindowSec)
	case r.AggregateKeyType == "CUSTOM_KEYS" || len(r.CustomKeys) > 0:
		return invalid("rate-based statements with CUSTOM_KEYS are not evaluated by this server. Use IP, FORWARDED_IP or CONSTANT.")
	case (r.AggregateKeyType == "FORWARDED_IP") != (r.ForwardedIPConfig != nil):
		return invalid("ForwardedIPConfig belongs to the AggregateKeyType FORWARDED_IP, and only there.")
	case r.AggregateKeyType == "CONSTANT" && r.ScopeDownStatement == nil:
		return invalid("the AggregateKeyType CONSTANT needs a ScopeDownStatement.")
	}
	return nil
}

func (d Definition) checkGroup(m *ManagedGroup) error {
	group, found := Group(m.VendorName, m.Name)
	switch {
	case !found:
		return invalid("there is no managed rule group %s of %s here. ListAvailableManagedRuleGroups tells which there are.", m.Name, m.VendorName)
	case m.Version != "":
		return invalid("the managed rule groups of this server have no versions. Leave Version out.")
	case len(m.ManagedRuleGroupConfigs) > 0:
		return invalid("the managed rule groups of this server take no ManagedRuleGroupConfigs.")
	}
	for _, o := range m.RuleActionOverrides {
		if !group.has(o.Name) {
			return invalid("managed rule group %s has no rule %s.", m.Name, o.Name)
		}
		if err := d.checkAction(o.ActionToUse); err != nil {
			return err
		}
	}
	for _, e := range m.ExcludedRules {
		if !group.has(e.Name) {
			return invalid("managed rule group %s has no rule %s.", m.Name, e.Name)
		}
	}
	return nil
}

func (in *Inspect) check() error {
	if len(in.PreParseTextTransformations) > 0 {
		return invalid("PreParseTextTransformations are not evaluated by this server.")
	}
	seen := map[int]bool{}
	for _, t := range in.TextTransformations {
		if !slices.Contains(Transformations, t.Type) {
			return invalid("text transformation %s is not evaluated by this server.", t.Type)
		}
		if seen[t.Priority] {
			return invalid("two text transformations have the priority %d.", t.Priority)
		}
		seen[t.Priority] = true
	}
	return in.FieldToMatch.check()
}

func (f *Field) check() error {
	n := 0
	for _, set := range [...]bool{
		f.SingleHeader != nil, f.SingleQueryArgument != nil, f.AllQueryArguments != nil, f.UriPath != nil, f.QueryString != nil, f.Method != nil,
		f.Body != nil, f.JsonBody != nil, f.Headers != nil, f.Cookies != nil, f.HeaderOrder != nil,
	} {
		if set {
			n++
		}
	}
	switch {
	case f.JA3Fingerprint != nil || f.JA4Fingerprint != nil:
		return invalid("TLS fingerprints (JA3, JA4) are not taken by this server.")
	case f.UriFragment != nil:
		return invalid("UriFragment is not evaluated: requests with a fragment are refused before any rule.")
	case n != 1:
		return invalid("FieldToMatch needs exactly one part of the request.")
	}
	return nil
}

// Check tells what is wrong with a set.
func (s IPSet) Check() error {
	if len(s.Addresses) > MaxAddresses {
		return apprunner.Errorf(CodeLimits, "The IP set has %d addresses; at most %d are allowed.", len(s.Addresses), MaxAddresses)
	}
	for _, a := range s.Addresses {
		p, err := netip.ParsePrefix(a)
		switch {
		case err != nil:
			return invalid("%q is no network such as 192.0.2.0/24.", a)
		case p.Bits() == 0:
			return invalid("%q: networks of all addresses are not allowed.", a)
		case p.Addr().Is4() != (s.IPAddressVersion == "IPV4"):
			return invalid("%q is not of the version %s.", a, s.IPAddressVersion)
		}
	}
	return nil
}

// Check tells what is wrong with a set.
func (s RegexSet) Check() error {
	if len(s.RegularExpressionList) > maxExpressions {
		return apprunner.Errorf(CodeLimits, "The set has %d expressions; at most %d are allowed.", len(s.RegularExpressionList), maxExpressions)
	}
	for _, r := range s.RegularExpressionList {
		if err := checkRegex(r.RegexString); err != nil {
			return err
		}
	}
	return nil
}

// logGroup begins the names of the log groups that WAF logs may go to.
const logGroup = "aws-waf-logs-"

// Check tells what is wrong with a logging configuration of an entity.
func (l Logging) Check(e Entity) error {
	if len(l.LogDestinationConfigs) != 1 {
		return apprunner.Errorf(CodeLimits, "Exactly one log destination is needed.")
	}
	arn := l.LogDestinationConfigs[0]
	name, ours := strings.CutPrefix(arn, "arn:aws:logs:"+e.Region+":"+e.Account+":log-group:")
	if !ours || !strings.HasPrefix(name, logGroup) || strings.Contains(strings.TrimSuffix(name, ":*"), ":") {
		return invalid("Log destination %s: this server writes to log groups of the account and region whose names begin with %s.", arn, logGroup)
	}
	for i := range l.RedactedFields {
		f := &l.RedactedFields[i]
		if f.SingleHeader == nil && f.UriPath == nil && f.QueryString == nil && f.Method == nil {
			return invalid("RedactedFields may be SingleHeader, UriPath, QueryString and Method.")
		}
	}
	return nil
}

// Group is the name of the log group.
func (l Logging) Group() string {
	_, name, _ := strings.Cut(l.LogDestinationConfigs[0], ":log-group:")
	return strings.TrimSuffix(name, ":*")
}
