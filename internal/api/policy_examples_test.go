package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	"github.com/aws/aws-sdk-go-v2/service/apprunner/types"
	ecrsdk "github.com/aws/aws-sdk-go-v2/service/ecr"

	"slipway.dev/slipway/internal/iam"
)

// The policies that the developer guide gives as examples, as their users meet them.

// with gives a user one policy.
func (d *door) with(t *testing.T, user, policy string) {
	t.Helper()
	ok(t, d.dir.PutInlinePolicy(t.Context(), iam.Entity{Account: account, Kind: iam.EntityUser, Name: user}, "example", `{"Version":"2012-10-17","Statement":`+policy+`}`))
}

func (d *door) service(t *testing.T, name string, tags ...types.Tag) *string {
	t.Helper()
	out, err := sdk.NewFromConfig(d.config()).CreateService(t.Context(), &sdk.CreateServiceInput{ServiceName: &name, SourceConfiguration: imageSource(), Tags: tags})
	ok(t, err)
	return out.Service.ServiceArn
}

const denied, badState, invalid = "AccessDeniedException", "InvalidStateException", "InvalidRequestException"

// answered wants the code of a refusal; a call that is allowed meets a service that is still being made.
func answered(t *testing.T, err error, code string) {
	t.Helper()
	status := http.StatusBadRequest
	if code == denied {
		status = http.StatusForbidden
	}
	refused(t, err, code, status)
}

// checklist: 201
func TestOnlyTheOwnerDeletes(t *testing.T) {
	d := newDoor(t)
	alice := sdk.NewFromConfig(d.user(t, "alice").config())
	d.with(t, "alice", `[{"Effect":"Allow","Action":["apprunner:ListServices","apprunner:DescribeService"],"Resource":"*"},
		{"Effect":"Allow","Action":"apprunner:DeleteService","Resource":"arn:aws:apprunner:*:*:service/*","Condition":{"StringEquals":{"apprunner:ResourceTag/Owner":"${aws:username}"}}}]`)
	tag := func(k, v string) types.Tag { return types.Tag{Key: aws.String(k), Value: aws.String(v)} }
	for _, tc := range []struct {
		service *string
		code    string
	}{
		{d.service(t, "capital", tag("Owner", "alice")), badState},
		{d.service(t, "small", tag("owner", "alice")), badState},
		{d.service(t, "others", tag("Owner", "bob")), denied},
		{d.service(t, "nobodys"), denied},
	} {
		_, err := alice.DeleteService(t.Context(), &sdk.DeleteServiceInput{ServiceArn: tc.service})
		answered(t, err, tc.code)
	}
}

// checklist: 202
func TestEveryConnectionButThoseOfProduction(t *testing.T) {
	d := newDoor(t)
	root, alice := sdk.NewFromConfig(d.config()), sdk.NewFromConfig(d.user(t, "alice").config())
	d.with(t, "alice", `{"Effect":"Allow","Action":"apprunner:CreateService","Resource":"*",
		"Condition":{"ArnNotLike":{"apprunner:ConnectionArn":"arn:aws:apprunner:*:*:connection/prod*"}}}`)
	create := func(name, connection string) error {
		made, err := root.CreateConnection(t.Context(), &sdk.CreateConnectionInput{ConnectionName: &connection, ProviderType: types.ProviderTypeGithub})
		ok(t, err)
		_, err = alice.CreateService(t.Context(), &sdk.CreateServiceInput{ServiceName: &name, SourceConfiguration: &types.SourceConfiguration{
			AuthenticationConfiguration: &types.AuthenticationConfiguration{ConnectionArn: made.Connection.ConnectionArn},
			CodeRepository: &types.CodeRepository{
				RepositoryUrl: aws.String("https://github.com/a/b"), SourceCodeVersion: &types.SourceCodeVersion{Type: types.SourceCodeVersionTypeBranch, Value: aws.String("main")},
				CodeConfiguration: &types.CodeConfiguration{ConfigurationSource: types.ConfigurationSourceRepository},
			},
		}})
		return err
	}
	answered(t, create("first", "prod"), denied)
	answered(t, create("second", "prod-eu"), denied)
	if err := create("third", "staging"); err != nil && !strings.Contains(err.Error(), invalid) { // a connection whose handshake is not done may be refused later
		t.Error(err)
	}
	_, err := alice.CreateService(t.Context(), &sdk.CreateServiceInput{ServiceName: aws.String("image"), SourceConfiguration: imageSource()})
	ok(t, err)
}

