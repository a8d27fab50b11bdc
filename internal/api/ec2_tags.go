package api

import (
	"context"

	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

func (e *ec2API) tagActions() map[string]Action {
	return map[string]Action{
		"CreateTags":   ec2Command(mayTagEC2(e, "CreateTags", func(in *ec2.CreateTagsRequest) ([]string, []ec2.Tag) { return in.Resources, in.Tags }), e.createTags),
		"DeleteTags":   ec2Command(mayTagEC2(e, "DeleteTags", func(in *ec2.DeleteTagsRequest) ([]string, []ec2.Tag) { return in.Resources, in.Tags }), e.deleteTags),
		"DescribeTags": ec2Action(anything[ec2.DescribeTagsRequest]("ec2:DescribeTags"), e.describeTags),
	}
}

func (e *ec2API) createTags(ctx context.Context, c Call, in *ec2.CreateTagsRequest) error {
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[val(t.Key)] = val(t.Value)
	}
	if err := network.CheckTags(tags); err != nil {
		return err
	}
	return e.net.CreateTags(ctx, c.Scope, in.Resources, tags)
}

func (e *ec2API) deleteTags(ctx context.Context, c Call, in *ec2.DeleteTagsRequest) error {
	tags := map[string]*string{}
	for _, t := range in.Tags {
		tags[val(t.Key)] = t.Value
	}
	return e.net.DeleteTags(ctx, c.Scope, in.Resources, tags)
}

func (e *ec2API) describeTags(ctx context.Context, c Call, in *ec2.DescribeTagsRequest) (*ec2.DescribeTagsResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	all, err := s.ListTags(filtersIn(in.Filters))
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeTags", nil, in.Filters, in.MaxResults, in.NextToken}
	list, next, err := pageEC2(e, l, all, func(t network.Tagged) position { return position{Name: t.ResourceID + " " + t.Key} }, func(t network.Tagged) ec2.TagDescription {
		return ec2.TagDescription{ResourceId: &t.ResourceID, ResourceType: &t.ResourceType, Key: &t.Key, Value: &t.Value}
	})
	return &ec2.DescribeTagsResult{Tags: list, NextToken: next}, err
}
