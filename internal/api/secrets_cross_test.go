package api_test

import (
	"testing"
	"time"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/kms"
	"slipway.dev/slipway/internal/secret"
	"slipway.dev/slipway/internal/secret/parameter"
	"slipway.dev/slipway/internal/store"
)

// newHidden serves Secrets Manager and the Parameter Store, in which the first account has a secret and parameters under a key of its own.
func (x *crossing) newHidden(t *testing.T, c *api.Config, db *store.DB, tokens *api.Tokens) []*api.Service {
	t.Helper()
	ctx := t.Context()
	keys, err := kms.Open(ctx, kms.Config{DB: db, Root: make([]byte, 32), Now: time.Now})
	ok(t, err)
	key, err := keys.Create(ctx, scope, kms.New{})
	ok(t, err)
	sealer, tags := kms.Sealer{Keys: keys}, map[string]string{"note": secretOfA}
	secrets, err := secret.Open(ctx, secret.Config{DB: db, Keys: sealer})
	ok(t, err)
	_, err = secrets.Create(ctx, secret.Secret{Scope: scope, Name: "victim", Description: secretOfA, KeyID: key.ARN(), Tags: tags},
		&secret.NewVersion{ID: victimVersion, Value: secret.Text(secretOfA)})
	ok(t, err)
	parameters, err := parameter.Open(ctx, parameter.Config{DB: db, Keys: sealer})
	ok(t, err)
	_, err = parameters.Put(ctx, scope, parameter.New{Name: "/path/victim", Type: parameter.SecureString, KeyID: key.ARN(), Value: secretOfA, Description: new(secretOfA), Tags: tags})
	ok(t, err)
	manager, err := api.NewSecrets(api.SecretsConfig{Secrets: secrets, Keys: keys, Rights: c.Identities, Tokens: tokens})
	ok(t, err)
	values, err := api.NewParameters(parameters, keys, tokens)
	ok(t, err)
	return []*api.Service{manager, values}
}

const (
	victimVersion   = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
	victimParameter = "arn:aws:ssm:us-east-1:" + account + ":parameter/path/victim"
)

// secretsInput names the secret in a request of Secrets Manager. The ARN without its end means it too.
func (x *crossing) secretsInput(operation string, input map[string]any) {
	if input["SecretId"] != nil {
		input["SecretId"] = "arn:aws:secretsmanager:us-east-1:" + account + ":secret:victim"
	}
	tags := []any{map[string]any{"Key": "made", "Value": "here"}}
	switch operation {
	case "CreateSecret":
		input["Name"], input["SecretString"], input["Tags"] = "made-here", "value", tags
	case "PutSecretValue", "UpdateSecret":
		input["SecretString"] = "value"
	case "BatchGetSecretValue":
		input["SecretIdList"] = []any{"arn:aws:secretsmanager:us-east-1:" + account + ":secret:victim"}
	case "UpdateSecretVersionStage":
		input["VersionStage"], input["MoveToVersionId"] = "made", victimVersion
	case "PutResourcePolicy", "ValidateResourcePolicy":
		input["ResourcePolicy"] = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}}`
	case "TagResource":
		input["Tags"] = tags
	}
}

// parametersInput names the parameter in a request of the Parameter Store.
func (x *crossing) parametersInput(operation string, input map[string]any) {
	for _, member := range []string{"Name", "ResourceId"} {
		if input[member] != nil {
			input[member] = victimParameter
		}
	}
	if input["Names"] != nil {
		input["Names"] = []any{victimParameter}
	}
	if input["ResourceType"] != nil {
		input["ResourceType"] = "Parameter"
	}
	tags := []any{map[string]any{"Key": "made", "Value": "here"}}
	switch operation {
	case "PutParameter":
		input["Name"], input["Type"], input["Tags"] = "made-here", "String", tags
	case "GetParametersByPath":
		input["Path"], input["WithDecryption"] = "/path", true
	case "GetParameter", "GetParameters", "GetParameterHistory":
		input["WithDecryption"] = true
	case "AddTagsToResource":
		input["Tags"] = tags
	}
}
