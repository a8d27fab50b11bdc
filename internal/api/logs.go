package api

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	wire "slipway.dev/slipway/internal/wire/logs"
)

// logStore is what the CloudWatch Logs API needs of the observe room.
type logStore interface {
	CreateTaggedGroup(ctx context.Context, sc apprunner.Scope, name string, tags map[string]string) error
	Tags(ctx context.Context, sc apprunner.Scope, group string) (map[string]string, error)
	Tag(ctx context.Context, sc apprunner.Scope, group string, tags map[string]string) error
	Untag(ctx context.Context, sc apprunner.Scope, group string, keys []string) error
	DeleteGroup(ctx context.Context, sc apprunner.Scope, name string) error
	DescribeGroups(context.Context, apprunner.Scope, observe.GroupsQuery) ([]observe.Group, string, error)
	PutRetention(ctx context.Context, sc apprunner.Scope, group string, days int) error
	DeleteRetention(ctx context.Context, sc apprunner.Scope, group string) error
	CreateStream(ctx context.Context, sc apprunner.Scope, group, name string) error
	DeleteStream(ctx context.Context, sc apprunner.Scope, group, name string) error
	DescribeStreams(context.Context, apprunner.Scope, observe.StreamsQuery) ([]observe.Stream, string, error)
	PutEvents(ctx context.Context, sc apprunner.Scope, group, stream string, events []observe.Event) (observe.Rejected, error)
	GetEvents(context.Context, apprunner.Scope, observe.GetQuery) (observe.GetPage, error)
	Filter(context.Context, apprunner.Scope, observe.FilterQuery) ([]observe.StreamEvent, string, error)
}

type logsAPI struct{ store logStore }

// maxLogBatch is the body of the largest batch of events: 1 MiB of text of which every character may be escaped.
const maxLogBatch = 8 << 20

// NewLogs returns the CloudWatch Logs API (adjacent §4).
func NewLogs(store logStore) (*Service, error) {
	if store == nil {
		return nil, errors.New("logs API: the log store is required")
	}
	l := &logsAPI{store}
	s := &Service{
		API:        &wire.API,
		Constraint: observe.CodeInvalidParameter,
		Internal:   "ServiceUnavailableException",
		MaxBody:    maxLogBatch,
		Actions: map[string]Action{
			"CreateLogGroup":        command(mayCreateGroup, l.createGroup),
			"DeleteLogGroup":        command(onGroup("DeleteLogGroup", func(in *wire.DeleteLogGroupRequest) *string { return in.LogGroupName }), l.deleteGroup),
			"DescribeLogGroups":     action(onGroup("DescribeLogGroups", func(*wire.DescribeLogGroupsRequest) *string { return nil }), l.describeGroups),
			"PutRetentionPolicy":    command(onGroup("PutRetentionPolicy", func(in *wire.PutRetentionPolicyRequest) *string { return in.LogGroupName }), l.putRetention),
			"DeleteRetentionPolicy": command(onGroup("DeleteRetentionPolicy", func(in *wire.DeleteRetentionPolicyRequest) *string { return in.LogGroupName }), l.deleteRetention),
			"CreateLogStream":       command(onStream("CreateLogStream", func(in *wire.CreateLogStreamRequest) (g, s *string) { return in.LogGroupName, in.LogStreamName }), l.createStream),
			"DeleteLogStream":       command(onStream("DeleteLogStream", func(in *wire.DeleteLogStreamRequest) (g, s *string) { return in.LogGroupName, in.LogStreamName }), l.deleteStream),
			"DescribeLogStreams": action(onGroup("DescribeLogStreams", func(in *wire.DescribeLogStreamsRequest) *string {
				return either(in.LogGroupName, in.LogGroupIdentifier)
			}), l.describeStreams),
			"PutLogEvents": action(onStream("PutLogEvents", func(in *wire.PutLogEventsRequest) (g, s *string) { return in.LogGroupName, in.LogStreamName }), l.putEvents),
			"GetLogEvents": action(onStream("GetLogEvents", func(in *wire.GetLogEventsRequest) (g, s *string) {
				return either(in.LogGroupName, in.LogGroupIdentifier), in.LogStreamName
			}), l.getEvents),
			"FilterLogEvents": action(onGroup("FilterLogEvents", func(in *wire.FilterLogEventsRequest) *string {
				return either(in.LogGroupName, in.LogGroupIdentifier)
			}), l.filterEvents),
		},
	}
	maps.Copy(s.Actions, l.tagActions())
	return s, nil
}

