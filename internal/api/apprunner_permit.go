package api

import (
	"context"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/apprunner"
)

// What App Runner actions ask of the policies (adjacent §2.4; the model's authorization table).

// on asks for an action on the resource that a request names.
func on[In any](a *appRunner, name string, arn func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		resource, keys := a.resource(ctx, c, val(arn(in)))
		return []iam.Request{{Action: "apprunner:" + name, Resource: resource, Context: keys}}, nil
	}
}

// resource gives the full ARN of what a request names, and its tags as condition keys. A partial ARN is completed, so that no
// policy for the full one is passed by; one of another account is asked about as if it were the caller's, because the answer
// will be that the caller has no such resource (§2), not that it is forbidden. What does not exist stays as it is. What is no ARN is
// no resource either: who may do the action on everything is told what is wrong with it.
func (a *appRunner) resource(ctx context.Context, c Call, given string) (arn string, keys map[string][]string) {
	parsed, err := apprunner.ParseARN(given)
	if err != nil {
		return "*", nil
	}
	parsed.Account = c.Scope.Account
	if c.Principal.Type == iam.TypeRoot {
		return parsed.String(), nil // no policy looks at it
	}
	arn = a.full(ctx, c, parsed)
	tags, err := a.Control.ListTagsForResource(ctx, c.Scope, arn)
	if err != nil {
		return arn, nil // no such resource, and so no tags; the action itself will say so
	}
	keys = map[string][]string{}
	for _, t := range tags {
		keys["aws:ResourceTag/"+t.Key] = []string{t.Value}
		keys["apprunner:ResourceTag/"+t.Key] = []string{t.Value}
	}
	return arn, keys
}

func (a *appRunner) full(ctx context.Context, c Call, arn apprunner.ARN) string {
	if arn.ID != "" {
		return arn.String()
	}
	switch arn.Kind {
	case apprunner.KindService:
		if s, err := a.Control.DescribeService(ctx, c.Scope, arn.String()); err == nil {
			return s.ARN()
		}
	case apprunner.KindAutoScaling:
		if conf, err := a.Control.DescribeAutoScalingConfiguration(ctx, c.Scope, arn.String()); err == nil {
			return conf.ARN
		}
	case apprunner.KindObservability:
		if conf, err := a.Control.DescribeObservabilityConfiguration(ctx, c.Scope, arn.String()); err == nil {
			return conf.ARN
		}
	case apprunner.KindConnection:
		if list, err := a.Control.ListConnections(ctx, c.Scope, arn.Name); err == nil && len(list) == 1 {
			return list[0].ARN
		}
	}
	return arn.String()
}

func (a *appRunner) mayCreate(ctx context.Context, c Call, in *wire.CreateServiceRequest) ([]iam.Request, error) {
	input := createInput(in)
	keys := a.references(ctx, c, input.ServicePatch, apprunner.Settings{})
	asked := toBe(c, "CreateService", apprunner.KindService, input.Name, input.Tags, keys)
	asked = append(asked, passRoles(input.ServicePatch)...)
	pull, err := a.pullsOfNew(ctx, input)
	return append(asked, pull...), err
}

// toBe asks for an action that creates a resource, and for tagging it where tags are sent.
func toBe(c Call, name, kind, resource string, tags []apprunner.Tag, keys map[string][]string) []iam.Request {
	arn := apprunner.ARN{Scope: c.Scope, Kind: kind, Name: resource}.String()
	requestTags(keys, tags)
	asked := []iam.Request{{Action: "apprunner:" + name, Resource: arn, ToBe: true, Context: keys}}
	if len(tags) > 0 {
		asked = append(asked, iam.Request{Action: "apprunner:TagResource", Resource: arn, ToBe: true, Context: keys})
	}
	return asked
}

// creating is toBe for an action whose request names the resource and its tags.
func creating[In any](name, kind string, of func(*In) (resource *string, tags []wire.Tag)) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(_ context.Context, c Call, in *In) ([]iam.Request, error) {
		resource, tags := of(in)
		return toBe(c, name, kind, val(resource), tagsIn(tags), map[string][]string{}), nil
	}
}