// checklist: 203
func TestUpdatesWithOneConfigurationOnly(t *testing.T) {
	d := newDoor(t)
	ctx, root, alice := t.Context(), sdk.NewFromConfig(d.config()), sdk.NewFromConfig(d.user(t, "alice").config())
	d.with(t, "alice", `{"Effect":"Allow","Action":"apprunner:UpdateService","Resource":"arn:aws:apprunner:*:*:service/preprod/*",
		"Condition":{"ArnLike":{"apprunner:AutoScalingConfigurationArn":"arn:aws:apprunner:*:*:autoscalingconfiguration/preprod/*"}}}`)
	conf := func(name string) *string {
		out, err := root.CreateAutoScalingConfiguration(ctx, &sdk.CreateAutoScalingConfigurationInput{AutoScalingConfigurationName: &name})
		ok(t, err)
		return out.AutoScalingConfiguration.AutoScalingConfigurationArn
	}
	preprod, other, service, another := conf("preprod"), conf("other"), d.service(t, "preprod"), d.service(t, "another")
	partial := aws.String("arn:aws:apprunner:us-east-1:123456789012:autoscalingconfiguration/preprod")
	for name, tc := range map[string]struct {
		service, conf *string
		code          string
	}{
		"with it": {service, preprod, badState}, "with it by name": {service, partial, badState}, "with another": {service, other, denied},
		"with the default it has": {service, nil, denied}, "another service": {another, preprod, denied},
	} {
		_, err := alice.UpdateService(ctx, &sdk.UpdateServiceInput{ServiceArn: tc.service, AutoScalingConfigurationArn: tc.conf})
		t.Run(name, func(t *testing.T) { answered(t, err, tc.code) })
	}
}

// checklist: 204
func TestConsoleAndConnections(t *testing.T) {
	d := newDoor(t)
	ctx, alice := t.Context(), sdk.NewFromConfig(d.user(t, "alice").config())
	d.with(t, "alice", `{"Effect":"Allow","Action":["apprunner:List*","apprunner:Describe*","apprunner:CreateConnection","apprunner:DeleteConnection"],"Resource":"*"}`)
	service := d.service(t, "seen")
	_, err := alice.DescribeService(ctx, &sdk.DescribeServiceInput{ServiceArn: service})
	ok(t, err)
	made, err := alice.CreateConnection(ctx, &sdk.CreateConnectionInput{ConnectionName: aws.String("mine"), ProviderType: types.ProviderTypeGithub})
	ok(t, err)
	_, err = alice.DeleteConnection(ctx, &sdk.DeleteConnectionInput{ConnectionArn: made.Connection.ConnectionArn})
	ok(t, err)
	_, err = alice.PauseService(ctx, &sdk.PauseServiceInput{ServiceArn: service})
	answered(t, err, denied)
	_, err = alice.CreateService(ctx, &sdk.CreateServiceInput{ServiceName: aws.String("more"), SourceConfiguration: imageSource()})
	answered(t, err, denied)
}

