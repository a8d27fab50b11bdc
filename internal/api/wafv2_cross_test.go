package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// ownWAF gives the first account a web ACL, an IP set and a regex pattern set "victim".
func (x *crossing) ownWAF(t *testing.T) {
	t.Helper()
	x.waf = map[string]string{}
	common := `"Name":"victim","Scope":"REGIONAL","Description":"` + secretOfA + `","Tags":[{"Key":"note","Value":"` + secretOfA + `"}],`
	for kind, create := range map[string][2]string{
		"webacl": {"CreateWebACL", common + `"DefaultAction":{"Allow":{}},` + visible},
		"ipset":  {"CreateIPSet", common + `"IPAddressVersion":"IPV4","Addresses":["192.0.2.0/24"]`},
		"regex":  {"CreateRegexPatternSet", common + `"RegularExpressionList":[{"RegexString":"x"}]`},
	} {
		status, body := x.post(t, "wafv2", "AWSWAF_20190729."+create[0], `{`+create[1]+`}`)
		var made struct{ Summary struct{ ARN string } }
		if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", create[0], status, body)
		}
		x.waf[kind] = made.Summary.ARN
	}
}

const visible = `"VisibilityConfig":{"SampledRequestsEnabled":false,"CloudWatchMetricsEnabled":false,"MetricName":"m"}`

// wafInput names what the first account owns in a request of the WAFv2 API.
func (x *crossing) wafInput(operation string, input map[string]any) {
	arn := x.waf["webacl"]
	switch {
	case strings.Contains(operation, "IPSet"):
		arn = x.waf["ipset"]
	case strings.Contains(operation, "RegexPatternSet"):
		arn = x.waf["regex"]
	}
	if input["Scope"] != nil || operation == "GetWebACL" {
		input["Scope"], input["Name"] = "REGIONAL", "victim"
	}
	input["Id"] = arn[strings.LastIndexByte(arn, '/')+1:]
	if input["Addresses"] != nil {
		input["Addresses"] = []any{"198.51.100.0/24"}
	}
	switch operation {
	case "AssociateWebACL":
		input["WebACLArn"] = arn
	case "ListResourcesForWebACL":
		input["WebACLArn"] = arn
	case "TagResource", "UntagResource", "ListTagsForResource":
		input["ResourceARN"] = arn
	case "GetLoggingConfiguration", "DeleteLoggingConfiguration":
		input["ResourceArn"] = arn
	case "PutLoggingConfiguration":
		input["LoggingConfiguration"] = map[string]any{"ResourceArn": arn, "LogDestinationConfigs": []any{"arn:aws:logs:us-east-1:" + account + ":log-group:aws-waf-logs-x"}}
	case "CreateWebACL", "CreateIPSet", "CreateRegexPatternSet":
		input["Name"], input["Tags"] = "made-here", []any{map[string]any{"Key": "made", "Value": "here"}}
	}
}
