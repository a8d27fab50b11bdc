package edge

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner/webacl"
	"slipway.dev/slipway/internal/edge/waf"
)

// wafRecord is a line of a WAF log, in the form of the service's documentation.
type wafRecord struct {
	Timestamp        int64        `json:"timestamp"`
	FormatVersion    int          `json:"formatVersion"`
	WebACL           string       `json:"webaclId"`
	Rule             string       `json:"terminatingRuleId"`
	RuleType         string       `json:"terminatingRuleType"`
	Action           string       `json:"action"`
	SourceName       string       `json:"httpSourceName"`
	SourceID         string       `json:"httpSourceId"`
	Counted          []wafCounted `json:"nonTerminatingMatchingRules"`
	Request          wafRequest   `json:"httpRequest"`
	Labels           []wafLabel   `json:"labels,omitempty"`
	ResponseCodeSent int          `json:"responseCodeSent,omitempty"`
}

type wafCounted struct {
	Rule   string `json:"ruleId"`
	Action string `json:"action"`
}

type wafLabel struct {
	Name string `json:"name"`
}

type wafHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type wafRequest struct {
	ClientIP string      `json:"clientIp"`
	Country  string      `json:"country"`
	Headers  []wafHeader `json:"headers"`
	URI      string      `json:"uri"`
	Args     string      `json:"args"`
	Version  string      `json:"httpVersion"`
	Method   string      `json:"httpMethod"`
	ID       string      `json:"requestId"`
}

// record tells what an ACL said about a request, for the log of the ACL.
func (a *acl) record(v waf.Verdict, r *waf.Request, f *failure, at time.Time) *wafRecord {
	rec := &wafRecord{
		Timestamp: at.UnixMilli(), FormatVersion: 1, WebACL: a.source.ARN(), Rule: v.Rule, RuleType: "REGULAR", Action: "ALLOW",
		SourceName: "APPRUNNER", Counted: []wafCounted{}, Request: wafRequest{Country: "-", Headers: []wafHeader{}},
	}
	switch {
	case v.Rule == "":
		rec.Rule = "Default_Action"
	case v.RateBased:
		rec.RuleType = "RATE_BASED"
	case strings.Contains(v.Rule, "/"):
		rec.RuleType = "MANAGED_RULE_GROUP"
	}
	if f != nil {
		rec.Action, rec.ResponseCodeSent = "BLOCK", f.status
	}
	for _, name := range v.Counted {
		rec.Counted = append(rec.Counted, wafCounted{name, "COUNT"})
	}
	for _, name := range v.Labels {
		rec.Labels = append(rec.Labels, wafLabel{name})
	}
	rec.Request.fill(r, a.source.Logging)
	return rec
}

const redacted = "REDACTED"

// fill takes what is told of the request itself.
func (w *wafRequest) fill(r *waf.Request, l *webacl.Logging) {
	w.Method, w.URI, w.Args = r.Method, clip(r.Path, maxLoggedPath), clip(r.Query, maxLoggedPath)
	if r.IP.IsValid() {
		w.ClientIP = r.IP.String()
	}
	for _, f := range r.Fields {
		h := wafHeader{f.Name, clip(f.Value, maxLogged)}
		if strings.EqualFold(h.Name, "authorization") {
			h.Value = redacted // a password of slipway:basic-auth, or somebody's token
		}
		w.Headers = append(w.Headers, h)
	}
	for _, f := range l.RedactedFields {
		switch {
		case f.UriPath != nil:
			w.URI = redacted
		case f.QueryString != nil:
			w.Args = redacted
		case f.Method != nil:
			w.Method = redacted
		case f.SingleHeader != nil:
			for i := range w.Headers {
				if strings.EqualFold(w.Headers[i].Name, f.SingleHeader.Name) {
					w.Headers[i].Value = redacted
				}
			}
		}
	}
}

// log tells the log of the ACL, when it has one, what was said about a request of s.
func (a *acl) log(sp *spool, s *service, v waf.Verdict, r *waf.Request, f *failure, id, protocol string) {
	if a.source.Logging == nil || r == nil {
		return
	}
	now := time.Now()
	rec := a.record(v, r, f, now)
	rec.Request.ID, rec.Request.Version = id, protocol
	if parts := strings.Split(s.arn, ":"); len(parts) > 4 {
		rec.SourceID = parts[4] + "-" + s.arn[strings.LastIndexByte(s.arn, '/')+1:]
	}
	line, err := json.Marshal(rec)
	if err != nil {
		return // cannot be: there is nothing in it that has no JSON form
	}
	stream := a.source.Region + "_" + a.source.Name + "_0"
	group := "arn:aws:logs:" + a.source.Region + ":" + a.source.Account + ":log-group:" + a.source.Logging.Group()
	sp.put(group+":log-stream:"+stream, &s.counters, now, func(b *bytes.Buffer) { b.Write(line) })
}
