package network

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

// defaultGroup is the name of the group that a VPC has from its beginning.
const defaultGroup = "default"

// GroupInput is a CreateSecurityGroup call. Without a VPC it is for the default one.
type GroupInput struct {
	VPCID, Name, Description string
	Tags                     map[string]string
}

// groupLetters are what names and descriptions of groups and rules may consist of. Their number is counted apart: as part of the
// expression it would cost each process 300 KB.
var groupLetters = pattern.Of(`^[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]+$`)

// isGroupText tells whether s may be the name or the description of a group or a rule: 1 to 255 letters.
func isGroupText(s string) bool { return len(s) <= 255 && groupLetters.MatchString(s) }

// CreateGroup makes a security group, from which everything may go out.
func (n *Network) CreateGroup(ctx context.Context, sc apprunner.Scope, in GroupInput) (g SecurityGroup, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		v, err := e.vpcOrDefault(in.VPCID)
		if err != nil {
			return err
		}
		if err := checkGroup(in); err != nil {
			return err
		}
		if other := e.groupNamed(v.ID, in.Name); other != nil {
			return apprunner.Errorf("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", in.Name, v.ID)
		}
		if err := limit("SecurityGroupLimitExceeded", "security groups", len(e.Groups), maxGroups); err != nil {
			return err
		}
		g = SecurityGroup{Head: e.newHead(TypeGroup, in.Tags), VPCID: v.ID, Name: in.Name, Description: in.Description, Egress: []Rule{everywhere()}}
		return add(e, &e.Groups, g)
	})
	return g, err
}

func checkGroup(in GroupInput) error {
	switch {
	case !isGroupText(in.Name):
		return wrong("GroupName", in.Name, "Names have 1 to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*")
	case strings.HasPrefix(in.Name, prefixes[TypeGroup]):
		return wrong("GroupName", in.Name, "Group names may not be in the format sg-*.")
	case in.Name == defaultGroup:
		return apprunner.Errorf(CodeParameterValue, "Cannot use reserved security group name: default")
	case !isGroupText(in.Description):
		return wrong("GroupDescription", in.Description, "Descriptions have 1 to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*")
	}
	return nil
}

// vpcOrDefault is the VPC that a request names, else the default one.
func (s *Snapshot) vpcOrDefault(id string) (*VPC, error) {
	if id != "" {
		return need(s.VPCs, id)
	}
	if v := s.DefaultVPC(); v != nil {
		return v, nil
	}
	return nil, apprunner.Errorf("VPCIdNotSpecified", "No default VPC for this user")
}

func (s *Snapshot) groupNamed(vpcID, name string) *SecurityGroup {
	for i := range s.Groups {
		if s.Groups[i].VPCID == vpcID && s.Groups[i].Name == name {
			return &s.Groups[i]
		}
	}
	return nil
}

// GroupRef names a group by its id, or one of the default VPC by its name.
type GroupRef struct{ ID, Name string }

func (s *Snapshot) group(ref GroupRef) (*SecurityGroup, error) {
	switch {
	case ref.ID != "":
		return need(s.Groups, ref.ID)
	case ref.Name == "":
		return nil, Missing("GroupId")
	}
	v, err := s.vpcOrDefault("")
	if err != nil {
		return nil, err
	}
	if g := s.groupNamed(v.ID, ref.Name); g != nil {
		return g, nil
	}
	return nil, noRecord(TypeGroup, ref.Name)
}

// GroupID is the id of the group that a reference names; "" for none.
func (s *Snapshot) GroupID(ref GroupRef) string {
	g, err := s.group(ref)
	if err != nil {
		return ref.ID
	}
	return g.ID
}

// DeleteGroup deletes a group that nothing is in and no rule of another names; it returns its id.
func (n *Network) DeleteGroup(ctx context.Context, sc apprunner.Scope, ref GroupRef) (id string, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		g, err := e.group(ref)
		if err != nil {
			return err
		}
		id = g.ID
		if g.Name == defaultGroup {
			return apprunner.Errorf("CannotDelete", "the specified group: %q name: %q cannot be deleted by a user", g.ID, g.Name)
		}
		if what := e.groupUse(id); what != "" {
			return apprunner.Errorf(CodeDependency, "resource %s has a dependent object", id).WithHint("%s", what)
		}
		if err := e.unused("security group", id); err != nil {
			return err
		}
		return remove(e, &e.Groups, func(g SecurityGroup) bool { return g.ID == id })
	})
	return id, err
}

// groupUse says what keeps a group from being deleted; "" for nothing.
func (s *Snapshot) groupUse(id string) string {
	for _, i := range s.Interfaces {
		if slices.Contains(i.Groups, id) {
			return fmt.Sprintf("The network interface %s is in it (%s).", i.ID, i.Description)
		}
	}
	for _, x := range s.Endpoints {
		if x.State != EndpointDeleted && slices.Contains(x.Groups, id) {
			return "The endpoint " + x.ID + " is in it."
		}
	}
	for _, g := range s.Groups {
		for _, r := range append(g.Ingress[:len(g.Ingress):len(g.Ingress)], g.Egress...) {
			if g.ID != id && r.GroupID == id {
				return "The rule " + r.ID + " of " + g.ID + " names it."
			}
		}
	}
	return ""
}