func either(name, identifier *string) *string {
	if name != nil {
		return name
	}
	return identifier
}

// onStream asks for an action on a stream.
func onStream[In any](name string, of func(*In) (group, stream *string)) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(_ context.Context, c Call, in *In) ([]iam.Request, error) {
		group, stream := of(in)
		resource := observe.GroupARN(c.Scope, groupName(val(group))) + ":log-stream:" + val(stream)
		return []iam.Request{{Action: "logs:" + name, Resource: resource}}, nil
	}
}

// onGroup asks for an action on a group. CloudWatch Logs words that as a stream without a name, which is why policies for
// "log-group:<name>:*" cover it.
func onGroup[In any](name string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return onStream(name, func(in *In) (group, stream *string) { return of(in), nil })
}

// groupName is the name in a group identifier: a name, or the ARN of a group.
func groupName(identifier string) string {
	parts := strings.SplitN(identifier, ":", 7)
	if len(parts) < 7 || parts[0] != "arn" || parts[5] != "log-group" {
		return identifier
	}
	return strings.TrimSuffix(parts[6], ":*")
}

// group finds the one group that a request names, by name or by identifier.
func group(c Call, name, identifier *string) (string, error) {
	switch {
	case name != nil && identifier != nil:
		return "", apprunner.Errorf(observe.CodeInvalidParameter, "Give either logGroupName or logGroupIdentifier, not both.")
	case name != nil:
		return *name, nil
	case identifier == nil:
		return "", apprunner.Errorf(observe.CodeInvalidParameter, "logGroupName or logGroupIdentifier is required.")
	}
	found := groupName(*identifier)
	if arn := observe.GroupARN(c.Scope, found); found != *identifier && arn != strings.TrimSuffix(*identifier, ":*") {
		return "", apprunner.Errorf(apprunner.CodeNotFound, "The specified log group does not exist in account %s, region %s: %s", c.Scope.Account, c.Scope.Region, *identifier)
	}
	return found, nil
}

// millis is a time for an answer in milliseconds since the epoch; the zero time is left out.
func millis(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	ms := t.UnixMilli()
	return &ms
}

// fromMillis reads a time of a request; an absent one is the zero time.
func fromMillis(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms)
}

func (l *logsAPI) createGroup(ctx context.Context, c Call, in *wire.CreateLogGroupRequest) error {
	switch {
	case in.KmsKeyId != nil:
		return apprunner.Errorf(observe.CodeInvalidParameter, "The KMS key %s cannot be used: log groups are not encrypted with customer keys here.", *in.KmsKeyId)
	case in.LogGroupClass != nil && *in.LogGroupClass != wire.LogGroupClassStandard:
		return apprunner.Errorf(observe.CodeInvalidParameter, "The log group class %s is not supported here; use STANDARD.", *in.LogGroupClass)
	case val(in.DeletionProtectionEnabled):
		return apprunner.Errorf(observe.CodeInvalidParameter, "Deletion protection of log groups is not supported here.")
	}
	return l.store.CreateTaggedGroup(ctx, c.Scope, *in.LogGroupName, in.Tags)
}

func (l *logsAPI) deleteGroup(ctx context.Context, c Call, in *wire.DeleteLogGroupRequest) error {
	return l.store.DeleteGroup(ctx, c.Scope, *in.LogGroupName)
}

