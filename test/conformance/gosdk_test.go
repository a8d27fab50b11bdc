package conformance

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apprunner"
	runnertypes "github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// as tells whether an error has the class of the SDK.
func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// The Go SDK types each refusal with the class of its model.
//
// checklist: 3
func TestErrorClassesOfTheGoSDK(t *testing.T) {
	f := serve(t)
	ctx, conf := t.Context(), f.config()
	ids, runner, logs, registry, tokens := iam.NewFromConfig(conf), apprunner.NewFromConfig(conf), cloudwatchlogs.NewFromConfig(conf), ecr.NewFromConfig(conf), sts.NewFromConfig(conf)
	service := aws.String("arn:aws:apprunner:us-east-1:123456789012:service/none/00000000000000000000000000000000")
	doc := aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	for name, call := range map[string]func() (error, bool){
		"NoSuchEntity": func() (error, bool) {
			_, err := ids.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("nobody")})
			return err, as[*iamtypes.NoSuchEntityException](err)
		},
		"MalformedPolicyDocument": func() (error, bool) {
			_, err := ids.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String("{}")})
			return err, as[*iamtypes.MalformedPolicyDocumentException](err)
		},
		"InvalidInput": func() (error, bool) {
			_, err := ids.CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("nobody.amazonaws.com")})
			return err, as[*iamtypes.InvalidInputException](err)
		},
		"PackedPolicyTooLarge or MalformedPolicyDocument of STS": func() (error, bool) {
			_, err := tokens.GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: aws.String("guest"), Policy: aws.String("{}")})
			return err, as[*ststypes.MalformedPolicyDocumentException](err)
		},
		"ResourceNotFoundException of App Runner": func() (error, bool) {
			_, err := runner.DescribeService(ctx, &apprunner.DescribeServiceInput{ServiceArn: service})
			return err, as[*runnertypes.ResourceNotFoundException](err)
		},
		"InvalidRequestException of App Runner": func() (error, bool) {
			_, err := runner.StartDeployment(ctx, &apprunner.StartDeploymentInput{ServiceArn: aws.String("x")})
			return err, as[*runnertypes.InvalidRequestException](err)
		},
		"ResourceNotFoundException of Logs": func() (error, bool) {
			_, err := logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/none"), LogStreamName: aws.String("s")})
			return err, as[*logtypes.ResourceNotFoundException](err)
		},
		"InvalidParameterException of Logs": func() (error, bool) {
			_, err := logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("/none"), RetentionInDays: aws.Int32(2)})
			return err, as[*logtypes.InvalidParameterException](err)
		},
		"RepositoryNotFoundException": func() (error, bool) {
			_, err := registry.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: aws.String("none")})
			return err, as[*ecrtypes.RepositoryNotFoundException](err)
		},
		"InvalidParameterException of ECR": func() (error, bool) {
			_, err := registry.SetRepositoryPolicy(ctx, &ecr.SetRepositoryPolicyInput{RepositoryName: aws.String("none"), PolicyText: doc})
			return err, as[*ecrtypes.InvalidParameterException](err)
		},
	} {
		if err, ok := call(); !ok {
			t.Errorf("%s: %T %v", name, err, err)
		}
	}
}
