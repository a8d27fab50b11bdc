package api

import (
	"context"
	"errors"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	wire "slipway.dev/slipway/internal/wire/cloudtrail"
)

// NewCloudTrail returns the CloudTrail API (adjacent §7).
func NewCloudTrail(audit *observe.Audit) (*Service, error) {
	if audit == nil {
		return nil, errors.New("cloudtrail API: the audit trail is required")
	}
	t := &trailAPI{audit}
	return &Service{
		API: &wire.API, Constraint: "InvalidParameterException", Internal: "InternalFailure", OlderTarget: "CloudTrail_20131101",
		Actions: map[string]Action{
			"LookupEvents":      action(anything[wire.LookupEventsRequest]("cloudtrail:LookupEvents"), t.lookup),
			"DescribeTrails":    action(anything[wire.DescribeTrailsRequest]("cloudtrail:DescribeTrails"), t.describe),
			"ListTrails":        action(anything[wire.ListTrailsRequest]("cloudtrail:ListTrails"), t.list),
			"CreateTrail":       action(t.mayCreate, t.create),
			"UpdateTrail":       action(onTrail("UpdateTrail", func(in *wire.UpdateTrailRequest) *string { return in.Name }), t.update),
			"DeleteTrail":       action(onTrail("DeleteTrail", func(in *wire.DeleteTrailRequest) *string { return in.Name }), t.delete),
			"GetTrail":          action(onTrail("GetTrail", func(in *wire.GetTrailRequest) *string { return in.Name }), t.get),
			"GetTrailStatus":    action(onTrail("GetTrailStatus", func(in *wire.GetTrailStatusRequest) *string { return in.Name }), t.status),
			"StartLogging":      action(onTrail("StartLogging", func(in *wire.StartLoggingRequest) *string { return in.Name }), t.start),
			"StopLogging":       action(onTrail("StopLogging", func(in *wire.StopLoggingRequest) *string { return in.Name }), t.stop),
			"GetEventSelectors": action(onTrail("GetEventSelectors", func(in *wire.GetEventSelectorsRequest) *string { return in.TrailName }), t.getSelectors),
			"PutEventSelectors": action(onTrail("PutEventSelectors", func(in *wire.PutEventSelectorsRequest) *string { return in.TrailName }), t.putSelectors),
			"AddTags":           action(onTrail("AddTags", func(in *wire.AddTagsRequest) *string { return in.ResourceId }), t.addTags),
			"RemoveTags":        action(onTrail("RemoveTags", func(in *wire.RemoveTagsRequest) *string { return in.ResourceId }), t.removeTags),
			"ListTags":          action(mayListTags, t.listTags),
		},
	}, nil
}

type trailAPI struct{ audit *observe.Audit }

func trailARN(c Call, nameOrARN string) string {
	if nameOrARN == "" || strings.HasPrefix(nameOrARN, "arn:") {
		return or(&nameOrARN, "*")
	}
	return observe.Trail{Scope: c.Scope, Name: nameOrARN}.ARN()
}

// onTrail asks for an action on the trail that a request names.
func onTrail[In any](name string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(_ context.Context, c Call, in *In) ([]iam.Request, error) {
		return []iam.Request{{Action: "cloudtrail:" + name, Resource: trailARN(c, val(of(in)))}}, nil
	}
}

func (t *trailAPI) mayCreate(_ context.Context, c Call, in *wire.CreateTrailRequest) ([]iam.Request, error) {
	asked := []iam.Request{{Action: "cloudtrail:CreateTrail", Resource: trailARN(c, val(in.Name))}}
	if len(in.TagsList) > 0 {
		asked = append(asked, iam.Request{Action: "cloudtrail:AddTags", Resource: asked[0].Resource})
	}
	return asked, nil
}

func mayListTags(_ context.Context, c Call, in *wire.ListTagsRequest) (asked []iam.Request, err error) {
	for _, id := range in.ResourceIdList {
		asked = append(asked, iam.Request{Action: "cloudtrail:ListTags", Resource: trailARN(c, id)})
	}
	if len(asked) == 0 {
		asked = []iam.Request{{Action: "cloudtrail:ListTags", Resource: "*"}}
	}
	return asked, nil
}

