package webacl

import "slices"

// ManagedVendor is the vendor of the built-in rule groups: the one that templates name.
const ManagedVendor = "AWS"

// RuleGroup is a built-in rule group: a small core of what the group of the same name does at AWS, made of the same statements as any
// other rule.
type RuleGroup struct {
	Name, Description string
	Capacity          int64
	// Labels begins the labels that its rules put on.
	Labels string
	Rules  []Rule
}

func (g RuleGroup) has(rule string) bool {
	return slices.ContainsFunc(g.Rules, func(r Rule) bool { return r.Name == rule })
}

// Group finds a rule group.
func Group(vendor, name string) (RuleGroup, bool) {
	if vendor != ManagedVendor {
		return RuleGroup{}, false
	}
	for _, g := range Groups() {
		if g.Name == name {
			return g, true
		}
	}
	return RuleGroup{}, false
}

// Groups are the built-in rule groups by name. Their capacities are those of the groups they stand for.
func Groups() []RuleGroup {
	return []RuleGroup{
		group("AWSManagedRulesAdminProtectionRuleSet", "Requests for administrative pages", "admin-protection", 100, adminRules()),
		group("AWSManagedRulesCommonRuleSet", "What is a threat to most applications", "core-rule-set", 700, commonRules()),
		group("AWSManagedRulesKnownBadInputsRuleSet", "Inputs known to exploit applications", "known-bad-inputs", 200, badInputRules()),
		group("AWSManagedRulesSQLiRuleSet", "SQL injection", "sql-database", 200, sqlRules()),
	}
}

func group(name, description, label string, capacity int64, rules []Rule) RuleGroup {
	for i := range rules {
		r := &rules[i]
		r.Priority, r.Action, r.RuleLabels = i, &Action{Block: &Block{}}, []Label{{Name: r.Name}}
	}
	return RuleGroup{Name: name, Description: description, Capacity: capacity, Labels: "awswaf:managed:aws:" + label + ":", Rules: rules}
}

// The parts of requests that the rules look at.
var (
	partPath    = Field{UriPath: &struct{}{}}
	partQuery   = Field{AllQueryArguments: &struct{}{}}
	partString  = Field{QueryString: &struct{}{}}
	partBody    = Field{Body: &Oversize{OversizeHandling: "CONTINUE"}}
	partCookies = Field{Cookies: allOf()}
	partHeaders = Field{Headers: allOf()}
)

func allOf() *FieldList {
	f := &FieldList{MatchScope: "ALL", OversizeHandling: "CONTINUE"}
	f.MatchPattern.All = &struct{}{}
	return f
}

func header(name string) Field { return Field{SingleHeader: &Named{Name: name}} }

func inspect(f Field, transformations ...string) Inspect {
	in := Inspect{FieldToMatch: f}
	for i, t := range transformations {
		in.TextTransformations = append(in.TextTransformations, Transformation{Priority: i, Type: t})
	}
	return in
}

func regexRule(name string, f Field, expression string, transformations ...string) Rule {
	return Rule{Name: name, Statement: Statement{RegexMatchStatement: &RegexMatch{Inspect: inspect(f, transformations...), RegexString: expression}}}
}

func sizeRule(name string, f Field, limit int64) Rule {
	return Rule{Name: name, Statement: Statement{SizeConstraintStatement: &Size{Inspect: inspect(f, "NONE"), ComparisonOperator: "GT", Size: limit}}}
}

