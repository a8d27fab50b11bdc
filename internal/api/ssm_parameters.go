package api

import (
	"context"
	"maps"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/secret/parameter"
	wire "slipway.dev/slipway/internal/wire/ssm"
)

func (a *ssmAPI) put(ctx context.Context, c Call, in *wire.PutParameterRequest) (*wire.PutParameterResult, error) {
	switch {
	case val(in.DataType) != "" && *in.DataType != parameter.DataType:
		return nil, apprunner.Errorf(parameter.CodeValidation, "The data type %q is not served here; use %s.", clip(*in.DataType, 64), parameter.DataType)
	case in.Policies != nil && !slices.Contains([]string{"", "[]", "[{}]"}, strings.TrimSpace(*in.Policies)):
		return nil, apprunner.Errorf(parameter.CodePolicyType, "Policies are not served here: nothing deletes a parameter or tells of it by the clock. Leave Policies out.")
	}
	p, err := a.parameters.Put(ctx, c.Scope, parameter.New{
		Name: *in.Name, Value: *in.Value, Type: parameter.Type(val(in.Type)), Description: in.Description, KeyID: val(in.KeyId), Overwrite: val(in.Overwrite),
		Pattern: in.AllowedPattern, Tags: tagsByKey(parameterTags(in.Tags)), Tier: parameter.Tier(val(in.Tier)), By: c.Principal.ARN,
	})
	if err != nil {
		return nil, err
	}
	v := p.Present()
	return &wire.PutParameterResult{Version: &v.Number, Tier: new(string(v.Tier))}, nil
}

// parameterOut is a parameter with its value as it is shown. asked is what the request called it, whose selector is shown too.
func (a *ssmAPI) parameterOut(ctx context.Context, p parameter.Parameter, v parameter.Version, asked string, decrypt bool) (*wire.Parameter, error) {
	value, err := a.parameters.Value(ctx, p, v, decrypt)
	if err != nil {
		return nil, err
	}
	out := &wire.Parameter{
		Name: &p.Name, Type: new(string(p.Type)), Value: new(value.Reveal()), Version: &v.Number, LastModifiedDate: &v.ModifiedAt, ARN: new(p.ARN()), DataType: new(parameter.DataType),
	}
	if _, _, selector := parameter.Locate(p.Scope, asked); selector != "" {
		out.Selector = new(":" + selector)
	}
	return out, nil
}

func (a *ssmAPI) one(ctx context.Context, c Call, text string, decrypt bool) (*wire.Parameter, error) {
	p, v, err := a.parameters.Find(ctx, c.Scope, text)
	if err != nil {
		return nil, err
	}
	return a.parameterOut(ctx, p, v, text, decrypt)
}

func (a *ssmAPI) get(ctx context.Context, c Call, in *wire.GetParameterRequest) (*wire.GetParameterResult, error) {
	p, err := a.one(ctx, c, *in.Name, val(in.WithDecryption))
	if err != nil {
		return nil, err
	}
	return &wire.GetParameterResult{Parameter: p}, nil
}

func (a *ssmAPI) getAll(ctx context.Context, c Call, in *wire.GetParametersRequest) (*wire.GetParametersResult, error) {
	out := &wire.GetParametersResult{Parameters: []wire.Parameter{}, InvalidParameters: []string{}}
	for i, name := range in.Names {
		if slices.Contains(in.Names[:i], name) {
			continue
		}
		p, err := a.one(ctx, c, name, val(in.WithDecryption))
		switch code := apprunner.CodeOf(err); {
		case err == nil:
			out.Parameters = append(out.Parameters, *p)
		case code == parameter.CodeNotFound || code == parameter.CodeVersionNotFound:
			out.InvalidParameters = append(out.InvalidParameters, name)
		default:
			return nil, err
		}
	}
	return out, nil
}

// parameterFilters reads filters, of which only some keys are allowed; none: all are.
func parameterFilters(in []wire.ParameterStringFilter, allowed ...string) ([]parameter.Filter, error) {
	filters := make([]parameter.Filter, len(in))
	for i, f := range in {
		filters[i] = parameter.Filter{Key: val(f.Key), Option: val(f.Option), Values: f.Values}
		if len(allowed) > 0 && !slices.Contains(allowed, val(f.Key)) {
			return nil, apprunner.Errorf(parameter.CodeFilterKey, "The filter key %q is not valid here; allowed are %v.", clip(val(f.Key), 64), allowed)
		}
		if err := filters[i].Check(); err != nil {
			return nil, err
		}
	}
	return filters, nil
}

// chosen are the parameters of the caller's account and region that pass all filters and more.
func (a *ssmAPI) chosen(ctx context.Context, c Call, filters []parameter.Filter, more func(parameter.Parameter) bool) ([]parameter.Parameter, error) {
	all, err := a.parameters.List(ctx, c.Scope)
	return slices.DeleteFunc(all, func(p parameter.Parameter) bool {
		return !more(p) || slices.ContainsFunc(filters, func(f parameter.Filter) bool { return !f.Fits(p) })
	}), err
}

