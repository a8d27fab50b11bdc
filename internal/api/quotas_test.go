package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/apprunner"
)

// quotaPost calls the Service Quotas API and reads the answer.
func (w *world) quotaPost(t *testing.T, operation, body string, into any) (int, string) {
	t.Helper()
	status, answer := w.post(t, "servicequotas", "ServiceQuotasV20190624."+operation, body)
	if into != nil {
		if err := json.Unmarshal([]byte(answer), into); err != nil || status != 200 {
			t.Fatalf("%s: %d %s", operation, status, answer)
		}
	}
	return status, answer
}

// checklist: 24
func TestRaisingAQuota(t *testing.T) {
	w := newWorld(t)
	var list struct {
		Quotas []struct {
			ServiceCode, QuotaCode, QuotaName, QuotaArn string
			Value                                       float64
			Adjustable                                  bool
		}
	}
	w.awsJSON(t, &list, "service-quotas", "list-service-quotas", "--service-code", "apprunner")
	if len(list.Quotas) != len(apprunner.Quotas()) {
		t.Fatalf("%+v", list)
	}
	code := ""
	for _, q := range list.Quotas {
		if q.QuotaName == "Connections" {
			code = q.QuotaCode
			if q.Value != 10 || !q.Adjustable || q.QuotaArn != "arn:aws:servicequotas:us-east-1:123456789012:apprunner/"+code {
				t.Errorf("%+v", q)
			}
		}
	}
	connect := func(i string) string {
		_, body := w.post(t, "apprunner", "AppRunner.CreateConnection", `{"ConnectionName":"hub-`+i+`","ProviderType":"GITHUB"}`)
		return body
	}
	for i := range 10 {
		if body := connect(string(rune('a' + i))); !strings.Contains(body, "PENDING_HANDSHAKE") {
			t.Fatal(body)
		}
	}
	if body := connect("z"); !strings.Contains(body, "ServiceQuotaExceededException") || !strings.Contains(body, code) {
		t.Errorf("the eleventh: %s", body)
	}
	var made struct{ RequestedQuota struct{ Id, Status string } }
	w.awsJSON(t, &made, "service-quotas", "request-service-quota-increase", "--service-code", "apprunner", "--quota-code", code, "--desired-value", "12")
	if made.RequestedQuota.Status != "APPROVED" {
		t.Errorf("%+v", made)
	}
	if body := connect("z"); !strings.Contains(body, "PENDING_HANDSHAKE") {
		t.Errorf("after the increase: %s", body)
	}
	var one struct{ Quota struct{ Value float64 } }
	w.quotaPost(t, "GetServiceQuota", `{"ServiceCode":"apprunner","QuotaCode":"`+code+`"}`, &one)
	if one.Quota.Value != 12 {
		t.Errorf("in force: %v", one.Quota.Value)
	}
	w.quotaPost(t, "GetAWSDefaultServiceQuota", `{"ServiceCode":"apprunner","QuotaCode":"`+code+`"}`, &one)
	if one.Quota.Value != 10 {
		t.Errorf("by default: %v", one.Quota.Value)
	}
	w.quotaPost(t, "GetRequestedServiceQuotaChange", `{"RequestId":"`+made.RequestedQuota.Id+`"}`, &made)
	for filter, want := range map[string]int{`{}`: 1, `{"ServiceCode":"apprunner","Status":"APPROVED"}`: 1, `{"Status":"DENIED"}`: 0, `{"ServiceCode":"lambda"}`: 0} {
		var history struct {
			RequestedQuotas []struct{ DesiredValue float64 }
		}
		if w.quotaPost(t, "ListRequestedServiceQuotaChangeHistory", filter, &history); len(history.RequestedQuotas) != want {
			t.Errorf("%s: %+v", filter, history)
		}
	}
}

func TestQuotaPages(t *testing.T) {
	w := newWorld(t)
	for _, op := range []string{"ListServiceQuotas", "ListAWSDefaultServiceQuotas"} {
		seen, token := map[string]bool{}, ""
		for {
			var page struct {
				Quotas    []struct{ QuotaCode string }
				NextToken string
			}
			body := `{"ServiceCode":"apprunner","MaxResults":2}`
			if token != "" {
				body = `{"ServiceCode":"apprunner","MaxResults":2,"NextToken":"` + token + `"}`
			}
			w.quotaPost(t, op, body, &page)
			for _, q := range page.Quotas {
				if seen[q.QuotaCode] {
					t.Errorf("%s shows twice", q.QuotaCode)
				}
				seen[q.QuotaCode] = true
			}
			if token = page.NextToken; token == "" {
				break
			}
		}
		if len(seen) != len(apprunner.Quotas()) {
			t.Errorf("%s: %d", op, len(seen))
		}
	}
}

func TestQuotaErrors(t *testing.T) {
	w := newWorld(t)
	raise := func(code, value string) string {
		return `{"ServiceCode":"apprunner","QuotaCode":"` + code + `","DesiredValue":` + value + `}`
	}
	for _, tc := range []struct{ name, op, body, want string }{
		{"another service", "ListServiceQuotas", `{"ServiceCode":"lambda"}`, "NoSuchResourceException"},
		{"unknown quota", "GetServiceQuota", `{"ServiceCode":"apprunner","QuotaCode":"L-NONE"}`, "NoSuchResourceException"},
		{"unknown request", "GetRequestedServiceQuotaChange", `{"RequestId":"0123456789"}`, "NoSuchResourceException"},
		{"not adjustable", "RequestServiceQuotaIncrease", raise(apprunner.QuotaDomainsPerService, "9"), "InvalidResourceStateException"},
		{"less than now", "RequestServiceQuotaIncrease", raise(apprunner.QuotaServices, "9"), "IllegalArgumentException"},
		{"more than may be", "RequestServiceQuotaIncrease", raise(apprunner.QuotaServices, "1e9"), "IllegalArgumentException"},
		{"half a service", "RequestServiceQuotaIncrease", raise(apprunner.QuotaServices, "200.5"), "IllegalArgumentException"},
		{"constraint", "ListServices", `{"MaxResults":0}`, "IllegalArgumentException"},
		{"token", "ListServices", `{"NextToken":"e30="}`, "InvalidPaginationTokenException"},
	} {
		if status, body := w.quotaPost(t, tc.op, tc.body, nil); status != 400 || !strings.Contains(body, `"`+tc.want+`"`) {
			t.Errorf("%s: %d %s; want %s", tc.name, status, body, tc.want)
		}
	}
	if _, body := w.quotaPost(t, "ListServices", `{}`, nil); body != `{"Services":[{"ServiceCode":"apprunner","ServiceName":"AWS App Runner"}]}` {
		t.Errorf("%s", body)
	}
}
