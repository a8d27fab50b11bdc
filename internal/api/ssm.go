package api

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/secret/parameter"
	wire "slipway.dev/slipway/internal/wire/ssm"
)

// parameters is what the SSM API needs of the secret room.
type parameters interface {
	Put(ctx context.Context, sc apprunner.Scope, n parameter.New) (parameter.Parameter, error)
	Describe(ctx context.Context, sc apprunner.Scope, text string) (parameter.Parameter, error)
	Find(ctx context.Context, sc apprunner.Scope, text string) (parameter.Parameter, parameter.Version, error)
	Value(ctx context.Context, p parameter.Parameter, v parameter.Version, decrypt bool) (parameter.Value, error)
	List(ctx context.Context, sc apprunner.Scope) ([]parameter.Parameter, error)
	Delete(ctx context.Context, sc apprunner.Scope, name string) error
	Label(ctx context.Context, sc apprunner.Scope, name string, number int64, labels []string) (given int64, bad []string, err error)
	Tag(ctx context.Context, sc apprunner.Scope, name string, tags map[string]string) error
	Untag(ctx context.Context, sc apprunner.Scope, name string, keys []string) error
}

type ssmAPI struct {
	parameters parameters
	keys       keyRecords
	tokens     *Tokens
}

// NewParameters returns the parameter actions of the Systems Manager API (adjacent §10).
func NewParameters(p parameters, keys keyRecords, tokens *Tokens) (*Service, error) {
	if p == nil || keys == nil || tokens == nil {
		return nil, errors.New("SSM API: the parameters, the keys and the tokens are required")
	}
	a := &ssmAPI{p, keys, tokens}
	return &Service{
		API: &wire.API, Constraint: parameter.CodeValidation, Internal: "InternalServerError",
		Actions: map[string]Action{
			"PutParameter":          action(a.mayPut, a.put),
			"DeleteParameter":       action(a.mayDelete, a.deleteOne),
			"DeleteParameters":      action(a.mayDeleteAll, a.deleteAll),
			"LabelParameterVersion": action(onParameter(a, "LabelParameterVersion", func(in *wire.LabelParameterVersionRequest) *string { return in.Name }), a.label),

			"GetParameter":        action(a.mayGet, a.get),
			"GetParameters":       action(a.mayGetAll, a.getAll),
			"GetParametersByPath": action(a.mayGetByPath, a.getByPath),
			"GetParameterHistory": action(a.mayGetHistory, a.getHistory),
			"DescribeParameters":  action(anything[wire.DescribeParametersRequest]("ssm:DescribeParameters"), a.describe),

			"AddTagsToResource":      action(a.mayTag, a.tag),
			"RemoveTagsFromResource": action(a.mayUntag, a.untag),
			"ListTagsForResource":    action(onParameter(a, "ListTagsForResource", func(in *wire.ListTagsForResourceRequest) *string { return in.ResourceId }), a.listTags),
		},
	}, nil
}

// question asks for an action on the parameter that a name or ARN means; its tags are condition keys.
func (a *ssmAPI) question(ctx context.Context, c Call, name, text string) iam.Request {
	home, bare, _ := parameter.Locate(c.Scope, text)
	q := iam.Request{Action: "ssm:" + name, Resource: parameter.ARN(home, bare), Context: map[string][]string{}}
	if p, err := a.parameters.Describe(ctx, c.Scope, text); err == nil { // of one that is not there nothing is known
		for k, v := range p.Tags {
			q.Context["aws:ResourceTag/"+k], q.Context["ssm:resourceTag/"+k] = []string{v}, []string{v}
		}
	}
	return q
}

// onParameter asks for an action on the parameter that a request names.
func onParameter[In any](a *ssmAPI, name string, of func(*In) *string) func(context.Context, Call, *In) ([]iam.Request, error) {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		return []iam.Request{a.question(ctx, c, name, val(of(in)))}, nil
	}
}

func (a *ssmAPI) mayPut(ctx context.Context, c Call, in *wire.PutParameterRequest) ([]iam.Request, error) {
	q := a.question(ctx, c, "PutParameter", val(in.Name))
	q.Context["ssm:Overwrite"] = []string{strconv.FormatBool(val(in.Overwrite))}
	requestTags(q.Context, parameterTags(in.Tags))
	asked := []iam.Request{q}
	if len(in.Tags) > 0 {
		asked = append(asked, iam.Request{Action: "ssm:AddTagsToResource", Resource: q.Resource, Context: q.Context})
	}
	v := parameter.Version{KeyID: val(in.KeyId)}
	if v.KeyID == "" {
		if p, err := a.parameters.Describe(ctx, c.Scope, val(in.Name)); err == nil {
			v = p.Present()
		}
	}
	return a.withKey(ctx, c, asked, q.Resource, v, "Encrypt")
}