func (l *logsAPI) describeGroups(ctx context.Context, c Call, in *wire.DescribeLogGroupsRequest) (*wire.DescribeLogGroupsResponse, error) {
	out := &wire.DescribeLogGroupsResponse{LogGroups: []wire.LogGroup{}}
	if class := in.LogGroupClass; class != nil && *class != wire.LogGroupClassStandard {
		return out, nil // there are none of the other classes
	}
	if in.LogGroupIdentifiers != nil || in.AccountIdentifiers != nil || val(in.IncludeLinkedAccounts) {
		return nil, apprunner.Errorf(observe.CodeInvalidParameter, "logGroupIdentifiers, accountIdentifiers and includeLinkedAccounts are not supported here; use logGroupNamePrefix.")
	}
	groups, next, err := l.store.DescribeGroups(ctx, c.Scope, observe.GroupsQuery{
		Prefix: val(in.LogGroupNamePrefix), Pattern: val(in.LogGroupNamePattern), Limit: int(val(in.Limit)), Token: val(in.NextToken),
	})
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		out.LogGroups = append(out.LogGroups, logGroupOut(g))
	}
	out.NextToken = given(next)
	return out, nil
}

func logGroupOut(g observe.Group) wire.LogGroup {
	out := wire.LogGroup{
		LogGroupName:      &g.Name,
		CreationTime:      millis(g.Created),
		MetricFilterCount: new(int32(0)),
		Arn:               &g.ARN,
		StoredBytes:       &g.StoredBytes,
		LogGroupClass:     new(wire.LogGroupClassStandard),
		LogGroupArn:       new(strings.TrimSuffix(g.ARN, ":*")),
	}
	if g.RetentionDays > 0 {
		out.RetentionInDays = int32Out(g.RetentionDays)
	}
	return out
}

func (l *logsAPI) putRetention(ctx context.Context, c Call, in *wire.PutRetentionPolicyRequest) error {
	return l.store.PutRetention(ctx, c.Scope, *in.LogGroupName, int(*in.RetentionInDays))
}

func (l *logsAPI) deleteRetention(ctx context.Context, c Call, in *wire.DeleteRetentionPolicyRequest) error {
	return l.store.DeleteRetention(ctx, c.Scope, *in.LogGroupName)
}

func (l *logsAPI) createStream(ctx context.Context, c Call, in *wire.CreateLogStreamRequest) error {
	return l.store.CreateStream(ctx, c.Scope, *in.LogGroupName, *in.LogStreamName)
}

func (l *logsAPI) deleteStream(ctx context.Context, c Call, in *wire.DeleteLogStreamRequest) error {
	return l.store.DeleteStream(ctx, c.Scope, *in.LogGroupName, *in.LogStreamName)
}

