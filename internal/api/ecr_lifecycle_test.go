package api_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
)

// The policy comes back letter by letter, for tools that compare it.
func TestLifecyclePoliciesThroughTheSDK(t *testing.T) {
	_, c := ecrWorld(t)
	ctx, name := t.Context(), aws.String("web")
	_, err := c.CreateRepository(ctx, &sdk.CreateRepositoryInput{RepositoryName: name})
	ok(t, err)
	_, err = c.GetLifecyclePolicy(ctx, &sdk.GetLifecyclePolicyInput{RepositoryName: name})
	refused(t, err, "LifecyclePolicyNotFoundException", 400)
	text := aws.String(`{"rules": [{"rulePriority":1,"description":"keep ten","selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":10},"action":{"type":"expire"}}]}`)
	put, err := c.PutLifecyclePolicy(ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: text})
	if ok(t, err); *put.LifecyclePolicyText != *text || *put.RegistryId != account {
		t.Errorf("%+v", put)
	}
	got, err := c.GetLifecyclePolicy(ctx, &sdk.GetLifecyclePolicyInput{RepositoryName: name})
	if ok(t, err); *got.LifecyclePolicyText != *text || got.LastEvaluatedAt != nil {
		t.Errorf("%+v", got)
	}
	_, err = c.PutLifecyclePolicy(ctx, &sdk.PutLifecyclePolicyInput{RepositoryName: name, LifecyclePolicyText: aws.String(*text + "               ]")})
	refused(t, err, "InvalidParameterException", 400)
	gone, err := c.DeleteLifecyclePolicy(ctx, &sdk.DeleteLifecyclePolicyInput{RepositoryName: name})
	if ok(t, err); *gone.LifecyclePolicyText != *text {
		t.Errorf("%+v", gone)
	}
	_, err = c.DeleteLifecyclePolicy(ctx, &sdk.DeleteLifecyclePolicyInput{RepositoryName: name})
	refused(t, err, "LifecyclePolicyNotFoundException", 400)
}
