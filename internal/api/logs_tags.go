package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/observe"
	wire "slipway.dev/slipway/internal/wire/logs"
)

// tagActions are the tagging actions of log groups: those on ARNs, and the older ones on names that they replace. Which of the two a
// client uses depends on its age; Terraform's AWS provider has changed over in the middle of version 5.
func (l *logsAPI) tagActions() map[string]Action {
	return map[string]Action{
		"TagResource": command(onGroupARN("TagResource", func(in *wire.TagResourceRequest) (arn *string, tags map[string]string) {
			return in.ResourceArn, in.Tags
		}), l.tagResource),
		"UntagResource": command(onGroupARN("UntagResource", func(in *wire.UntagResourceRequest) (arn *string, tags map[string]string) {
			return in.ResourceArn, nil
		}), l.untagResource),
		"ListTagsForResource": action(onGroupARN("ListTagsForResource", func(in *wire.ListTagsForResourceRequest) (arn *string, tags map[string]string) {
			return in.ResourceArn, nil
		}), l.listTagsForResource),
		"TagLogGroup":      command(onGroup("TagLogGroup", func(in *wire.TagLogGroupRequest) *string { return in.LogGroupName }), l.tagGroup),
		"UntagLogGroup":    command(onGroup("UntagLogGroup", func(in *wire.UntagLogGroupRequest) *string { return in.LogGroupName }), l.untagGroup),
		"ListTagsLogGroup": action(onGroup("ListTagsLogGroup", func(in *wire.ListTagsLogGroupRequest) *string { return in.LogGroupName }), l.listTagsOfGroup),
	}
}

// onGroupARN asks for an action on the group with an ARN, which here stands for itself, without the ":*" of the other actions.
func onGroupARN[In any](name string, of func(*In) (arn *string, tags map[string]string)) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(_ context.Context, c Call, in *In) ([]iam.Request, error) {
		arn, tags := of(in)
		keys := map[string][]string{}
		requestTags(keys, groupTags(tags))
		return []iam.Request{{Action: "logs:" + name, Resource: observe.GroupARN(c.Scope, groupName(val(arn))), Context: keys}}, nil
	}
}

// mayCreateGroup asks for the group, and for tagging it where tags are sent.
func mayCreateGroup(ctx context.Context, c Call, in *wire.CreateLogGroupRequest) ([]iam.Request, error) {
	asked, err := onGroup("CreateLogGroup", func(in *wire.CreateLogGroupRequest) *string { return in.LogGroupName })(ctx, c, in)
	if err != nil || len(in.Tags) == 0 {
		return asked, err
	}
	keys := map[string][]string{}
	requestTags(keys, groupTags(in.Tags))
	for i := range asked {
		asked[i].Context = keys
	}
	return append(asked, iam.Request{Action: "logs:TagResource", Resource: observe.GroupARN(c.Scope, val(in.LogGroupName)), Context: keys}), nil
}

func groupTags(tags map[string]string) []apprunner.Tag {
	out := make([]apprunner.Tag, 0, len(tags))
	for _, k := range sortedKeys(tags) {
		out = append(out, apprunner.Tag{Key: k, Value: tags[k]})
	}
	return out
}

func (l *logsAPI) tagResource(ctx context.Context, c Call, in *wire.TagResourceRequest) error {
	name, err := group(c, nil, in.ResourceArn)
	if err != nil {
		return err
	}
	return l.store.Tag(ctx, c.Scope, name, in.Tags)
}

func (l *logsAPI) untagResource(ctx context.Context, c Call, in *wire.UntagResourceRequest) error {
	name, err := group(c, nil, in.ResourceArn)
	if err != nil {
		return err
	}
	return l.store.Untag(ctx, c.Scope, name, in.TagKeys)
}

func (l *logsAPI) listTagsForResource(ctx context.Context, c Call, in *wire.ListTagsForResourceRequest) (*wire.ListTagsForResourceResponse, error) {
	name, err := group(c, nil, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, err := l.store.Tags(ctx, c.Scope, name)
	return &wire.ListTagsForResourceResponse{Tags: tags}, err
}

func (l *logsAPI) tagGroup(ctx context.Context, c Call, in *wire.TagLogGroupRequest) error {
	return l.store.Tag(ctx, c.Scope, *in.LogGroupName, in.Tags)
}

func (l *logsAPI) untagGroup(ctx context.Context, c Call, in *wire.UntagLogGroupRequest) error {
	return l.store.Untag(ctx, c.Scope, *in.LogGroupName, in.Tags)
}

func (l *logsAPI) listTagsOfGroup(ctx context.Context, c Call, in *wire.ListTagsLogGroupRequest) (*wire.ListTagsLogGroupResponse, error) {
	tags, err := l.store.Tags(ctx, c.Scope, *in.LogGroupName)
	return &wire.ListTagsLogGroupResponse{Tags: tags}, err
}