func commonRules() []Rule {
	const (
		traversal = `(?:^|[\\/])\.\.(?:[\\/]|$)|/etc/(?:passwd|shadow|hosts)|/proc/self/|[a-z]:\\windows\\`
		remote    = `^(?:https?|ftps?|file)://(?:\d{1,3}\.){3}\d{1,3}`
		restrict  = `\.(?:log|ini|conf|cfg|bak|backup|dat|sql|sqlite|env|pem|key|old|swp)(?:$|/)`
	)
	xss := func(name string, f Field) Rule {
		return Rule{Name: name, Statement: Statement{XssMatchStatement: &Detect{Inspect: inspect(f, "URL_DECODE_UNI", "HTML_ENTITY_DECODE")}}}
	}
	agent := Statement{SizeConstraintStatement: &Size{Inspect: inspect(header("user-agent"), "NONE"), ComparisonOperator: "GT", Size: 0}}
	body := partBody
	body.Body = &Oversize{OversizeHandling: "MATCH"}
	return []Rule{
		{Name: "NoUserAgent_HEADER", Statement: Statement{NotStatement: &Not{Statement: &agent}}},
		regexRule("UserAgent_BadBots_HEADER", header("user-agent"), `nmap|nikto|sqlmap|masscan|nessus|zgrab|dirbuster|gobuster|nuclei|wpscan`, "LOWERCASE"),
		sizeRule("SizeRestrictions_QUERYSTRING", partString, 2048),
		sizeRule("SizeRestrictions_Cookie_HEADER", header("cookie"), 10240),
		sizeRule("SizeRestrictions_BODY", body, 8192),
		sizeRule("SizeRestrictions_URIPATH", partPath, 1024),
		regexRule("EC2MetaDataSSRF_BODY", partBody, `169\.254\.169\.254`, "NONE"),
		regexRule("EC2MetaDataSSRF_COOKIE", partCookies, `169\.254\.169\.254`, "URL_DECODE"),
		regexRule("EC2MetaDataSSRF_URIPATH", partPath, `169\.254\.169\.254`, "URL_DECODE"),
		regexRule("EC2MetaDataSSRF_QUERYARGUMENTS", partQuery, `169\.254\.169\.254`, "URL_DECODE"),
		regexRule("GenericLFI_QUERYARGUMENTS", partQuery, traversal, "URL_DECODE", "LOWERCASE"),
		regexRule("GenericLFI_URIPATH", partPath, traversal, "URL_DECODE", "LOWERCASE"),
		regexRule("GenericLFI_BODY", partBody, traversal, "LOWERCASE"),
		regexRule("RestrictedExtensions_URIPATH", partPath, restrict, "URL_DECODE", "LOWERCASE"),
		regexRule("RestrictedExtensions_QUERYARGUMENTS", partQuery, restrict, "URL_DECODE", "LOWERCASE"),
		regexRule("GenericRFI_QUERYARGUMENTS", partQuery, remote, "URL_DECODE", "LOWERCASE"),
		regexRule("GenericRFI_BODY", partBody, remote, "LOWERCASE"),
		regexRule("GenericRFI_URIPATH", partPath, remote, "URL_DECODE", "LOWERCASE"),
		xss("CrossSiteScripting_COOKIE", partCookies),
		xss("CrossSiteScripting_QUERYARGUMENTS", partQuery),
		xss("CrossSiteScripting_BODY", partBody),
		xss("CrossSiteScripting_URIPATH", partPath),
	}
}

func badInputRules() []Rule {
	const (
		log4j = `\$\{(?:[^}]*:)?\s*(?:j|\$\{[^}]*\})(?:n|\$\{[^}]*\})(?:d|\$\{[^}]*\})(?:i|\$\{[^}]*\})\s*:|\$\{jndi:`
		java  = `(?i:(?:runtime|processbuilder)\s*[.(].{0,64}exec|class\.module\.classloader|\(java\.lang\.)|rO0AB`
		paths = `/\.git(?:/|$)|/\.svn(?:/|$)|/\.env(?:$|\.)|/wp-config\.php|/\.aws/|/\.ssh/`
	)
	return []Rule{
		regexRule("JavaDeserializationRCE_BODY", partBody, java, "NONE"),
		regexRule("JavaDeserializationRCE_QUERYSTRING", partString, java, "URL_DECODE"),
		regexRule("JavaDeserializationRCE_HEADER", partHeaders, java, "NONE"),
		regexRule("Host_localhost_HEADER", header("host"), `^(?:localhost|127\.0\.0\.1)(?::\d+)?$`, "LOWERCASE"),
		regexRule("PROPFIND_METHOD", Field{Method: &struct{}{}}, `^PROPFIND$`, "NONE"),
		regexRule("ExploitablePaths_URIPATH", partPath, paths, "URL_DECODE", "LOWERCASE"),
		regexRule("Log4JRCE_QUERYSTRING", partString, log4j, "URL_DECODE", "LOWERCASE"),
		regexRule("Log4JRCE_BODY", partBody, log4j, "LOWERCASE"),
		regexRule("Log4JRCE_URIPATH", partPath, log4j, "URL_DECODE", "LOWERCASE"),
		regexRule("Log4JRCE_HEADER", partHeaders, log4j, "URL_DECODE", "LOWERCASE"),
	}
}

func adminRules() []Rule {
	return []Rule{regexRule("AdminProtection_URIPATH", partPath,
		`^/(?:wp-admin|phpmyadmin|pma|admin|administrator|manager/html|sqlmanager|mysqladmin)(?:/|$)`, "URL_DECODE", "NORMALIZE_PATH", "LOWERCASE")}
}

func sqlRules() []Rule {
	sql := func(name string, f Field) Rule {
		return Rule{Name: name, Statement: Statement{SqliMatchStatement: &Detect{Inspect: inspect(f, "URL_DECODE_UNI", "HTML_ENTITY_DECODE"), SensitivityLevel: "LOW"}}}
	}
	return []Rule{
		sql("SQLi_QUERYARGUMENTS", partQuery), sql("SQLi_BODY", partBody), sql("SQLi_COOKIE", partCookies), sql("SQLi_URIPATH", partPath),
	}
}