// checklist: 206, 208, 213
func TestRolesArePassedAndTrusted(t *testing.T) {
	d := newDoor(t)
	ctx, alice := t.Context(), sdk.NewFromConfig(d.user(t, "alice").config())
	role := func(name, principal string) string {
		r, err := d.dir.CreateRole(ctx, iam.Role{Account: account, Name: name, Trust: strings.ReplaceAll(trustTasks, "tasks.", principal+".")})
		ok(t, err)
		return r.ARN()
	}
	access, instance := role("access", "build"), role("instance", "tasks")
	create := func(name, access, instance string) error {
		_, err := alice.CreateService(ctx, &sdk.CreateServiceInput{
			ServiceName: &name, InstanceConfiguration: &types.InstanceConfiguration{InstanceRoleArn: &instance},
			SourceConfiguration: &types.SourceConfiguration{
				AuthenticationConfiguration: &types.AuthenticationConfiguration{AccessRoleArn: &access},
				ImageRepository: &types.ImageRepository{
					ImageIdentifier: aws.String("123456789012.dkr.ecr.us-east-1.amazonaws.com/app:1"), ImageRepositoryType: types.ImageRepositoryTypeEcr,
				},
			},
		})
		return err
	}
	d.with(t, "alice", `[{"Effect":"Allow","Action":"apprunner:*","Resource":"*"},{"Effect":"Allow","Action":"iam:PassRole","Resource":"`+access+`"}]`)
	err := create("first", access, instance)
	answered(t, err, denied)
	if want := "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: iam:PassRole on resource: " + instance; !strings.Contains(err.Error(), want) {
		t.Errorf("refusal %v, want %s", err, want)
	}
	d.with(t, "alice", `[{"Effect":"Allow","Action":"apprunner:*","Resource":"*"},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}]`)
	answered(t, create("first", access, instance), denied)
	d.with(t, "alice", `[{"Effect":"Allow","Action":"apprunner:*","Resource":"*"},
		{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"apprunner.amazonaws.com"}}}]`)
	for _, tc := range []struct{ access, instance, want string }{
		{instance, instance, "Error in assuming access role " + instance},
		{access, access, "Error in assuming instance role " + access},
		{access, instance + "-none", "Error in assuming instance role " + instance + "-none"},
	} {
		err := create("first", tc.access, tc.instance)
		answered(t, err, invalid)
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want %s", err, tc.want)
		}
	}
	ok(t, create("first", access, instance))
}

// A trust policy may name the services and the account it is for, against those who would borrow the role: the service is known by
// its ARN when it is created.
//
// checklist: 208
func TestTrustPoliciesMayNameTheService(t *testing.T) {
	d := newDoor(t)
	root := sdk.NewFromConfig(d.config())
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"tasks.apprunner.amazonaws.com"},"Action":"sts:AssumeRole",
		"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnLike":{"aws:SourceArn":"arn:aws:apprunner:us-east-1:123456789012:service/shop/*"}}}]}`
	r, err := d.dir.CreateRole(t.Context(), iam.Role{Account: account, Name: "web-only", Trust: trust})
	ok(t, err)
	create := func(name string) error {
		_, err := root.CreateService(t.Context(), &sdk.CreateServiceInput{
			ServiceName: &name, SourceConfiguration: imageSource(), InstanceConfiguration: &types.InstanceConfiguration{InstanceRoleArn: aws.String(r.ARN())},
		})
		return err
	}
	ok(t, create("shop"))
	answered(t, create("other"), invalid)
}

// checklist: 207
func TestRegistryLoginKnowsNoRepository(t *testing.T) {
	x := newCrossing(t)
	caller := ecrsdk.NewFromConfig((&endpoint{url: x.url, key: x.caller}).config())
	login := func(policy string) error {
		x.with(t, "caller", policy)
		_, err := caller.GetAuthorizationToken(t.Context(), &ecrsdk.GetAuthorizationTokenInput{})
		return err
	}
	answered(t, login(`{"Effect":"Allow","Action":"ecr:*","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/victim"}`), denied)
	ok(t, login(`[{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"},{"Effect":"Allow","Action":"ecr:BatchGetImage","Resource":"arn:aws:ecr:*:*:repository/victim"}]`))
}
