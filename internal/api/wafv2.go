package api

import (
	"context"
	"errors"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/webacl"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/wafv2"
)

// firewall is what the WAFv2 API needs of the control room.
type firewall interface {
	CheckWebACLCapacity(ctx context.Context, sc apprunner.Scope, rules []webacl.Rule) (int64, error)
	CreateWAF(ctx context.Context, r webacl.Record, tags []apprunner.Tag) (webacl.Record, error)
	GetWAF(ctx context.Context, e webacl.Entity) (webacl.Record, error)
	UpdateWAF(ctx context.Context, e webacl.Entity, change func(*webacl.Record)) (webacl.Record, error)
	DeleteWAF(ctx context.Context, e webacl.Entity) error
	ListWAF(ctx context.Context, sc apprunner.Scope, kind webacl.Kind) ([]webacl.Record, error)
	AssociateWebACL(ctx context.Context, sc apprunner.Scope, aclARN, serviceARN string) error
	DisassociateWebACL(ctx context.Context, sc apprunner.Scope, serviceARN string) error
	WebACLForService(ctx context.Context, sc apprunner.Scope, serviceARN string) (webacl.Record, bool, error)
	ServicesForWebACL(ctx context.Context, sc apprunner.Scope, aclARN string) ([]string, error)
	WebACLLogging(ctx context.Context, sc apprunner.Scope, aclARN string) (webacl.Logging, error)
	PutWebACLLogging(ctx context.Context, sc apprunner.Scope, aclARN string, l *webacl.Logging) error
	TagWAF(ctx context.Context, sc apprunner.Scope, arn string, tags []apprunner.Tag) error
	UntagWAF(ctx context.Context, sc apprunner.Scope, arn string, keys []string) error
	WAFTags(ctx context.Context, sc apprunner.Scope, arn string) ([]apprunner.Tag, error)
}

type wafAPI struct {
	control firewall
	tokens  *Tokens
}

// NewWAF returns the WAFv2 API (adjacent §12).
func NewWAF(control firewall, tokens *Tokens) (*Service, error) {
	if control == nil || tokens == nil {
		return nil, errors.New("WAFv2 API: the control room and the tokens are required")
	}
	w := &wafAPI{control, tokens}
	return &Service{
		API: &wire.API, Constraint: webacl.CodeInvalidParameter, Internal: webacl.CodeInternal,
		Actions: map[string]Action{
			"CreateWebACL":  action(wafMakes("CreateWebACL", webacl.KindACL, func(in *wire.CreateWebACLRequest) (*string, []wire.Tag) { return in.Name, in.Tags }), w.createACL),
			"GetWebACL":     action(w.mayGetACL, w.getACL),
			"UpdateWebACL":  action(wafNamed(w, "UpdateWebACL", webacl.KindACL, func(in *wire.UpdateWebACLRequest) (name, id *string) { return in.Name, in.Id }), w.updateACL),
			"DeleteWebACL":  action(wafNamed(w, "DeleteWebACL", webacl.KindACL, func(in *wire.DeleteWebACLRequest) (name, id *string) { return in.Name, in.Id }), w.deleteACL),
			"ListWebACLs":   action(anything[wire.ListWebACLsRequest]("wafv2:ListWebACLs"), w.listACLs),
			"CheckCapacity": action(anything[wire.CheckCapacityRequest]("wafv2:CheckCapacity"), w.checkCapacity),
			"ListAvailableManagedRuleGroups": action(
				anything[wire.ListAvailableManagedRuleGroupsRequest]("wafv2:ListAvailableManagedRuleGroups"), w.listGroups),

			"AssociateWebACL":        action(w.mayAssociate, w.associate),
			"DisassociateWebACL":     action(w.mayDisassociate, w.disassociate),
			"GetWebACLForResource":   action(w.mayGetForResource, w.getForResource),
			"ListResourcesForWebACL": action(w.mayListResources, w.listResources),

			"CreateIPSet": action(wafMakes("CreateIPSet", webacl.KindIPSet, func(in *wire.CreateIPSetRequest) (*string, []wire.Tag) { return in.Name, in.Tags }), w.createIPSet),
			"GetIPSet":    action(wafNamed(w, "GetIPSet", webacl.KindIPSet, func(in *wire.GetIPSetRequest) (name, id *string) { return in.Name, in.Id }), w.getIPSet),
			"UpdateIPSet": action(wafNamed(w, "UpdateIPSet", webacl.KindIPSet, func(in *wire.UpdateIPSetRequest) (name, id *string) { return in.Name, in.Id }), w.updateIPSet),
			"DeleteIPSet": action(wafNamed(w, "DeleteIPSet", webacl.KindIPSet, func(in *wire.DeleteIPSetRequest) (name, id *string) { return in.Name, in.Id }), w.deleteIPSet),
			"ListIPSets":  action(anything[wire.ListIPSetsRequest]("wafv2:ListIPSets"), w.listIPSets),

			"CreateRegexPatternSet": action(wafMakes("CreateRegexPatternSet", webacl.KindRegexSet, func(in *wire.CreateRegexPatternSetRequest) (*string, []wire.Tag) { return in.Name, in.Tags }), w.createRegexSet),
			"GetRegexPatternSet":    action(wafNamed(w, "GetRegexPatternSet", webacl.KindRegexSet, func(in *wire.GetRegexPatternSetRequest) (name, id *string) { return in.Name, in.Id }), w.getRegexSet),
			"UpdateRegexPatternSet": action(wafNamed(w, "UpdateRegexPatternSet", webacl.KindRegexSet, func(in *wire.UpdateRegexPatternSetRequest) (name, id *string) { return in.Name, in.Id }), w.updateRegexSet),
			"DeleteRegexPatternSet": action(wafNamed(w, "DeleteRegexPatternSet", webacl.KindRegexSet, func(in *wire.DeleteRegexPatternSetRequest) (name, id *string) { return in.Name, in.Id }), w.deleteRegexSet),
			"ListRegexPatternSets":  action(anything[wire.ListRegexPatternSetsRequest]("wafv2:ListRegexPatternSets"), w.listRegexSets),

			"PutLoggingConfiguration":    action(w.mayPutLogging, w.putLogging),
			"GetLoggingConfiguration":    action(wafOn(w, "GetLoggingConfiguration", func(in *wire.GetLoggingConfigurationRequest) *string { return in.ResourceArn }), w.getLogging),
			"DeleteLoggingConfiguration": action(wafOn(w, "DeleteLoggingConfiguration", func(in *wire.DeleteLoggingConfigurationRequest) *string { return in.ResourceArn }), w.deleteLogging),
			"ListLoggingConfigurations":  action(anything[wire.ListLoggingConfigurationsRequest]("wafv2:ListLoggingConfigurations"), w.listLogging),

			"TagResource":         action(w.mayTag, w.tag),
			"UntagResource":       action(wafOn(w, "UntagResource", func(in *wire.UntagResourceRequest) *string { return in.ResourceARN }), w.untag),
			"ListTagsForResource": action(wafOn(w, "ListTagsForResource", func(in *wire.ListTagsForResourceRequest) *string { return in.ResourceARN }), w.listTags),
		},
	}, nil
}