// mayDelete asks for the deletion of a service, and for giving its custom domains free where it has any (§10.1).
func (a *appRunner) mayDelete(ctx context.Context, c Call, in *wire.DeleteServiceRequest) ([]iam.Request, error) {
	arn, keys := a.resource(ctx, c, val(in.ServiceArn))
	asked := []iam.Request{{Action: "apprunner:DeleteService", Resource: arn, Context: keys}}
	if d, err := a.Control.DescribeCustomDomains(ctx, c.Scope, arn); err == nil && len(d.List) > 0 {
		asked = append(asked, iam.Request{Action: "apprunner:DisassociateCustomDomain", Resource: arn, Context: keys})
	}
	return asked, nil
}

func (a *appRunner) mayUpdate(ctx context.Context, c Call, in *wire.UpdateServiceRequest) ([]iam.Request, error) {
	input := updateInput(c, in)
	arn, keys := a.resource(ctx, c, input.ServiceARN)
	present, err := a.Control.DescribeService(ctx, c.Scope, arn)
	if err != nil {
		present = apprunner.Service{} // the action itself says what is wrong
	}
	refs := a.references(ctx, c, input.ServicePatch, present.Settings)
	for k, v := range keys {
		refs[k] = v
	}
	asked := []iam.Request{{Action: "apprunner:UpdateService", Resource: arn, Context: refs}}
	asked = append(asked, passRoles(input.ServicePatch)...)
	pull, err := a.pullsOfUpdate(ctx, present, input.ServicePatch)
	return append(asked, pull...), err
}

func (a *appRunner) mayTag(ctx context.Context, c Call, in *wire.TagResourceRequest) ([]iam.Request, error) {
	arn, keys := a.resource(ctx, c, val(in.ResourceArn))
	if keys == nil {
		keys = map[string][]string{}
	}
	requestTags(keys, tagsIn(in.Tags))
	return []iam.Request{{Action: "apprunner:TagResource", Resource: arn, Context: keys}}, nil
}

func (a *appRunner) mayUntag(ctx context.Context, c Call, in *wire.UntagResourceRequest) ([]iam.Request, error) {
	arn, keys := a.resource(ctx, c, val(in.ResourceArn))
	if keys == nil {
		keys = map[string][]string{}
	}
	keys["aws:TagKeys"] = in.TagKeys
	return []iam.Request{{Action: "apprunner:UntagResource", Resource: arn, Context: keys}}, nil
}

// references are the condition keys for the records a service will point to, as they will be in effect: the ones sent, else the
// present ones.
func (a *appRunner) references(ctx context.Context, c Call, p apprunner.ServicePatch, present apprunner.Settings) map[string][]string {
	keys := map[string][]string{}
	set := func(key string, sent *string, now string) {
		switch {
		case sent != nil:
			keys[key] = []string{a.completed(ctx, c, *sent)}
		case now != "":
			keys[key] = []string{now}
		}
	}
	source, network, observability := val(p.Source), val(p.Network), val(p.Observability)
	if val(network.Egress) == apprunner.EgressDefault {
		present.Network.VPCConnectorARN = "" // the update takes it away
	}
	if observability.Enabled != nil && !*observability.Enabled {
		present.Observability.ARN = ""
	}
	set("apprunner:ConnectionArn", source.ConnectionARN, present.Source.ConnectionARN)
	set("apprunner:AutoScalingConfigurationArn", p.AutoScalingARN, present.AutoScaling.ARN)
	set("apprunner:ObservabilityConfigurationArn", observability.ARN, present.Observability.ARN)
	set("apprunner:VpcConnectorArn", network.VPCConnectorARN, present.Network.VPCConnectorARN)
	return keys
}

func (a *appRunner) completed(ctx context.Context, c Call, arn string) string {
	parsed, err := apprunner.ParseARN(arn)
	if err != nil {
		return arn
	}
	return a.full(ctx, c, parsed)
}

func requestTags(keys map[string][]string, tags []apprunner.Tag) {
	for _, t := range tags {
		keys["aws:RequestTag/"+t.Key] = []string{t.Value}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], t.Key)
	}
}

// passRoles asks for iam:PassRole on each role sent. The service is the one that AWSAppRunnerFullAccess names.
func passRoles(p apprunner.ServicePatch) []iam.Request {
	var asked []iam.Request
	pass := func(role *string) {
		if role != nil && strings.HasPrefix(*role, "arn:") {
			asked = append(asked, iam.Request{Action: "iam:PassRole", Resource: *role, Context: map[string][]string{"iam:PassedToService": {"apprunner.amazonaws.com"}}})
		}
	}
	if p.Source != nil {
		pass(p.Source.AccessRoleARN)
	}
	if p.Instance != nil {
		pass(p.Instance.RoleARN)
	}
	return asked
}
