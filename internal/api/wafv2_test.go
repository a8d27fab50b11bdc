package api_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	apprunnersdk "github.com/aws/aws-sdk-go-v2/service/apprunner"
	wafsdk "github.com/aws/aws-sdk-go-v2/service/wafv2"
	"github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// firewall is a door with a client of the WAFv2 API.
type firewall struct {
	*door
	*wafsdk.Client
}

func newFirewall(t *testing.T) *firewall {
	t.Helper()
	d := newDoor(t)
	return &firewall{d, wafsdk.NewFromConfig(d.config())}
}

func metric(name string) *types.VisibilityConfig {
	return &types.VisibilityConfig{MetricName: &name}
}

// create makes an ACL that allows all but what the rules say.
func (f *firewall) create(t *testing.T, name string, rules ...types.Rule) *types.WebACLSummary {
	t.Helper()
	out, err := f.CreateWebACL(t.Context(), &wafsdk.CreateWebACLInput{
		Name: &name, Scope: types.ScopeRegional, DefaultAction: &types.DefaultAction{Allow: &types.AllowAction{}}, VisibilityConfig: metric(name), Rules: rules,
	})
	ok(t, err)
	return out.Summary
}

// service makes a service in a status.
func (f *firewall) service(t *testing.T, name string, status apprunner.ServiceStatus) string {
	t.Helper()
	out, err := apprunnersdk.NewFromConfig(f.config()).CreateService(t.Context(), &apprunnersdk.CreateServiceInput{ServiceName: &name, SourceConfiguration: imageSource()})
	ok(t, err)
	arn := *out.Service.ServiceArn
	ok(t, f.db.Update(t.Context(), func(tx *store.Tx) error {
		s, _, err := tx.Service(arn)
		if err != nil {
			return err
		}
		ops, err := tx.Operations(arn)
		if err != nil {
			return err
		}
		ops[0].Status, ops[0].EndedAt = apprunner.OpSucceeded, ops[0].StartedAt
		s.Status = status
		return errors.Join(tx.PutOperation(ops[0]), tx.PutService(s))
	}))
	return arn
}

// everyStatement is a rule with a statement of each kind that is evaluated.
func everyStatement(ipSet, regexSet string) types.Rule {
	plain := []types.TextTransformation{{Type: types.TextTransformationTypeLowercase, Priority: 0}}
	path := &types.FieldToMatch{UriPath: &types.UriPath{}}
	return types.Rule{
		Name: aws.String("every"), Priority: 7, VisibilityConfig: metric("every"), RuleLabels: []types.Label{{Name: aws.String("seen")}},
		Action: &types.RuleAction{Block: &types.BlockAction{CustomResponse: &types.CustomResponse{
			ResponseCode: aws.Int32(410), CustomResponseBodyKey: aws.String("page"), ResponseHeaders: []types.CustomHTTPHeader{{Name: aws.String("X-A"), Value: aws.String("b")}},
		}}},
		Statement: &types.Statement{OrStatement: &types.OrStatement{Statements: []types.Statement{
			{ByteMatchStatement: &types.ByteMatchStatement{SearchString: []byte("\x00admin"), PositionalConstraint: types.PositionalConstraintContains, FieldToMatch: path, TextTransformations: plain}},
			{SqliMatchStatement: &types.SqliMatchStatement{FieldToMatch: &types.FieldToMatch{Body: &types.Body{OversizeHandling: types.OversizeHandlingMatch}}, TextTransformations: plain, SensitivityLevel: types.SensitivityLevelHigh}},
			{XssMatchStatement: &types.XssMatchStatement{FieldToMatch: &types.FieldToMatch{SingleQueryArgument: &types.SingleQueryArgument{Name: aws.String("q")}}, TextTransformations: plain}},
			{SizeConstraintStatement: &types.SizeConstraintStatement{ComparisonOperator: types.ComparisonOperatorGt, Size: 100, FieldToMatch: path, TextTransformations: plain}},
			{IPSetReferenceStatement: &types.IPSetReferenceStatement{ARN: &ipSet}},
			{RegexPatternSetReferenceStatement: &types.RegexPatternSetReferenceStatement{ARN: &regexSet, FieldToMatch: path, TextTransformations: plain}},
			{RegexMatchStatement: &types.RegexMatchStatement{RegexString: aws.String("^/x"), FieldToMatch: path, TextTransformations: plain}},
			{NotStatement: &types.NotStatement{Statement: &types.Statement{LabelMatchStatement: &types.LabelMatchStatement{Key: aws.String("other"), Scope: types.LabelMatchScopeLabel}}}},
		}}},
	}
}