// regional refuses the scope of CloudFront, which is not here.
func regional(scope *string) error {
	if val(scope) != wire.ScopeRegional {
		return apprunner.Errorf(webacl.CodeInvalidParameter, "Only the scope REGIONAL exists here.")
	}
	return nil
}

// entity names what a request is about.
func entity(c Call, kind webacl.Kind, name, id, token *string) webacl.Entity {
	return webacl.Entity{Scope: c.Scope, Kind: kind, Name: val(name), ID: val(id), LockToken: val(token)}
}

// wafMakes asks for an action that makes an entity, and for tagging it where tags are sent.
func wafMakes[In any](name string, kind webacl.Kind, of func(*In) (*string, []wire.Tag)) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(_ context.Context, c Call, in *In) ([]iam.Request, error) {
		called, tags := of(in)
		arn := strings.TrimSuffix(webacl.Entity{Scope: c.Scope, Kind: kind, Name: val(called)}.ARN(), "/") // nobody knows its id yet
		keys := map[string][]string{}
		requestTags(keys, wafTags(tags))
		asked := []iam.Request{{Action: "wafv2:" + name, Resource: arn, ToBe: true, Context: keys}}
		if len(tags) > 0 {
			asked = append(asked, iam.Request{Action: "wafv2:TagResource", Resource: arn, ToBe: true, Context: keys})
		}
		return asked, nil
	}
}

// wafNamed asks for an action on the entity that a request names.
func wafNamed[In any](w *wafAPI, name string, kind webacl.Kind, of func(*In) (name, id *string)) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		called, id := of(in)
		return w.about(ctx, c, name, entity(c, kind, called, id, nil).ARN()), nil
	}
}

// wafOn asks for an action on the entity whose ARN a request holds.
func wafOn[In any](w *wafAPI, name string, arn func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		return w.about(ctx, c, name, val(arn(in))), nil
	}
}

// about asks for an action on an entity, whose tags are condition keys.
func (w *wafAPI) about(ctx context.Context, c Call, name, arn string) []iam.Request {
	e, known := webacl.ParseARN(arn)
	if !known {
		return []iam.Request{{Action: "wafv2:" + name, Resource: "*"}} // the action will say that it is none
	}
	e.Account = c.Scope.Account // one of another account does not exist for the caller
	arn = e.ARN()
	var keys map[string][]string
	if tags, err := w.control.WAFTags(ctx, c.Scope, arn); err == nil {
		keys = map[string][]string{}
		for _, t := range tags {
			keys["aws:ResourceTag/"+t.Key] = []string{t.Value}
		}
	}
	return []iam.Request{{Action: "wafv2:" + name, Resource: arn, Context: keys}}
}

// onService asks for the action that only exists as a right, on the service.
func onService(c Call, name, arn string) iam.Request {
	a, err := apprunner.ParseARN(arn)
	if err != nil {
		return iam.Request{Action: "apprunner:" + name, Resource: "*"}
	}
	a.Account = c.Scope.Account
	return iam.Request{Action: "apprunner:" + name, Resource: a.String()}
}

func wafTags(in []wire.Tag) []apprunner.Tag {
	tags := make([]apprunner.Tag, len(in))
	for i, t := range in {
		tags[i] = apprunner.Tag{Key: val(t.Key), Value: val(t.Value)}
	}
	return tags
}

// wafPage cuts one page out of a list of entities.
func wafPage[T any](w *wafAPI, c Call, operation string, all []T, id func(T) string, limit *int32, marker *string) ([]T, *string, error) {
	l := listing{scope: c.Scope, operation: "wafv2/" + operation, params: limit}
	return pageByName(w.tokens, l, webacl.CodeInvalidParameter, all, id, limit, marker)
}

func recordID(r webacl.Record) string { return r.ID }

// summary is what lists show of an entity.
type summary struct{ name, id, description, token, arn *string }

func summaryOf(r webacl.Record) summary {
	return summary{&r.Name, &r.ID, new(r.Description), &r.LockToken, new(r.ARN())}
}
