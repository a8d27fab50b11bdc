package api_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// TestSecretsThroughTheSDK: the Go SDK makes, reads and pages, and gets the errors as its own types.
func TestSecretsThroughTheSDK(t *testing.T) {
	h := newHiddenThings(t)
	c := secretsmanager.NewFromConfig(h.config())
	ctx := t.Context()
	for _, name := range []string{"one", "two", "three"} {
		_, err := c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretBinary: []byte{0, 1}, Tags: []smtypes.Tag{{Key: aws.String("k"), Value: &name}}})
		ok(t, err)
	}
	got, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("two")})
	ok(t, err)
	if string(got.SecretBinary) != "\x00\x01" || got.SecretString != nil || got.VersionStages[0] != "AWSCURRENT" || got.CreatedDate.IsZero() {
		t.Errorf("%+v", got)
	}
	names := map[string]bool{}
	for pages := secretsmanager.NewListSecretsPaginator(c, &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(2)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		ok(t, err)
		for _, s := range page.SecretList {
			names[*s.Name] = true
		}
	}
	if len(names) != 3 {
		t.Errorf("listed %v", names)
	}
	_, err = c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("none")})
	if missing := new(smtypes.ResourceNotFoundException); !errors.As(err, &missing) {
		t.Errorf("a secret that is not there: %v", err)
	}
	_, err = c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("one")})
	if there := new(smtypes.ResourceExistsException); !errors.As(err, &there) {
		t.Errorf("a name that is taken: %v", err)
	}
}

// TestParametersThroughTheSDK is the same for the Parameter Store.
func TestParametersThroughTheSDK(t *testing.T) {
	h := newHiddenThings(t)
	c := ssm.NewFromConfig(h.config())
	ctx := t.Context()
	for _, name := range []string{"/app/a", "/app/b", "/app/c"} {
		_, err := c.PutParameter(ctx, &ssm.PutParameterInput{Name: &name, Value: &name, Type: ssmtypes.ParameterTypeSecureString})
		ok(t, err)
	}
	values := map[string]bool{}
	for pages := ssm.NewGetParametersByPathPaginator(c, &ssm.GetParametersByPathInput{Path: aws.String("/app"), MaxResults: aws.Int32(2), WithDecryption: aws.Bool(true)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		ok(t, err)
		for _, p := range page.Parameters {
			values[*p.Value] = p.Version == 1
		}
	}
	if len(values) != 3 || !values["/app/c"] {
		t.Errorf("values %v", values)
	}
	_, err := c.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/app/d")})
	if missing := new(ssmtypes.ParameterNotFound); !errors.As(err, &missing) {
		t.Errorf("a parameter that is not there: %v", err)
	}
	_, err = c.PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String("/app/a"), Value: aws.String("v"), Type: ssmtypes.ParameterTypeString})
	if there := new(ssmtypes.ParameterAlreadyExists); !errors.As(err, &there) {
		t.Errorf("a name that is taken: %v", err)
	}
}
