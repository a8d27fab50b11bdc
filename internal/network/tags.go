package network

import (
	"context"
	"strings"
	"unicode/utf8"

	"slipway.dev/slipway/internal/apprunner"
)

// The longest key and value of a tag, in characters.
const (
	maxTagKey   = 127
	maxTagValue = 255
)

// CheckTags holds what the EC2 API says of tags.
func CheckTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return apprunner.Errorf("TagLimitExceeded", "The maximum number of tags per resource has been reached: %d.", maxTags)
	}
	for k, v := range tags {
		switch {
		case k == "" || utf8.RuneCountInString(k) > maxTagKey:
			return wrong("Tag.Key", k, "Tag keys have 1 to 127 characters.")
		case strings.HasPrefix(strings.ToLower(k), "aws:"):
			return wrong("Tag.Key", k, "Tag keys starting with 'aws:' are reserved for internal use")
		case utf8.RuneCountInString(v) > maxTagValue:
			return wrong("Tag.Value", v, "Tag values have up to 255 characters.")
		}
	}
	return nil
}

// tagged is something that has tags: a record, or a rule in its group.
type tagged struct {
	kind kind
	id   string
	tags *map[string]string
	keep record // what is written when they change
}

// eachTagged visits all that has tags.
func (s *Snapshot) eachTagged(visit func(tagged)) {
	visitAll(s.VPCs, visit)
	visitAll(s.Subnets, visit)
	visitAll(s.Groups, visit)
	for i := range s.Groups {
		g := &s.Groups[i]
		for _, rules := range []*[]Rule{&g.Ingress, &g.Egress} {
			for j := range *rules {
				visit(tagged{TypeRule, (*rules)[j].ID, &(*rules)[j].Tags, g})
			}
		}
	}
	visitAll(s.Endpoints, visit)
	visitAll(s.Interfaces, visit)
	visitAll(s.Tables, visit)
	visitAll(s.Gateways, visit)
	visitAll(s.NATs, visit)
	visitAll(s.Addresses, visit)
	visitAll(s.ACLs, visit)
	visitAll(s.Options, visit)
}

func visitAll[T any, P pointer[T]](list []T, visit func(tagged)) {
	for i := range list {
		p := P(&list[i])
		visit(tagged{p.kind(), p.head().ID, &p.head().Tags, p})
	}
}

// Tagged is one tag of one record.
type Tagged struct{ ResourceID, ResourceType, Key, Value string }

// Tags are all tags of the scope.
func (s *Snapshot) Tags() (list []Tagged) {
	s.eachTagged(func(t tagged) {
		for k, v := range *t.tags {
			list = append(list, Tagged{t.id, t.kind, k, v})
		}
	})
	return list
}

// Resource tells the type of a record, as ARNs name it, and its tags.
func (s *Snapshot) Resource(id string) (resourceType string, tags map[string]string, found bool) {
	s.eachTagged(func(t tagged) {
		if t.id == id {
			resourceType, tags, found = t.kind, *t.tags, true
		}
	})
	return resourceType, tags, found
}

// VPCOf is the VPC that a record is in; "" for none.
func (s *Snapshot) VPCOf(id string) string {
	if x := find(s.Subnets, id); x != nil {
		return x.VPCID
	}
	if x := find(s.Groups, id); x != nil {
		return x.VPCID
	}
	if x := find(s.Tables, id); x != nil {
		return x.VPCID
	}
	if x := find(s.Interfaces, id); x != nil {
		return x.VPCID
	}
	return ""
}

// TypeOf is the type of record that an id is one of by its form; "" for none.
func TypeOf(id string) string {
	for k := range prefixes {
		if isID(k, id) {
			return k
		}
	}
	return ""
}

// retag changes the tags of records, all or none.
func (n *Network) retag(ctx context.Context, sc apprunner.Scope, ids []string, change func(tags map[string]string)) error {
	return n.change(ctx, sc, func(e *edit) error {
		at := map[string]tagged{}
		e.eachTagged(func(t tagged) { at[t.id] = t })
		for _, id := range ids {
			t, found := at[id]
			if !found {
				return noResource(id)
			}
			if *t.tags == nil {
				*t.tags = map[string]string{}
			}
			change(*t.tags)
			if err := CheckTags(*t.tags); err != nil {
				return err
			}
			if err := e.put(t.keep); err != nil {
				return err
			}
		}
		return nil
	})
}

func noResource(id string) error {
	if t := TypeOf(id); t != "" {
		return noRecord(t, id)
	}
	return apprunner.Errorf("InvalidID", "The ID '%s' is not valid", clip(id))
}

// CreateTags adds tags to records, in the place of those with the same keys.
func (n *Network) CreateTags(ctx context.Context, sc apprunner.Scope, ids []string, tags map[string]string) error {
	return n.retag(ctx, sc, ids, func(present map[string]string) {
		for k, v := range tags {
			present[k] = v
		}
	})
}

// DeleteTags takes tags from records: those of a key, with a value only where they have that one. None given takes all.
func (n *Network) DeleteTags(ctx context.Context, sc apprunner.Scope, ids []string, tags map[string]*string) error {
	return n.retag(ctx, sc, ids, func(present map[string]string) {
		if len(tags) == 0 {
			clear(present)
		}
		for k, v := range tags {
			if v == nil || present[k] == *v {
				delete(present, k)
			}
		}
	})
}
