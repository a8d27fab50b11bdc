package console

import (
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"

	"slipway.dev/slipway/test/rig"
)

// tenant is an account of the house that one test has for itself.
type tenant struct {
	id, key, secret string
	house           *rig.House
}

var keyLine = regexp.MustCompile(`export AWS_ACCESS_KEY_ID='([^']+)'\nexport AWS_SECRET_ACCESS_KEY='([^']+)'`)

func newTenant(t *testing.T, h *rig.House, id string) tenant {
	t.Helper()
	text, err := h.Slipway("account", "create", id, "--data-dir", h.Dir)
	ok(t, err)
	found := keyLine.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("slipway account create printed %s", text)
	}
	return tenant{id, found[1], found[2], h}
}

// user makes a user of the account with a managed policy.
func (a tenant) user(t *testing.T, name, policy string) person {
	t.Helper()
	return userOf(t, directory(a.house, a.key, a.secret), a.id, name, policy)
}

// apps is the App Runner API as the account's root.
func (a tenant) apps() *apprunner.Client {
	return apprunner.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(a.house.Env["AWS_ENDPOINT_URL"]), Credentials: credentials.NewStaticCredentialsProvider(a.key, a.secret, ""),
	})
}