func (t *trailAPI) lookup(ctx context.Context, c Call, in *wire.LookupEventsRequest) (*wire.LookupEventsResponse, error) {
	out := &wire.LookupEventsResponse{Events: []wire.Event{}}
	if in.EventCategory != nil { // insight, the only one there is: none are found here
		return out, nil
	}
	q := observe.Lookup{Start: val(in.StartTime), End: val(in.EndTime), Limit: int(val(in.MaxResults)), Token: val(in.NextToken)}
	switch len(in.LookupAttributes) {
	case 0:
	case 1:
		q.Attribute, q.Value = observe.AuditAttribute(val(in.LookupAttributes[0].AttributeKey)), val(in.LookupAttributes[0].AttributeValue)
	default:
		return nil, apprunner.Errorf(observe.CodeInvalidLookupAttributes, "Give at most one lookup attribute.")
	}
	if err := t.audit.Flush(ctx); err != nil {
		return nil, err
	}
	found, next, err := t.audit.LookupEvents(ctx, c.Scope, q)
	if err != nil {
		return nil, err
	}
	for _, e := range found {
		event := wire.Event{
			EventId: &e.ID, EventName: &e.Name, ReadOnly: &e.ReadOnly, AccessKeyId: given(e.AccessKeyID), EventTime: &e.Time, EventSource: &e.Source,
			Username: given(e.Username), CloudTrailEvent: &e.Record, Resources: []wire.Resource{},
		}
		for _, r := range e.Resources {
			event.Resources = append(event.Resources, wire.Resource{ResourceType: &r.Type, ResourceName: &r.Name})
		}
		out.Events = append(out.Events, event)
	}
	out.NextToken = given(next)
	return out, nil
}

// unsupported names what a request asks for that trails do not do here.
func unsupported(what string) error {
	return apprunner.Errorf(observe.CodeTrailsNotSupported, "Trails do not support %s here.", what)
}

// sinks refuses the places and ways of writing that are not there, rather than to write less safely than was asked.
func sinks(topic, group, role, key *string, organisation *bool) error {
	switch {
	case val(topic) != "":
		return unsupported("SNS topics")
	case val(group) != "" || val(role) != "":
		return unsupported("log groups")
	case val(key) != "":
		return unsupported("encryption of files with a key")
	case val(organisation):
		return unsupported("organisations")
	}
	return nil
}

func trailTags(list []wire.Tag) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range list {
		if _, twice := out[val(t.Key)]; twice {
			return nil, apprunner.Errorf(observe.CodeInvalidTags, "The tag key %s is there twice.", val(t.Key))
		}
		out[val(t.Key)] = val(t.Value)
	}
	return out, nil
}

// orTrue is a switch that is on unless it is set.
func orTrue(p *bool) bool { return p == nil || *p }

func (t *trailAPI) create(ctx context.Context, c Call, in *wire.CreateTrailRequest) (*wire.CreateTrailResponse, error) {
	if err := sinks(in.SnsTopicName, in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn, in.KmsKeyId, in.IsOrganizationTrail); err != nil {
		return nil, err
	}
	tags, err := trailTags(in.TagsList)
	if err != nil {
		return nil, err
	}
	trail := observe.Trail{
		Scope: c.Scope, Name: val(in.Name), Bucket: val(in.S3BucketName), Prefix: val(in.S3KeyPrefix), Global: orTrue(in.IncludeGlobalServiceEvents),
		MultiRegion: orTrue(in.IsMultiRegionTrail), Validate: val(in.EnableLogFileValidation), Tags: tags, // all regions, as the documents say
	}
	if trail.MultiRegion && !trail.Global {
		return nil, apprunner.Errorf(observe.CodeInvalidCombination, "A trail of all regions includes the events of global services.")
	}
	if err := t.audit.CreateTrail(ctx, trail); err != nil {
		return nil, err
	}
	o := trailOut(trail)
	return &wire.CreateTrailResponse{
		Name: o.Name, S3BucketName: o.S3BucketName, S3KeyPrefix: o.S3KeyPrefix, IncludeGlobalServiceEvents: o.IncludeGlobalServiceEvents,
		IsMultiRegionTrail: o.IsMultiRegionTrail, TrailARN: o.TrailARN, LogFileValidationEnabled: o.LogFileValidationEnabled, IsOrganizationTrail: o.IsOrganizationTrail,
	}, nil
}