func TestWebACLComesBackAsItWent(t *testing.T) {
	f := newFirewall(t)
	ips, err := f.CreateIPSet(t.Context(), &wafsdk.CreateIPSetInput{
		Name: aws.String("office"), Scope: types.ScopeRegional, IPAddressVersion: types.IPAddressVersionIpv4, Addresses: []string{"192.0.2.0/24"},
	})
	ok(t, err)
	regexes, err := f.CreateRegexPatternSet(t.Context(), &wafsdk.CreateRegexPatternSetInput{
		Name: aws.String("paths"), Scope: types.ScopeRegional, RegularExpressionList: []types.Regex{{RegexString: aws.String("^/a")}},
	})
	ok(t, err)
	rule := everyStatement(*ips.Summary.ARN, *regexes.Summary.ARN)
	made, err := f.CreateWebACL(t.Context(), &wafsdk.CreateWebACLInput{
		Name: aws.String("front"), Scope: types.ScopeRegional, Description: aws.String("in front"), DefaultAction: &types.DefaultAction{Allow: &types.AllowAction{}},
		VisibilityConfig: metric("front"), Rules: []types.Rule{rule},
		CustomResponseBodies: map[string]types.CustomResponseBody{"page": {Content: aws.String("<p>"), ContentType: types.ResponseContentTypeTextHtml}},
	})
	ok(t, err)
	got, err := f.GetWebACL(t.Context(), &wafsdk.GetWebACLInput{Name: aws.String("front"), Id: made.Summary.Id, Scope: types.ScopeRegional})
	ok(t, err)
	acl := got.WebACL
	if text := fmt.Sprintf("%+v", *acl.Rules[0].Statement.OrStatement); len(acl.Rules) != 1 || len(acl.Rules[0].Statement.OrStatement.Statements) != 8 ||
		string(acl.Rules[0].Statement.OrStatement.Statements[0].ByteMatchStatement.SearchString) != "\x00admin" ||
		*acl.Rules[0].Action.Block.CustomResponse.ResponseCode != 410 || acl.DefaultAction.Allow == nil {
		t.Errorf("%s", text)
	}
	want := "arn:aws:wafv2:" + region + ":" + account + ":regional/webacl/front/" + *made.Summary.Id
	if *acl.ARN != want || *made.Summary.ARN != want || acl.Capacity != 20+40+50+11+1+35+13+1 || *acl.Description != "in front" ||
		*acl.LabelNamespace != "awswaf:"+account+":webacl:front:" || *got.LockToken != *made.Summary.LockToken {
		t.Errorf("%+v", acl)
	}
	sum, err := f.CheckCapacity(t.Context(), &wafsdk.CheckCapacityInput{Scope: types.ScopeRegional, Rules: acl.Rules[:0]})
	ok(t, err)
	if sum.Capacity != 0 {
		t.Errorf("no rules cost %d", sum.Capacity)
	}
	byARN, err := f.GetWebACL(t.Context(), &wafsdk.GetWebACLInput{ARN: &want})
	ok(t, err)
	if *byARN.WebACL.Id != *acl.Id {
		t.Error("another one by its ARN")
	}
}

func TestLockTokens(t *testing.T) {
	f := newFirewall(t)
	acl := f.create(t, "front")
	update := func(token *string) (*wafsdk.UpdateWebACLOutput, error) {
		return f.UpdateWebACL(t.Context(), &wafsdk.UpdateWebACLInput{
			Name: acl.Name, Id: acl.Id, Scope: types.ScopeRegional, LockToken: token, DefaultAction: &types.DefaultAction{Block: &types.BlockAction{}}, VisibilityConfig: metric("x"),
		})
	}
	next, err := update(acl.LockToken)
	ok(t, err)
	_, err = update(acl.LockToken)
	refused(t, err, "WAFOptimisticLockException", 400)
	_, err = f.DeleteWebACL(t.Context(), &wafsdk.DeleteWebACLInput{Name: acl.Name, Id: acl.Id, Scope: types.ScopeRegional, LockToken: acl.LockToken})
	refused(t, err, "WAFOptimisticLockException", 400)
	_, err = f.DeleteWebACL(t.Context(), &wafsdk.DeleteWebACLInput{Name: acl.Name, Id: acl.Id, Scope: types.ScopeRegional, LockToken: next.NextLockToken})
	ok(t, err)
	_, err = update(next.NextLockToken)
	refused(t, err, "WAFNonexistentItemException", 400)
}

