package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	apprunnersdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
)

// checklist: 100
func TestHandshakeIsACallLikeAnyOther(t *testing.T) {
	d := newDoor(t)
	out, err := apprunnersdk.NewFromConfig(d.config()).CreateConnection(t.Context(), &apprunnersdk.CreateConnectionInput{
		ConnectionName: aws.String("hub-1"), ProviderType: types.ProviderTypeGithub, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const token = "ghp_very-secret"
	arn := *out.Connection.ConnectionArn
	handshake := func(e *endpoint, credential string) (int, string) {
		return e.post(t, "slipway", "Slipway.CompleteConnection", `{"ConnectionArn":"`+arn+`","Credential":`+credential+`}`)
	}
	alice := d.user(t, "alice")
	expect := func(name string, e *endpoint, credential string, status int, part string) {
		t.Helper()
		if got, body := handshake(e, credential); got != status || !strings.Contains(body, part) {
			t.Errorf("%s: %d %s", name, got, body)
		}
		r, text := d.last(t)
		if r.EventName != "CompleteConnection" || strings.Contains(text, token) || !strings.Contains(text, arn) {
			t.Errorf("%s is recorded as %s", name, text)
		}
	}
	good := `{"Token":"` + token + `"}`
	expect("nobody allowed it", alice, good, http.StatusForbidden, "not authorized to perform: apprunner:CompleteConnection on resource: "+arn)
	d.with(t, "alice", `{"Effect":"Allow","Action":"apprunner:Complete*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"b"}}}`)
	expect("another team", alice, good, http.StatusForbidden, "AccessDeniedException")
	d.with(t, "alice", `{"Effect":"Allow","Action":"apprunner:*","Resource":"`+arn+`"}`)
	expect("empty", alice, `{}`, http.StatusBadRequest, "Give a token, a user with a password, or a deploy key")
	expect("password alone", alice, `{"Password":"`+token+`"}`, http.StatusBadRequest, "no user")
	expect("complete", alice, good, http.StatusOK, `"Status":"AVAILABLE"`)
	if got, body := d.post(t, "slipway", "Slipway.CompleteConnection", `{"ConnectionArn":"`+strings.Replace(arn, "hub-1", "hub-2", 1)+`","Credential":`+good+`}`); got != http.StatusBadRequest || !strings.Contains(body, "ResourceNotFoundException") {
		t.Errorf("unknown connection: %d %s", got, body)
	}
}