func (l *logsAPI) describeStreams(ctx context.Context, c Call, in *wire.DescribeLogStreamsRequest) (*wire.DescribeLogStreamsResponse, error) {
	name, err := group(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	byTime := val(in.OrderBy) == wire.OrderByLastEventTime
	if byTime && in.LogStreamNamePrefix != nil {
		return nil, apprunner.Errorf(observe.CodeInvalidParameter, "Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	streams, next, err := l.store.DescribeStreams(ctx, c.Scope, observe.StreamsQuery{
		Group: name, Prefix: val(in.LogStreamNamePrefix), ByLastEvent: byTime, Descending: val(in.Descending), Limit: int(val(in.Limit)), Token: val(in.NextToken),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeLogStreamsResponse{LogStreams: make([]wire.LogStream, len(streams)), NextToken: given(next)}
	for i, s := range streams {
		out.LogStreams[i] = logStreamOut(s)
	}
	return out, nil
}

func logStreamOut(s observe.Stream) wire.LogStream {
	return wire.LogStream{
		LogStreamName:       &s.Name,
		CreationTime:        millis(s.Created),
		FirstEventTimestamp: millis(s.FirstEvent),
		LastEventTimestamp:  millis(s.LastEvent),
		LastIngestionTime:   millis(s.LastIngestion),
		UploadSequenceToken: new(sequenceToken),
		Arn:                 &s.ARN,
		StoredBytes:         new(int64(0)), // CloudWatch Logs has stopped counting by stream
	}
}

// sequenceToken is what older clients want to see and send again; it has no meaning any more, there or here.
const sequenceToken = "1"

func (l *logsAPI) putEvents(ctx context.Context, c Call, in *wire.PutLogEventsRequest) (*wire.PutLogEventsResponse, error) {
	events := make([]observe.Event, len(in.LogEvents))
	for i, e := range in.LogEvents {
		events[i] = observe.Event{Time: fromMillis(e.Timestamp), Message: *e.Message}
	}
	rejected, err := l.store.PutEvents(ctx, c.Scope, *in.LogGroupName, *in.LogStreamName, events)
	if err != nil {
		return nil, err
	}
	out := &wire.PutLogEventsResponse{NextSequenceToken: new(sequenceToken)}
	if rejected.Any() {
		out.RejectedLogEventsInfo = &wire.RejectedLogEventsInfo{
			TooNewLogEventStartIndex: indexOut(rejected.TooNewStart),
			TooOldLogEventEndIndex:   indexOut(rejected.TooOldEnd),
			ExpiredLogEventEndIndex:  indexOut(rejected.ExpiredEnd),
		}
	}
	return out, nil
}

func indexOut(i int) *int32 {
	if i < 0 {
		return nil
	}
	return int32Out(i)
}

func (l *logsAPI) getEvents(ctx context.Context, c Call, in *wire.GetLogEventsRequest) (*wire.GetLogEventsResponse, error) {
	name, err := group(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	p, err := l.store.GetEvents(ctx, c.Scope, observe.GetQuery{
		Group: name, Stream: *in.LogStreamName, Start: fromMillis(in.StartTime), End: fromMillis(in.EndTime),
		Limit: int(val(in.Limit)), FromHead: val(in.StartFromHead), Token: val(in.NextToken),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.GetLogEventsResponse{Events: make([]wire.OutputLogEvent, len(p.Events)), NextForwardToken: &p.Forward, NextBackwardToken: &p.Backward}
	for i, e := range p.Events {
		out.Events[i] = wire.OutputLogEvent{Timestamp: millis(e.Time), Message: &e.Message, IngestionTime: millis(e.Ingested)}
	}
	return out, nil
}

func (l *logsAPI) filterEvents(ctx context.Context, c Call, in *wire.FilterLogEventsRequest) (*wire.FilterLogEventsResponse, error) {
	name, err := group(c, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if in.StartFromHead != nil && !*in.StartFromHead {
		return nil, apprunner.Errorf(observe.CodeInvalidParameter, "startFromHead false is not supported here; events are returned oldest first.")
	}
	events, next, err := l.store.Filter(ctx, c.Scope, observe.FilterQuery{
		Group: name, Streams: in.LogStreamNames, Prefix: val(in.LogStreamNamePrefix), Start: fromMillis(in.StartTime), End: fromMillis(in.EndTime),
		Pattern: val(in.FilterPattern), Limit: int(val(in.Limit)), Token: val(in.NextToken),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.FilterLogEventsResponse{
		Events:             make([]wire.FilteredLogEvent, len(events)),
		SearchedLogStreams: []wire.SearchedLogStream{}, // always empty in CloudWatch Logs, too
		NextToken:          given(next),
	}
	for i, e := range events {
		out.Events[i] = wire.FilteredLogEvent{
			LogStreamName: &e.Stream, Timestamp: millis(e.Time), Message: &e.Message, IngestionTime: millis(e.Ingested), EventId: &e.ID,
		}
	}
	return out, nil
}
