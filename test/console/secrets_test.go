package console

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"

	"slipway.dev/slipway/test/rig"
)

// A variable of a service is plain text, a secret or a parameter; the references are shown and edited, the values are nowhere.
func TestVariablesFromSecrets(t *testing.T) {
	h := theHouse(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := h.AWS(args...)
		ok(t, err)
		return strings.Trim(out, "\" \n") // one text, as JSON
	}
	secret := run("secretsmanager", "create-secret", "--name", "console/db", "--secret-string", "from-the-vault", "--query", "ARN")
	run("ssm", "put-parameter", "--name", "/console/flag", "--type", "String", "--value", "on")
	run("ssm", "put-parameter", "--name", "/console/token", "--type", "SecureString", "--value", "from-the-vault-too")
	role := run("iam", "create-role", "--role-name", "console-secrets", "--query", "Role.Arn", "--assume-role-policy-document",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"tasks.apprunner.amazonaws.com"},"Action":"sts:AssumeRole"}}`)
	run("iam", "put-role-policy", "--role-name", "console-secrets", "--policy-name", "read", "--policy-document",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","ssm:GetParameters"],"Resource":["arn:aws:secretsmanager:*:*:secret:console/*","arn:aws:ssm:*:*:parameter/console/*"]}}`)
	source := rig.ImageSource("app", "v1", nil)
	source.ImageRepository.ImageConfiguration.RuntimeEnvironmentSecrets = map[string]string{"DB": secret, "A_FLAG": "/console/flag"}
	s := h.Create(t, "hidden-things", source, types.ServiceStatusRunning, rig.Small, func(in *apprunner.CreateServiceInput) { in.InstanceConfiguration.InstanceRoleArn = &role })
	play(t, h, "secrets", user(t, h, "vera", mayAll), map[string]any{"arn": s.ARN(), "secret": secret})
	s = h.Await(t, s.ARN(), types.ServiceStatusRunning)
	for _, want := range []string{`"TOKEN=from-the-vault-too"`, `"DB=from-the-vault"`, `"A_FLAG=on"`} {
		s.Says(t, "/env", want)
	}
}
