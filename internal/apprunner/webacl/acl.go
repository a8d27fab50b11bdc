package webacl

import (
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// The errors of the WAFv2 API.
const (
	CodeInvalidParameter apprunner.Code = "WAFInvalidParameterException"
	CodeNonexistent      apprunner.Code = "WAFNonexistentItemException"
	CodeDuplicate        apprunner.Code = "WAFDuplicateItemException"
	CodeOptimisticLock   apprunner.Code = "WAFOptimisticLockException"
	CodeAssociated       apprunner.Code = "WAFAssociatedItemException"
	CodeUnavailable      apprunner.Code = "WAFUnavailableEntityException"
	CodeLimits           apprunner.Code = "WAFLimitsExceededException"
	CodeInternal         apprunner.Code = "WAFInternalErrorException"
)

// Kind says what an entity is, in the word that its ARN has.
type Kind string

// The values of [Kind].
const (
	KindACL      Kind = "webacl"
	KindIPSet    Kind = "ipset"
	KindRegexSet Kind = "regexpatternset"
)

// Entity is what web ACLs and sets have in common.
type Entity struct {
	apprunner.Scope
	Kind        Kind
	ID, Name    string
	Description string
	// LockToken changes with every change; who changes must know the present one.
	LockToken string
}

// ARN is the name of an entity everywhere. Only the scope REGIONAL exists here.
func (e Entity) ARN() string {
	return "arn:aws:wafv2:" + e.Region + ":" + e.Account + ":regional/" + string(e.Kind) + "/" + e.Name + "/" + e.ID
}

// ParseARN reads the ARN of an entity; false for anything else.
func ParseARN(arn string) (Entity, bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "wafv2" {
		return Entity{}, false
	}
	path := strings.Split(parts[5], "/")
	if len(path) != 4 || path[0] != "regional" || path[2] == "" || path[3] == "" {
		return Entity{}, false
	}
	e := Entity{Scope: apprunner.Scope{Region: parts[3], Account: parts[4]}, Kind: Kind(path[1]), Name: path[2], ID: path[3]}
	return e, e.Kind == KindACL || e.Kind == KindIPSet || e.Kind == KindRegexSet
}

// Record is an entity with what it holds: one of the three, by kind.
type Record struct {
	Entity
	ACL   *Definition `json:",omitempty"`
	IPs   *IPSet      `json:",omitempty"`
	Regex *RegexSet   `json:",omitempty"`
	// Logging is where the requests that an ACL judged are told; nil: nowhere.
	Logging *Logging `json:",omitempty"`
}

// IPSet is a list of networks of one version.
type IPSet struct {
	IPAddressVersion string // IPV4 or IPV6
	Addresses        []string
}

// RegexSet is a list of regular expressions, one of which has to match.
type RegexSet struct {
	RegularExpressionList []Regex
}

// Regex is a regular expression.
type Regex struct{ RegexString string }

// Definition is what a web ACL does.
type Definition struct {
	DefaultAction        Action
	Rules                []Rule `json:",omitempty"`
	VisibilityConfig     Visibility
	CustomResponseBodies map[string]ResponseBody `json:",omitempty"`
	AssociationConfig    *Association            `json:",omitempty"`
}

// Visibility says what is told about matches. Nothing reads it here yet but the answers of the API.
type Visibility struct {
	SampledRequestsEnabled   bool
	CloudWatchMetricsEnabled bool
	MetricName               string
}

// ResponseBody is a body of custom responses.
type ResponseBody struct {
	ContentType string // TEXT_PLAIN, TEXT_HTML or APPLICATION_JSON
	Content     string
}

// Association says how much of a body is inspected, by type of resource.
type Association struct {
	RequestBody map[string]BodyLimit `json:",omitempty"`
}

// BodyLimit is how much of a body is inspected.
type BodyLimit struct {
	DefaultSizeInspectionLimit string // KB_16, KB_32, KB_48 or KB_64
}

// resourceType is what the services of this server are to web ACLs.
const resourceType = "APP_RUNNER_SERVICE"

// BodyBytes is how many bytes of a body are inspected: 16 KiB as for App Runner services of AWS, unless the ACL says more.
func (d Definition) BodyBytes() int {
	if d.AssociationConfig != nil {
		switch d.AssociationConfig.RequestBody[resourceType].DefaultSizeInspectionLimit {
		case "KB_32":
			return 32 << 10
		case "KB_48":
			return 48 << 10
		case "KB_64":
			return 64 << 10
		}
	}
	return 16 << 10
}

// Rule is one rule of an ACL. Rules are asked in the order of their priority.
type Rule struct {
	Name             string
	Priority         int
	Statement        Statement
	Action           *Action         `json:",omitempty"` // of every rule but those that name a rule group
	OverrideAction   *OverrideAction `json:",omitempty"` // of those
	RuleLabels       []Label         `json:",omitempty"`
	VisibilityConfig Visibility
}

// Label is put on a request by a rule that matched, for the rules after it.
type Label struct{ Name string }

// Action is what becomes of a request: one member is set.
type Action struct {
	Block     *Block  `json:",omitempty"`
	Allow     *Insert `json:",omitempty"`
	Count     *Insert `json:",omitempty"`
	Captcha   Refused `json:",omitempty"`
	Challenge Refused `json:",omitempty"`
	Monetize  Refused `json:",omitempty"`
}

// Block answers in place of the service.
type Block struct {
	CustomResponse *Response `json:",omitempty"`
}

// Response is an answer of the owner's choice.
type Response struct {
	ResponseCode          int
	CustomResponseBodyKey string   `json:",omitempty"`
	ResponseHeaders       []Header `json:",omitempty"`
}

// Header is a header field.
type Header struct{ Name, Value string }

// Insert puts header fields into the request for the application.
type Insert struct {
	CustomRequestHandling *RequestHandling `json:",omitempty"`
}

// RequestHandling holds the fields to insert, whose names get the prefix x-amzn-waf-.
type RequestHandling struct {
	InsertHeaders []Header
}

// OverrideAction replaces the actions of a rule group: None leaves them, Count only counts.
type OverrideAction struct {
	None  *struct{} `json:",omitempty"`
	Count *Insert   `json:",omitempty"`
}

// LabelNamespace begins the labels that an ACL's own rules put on.
func (e Entity) LabelNamespace() string { return "awswaf:" + e.Account + ":webacl:" + e.Name + ":" }

// Resolved is an ACL with everything its rules name, for who judges requests by it.
type Resolved struct {
	Entity
	Definition
	IPSets    map[string][]string `json:",omitempty"` // networks by ARN
	RegexSets map[string][]string `json:",omitempty"` // expressions by ARN
	Logging   *Logging            `json:",omitempty"`
	// NoAddress tells that requests do not show where they come from, as those of private services (§20.2): conditions on addresses
	// never match.
	NoAddress bool `json:",omitempty"`
}

// Logging is the logging configuration of an ACL.
type Logging struct {
	LogDestinationConfigs []string // one ARN of a log group whose name begins with aws-waf-logs-
	RedactedFields        []Field  `json:",omitempty"`
}

// Expressions are the texts of a set.
func (s RegexSet) Expressions() []string {
	list := make([]string, len(s.RegularExpressionList))
	for i, r := range s.RegularExpressionList {
		list[i] = r.RegexString
	}
	return list
}