func (t *trailAPI) update(ctx context.Context, c Call, in *wire.UpdateTrailRequest) (*wire.UpdateTrailResponse, error) {
	if err := sinks(in.SnsTopicName, in.CloudWatchLogsLogGroupArn, in.CloudWatchLogsRoleArn, in.KmsKeyId, in.IsOrganizationTrail); err != nil {
		return nil, err
	}
	trail, err := t.audit.UpdateTrail(ctx, c.Scope, val(in.Name), func(trail *observe.Trail) error {
		set(&trail.Bucket, in.S3BucketName)
		set(&trail.Prefix, in.S3KeyPrefix)
		set(&trail.Global, in.IncludeGlobalServiceEvents)
		set(&trail.MultiRegion, in.IsMultiRegionTrail)
		set(&trail.Validate, in.EnableLogFileValidation)
		if trail.MultiRegion && !trail.Global {
			return apprunner.Errorf(observe.CodeInvalidCombination, "A trail of all regions includes the events of global services.")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	o := trailOut(trail)
	return &wire.UpdateTrailResponse{
		Name: o.Name, S3BucketName: o.S3BucketName, S3KeyPrefix: o.S3KeyPrefix, IncludeGlobalServiceEvents: o.IncludeGlobalServiceEvents,
		IsMultiRegionTrail: o.IsMultiRegionTrail, TrailARN: o.TrailARN, LogFileValidationEnabled: o.LogFileValidationEnabled, IsOrganizationTrail: o.IsOrganizationTrail,
	}, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (t *trailAPI) delete(ctx context.Context, c Call, in *wire.DeleteTrailRequest) (*wire.DeleteTrailResponse, error) {
	return &wire.DeleteTrailResponse{}, t.audit.DeleteTrail(ctx, c.Scope, val(in.Name))
}

func trailOut(t observe.Trail) wire.Trail {
	no, selectors, arn := false, len(t.Selectors) > 0, t.ARN()
	return wire.Trail{
		Name: &t.Name, S3BucketName: &t.Bucket, S3KeyPrefix: given(t.Prefix), IncludeGlobalServiceEvents: &t.Global, IsMultiRegionTrail: &t.MultiRegion,
		HomeRegion: &t.Region, TrailARN: &arn, LogFileValidationEnabled: &t.Validate, HasCustomEventSelectors: &selectors, HasInsightSelectors: &no, IsOrganizationTrail: &no,
	}
}

func (t *trailAPI) get(ctx context.Context, c Call, in *wire.GetTrailRequest) (*wire.GetTrailResponse, error) {
	trail, err := t.audit.Trail(ctx, c.Scope, val(in.Name))
	if err != nil {
		return nil, err
	}
	return &wire.GetTrailResponse{Trail: new(trailOut(trail))}, nil
}

// describe shows the trails of this region, those of other regions that write records of all of them, and those that are named.
func (t *trailAPI) describe(ctx context.Context, c Call, in *wire.DescribeTrailsRequest) (*wire.DescribeTrailsResponse, error) {
	all, err := t.audit.Trails(ctx, c.Scope.Account)
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeTrailsResponse{TrailList: []wire.Trail{}}
	for _, trail := range all {
		if trail.Region != c.Scope.Region && !(orTrue(in.IncludeShadowTrails) && trail.MultiRegion) {
			continue
		}
		if len(in.TrailNameList) == 0 || slices.Contains(in.TrailNameList, trail.Name) || slices.Contains(in.TrailNameList, trail.ARN()) {
			out.TrailList = append(out.TrailList, trailOut(trail))
		}
	}
	return out, nil
}

func (t *trailAPI) list(ctx context.Context, c Call, _ *wire.ListTrailsRequest) (*wire.ListTrailsResponse, error) {
	all, err := t.audit.Trails(ctx, c.Scope.Account)
	if err != nil {
		return nil, err
	}
	out := &wire.ListTrailsResponse{Trails: []wire.TrailInfo{}}
	for _, trail := range all {
		out.Trails = append(out.Trails, wire.TrailInfo{TrailARN: new(trail.ARN()), Name: &trail.Name, HomeRegion: &trail.Region})
	}
	return out, nil
}

func (t *trailAPI) start(ctx context.Context, c Call, in *wire.StartLoggingRequest) (*wire.StartLoggingResponse, error) {
	return &wire.StartLoggingResponse{}, t.audit.SetLogging(ctx, c.Scope, val(in.Name), true)
}

func (t *trailAPI) stop(ctx context.Context, c Call, in *wire.StopLoggingRequest) (*wire.StopLoggingResponse, error) {
	return &wire.StopLoggingResponse{}, t.audit.SetLogging(ctx, c.Scope, val(in.Name), false)
}
