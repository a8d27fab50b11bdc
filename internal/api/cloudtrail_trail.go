package api

import (
	"context"
	"time"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/observe"
	wire "slipway.dev/slipway/internal/wire/cloudtrail"
)

func (t *trailAPI) status(ctx context.Context, c Call, in *wire.GetTrailStatusRequest) (*wire.GetTrailStatusResponse, error) {
	trail, err := t.audit.Trail(ctx, c.Scope, val(in.Name))
	if err != nil {
		return nil, err
	}
	moment := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	text := func(at time.Time) *string {
		if at.IsZero() {
			return new("")
		}
		return new(at.UTC().Format(time.RFC3339))
	}
	return &wire.GetTrailStatusResponse{
		IsLogging: &trail.Logging, LatestDeliveryError: given(trail.LastError), LatestDeliveryTime: moment(trail.LastDelivery),
		StartLoggingTime: moment(trail.Started), StopLoggingTime: moment(trail.Stopped), LatestDigestDeliveryTime: moment(trail.LastDigest.At),
		LatestDeliveryAttemptTime: text(trail.LastAttempt), LatestDeliveryAttemptSucceeded: text(trail.LastDelivery),
		LatestNotificationAttemptTime: new(""), LatestNotificationAttemptSucceeded: new(""),
		TimeLoggingStarted: text(trail.Started), TimeLoggingStopped: text(trail.Stopped),
	}, nil
}

func selectorsOut(t observe.Trail) []wire.EventSelector {
	list := t.Selectors
	if len(list) == 0 {
		list = []observe.TrailSelector{{ReadWrite: wire.ReadWriteTypeAll, Management: true}}
	}
	out := make([]wire.EventSelector, len(list))
	for i, s := range list {
		out[i] = wire.EventSelector{ReadWriteType: &s.ReadWrite, IncludeManagementEvents: &s.Management, DataResources: []wire.DataResource{}, ExcludeManagementEventSources: append([]string{}, s.ExcludeSources...)}
	}
	return out
}

func (t *trailAPI) getSelectors(ctx context.Context, c Call, in *wire.GetEventSelectorsRequest) (*wire.GetEventSelectorsResponse, error) {
	trail, err := t.audit.Trail(ctx, c.Scope, val(in.TrailName))
	if err != nil {
		return nil, err
	}
	return &wire.GetEventSelectorsResponse{TrailARN: new(trail.ARN()), EventSelectors: selectorsOut(trail)}, nil
}

func (t *trailAPI) putSelectors(ctx context.Context, c Call, in *wire.PutEventSelectorsRequest) (*wire.PutEventSelectorsResponse, error) {
	if len(in.AdvancedEventSelectors) > 0 {
		return nil, unsupported("advanced event selectors")
	}
	if len(in.EventSelectors) == 0 {
		return nil, apprunner.Errorf(observe.CodeInvalidSelectors, "Give at least one event selector.")
	}
	var list []observe.TrailSelector
	for _, s := range in.EventSelectors {
		if len(s.DataResources) > 0 {
			return nil, unsupported("data events")
		}
		list = append(list, observe.TrailSelector{
			ReadWrite: or(s.ReadWriteType, wire.ReadWriteTypeAll), Management: orTrue(s.IncludeManagementEvents), ExcludeSources: s.ExcludeManagementEventSources,
		})
	}
	trail, err := t.audit.UpdateTrail(ctx, c.Scope, val(in.TrailName), func(trail *observe.Trail) error {
		trail.Selectors = list
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &wire.PutEventSelectorsResponse{TrailARN: new(trail.ARN()), EventSelectors: selectorsOut(trail)}, nil
}

func (t *trailAPI) addTags(ctx context.Context, c Call, in *wire.AddTagsRequest) (*wire.AddTagsResponse, error) {
	tags, err := trailTags(in.TagsList)
	if err != nil {
		return nil, err
	}
	_, err = t.audit.UpdateTrail(ctx, c.Scope, val(in.ResourceId), func(trail *observe.Trail) error {
		if trail.Tags == nil {
			trail.Tags = map[string]string{}
		}
		for k, v := range tags {
			trail.Tags[k] = v
		}
		return nil
	})
	return &wire.AddTagsResponse{}, noTrailTags(err)
}

func (t *trailAPI) removeTags(ctx context.Context, c Call, in *wire.RemoveTagsRequest) (*wire.RemoveTagsResponse, error) {
	_, err := t.audit.UpdateTrail(ctx, c.Scope, val(in.ResourceId), func(trail *observe.Trail) error {
		for _, tag := range in.TagsList {
			if v, there := trail.Tags[val(tag.Key)]; there && (tag.Value == nil || *tag.Value == v) {
				delete(trail.Tags, val(tag.Key))
			}
		}
		return nil
	})
	return &wire.RemoveTagsResponse{}, noTrailTags(err)
}

// noTrailTags words the missing trail as the tagging actions of the model do.
func noTrailTags(err error) error {
	if apprunner.CodeOf(err) == observe.CodeTrailNotFound {
		return apprunner.Errorf(observe.CodeTrailTagsNoResource, "%w", err)
	}
	return err
}

func (t *trailAPI) listTags(ctx context.Context, c Call, in *wire.ListTagsRequest) (*wire.ListTagsResponse, error) {
	out := &wire.ListTagsResponse{ResourceTagList: []wire.ResourceTag{}}
	for _, id := range in.ResourceIdList {
		trail, err := t.audit.Trail(ctx, c.Scope, id)
		if err != nil {
			return nil, noTrailTags(err)
		}
		entry := wire.ResourceTag{ResourceId: &id, TagsList: []wire.Tag{}}
		for _, k := range sortedKeys(trail.Tags) {
			entry.TagsList = append(entry.TagsList, wire.Tag{Key: &k, Value: new(trail.Tags[k])})
		}
		out.ResourceTagList = append(out.ResourceTagList, entry)
	}
	return out, nil
}
