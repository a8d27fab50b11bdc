package api

import (
	"context"
	"slices"

	"slipway.dev/slipway/internal/iam"
	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

// permitting says which questions an action asks of the policies.
type permitting[In any] func(context.Context, Call, *In) ([]iam.Request, error)

// ec2Ref is a resource that an action is about: of a type, as ARNs and tags spell it, with an id, or one that is about to be made with
// these tags. made says that.
type ec2Ref struct {
	of   string
	id   string
	name string // of a group that the request names so
	made bool
	tags []ec2.TagSpecification
	keys map[string][]string // condition keys of the action about it
}

// refs are existing resources of one type.
func refs(of string, ids ...string) []ec2Ref {
	out := make([]ec2Ref, len(ids))
	for i, id := range ids {
		out[i] = ec2Ref{of: of, id: id}
	}
	return out
}

// making is a resource about to be made.
func making(of string, tags []ec2.TagSpecification) ec2Ref {
	return ec2Ref{of: of, made: true, tags: tags}
}

// ec2On asks for an action on all resources that a request is about, and for tagging those that it makes with tags.
func ec2On[In any](e *ec2API, name string, about func(*In) []ec2Ref) permitting[In] {
	return func(ctx context.Context, c Call, in *In) ([]iam.Request, error) {
		present, err := e.net.Peek(ctx, c.Scope)
		if err != nil {
			return nil, err
		}
		var asked []iam.Request
		for _, r := range about(in) {
			asked = append(asked, r.questions(name, c, present)...)
		}
		return asked, nil
	}
}

func (r ec2Ref) questions(name string, c Call, present *network.Snapshot) []iam.Request {
	keys := map[string][]string{"ec2:Region": {c.Scope.Region}}
	for k, v := range r.keys {
		keys[k] = v
	}
	if !r.made {
		id := r.id
		if id == "" && r.name != "" {
			id = present.GroupID(network.GroupRef{Name: r.name})
		}
		_, tags, _ := present.Resource(id)
		for k, v := range tags {
			keys["aws:ResourceTag/"+k], keys["ec2:ResourceTag/"+k] = []string{v}, []string{v}
		}
		if vpcID := present.VPCOf(id); vpcID != "" {
			keys["ec2:Vpc"] = []string{network.ARN(c.Scope, network.TypeVPC, vpcID)}
		}
		return []iam.Request{{Action: "ec2:" + name, Resource: network.ARN(c.Scope, r.of, orAny(id)), Context: keys}}
	}
	requestedTags(keys, r.tags)
	arn := network.ARN(c.Scope, r.of, "*")
	asked := []iam.Request{{Action: "ec2:" + name, Resource: arn, Context: keys}}
	if len(r.tags) > 0 {
		tagging := map[string][]string{"ec2:CreateAction": {name}, "ec2:Region": {c.Scope.Region}}
		requestedTags(tagging, r.tags)
		asked = append(asked, iam.Request{Action: "ec2:CreateTags", Resource: arn, Context: tagging})
	}
	return asked
}

// orAny stands for a resource that a request should name and does not.
func orAny(id string) string {
	if id == "" {
		return "*"
	}
	return id
}

func requestedTags(keys map[string][]string, specs []ec2.TagSpecification) {
	for _, s := range specs {
		tagKeys(keys, s.Tags)
	}
}

func tagKeys(keys map[string][]string, tags []ec2.Tag) {
	for _, t := range tags {
		key := val(t.Key)
		keys["aws:RequestTag/"+key] = []string{val(t.Value)}
		if !slices.Contains(keys["aws:TagKeys"], key) {
			keys["aws:TagKeys"] = append(keys["aws:TagKeys"], key)
		}
	}
}

// mayTagEC2 asks for each resource that tags are put on or taken from.
func mayTagEC2[In any](e *ec2API, name string, of func(*In) ([]string, []ec2.Tag)) permitting[In] {
	return ec2On(e, name, func(in *In) []ec2Ref {
		ids, tags := of(in)
		keys := map[string][]string{}
		tagKeys(keys, tags)
		out := make([]ec2Ref, len(ids))
		for i, id := range ids {
			out[i] = ec2Ref{of: orAny(network.TypeOf(id)), id: id, keys: keys}
		}
		return out
	})
}