func TestWAFRefusals(t *testing.T) {
	f := newFirewall(t)
	f.create(t, "front")
	create := func(change func(*wafsdk.CreateWebACLInput)) error {
		in := &wafsdk.CreateWebACLInput{
			Name: aws.String("other"), Scope: types.ScopeRegional, DefaultAction: &types.DefaultAction{Allow: &types.AllowAction{}}, VisibilityConfig: metric("x"),
		}
		change(in)
		_, err := f.CreateWebACL(t.Context(), in)
		return err
	}
	for _, c := range []struct {
		code, want string
		change     func(*wafsdk.CreateWebACLInput)
	}{
		{"WAFDuplicateItemException", "front", func(in *wafsdk.CreateWebACLInput) { in.Name = aws.String("front") }},
		{"WAFInvalidParameterException", "REGIONAL", func(in *wafsdk.CreateWebACLInput) { in.Scope = types.ScopeCloudfront }},
		{"WAFInvalidParameterException", "TokenDomains is not evaluated", func(in *wafsdk.CreateWebACLInput) { in.TokenDomains = []string{"example.com"} }},
		{"WAFInvalidParameterException", "database of countries", func(in *wafsdk.CreateWebACLInput) {
			in.Rules = []types.Rule{{Name: aws.String("geo"), Priority: 1, VisibilityConfig: metric("x"), Action: &types.RuleAction{Block: &types.BlockAction{}}, Statement: &types.Statement{GeoMatchStatement: &types.GeoMatchStatement{CountryCodes: []types.CountryCode{"DE"}}}}}
		}},
		{"WAFNonexistentItemException", "does not exist", func(in *wafsdk.CreateWebACLInput) {
			in.Rules = []types.Rule{everyStatement("arn:aws:wafv2:us-east-1:123456789012:regional/ipset/a/b", "arn:aws:wafv2:us-east-1:123456789012:regional/regexpatternset/a/b")}
			in.CustomResponseBodies = map[string]types.CustomResponseBody{"page": {Content: aws.String("x"), ContentType: types.ResponseContentTypeTextPlain}}
		}},
	} {
		err := create(c.change)
		refused(t, err, c.code, 400)
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// Web ACLs stand in front of services as §25 says, by rights that are App Runner's too.
func TestWebACLAssociations(t *testing.T) {
	f := newFirewall(t)
	ctx := t.Context()
	acl, other := f.create(t, "front"), f.create(t, "other")
	running := f.service(t, "running", apprunner.StatusRunning)
	of := func(arn string) (*types.WebACL, error) {
		out, err := f.GetWebACLForResource(ctx, &wafsdk.GetWebACLForResourceInput{ResourceArn: &arn})
		if err != nil {
			return nil, err
		}
		return out.WebACL, nil
	}
	associate := func(acl *types.WebACLSummary, arn string) error {
		_, err := f.AssociateWebACL(ctx, &wafsdk.AssociateWebACLInput{WebACLArn: acl.ARN, ResourceArn: &arn})
		return err
	}
	if got, err := of(running); err != nil || got != nil {
		t.Errorf("without one: %+v %v", got, err)
	}
	ok(t, associate(other, running))
	ok(t, associate(acl, running)) // in place of the other
	if got, err := of(running); err != nil || *got.ARN != *acl.ARN {
		t.Errorf("%+v %v", got, err)
	}
	behind := func(acl *types.WebACLSummary, kind types.ResourceType) []string {
		out, err := f.ListResourcesForWebACL(ctx, &wafsdk.ListResourcesForWebACLInput{WebACLArn: acl.ARN, ResourceType: kind})
		ok(t, err)
		return out.ResourceArns
	}
	if got := behind(acl, types.ResourceTypeAppRunnerService); len(got) != 1 || got[0] != running {
		t.Errorf("%v", got)
	}
	if got := append(behind(acl, ""), behind(other, types.ResourceTypeAppRunnerService)...); len(got) != 0 {
		t.Errorf("%v", got)
	}
	remove := func(acl *types.WebACLSummary) error {
		_, err := f.DeleteWebACL(ctx, &wafsdk.DeleteWebACLInput{Name: acl.Name, Id: acl.Id, Scope: types.ScopeRegional, LockToken: acl.LockToken})
		return err
	}
	refused(t, remove(acl), "WAFAssociatedItemException", 400)
	ok(t, remove(other))
	for _, status := range []apprunner.ServiceStatus{apprunner.StatusCreateFailed, apprunner.StatusDeleteFailed, apprunner.StatusDeleted} {
		arn := f.service(t, "s-"+strings.ToLower(strings.ReplaceAll(string(status), "_", "-")), status)
		refused(t, associate(acl, arn), "WAFNonexistentItemException", 400)
		_, err := of(arn)
		refused(t, err, "WAFNonexistentItemException", 400)
		_, err = f.DisassociateWebACL(ctx, &wafsdk.DisassociateWebACLInput{ResourceArn: &arn})
		refused(t, err, "WAFNonexistentItemException", 400)
	}
	leaving := f.service(t, "leaving", apprunner.StatusRunning)
	ok(t, associate(acl, leaving))
	_, err := apprunnersdk.NewFromConfig(f.config()).DeleteService(ctx, &apprunnersdk.DeleteServiceInput{ServiceArn: &leaving})
	ok(t, err)
	refused(t, associate(acl, leaving), "WAFNonexistentItemException", 400)
	_, err = f.DisassociateWebACL(ctx, &wafsdk.DisassociateWebACLInput{ResourceArn: &running})
	ok(t, err)
	if got, err := of(running); err != nil || got != nil {
		t.Errorf("afterwards: %+v %v", got, err)
	}
}

func TestSetsInUseStay(t *testing.T) {
	f := newFirewall(t)
	ctx := t.Context()
	set, err := f.CreateIPSet(ctx, &wafsdk.CreateIPSetInput{Name: aws.String("office"), Scope: types.ScopeRegional, IPAddressVersion: types.IPAddressVersionIpv4, Addresses: []string{"192.0.2.0/24"}})
	ok(t, err)
	acl := f.create(t, "front", types.Rule{
		Name: aws.String("office"), Priority: 1, VisibilityConfig: metric("x"), Action: &types.RuleAction{Allow: &types.AllowAction{}},
		Statement: &types.Statement{IPSetReferenceStatement: &types.IPSetReferenceStatement{ARN: set.Summary.ARN}},
	})
	remove := func(token *string) error {
		_, err := f.DeleteIPSet(ctx, &wafsdk.DeleteIPSetInput{Name: aws.String("office"), Id: set.Summary.Id, Scope: types.ScopeRegional, LockToken: token})
		return err
	}
	refused(t, remove(set.Summary.LockToken), "WAFAssociatedItemException", 400)
	next, err := f.UpdateIPSet(ctx, &wafsdk.UpdateIPSetInput{Name: aws.String("office"), Id: set.Summary.Id, Scope: types.ScopeRegional, LockToken: set.Summary.LockToken, Addresses: []string{"198.51.100.0/24"}})
	ok(t, err)
	got, err := f.GetIPSet(ctx, &wafsdk.GetIPSetInput{Name: aws.String("office"), Id: set.Summary.Id, Scope: types.ScopeRegional})
	ok(t, err)
	if len(got.IPSet.Addresses) != 1 || got.IPSet.Addresses[0] != "198.51.100.0/24" || *got.LockToken != *next.NextLockToken {
		t.Errorf("%+v", got.IPSet)
	}
	_, err = f.UpdateIPSet(ctx, &wafsdk.UpdateIPSetInput{Name: aws.String("office"), Id: set.Summary.Id, Scope: types.ScopeRegional, LockToken: got.LockToken, Addresses: []string{"2001:db8::/32"}})
	refused(t, err, "WAFInvalidParameterException", 400)
	_, err = f.DeleteWebACL(ctx, &wafsdk.DeleteWebACLInput{Name: acl.Name, Id: acl.Id, Scope: types.ScopeRegional, LockToken: acl.LockToken})
	ok(t, err)
	ok(t, remove(got.LockToken))
}

func TestWAFListsTagsAndLogging(t *testing.T) {
	f := newFirewall(t)
	ctx := t.Context()
	var acl *types.WebACLSummary
	for i := range 5 {
		acl = f.create(t, fmt.Sprint("acl-", i))
	}
	seen := map[string]bool{}
	in := &wafsdk.ListWebACLsInput{Scope: types.ScopeRegional, Limit: aws.Int32(2)}
	for pages := 1; ; pages++ {
		out, err := f.ListWebACLs(ctx, in)
		ok(t, err)
		for _, s := range out.WebACLs {
			seen[*s.Name] = true
		}
		if in.NextMarker = out.NextMarker; in.NextMarker == nil {
			if len(seen) != 5 || pages != 3 {
				t.Errorf("%d pages of %v", pages, seen)
			}
			break
		}
	}
	_, err := f.ListWebACLs(ctx, &wafsdk.ListWebACLsInput{Scope: types.ScopeRegional, NextMarker: aws.String("made-up")})
	refused(t, err, "WAFInvalidParameterException", 400)
	groups, err := f.ListAvailableManagedRuleGroups(ctx, &wafsdk.ListAvailableManagedRuleGroupsInput{Scope: types.ScopeRegional})
	ok(t, err)
	if len(groups.ManagedRuleGroups) != 4 || *groups.ManagedRuleGroups[0].VendorName != "AWS" {
		t.Errorf("%+v", groups.ManagedRuleGroups)
	}
	_, err = f.TagResource(ctx, &wafsdk.TagResourceInput{ResourceARN: acl.ARN, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}})
	ok(t, err)
	_, err = f.UntagResource(ctx, &wafsdk.UntagResourceInput{ResourceARN: acl.ARN, TagKeys: []string{"a"}})
	ok(t, err)
	tags, err := f.ListTagsForResource(ctx, &wafsdk.ListTagsForResourceInput{ResourceARN: acl.ARN})
	ok(t, err)
	if list := tags.TagInfoForResource.TagList; len(list) != 1 || *list[0].Key != "b" {
		t.Errorf("%+v", list)
	}
	group := "arn:aws:logs:" + region + ":" + account + ":log-group:aws-waf-logs-front"
	_, err = f.GetLoggingConfiguration(ctx, &wafsdk.GetLoggingConfigurationInput{ResourceArn: acl.ARN})
	refused(t, err, "WAFNonexistentItemException", 400)
	put, err := f.PutLoggingConfiguration(ctx, &wafsdk.PutLoggingConfigurationInput{LoggingConfiguration: &types.LoggingConfiguration{
		ResourceArn: acl.ARN, LogDestinationConfigs: []string{group}, RedactedFields: []types.FieldToMatch{{SingleHeader: &types.SingleHeader{Name: aws.String("cookie")}}},
	}})
	ok(t, err)
	got, err := f.GetLoggingConfiguration(ctx, &wafsdk.GetLoggingConfigurationInput{ResourceArn: acl.ARN})
	ok(t, err)
	if *got.LoggingConfiguration.ResourceArn != *acl.ARN || got.LoggingConfiguration.LogDestinationConfigs[0] != group || len(put.LoggingConfiguration.RedactedFields) != 1 {
		t.Errorf("%+v", got.LoggingConfiguration)
	}
	_, err = f.PutLoggingConfiguration(ctx, &wafsdk.PutLoggingConfigurationInput{LoggingConfiguration: &types.LoggingConfiguration{
		ResourceArn: acl.ARN, LogDestinationConfigs: []string{group}, LoggingFilter: &types.LoggingFilter{DefaultBehavior: types.FilterBehaviorDrop, Filters: []types.Filter{{
			Behavior: types.FilterBehaviorKeep, Requirement: types.FilterRequirementMeetsAll, Conditions: []types.Condition{{ActionCondition: &types.ActionCondition{Action: types.ActionValueBlock}}},
		}}},
	}})
	refused(t, err, "WAFInvalidParameterException", 400)
	all, err := f.ListLoggingConfigurations(ctx, &wafsdk.ListLoggingConfigurationsInput{Scope: types.ScopeRegional})
	ok(t, err)
	_, err = f.DeleteLoggingConfiguration(ctx, &wafsdk.DeleteLoggingConfigurationInput{ResourceArn: acl.ARN})
	ok(t, err)
	if len(all.LoggingConfigurations) != 1 {
		t.Errorf("%+v", all.LoggingConfigurations)
	}
}

// Terraform sends an empty structure for settings that its configuration does not have.
func TestWAFSettingsThatAskForNothing(t *testing.T) {
	f := newFirewall(t)
	create := func(name string, captcha *types.CaptchaConfig) error {
		_, err := f.CreateWebACL(t.Context(), &wafsdk.CreateWebACLInput{
			Name: &name, Scope: types.ScopeRegional, DefaultAction: &types.DefaultAction{Allow: &types.AllowAction{}}, VisibilityConfig: metric("x"),
			CaptchaConfig: captcha, ChallengeConfig: &types.ChallengeConfig{}, AssociationConfig: &types.AssociationConfig{},
		})
		return err
	}
	if err := create("empty", &types.CaptchaConfig{}); err != nil {
		t.Error(err)
	}
	refused(t, create("given", &types.CaptchaConfig{ImmunityTimeProperty: &types.ImmunityTimeProperty{ImmunityTime: aws.Int64(300)}}), "WAFInvalidParameterException", 400)
}
