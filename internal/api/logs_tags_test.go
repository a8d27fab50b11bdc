package api_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	wire "slipway.dev/slipway/internal/wire/logs"
)

// Both pairs of tagging actions work on the same tags, which a group has from its creation and loses with its deletion. Retention and
// tags are what Terraform asks for after each change of a group.
func TestTagsOfLogGroups(t *testing.T) {
	_, _, c := logsWorld(t)
	ctx, name := context.Background(), aws.String("/web/audit")
	arn := aws.String("arn:aws:logs:us-east-1:123456789012:log-group:/web/audit")
	create := func(tags map[string]string) {
		t.Helper()
		if _, err := c.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: name, Tags: tags}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(want map[string]string) {
		t.Helper()
		byARN, err := c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: arn})
		if err != nil || !maps.Equal(byARN.Tags, want) {
			t.Errorf("tags %v, %v; want %v", byARN, err, want)
		}
		//lint:ignore SA1019 older clients call it
		byName, err := c.ListTagsLogGroup(ctx, &sdk.ListTagsLogGroupInput{LogGroupName: name})
		if err != nil || !maps.Equal(byName.Tags, want) {
			t.Errorf("tags by name %v, %v; want %v", byName, err, want)
		}
	}
	create(map[string]string{"Team": "web", "Empty": ""})
	has(map[string]string{"Team": "web", "Empty": ""})
	if _, err := c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"Team": "shop", "Stage": "test"}}); err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 older clients call it
	if _, err := c.TagLogGroup(ctx, &sdk.TagLogGroupInput{LogGroupName: name, Tags: map[string]string{"Old": "yes"}}); err != nil {
		t.Fatal(err)
	}
	has(map[string]string{"Team": "shop", "Empty": "", "Stage": "test", "Old": "yes"})
	if _, err := c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"Empty", "absent"}}); err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 older clients call it
	if _, err := c.UntagLogGroup(ctx, &sdk.UntagLogGroupInput{LogGroupName: name, Tags: []string{"Old"}}); err != nil {
		t.Fatal(err)
	}
	has(map[string]string{"Team": "shop", "Stage": "test"})
	if _, err := c.DeleteLogGroup(ctx, &sdk.DeleteLogGroupInput{LogGroupName: name}); err != nil {
		t.Fatal(err)
	}
	create(nil)
	has(map[string]string{})
}

func TestTagsOfLogGroupsThatAreRefused(t *testing.T) {
	_, store, c := logsWorld(t)
	ctx := context.Background()
	if err := store.CreateGroup(ctx, scope, "g"); err != nil {
		t.Fatal(err)
	}
	many := map[string]string{}
	for i := range 30 {
		many[fmt.Sprint("first-", i)] = ""
	}
	if err := store.Tag(ctx, scope, "g", many); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		delete(many, fmt.Sprint("first-", i))
		many[fmt.Sprint("second-", i)] = ""
	}
	arn := func(account, region, name string) *string {
		return aws.String("arn:aws:logs:" + region + ":" + account + ":log-group:" + name)
	}
	for _, tc := range []struct {
		name, want string
		in         sdk.TagResourceInput
	}{
		{"no such group", "ResourceNotFoundException", sdk.TagResourceInput{ResourceArn: arn(account, "us-east-1", "other"), Tags: map[string]string{"a": "b"}}},
		{"another region", "ResourceNotFoundException", sdk.TagResourceInput{ResourceArn: arn(account, "eu-west-1", "g"), Tags: map[string]string{"a": "b"}}},
		{"another account", "ResourceNotFoundException", sdk.TagResourceInput{ResourceArn: arn("210987654321", "us-east-1", "g"), Tags: map[string]string{"a": "b"}}},
		{"reserved", "InvalidParameterException", sdk.TagResourceInput{ResourceArn: arn(account, "us-east-1", "g"), Tags: map[string]string{"AWS:a": "b"}}},
		{"too many", "TooManyTagsException", sdk.TagResourceInput{ResourceArn: arn(account, "us-east-1", "g"), Tags: many}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := c.TagResource(ctx, &tc.in)
			refused(t, err, tc.want, 400)
		})
	}
	if tags, err := store.Tags(ctx, scope, "g"); err != nil || len(tags) != 30 {
		t.Errorf("%d tags are left, %v", len(tags), err)
	}
}

// Who creates a group with tags needs the right to tag it, as with CloudWatch Logs.
func TestRightsToTagLogGroups(t *testing.T) {
	_, store, _ := logsWorld(t)
	service, err := api.NewLogs(store)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := service.Actions["CreateLogGroup"].Permissions(context.Background(), api.Call{Scope: scope}, &wire.CreateLogGroupRequest{LogGroupName: aws.String("g"), Tags: map[string]string{"Team": "web"}})
	if err != nil || len(asked) != 2 {
		t.Fatalf("asks %v, %v", asked, err)
	}
	want := iam.Request{Action: "logs:TagResource", Resource: observe.GroupARN(scope, "g")}
	if asked[1].Action != want.Action || asked[1].Resource != want.Resource || asked[0].Context["aws:RequestTag/Team"][0] != "web" {
		t.Errorf("asks %v", asked)
	}
}