// withKey adds the question about the key of a version, where its user chose one.
func (a *ssmAPI) withKey(ctx context.Context, c Call, asked []iam.Request, arn string, v parameter.Version, does string) ([]iam.Request, error) {
	if !v.OwnKey() {
		return asked, nil
	}
	more, err := UsingKey(ctx, a.keys, c.Principal, c.Scope, KeyUse{"ssm", v.KeyID, []string{does}, map[string]string{"PARAMETER_ARN": arn}})
	return append(asked, more...), err
}

func (a *ssmAPI) mayDelete(ctx context.Context, c Call, in *wire.DeleteParameterRequest) ([]iam.Request, error) {
	return []iam.Request{a.question(ctx, c, "DeleteParameter", val(in.Name))}, nil
}

func (a *ssmAPI) mayDeleteAll(ctx context.Context, c Call, in *wire.DeleteParametersRequest) ([]iam.Request, error) {
	asked := make([]iam.Request, len(in.Names))
	for i, name := range in.Names {
		asked[i] = a.question(ctx, c, "DeleteParameters", name)
	}
	return asked, nil
}

func (a *ssmAPI) mayGet(ctx context.Context, c Call, in *wire.GetParameterRequest) ([]iam.Request, error) {
	return a.reading(ctx, c, "GetParameter", val(in.Name), val(in.WithDecryption))
}

func (a *ssmAPI) mayGetAll(ctx context.Context, c Call, in *wire.GetParametersRequest) (asked []iam.Request, err error) {
	for _, name := range in.Names {
		more, err := a.reading(ctx, c, "GetParameters", name, val(in.WithDecryption))
		if err != nil {
			return nil, err
		}
		asked = append(asked, more...)
	}
	return asked, nil
}

// reading asks for the value of a parameter.
func (a *ssmAPI) reading(ctx context.Context, c Call, name, text string, decrypt bool) ([]iam.Request, error) {
	asked := []iam.Request{a.question(ctx, c, name, text)}
	p, v, err := a.parameters.Find(ctx, c.Scope, text)
	if err != nil || !decrypt {
		return asked, nil // what is wrong the action will say
	}
	return a.withKey(ctx, c, asked, p.ARN(), v, "Decrypt")
}

func (a *ssmAPI) mayGetHistory(ctx context.Context, c Call, in *wire.GetParameterHistoryRequest) ([]iam.Request, error) {
	asked := []iam.Request{a.question(ctx, c, "GetParameterHistory", val(in.Name))}
	p, err := a.parameters.Describe(ctx, c.Scope, val(in.Name))
	if err != nil || !val(in.WithDecryption) {
		return asked, nil
	}
	known := map[string]bool{}
	for _, v := range p.Versions {
		if known[v.KeyID] {
			continue
		}
		known[v.KeyID] = true
		if asked, err = a.withKey(ctx, c, asked, p.ARN(), v, "Decrypt"); err != nil {
			return nil, err
		}
	}
	return asked, nil
}

// mayGetByPath asks for the path: a policy for the path itself, or for all below it, covers it.
func (a *ssmAPI) mayGetByPath(ctx context.Context, c Call, in *wire.GetParametersByPathRequest) ([]iam.Request, error) {
	path := val(in.Path)
	for len(path) > 1 && path[len(path)-1] == '/' {
		path = path[:len(path)-1]
	}
	asked := []iam.Request{{
		Action: "ssm:GetParametersByPath", Resource: parameter.ARN(c.Scope, path), ToBe: true,
		Context: map[string][]string{"ssm:Recursive": {strconv.FormatBool(val(in.Recursive))}},
	}}
	if !val(in.WithDecryption) {
		return asked, nil
	}
	all, err := a.parameters.List(ctx, c.Scope)
	for _, p := range all {
		if err == nil && parameter.Below(path, p.Name, val(in.Recursive)) {
			asked, err = a.withKey(ctx, c, asked, p.ARN(), p.Present(), "Decrypt")
		}
	}
	return asked, err
}

func (a *ssmAPI) mayTag(ctx context.Context, c Call, in *wire.AddTagsToResourceRequest) ([]iam.Request, error) {
	q := a.question(ctx, c, "AddTagsToResource", val(in.ResourceId))
	requestTags(q.Context, parameterTags(in.Tags))
	return []iam.Request{q}, nil
}

func (a *ssmAPI) mayUntag(ctx context.Context, c Call, in *wire.RemoveTagsFromResourceRequest) ([]iam.Request, error) {
	q := a.question(ctx, c, "RemoveTagsFromResource", val(in.ResourceId))
	q.Context["aws:TagKeys"] = slices.Clone(in.TagKeys)
	return []iam.Request{q}, nil
}

func parameterTags(in []wire.Tag) []apprunner.Tag {
	tags := make([]apprunner.Tag, len(in))
	for i, t := range in {
		tags[i] = apprunner.Tag{Key: val(t.Key), Value: val(t.Value)}
	}
	return tags
}
