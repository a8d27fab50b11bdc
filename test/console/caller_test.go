package console

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"slipway.dev/slipway/test/rig"
)

// A private image is deployed with the permissions of the person who does it, in place of a role; whoever has not got them cannot, neither
// by creating a service, nor by deploying it, nor by changing its source. A push deploys nothing, since nobody's permissions are there.
//
// checklist: 71
func TestAnImageIsPulledWithThePersonsOwnPermissions(t *testing.T) {
	h := theHouse(t)
	play(t, h, "create_caller", user(t, h, "ida", mayAll), map[string]any{"image": rig.Identifier("app", "v1"), "service": "own-rights"})
	s := made(t, h, "us-east-1", "own-rights")
	s.Says(t, "/env", `"VERSION=v1"`)
	if s.SourceConfiguration.AuthenticationConfiguration != nil || *s.SourceConfiguration.AutoDeploymentsEnabled {
		t.Errorf("the source is %+v", s.SourceConfiguration)
	}

	jon := appsOf(t, h, "jon", "arn:aws:iam::aws:policy/AWSAppRunnerFullAccess")
	source := func(automatic bool) *types.SourceConfiguration {
		c := rig.ImageSource("app", "v1", nil)
		c.AuthenticationConfiguration, c.AutoDeploymentsEnabled = nil, &automatic
		return c
	}
	own := []types.Tag{{Key: aws.String("slipway:image-access"), Value: aws.String("caller")}}
	create := func(apps *apprunner.Client, tags []types.Tag, automatic bool) error {
		_, err := apps.CreateService(t.Context(), &apprunner.CreateServiceInput{ServiceName: aws.String("not-to-be"), SourceConfiguration: source(automatic), Tags: tags})
		return err
	}
	_, deploy := jon.StartDeployment(t.Context(), &apprunner.StartDeploymentInput{ServiceArn: s.ServiceArn})
	_, update := jon.UpdateService(t.Context(), &apprunner.UpdateServiceInput{ServiceArn: s.ServiceArn, SourceConfiguration: source(false)})
	_, automatic := h.Apps.UpdateService(t.Context(), &apprunner.UpdateServiceInput{ServiceArn: s.ServiceArn, SourceConfiguration: source(true)})
	for what, c := range map[string]struct {
		err  error
		code string
	}{
		"a deployment without the rights":    {deploy, "AccessDeniedException"},
		"a new source without the rights":    {update, "AccessDeniedException"},
		"a creation without the rights":      {create(jon, own, false), "AccessDeniedException"},
		"a creation without role and tag":    {create(h.Apps, nil, false), "InvalidRequestException"},
		"a creation that deploys by itself":  {create(h.Apps, own, true), "InvalidRequestException"},
		"an update to automatic deployments": {automatic, "InvalidRequestException"},
	} {
		if rig.Code(c.err) != c.code {
			t.Errorf("%s: %v, want %s", what, c.err, c.code)
		}
	}
	s.Deploy(t)
}

// appsOf is the App Runner API as a new user of the house's own account sees it, who has a managed policy.
func appsOf(t *testing.T, h *rig.House, name, policy string) *apprunner.Client {
	t.Helper()
	ids := directory(h, h.Env["AWS_ACCESS_KEY_ID"], h.Env["AWS_SECRET_ACCESS_KEY"])
	userOf(t, ids, "123456789012", name, policy)
	out, err := ids.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	ok(t, err)
	c := config(h, "us-east-1")
	c.Credentials = credentials.NewStaticCredentialsProvider(*out.AccessKey.AccessKeyId, *out.AccessKey.SecretAccessKey, "")
	return apprunner.NewFromConfig(c)
}
