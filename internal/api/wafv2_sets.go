package api

import (
	"context"

	"slipway.dev/slipway/internal/apprunner/webacl"
	"slipway.dev/slipway/internal/iam"
	wire "slipway.dev/slipway/internal/wire/wafv2"
)

func (w *wafAPI) createIPSet(ctx context.Context, c Call, in *wire.CreateIPSetRequest) (*wire.CreateIPSetResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	r := webacl.Record{Entity: entity(c, webacl.KindIPSet, in.Name, nil, nil), IPs: &webacl.IPSet{IPAddressVersion: *in.IPAddressVersion, Addresses: in.Addresses}}
	r.Description = val(in.Description)
	r, err := w.control.CreateWAF(ctx, r, wafTags(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreateIPSetResponse{Summary: ipSetSummary(r)}, nil
}

func ipSetSummary(r webacl.Record) *wire.IPSetSummary {
	s := summaryOf(r)
	return &wire.IPSetSummary{Name: s.name, Id: s.id, Description: s.description, LockToken: s.token, ARN: s.arn}
}

func (w *wafAPI) getIPSet(ctx context.Context, c Call, in *wire.GetIPSetRequest) (*wire.GetIPSetResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	r, err := w.control.GetWAF(ctx, entity(c, webacl.KindIPSet, in.Name, in.Id, nil))
	if err != nil {
		return nil, err
	}
	return &wire.GetIPSetResponse{LockToken: &r.LockToken, IPSet: &wire.IPSet{
		Name: &r.Name, Id: &r.ID, ARN: new(r.ARN()), Description: given(r.Description),
		IPAddressVersion: &r.IPs.IPAddressVersion, Addresses: append([]string{}, r.IPs.Addresses...),
	}}, nil
}

func (w *wafAPI) updateIPSet(ctx context.Context, c Call, in *wire.UpdateIPSetRequest) (*wire.UpdateIPSetResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	r, err := w.control.UpdateWAF(ctx, entity(c, webacl.KindIPSet, in.Name, in.Id, in.LockToken), func(r *webacl.Record) {
		r.IPs.Addresses, r.Description = in.Addresses, val(in.Description)
	})
	if err != nil {
		return nil, err
	}
	return &wire.UpdateIPSetResponse{NextLockToken: &r.LockToken}, nil
}

func (w *wafAPI) deleteIPSet(ctx context.Context, c Call, in *wire.DeleteIPSetRequest) (*wire.DeleteIPSetResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	return &wire.DeleteIPSetResponse{}, w.control.DeleteWAF(ctx, entity(c, webacl.KindIPSet, in.Name, in.Id, in.LockToken))
}

func (w *wafAPI) listIPSets(ctx context.Context, c Call, in *wire.ListIPSetsRequest) (*wire.ListIPSetsResponse, error) {
	list, next, err := w.list(ctx, c, "ListIPSets", webacl.KindIPSet, in.Scope, in.Limit, in.NextMarker)
	if err != nil {
		return nil, err
	}
	out := &wire.ListIPSetsResponse{IPSets: make([]wire.IPSetSummary, len(list)), NextMarker: next}
	for i, r := range list {
		out.IPSets[i] = *ipSetSummary(r)
	}
	return out, nil
}

func regexSetIn(list []wire.Regex) webacl.RegexSet {
	s := webacl.RegexSet{RegularExpressionList: make([]webacl.Regex, len(list))}
	for i, r := range list {
		s.RegularExpressionList[i].RegexString = val(r.RegexString)
	}
	return s
}

func (w *wafAPI) createRegexSet(ctx context.Context, c Call, in *wire.CreateRegexPatternSetRequest) (*wire.CreateRegexPatternSetResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	r := webacl.Record{Entity: entity(c, webacl.KindRegexSet, in.Name, nil, nil), Regex: new(regexSetIn(in.RegularExpressionList))}
	r.Description = val(in.Description)
	r, err := w.control.CreateWAF(ctx, r, wafTags(in.Tags))
	if err != nil {
		return nil, err
	}
	return &wire.CreateRegexPatternSetResponse{Summary: regexSetSummary(r)}, nil
}

func regexSetSummary(r webacl.Record) *wire.RegexPatternSetSummary {
	s := summaryOf(r)
	return &wire.RegexPatternSetSummary{Name: s.name, Id: s.id, Description: s.description, LockToken: s.token, ARN: s.arn}
}

func (w *wafAPI) getRegexSet(ctx context.Context, c Call, in *wire.GetRegexPatternSetRequest) (*wire.GetRegexPatternSetResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	r, err := w.control.GetWAF(ctx, entity(c, webacl.KindRegexSet, in.Name, in.Id, nil))
	if err != nil {
		return nil, err
	}
	set := &wire.RegexPatternSet{Name: &r.Name, Id: &r.ID, ARN: new(r.ARN()), Description: given(r.Description), RegularExpressionList: []wire.Regex{}}
	for _, text := range r.Regex.Expressions() {
		set.RegularExpressionList = append(set.RegularExpressionList, wire.Regex{RegexString: &text})
	}
	return &wire.GetRegexPatternSetResponse{RegexPatternSet: set, LockToken: &r.LockToken}, nil
}

func (w *wafAPI) updateRegexSet(ctx context.Context, c Call, in *wire.UpdateRegexPatternSetRequest) (*wire.UpdateRegexPatternSetResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	r, err := w.control.UpdateWAF(ctx, entity(c, webacl.KindRegexSet, in.Name, in.Id, in.LockToken), func(r *webacl.Record) {
		r.Regex, r.Description = new(regexSetIn(in.RegularExpressionList)), val(in.Description)
	})
	if err != nil {
		return nil, err
	}
	return &wire.UpdateRegexPatternSetResponse{NextLockToken: &r.LockToken}, nil
}

func (w *wafAPI) deleteRegexSet(ctx context.Context, c Call, in *wire.DeleteRegexPatternSetRequest) (*wire.DeleteRegexPatternSetResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	return &wire.DeleteRegexPatternSetResponse{}, w.control.DeleteWAF(ctx, entity(c, webacl.KindRegexSet, in.Name, in.Id, in.LockToken))
}

func (w *wafAPI) listRegexSets(ctx context.Context, c Call, in *wire.ListRegexPatternSetsRequest) (*wire.ListRegexPatternSetsResponse, error) {
	list, next, err := w.list(ctx, c, "ListRegexPatternSets", webacl.KindRegexSet, in.Scope, in.Limit, in.NextMarker)
	if err != nil {
		return nil, err
	}
	out := &wire.ListRegexPatternSetsResponse{RegexPatternSets: make([]wire.RegexPatternSetSummary, len(list)), NextMarker: next}
	for i, r := range list {
		out.RegexPatternSets[i] = *regexSetSummary(r)
	}
	return out, nil
}

// Logging and tags.

func (w *wafAPI) mayPutLogging(ctx context.Context, c Call, in *wire.PutLoggingConfigurationRequest) ([]iam.Request, error) {
	return w.about(ctx, c, "PutLoggingConfiguration", val(val(in.LoggingConfiguration).ResourceArn)), nil
}

func (w *wafAPI) putLogging(ctx context.Context, c Call, in *wire.PutLoggingConfigurationRequest) (*wire.PutLoggingConfigurationResponse, error) {
	given := *in.LoggingConfiguration
	arn := *given.ResourceArn
	given.ResourceArn, given.LogType, given.LogScope, given.ManagedByFirewallManager = nil, nil, nil, nil
	l, err := fromWire[webacl.Logging](given)
	if err != nil {
		return nil, err
	}
	if err := w.control.PutWebACLLogging(ctx, c.Scope, arn, &l); err != nil {
		return nil, err
	}
	out, err := loggingOut(arn, l)
	return &wire.PutLoggingConfigurationResponse{LoggingConfiguration: out}, err
}

func loggingOut(arn string, l webacl.Logging) (*wire.LoggingConfiguration, error) {
	out, err := toWire[wire.LoggingConfiguration](l)
	out.ResourceArn, out.ManagedByFirewallManager = &arn, new(false)
	out.LogType, out.LogScope = new(wire.LogTypeWafLogs), new(wire.LogScopeCustomer)
	return &out, err
}

func (w *wafAPI) getLogging(ctx context.Context, c Call, in *wire.GetLoggingConfigurationRequest) (*wire.GetLoggingConfigurationResponse, error) {
	l, err := w.control.WebACLLogging(ctx, c.Scope, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out, err := loggingOut(*in.ResourceArn, l)
	return &wire.GetLoggingConfigurationResponse{LoggingConfiguration: out}, err
}

func (w *wafAPI) deleteLogging(ctx context.Context, c Call, in *wire.DeleteLoggingConfigurationRequest) (*wire.DeleteLoggingConfigurationResponse, error) {
	return &wire.DeleteLoggingConfigurationResponse{}, w.control.PutWebACLLogging(ctx, c.Scope, *in.ResourceArn, nil)
}

func (w *wafAPI) listLogging(ctx context.Context, c Call, in *wire.ListLoggingConfigurationsRequest) (*wire.ListLoggingConfigurationsResponse, error) {
	if err := regional(in.Scope); err != nil {
		return nil, err
	}
	all, err := w.control.ListWAF(ctx, c.Scope, webacl.KindACL)
	if err != nil {
		return nil, err
	}
	var logging []webacl.Record
	for _, r := range all {
		if r.Logging != nil {
			logging = append(logging, r)
		}
	}
	list, next, err := wafPage(w, c, "ListLoggingConfigurations", logging, recordID, in.Limit, in.NextMarker)
	if err != nil {
		return nil, err
	}
	out := &wire.ListLoggingConfigurationsResponse{LoggingConfigurations: make([]wire.LoggingConfiguration, len(list)), NextMarker: next}
	for i, r := range list {
		l, err := loggingOut(r.ARN(), *r.Logging)
		if err != nil {
			return nil, err
		}
		out.LoggingConfigurations[i] = *l
	}
	return out, nil
}

func (w *wafAPI) mayTag(ctx context.Context, c Call, in *wire.TagResourceRequest) ([]iam.Request, error) {
	asked := w.about(ctx, c, "TagResource", val(in.ResourceARN))
	if asked[0].Context == nil {
		asked[0].Context = map[string][]string{}
	}
	requestTags(asked[0].Context, wafTags(in.Tags))
	return asked, nil
}

func (w *wafAPI) tag(ctx context.Context, c Call, in *wire.TagResourceRequest) (*wire.TagResourceResponse, error) {
	return &wire.TagResourceResponse{}, w.control.TagWAF(ctx, c.Scope, *in.ResourceARN, wafTags(in.Tags))
}

func (w *wafAPI) untag(ctx context.Context, c Call, in *wire.UntagResourceRequest) (*wire.UntagResourceResponse, error) {
	return &wire.UntagResourceResponse{}, w.control.UntagWAF(ctx, c.Scope, *in.ResourceARN, in.TagKeys)
}

func (w *wafAPI) listTags(ctx context.Context, c Call, in *wire.ListTagsForResourceRequest) (*wire.ListTagsForResourceResponse, error) {
	tags, err := w.control.WAFTags(ctx, c.Scope, *in.ResourceARN)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Tag, len(tags))
	for i, t := range tags {
		out[i] = wire.Tag{Key: &t.Key, Value: &t.Value}
	}
	return &wire.ListTagsForResourceResponse{TagInfoForResource: &wire.TagInfoForResource{ResourceARN: in.ResourceARN, TagList: out}}, nil
}
