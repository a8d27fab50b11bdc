package api

import (
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

// ec2Listing is what listings of the EC2 API have in common.
type ec2Listing struct {
	call      Call
	operation string
	ids       []string
	filters   []ec2.Filter
	limit     *int32
	token     *string
}

func (l ec2Listing) ask() network.Ask { return network.Ask{IDs: l.ids, Filters: filtersIn(l.filters)} }

func filtersIn(filters []ec2.Filter) []network.Filter {
	out := make([]network.Filter, len(filters))
	for i, f := range filters {
		out[i] = network.Filter{Name: val(f.Name), Values: f.Values}
	}
	return out
}

// pageEC2 cuts one page out of a listing and writes its entries as answers show them.
func pageEC2[T, Out any](e *ec2API, l ec2Listing, items []T, at func(T) position, show func(T) Out) (list []Out, next *string, err error) {
	switch {
	case l.limit != nil && *l.limit < 1:
		return nil, nil, apprunner.Errorf(network.CodeParameterValue, "Value (%d) for parameter MaxResults is invalid. It must be at least 1.", *l.limit)
	case l.limit != nil && len(l.ids) > 0:
		return nil, nil, apprunner.Errorf(network.CodeParameterCombo, "The parameter MaxResults cannot be used together with a list of ids.")
	}
	bound := listing{scope: l.call.Scope, operation: "ec2/" + l.operation, params: []any{l.ids, l.filters, l.limit}}
	shown, next, err := page(e.tokens, bound, items, at, l.limit, l.token)
	if err != nil {
		return nil, nil, err
	}
	list = make([]Out, len(shown))
	for i, v := range shown {
		list[i] = show(v)
	}
	return list, next, nil
}

// placeOf is where a record stands in listings.
func placeOf(h network.Head) position { return apprunner.PlaceOf(h.CreatedAt, h.ID) }