// codeBadParameterToken refuses a NextToken.
const codeBadParameterToken apprunner.Code = "InvalidNextToken"

// parametersPage cuts one page of at most so many parameters out of a listing.
func (a *ssmAPI) parametersPage(c Call, operation string, all []parameter.Parameter, params any, limit *int32, most int32, token *string) ([]parameter.Parameter, *string, error) {
	if limit == nil {
		limit = &most
	}
	l := listing{scope: c.Scope, operation: "ssm/" + operation, params: params}
	return pageByName(a.tokens, l, codeBadParameterToken, all, func(p parameter.Parameter) string { return p.Name }, limit, token)
}

// How many parameters a page has where the request does not say.
const (
	pathPage     = 10
	describePage = 50
)

func (a *ssmAPI) getByPath(ctx context.Context, c Call, in *wire.GetParametersByPathRequest) (*wire.GetParametersByPathResult, error) {
	if !strings.HasPrefix(*in.Path, "/") {
		return nil, apprunner.Errorf(parameter.CodeValidation, "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\": Path is %q.", clip(*in.Path, 128))
	}
	filters, err := parameterFilters(in.ParameterFilters, "Type", "KeyId", "Label")
	if err != nil {
		return nil, err
	}
	all, err := a.chosen(ctx, c, filters, func(p parameter.Parameter) bool { return parameter.Below(*in.Path, p.Name, val(in.Recursive)) })
	if err != nil {
		return nil, err
	}
	some, next, err := a.parametersPage(c, "GetParametersByPath", all, []any{*in.Path, val(in.Recursive), filters}, in.MaxResults, pathPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.GetParametersByPathResult{Parameters: make([]wire.Parameter, len(some)), NextToken: next}
	for i, p := range some {
		shown, err := a.parameterOut(ctx, p, p.Present(), "", val(in.WithDecryption))
		if err != nil {
			return nil, err
		}
		out.Parameters[i] = *shown
	}
	return out, nil
}

func (a *ssmAPI) getHistory(ctx context.Context, c Call, in *wire.GetParameterHistoryRequest) (*wire.GetParameterHistoryResult, error) {
	p, err := a.parameters.Describe(ctx, c.Scope, *in.Name)
	if err != nil {
		return nil, err
	}
	limit := in.MaxResults
	if limit == nil {
		limit = new(int32(describePage))
	}
	l := listing{scope: c.Scope, operation: "ssm/GetParameterHistory", params: p.ARN()}
	some, next, err := page(a.tokens, l, slices.Clone(p.Versions), func(v parameter.Version) position { return position{At: -v.Number} }, limit, in.NextToken)
	if err != nil {
		return nil, apprunner.Errorf(codeBadParameterToken, "%w", err)
	}
	out := &wire.GetParameterHistoryResult{Parameters: make([]wire.ParameterHistory, len(some)), NextToken: next}
	for i, v := range some {
		value, err := a.parameters.Value(ctx, p, v, val(in.WithDecryption))
		if err != nil {
			return nil, err
		}
		out.Parameters[i] = wire.ParameterHistory{
			Name: &p.Name, Type: new(string(p.Type)), KeyId: given(v.KeyID), LastModifiedDate: &v.ModifiedAt, LastModifiedUser: given(v.ModifiedBy), Description: given(v.Description),
			Value: new(value.Reveal()), AllowedPattern: given(v.Pattern), Version: &v.Number, Labels: append([]string{}, v.Labels...), Tier: new(string(v.Tier)),
			Policies: []wire.ParameterInlinePolicy{}, DataType: new(parameter.DataType),
		}
	}
	return out, nil
}

func (a *ssmAPI) describe(ctx context.Context, c Call, in *wire.DescribeParametersRequest) (*wire.DescribeParametersResult, error) {
	if len(in.Filters) > 0 && len(in.ParameterFilters) > 0 {
		return nil, apprunner.Errorf(parameter.CodeValidation, "You can use either Filters or ParameterFilters in a single request.")
	}
	asked := slices.Clone(in.ParameterFilters)
	for _, f := range in.Filters { // the older form: names begin so, the others are equal
		option := "Equals"
		if val(f.Key) == wire.ParametersFilterKeyName {
			option = "BeginsWith"
		}
		asked = append(asked, wire.ParameterStringFilter{Key: f.Key, Option: &option, Values: f.Values})
	}
	filters, err := parameterFilters(asked)
	if err != nil {
		return nil, err
	}
	all, err := a.chosen(ctx, c, filters, func(parameter.Parameter) bool { return !val(in.Shared) }) // nobody shares parameters here
	if err != nil {
		return nil, err
	}
	some, next, err := a.parametersPage(c, "DescribeParameters", all, []any{filters, val(in.Shared)}, in.MaxResults, describePage, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &wire.DescribeParametersResult{Parameters: make([]wire.ParameterMetadata, len(some)), NextToken: next}
	for i, p := range some {
		v := p.Present()
		out.Parameters[i] = wire.ParameterMetadata{
			Name: &p.Name, ARN: new(p.ARN()), Type: new(string(p.Type)), KeyId: given(v.KeyID), LastModifiedDate: &v.ModifiedAt, LastModifiedUser: given(v.ModifiedBy),
			Description: given(v.Description), AllowedPattern: given(v.Pattern), Version: &v.Number, Tier: new(string(v.Tier)), Policies: []wire.ParameterInlinePolicy{}, DataType: new(parameter.DataType),
		}
	}
	return out, nil
}

// own is the name of a parameter of the caller's account and region, which requests that change it may also call by its ARN.
func own(c Call, text string) (string, error) {
	home, name, selector := parameter.Locate(c.Scope, text)
	if home != c.Scope || selector != "" {
		return "", apprunner.Errorf(parameter.CodeNotFound, "Parameter %s not found.", clip(text, 128))
	}
	return name, nil
}

func (a *ssmAPI) deleteOne(ctx context.Context, c Call, in *wire.DeleteParameterRequest) (*wire.DeleteParameterResult, error) {
	name, err := own(c, *in.Name)
	if err == nil {
		err = a.parameters.Delete(ctx, c.Scope, name)
	}
	if err != nil {
		return nil, err
	}
	return &wire.DeleteParameterResult{}, nil
}

func (a *ssmAPI) deleteAll(ctx context.Context, c Call, in *wire.DeleteParametersRequest) (*wire.DeleteParametersResult, error) {
	out := &wire.DeleteParametersResult{DeletedParameters: []string{}, InvalidParameters: []string{}}
	for _, text := range in.Names {
		_, err := a.deleteOne(ctx, c, &wire.DeleteParameterRequest{Name: &text})
		switch {
		case err == nil:
			out.DeletedParameters = append(out.DeletedParameters, text)
		case apprunner.CodeOf(err) == parameter.CodeNotFound:
			out.InvalidParameters = append(out.InvalidParameters, text)
		default:
			return nil, err
		}
	}
	return out, nil
}

func (a *ssmAPI) label(ctx context.Context, c Call, in *wire.LabelParameterVersionRequest) (*wire.LabelParameterVersionResult, error) {
	name, err := own(c, *in.Name)
	if err != nil {
		return nil, err
	}
	number, bad, err := a.parameters.Label(ctx, c.Scope, name, val(in.ParameterVersion), in.Labels)
	if err != nil {
		return nil, err
	}
	return &wire.LabelParameterVersionResult{InvalidLabels: append([]string{}, bad...), ParameterVersion: &number}, nil
}

// taggedParameter is the parameter that a request about tags names; other things that SSM tags are not served.
func taggedParameter(c Call, kind, id *string) (string, error) {
	if val(kind) != wire.ResourceTypeForTaggingParameter {
		return "", apprunner.Errorf("InvalidResourceType", "The resource type %s is not served here; use %s.", val(kind), wire.ResourceTypeForTaggingParameter)
	}
	name, err := own(c, val(id))
	return name, asResource(err)
}

// asResource tells of a missing parameter as the actions about tags do.
func asResource(err error) error {
	if apprunner.CodeOf(err) == parameter.CodeNotFound {
		return apprunner.Errorf("InvalidResourceId", "%w", err)
	}
	return err
}

func (a *ssmAPI) tag(ctx context.Context, c Call, in *wire.AddTagsToResourceRequest) (*wire.AddTagsToResourceResult, error) {
	name, err := taggedParameter(c, in.ResourceType, in.ResourceId)
	if err == nil {
		err = asResource(a.parameters.Tag(ctx, c.Scope, name, tagsByKey(parameterTags(in.Tags))))
	}
	return &wire.AddTagsToResourceResult{}, err
}

func (a *ssmAPI) untag(ctx context.Context, c Call, in *wire.RemoveTagsFromResourceRequest) (*wire.RemoveTagsFromResourceResult, error) {
	name, err := taggedParameter(c, in.ResourceType, in.ResourceId)
	if err == nil {
		err = asResource(a.parameters.Untag(ctx, c.Scope, name, in.TagKeys))
	}
	return &wire.RemoveTagsFromResourceResult{}, err
}

func (a *ssmAPI) listTags(ctx context.Context, c Call, in *wire.ListTagsForResourceRequest) (*wire.ListTagsForResourceResult, error) {
	name, err := taggedParameter(c, in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	p, err := a.parameters.Describe(ctx, c.Scope, name)
	if err != nil {
		return nil, asResource(err)
	}
	out := &wire.ListTagsForResourceResult{TagList: []wire.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(p.Tags)) {
		out.TagList = append(out.TagList, wire.Tag{Key: &k, Value: new(p.Tags[k])})
	}
	return out, nil
}
