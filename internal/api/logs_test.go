package api_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"slipway.dev/slipway/internal/api"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	wire "slipway.dev/slipway/internal/wire/logs"
)

const (
	group  = "/aws/apprunner/web/0123456789abcdef0123456789abcdef/application"
	stream = "instance/00000000000000000000000000000001"
)

// logsWorld is the Logs API over a real log store.
func logsWorld(t *testing.T) (*endpoint, *observe.Logs, *sdk.Client) {
	t.Helper()
	db := openStore(t)
	store, err := observe.Open(context.Background(), observe.Config{Dir: t.TempDir(), DB: db})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	service, err := api.NewLogs(store)
	if err != nil {
		t.Fatal(err)
	}
	e := serve(t, db, service)
	return e, store, sdk.NewFromConfig(e.config())
}

func say(t *testing.T, store *observe.Logs, at time.Time, messages ...string) {
	t.Helper()
	events := make([]observe.Event, len(messages))
	for i, m := range messages {
		events[i] = observe.Event{Time: at.Add(time.Duration(i) * time.Millisecond), Message: m}
	}
	if err := store.Append(context.Background(), scope, group, stream, events); err != nil {
		t.Fatal(err)
	}
}

func TestReadingLogsThroughTheSDK(t *testing.T) {
	_, store, c := logsWorld(t)
	ctx, at := context.Background(), time.Now().Add(-time.Minute).Truncate(time.Second)
	say(t, store, at, "one", "ERROR two", "three 日本", "ERROR four")

	groups, err := c.DescribeLogGroups(ctx, &sdk.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/aws/apprunner/")})
	if err != nil {
		t.Fatal(err)
	}
	g := groups.LogGroups[0]
	arn := "arn:aws:logs:us-east-1:123456789012:log-group:" + group
	if *g.LogGroupName != group || *g.Arn != arn+":*" || *g.LogGroupArn != arn || g.RetentionInDays != nil || g.LogGroupClass != types.LogGroupClassStandard {
		t.Errorf("group %+v", g)
	}
	streams, err := c.DescribeLogStreams(ctx, &sdk.DescribeLogStreamsInput{LogGroupIdentifier: &arn, OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	if s := streams.LogStreams[0]; *s.LogStreamName != stream || *s.FirstEventTimestamp != at.UnixMilli() || *s.LastEventTimestamp != at.UnixMilli()+3 || s.UploadSequenceToken == nil {
		t.Errorf("stream %+v", s)
	}

	var got []string
	pages := sdk.NewGetLogEventsPaginator(c, &sdk.GetLogEventsInput{LogGroupName: aws.String(group), LogStreamName: aws.String(stream), StartFromHead: aws.Bool(true), Limit: aws.Int32(3)},
		func(o *sdk.GetLogEventsPaginatorOptions) { o.StopOnDuplicateToken = true })
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Events {
			got = append(got, *e.Message)
		}
	}
	if diff := cmp.Diff([]string{"one", "ERROR two", "three 日本", "ERROR four"}, got); diff != "" {
		t.Error(diff)
	}

	got = nil
	filter := sdk.NewFilterLogEventsPaginator(c, &sdk.FilterLogEventsInput{LogGroupName: aws.String(group), FilterPattern: aws.String("ERROR"), StartTime: aws.Int64(at.UnixMilli() + 2), LogStreamNamePrefix: aws.String("instance/")})
	for filter.HasMorePages() {
		p, err := filter.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Events {
			got = append(got, fmt.Sprintf("%s %d %s", *e.LogStreamName, *e.Timestamp-at.UnixMilli(), *e.Message))
			if e.EventId == nil || e.IngestionTime == nil {
				t.Errorf("event %+v", e)
			}
		}
	}
	if diff := cmp.Diff([]string{stream + " 3 ERROR four"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWritingLogsThroughTheSDK(t *testing.T) {
	_, _, c := logsWorld(t)
	ctx, now := context.Background(), time.Now().UnixMilli()
	name, to := aws.String("mine"), aws.String("a")
	if _, err := c.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: name}); !isA[*types.ResourceAlreadyExistsException](err) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := c.CreateLogStream(ctx, &sdk.CreateLogStreamInput{LogGroupName: name, LogStreamName: to}); err != nil {
		t.Fatal(err)
	}
	out, err := c.PutLogEvents(ctx, &sdk.PutLogEventsInput{LogGroupName: name, LogStreamName: to, LogEvents: []types.InputLogEvent{
		{Timestamp: aws.Int64(now), Message: aws.String("now")}, {Timestamp: aws.Int64(now + 3*3600*1000), Message: aws.String("too early")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r := out.RejectedLogEventsInfo; out.NextSequenceToken == nil || r == nil || *r.TooNewLogEventStartIndex != 1 || r.TooOldLogEventEndIndex != nil {
		t.Errorf("put: %+v", out)
	}
	if _, err := c.PutRetentionPolicy(ctx, &sdk.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(7)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutRetentionPolicy(ctx, &sdk.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: aws.Int32(8)}); !isA[*types.InvalidParameterException](err) {
		t.Errorf("8 days: %v", err)
	}
	if g, err := c.DescribeLogGroups(ctx, &sdk.DescribeLogGroupsInput{}); err != nil || *g.LogGroups[0].RetentionInDays != 7 {
		t.Errorf("retention: %v", err)
	}
	if _, err := c.DeleteRetentionPolicy(ctx, &sdk.DeleteRetentionPolicyInput{LogGroupName: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteLogStream(ctx, &sdk.DeleteLogStreamInput{LogGroupName: name, LogStreamName: to}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteLogGroup(ctx, &sdk.DeleteLogGroupInput{LogGroupName: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteLogGroup(ctx, &sdk.DeleteLogGroupInput{LogGroupName: name}); !isA[*types.ResourceNotFoundException](err) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := c.CreateLogGroup(ctx, &sdk.CreateLogGroupInput{LogGroupName: name, KmsKeyId: aws.String("arn:aws:kms:us-east-1:123456789012:key/a")}); !isA[*types.InvalidParameterException](err) {
		t.Errorf("what is not supported must not be dropped: %v", err)
	}
}

func TestLogGroupOfAnotherAccountIsNotFound(t *testing.T) {
	_, store, c := logsWorld(t)
	say(t, store, time.Now(), "secret")
	for _, arn := range []string{"arn:aws:logs:us-east-1:210987654321:log-group:" + group, "arn:aws:logs:eu-west-1:123456789012:log-group:" + group} {
		_, err := c.FilterLogEvents(context.Background(), &sdk.FilterLogEventsInput{LogGroupIdentifier: &arn})
		if !isA[*types.ResourceNotFoundException](err) {
			t.Errorf("%s: %v", arn, err)
		}
	}
}

func TestLogPermissions(t *testing.T) {
	service, err := api.NewLogs(&observe.Logs{})
	if err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:logs:us-east-1:123456789012:log-group:" + group
	for _, tc := range []struct {
		op   string
		in   any
		want string
	}{
		{"FilterLogEvents", &wire.FilterLogEventsRequest{LogGroupIdentifier: &arn}, arn + ":log-stream:"},
		{"GetLogEvents", &wire.GetLogEventsRequest{LogGroupName: aws.String(group), LogStreamName: aws.String(stream)}, arn + ":log-stream:" + stream},
		{"DescribeLogGroups", &wire.DescribeLogGroupsRequest{}, "arn:aws:logs:us-east-1:123456789012:log-group::log-stream:"},
	} {
		got, err := service.Actions[tc.op].Permissions(context.Background(), api.Call{Scope: scope}, tc.in)
		if diff := cmp.Diff([]iam.Request{{Action: "logs:" + tc.op, Resource: tc.want}}, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", tc.op, err, diff)
		}
	}
}

// The CLI of version 1 has no "tail"; this is the call that tail makes, paged by the CLI itself.
func TestFilterWithTheStockCLI(t *testing.T) {
	e, store, _ := logsWorld(t)
	say(t, store, time.Now().Add(-time.Minute), "listening on 8080", "GET / 200", "GET /up 200")
	var out struct {
		Events []struct{ Message string }
	}
	e.awsJSON(t, &out, "logs", "filter-log-events", "--log-group-name", group, "--interleaved", "--page-size", "1", "--filter-pattern", "GET")
	if len(out.Events) != 2 || out.Events[1].Message != "GET /up 200" {
		t.Errorf("got %+v", out)
	}
}
