package api

import (
	"context"

	"slipway.dev/slipway/internal/network"
	ec2 "slipway.dev/slipway/internal/wire/ec2"
)

func (e *ec2API) groupActions() map[string]Action {
	return map[string]Action{
		"CreateSecurityGroup": ec2Action(ec2On(e, "CreateSecurityGroup", func(in *ec2.CreateSecurityGroupRequest) []ec2Ref {
			about := []ec2Ref{making(network.TypeGroup, in.TagSpecifications)}
			if in.VpcId != nil {
				about = append(about, refs(network.TypeVPC, *in.VpcId)...)
			}
			return about
		}), e.createGroup),
		"DeleteSecurityGroup": ec2Action(ec2On(e, "DeleteSecurityGroup", func(in *ec2.DeleteSecurityGroupRequest) []ec2Ref {
			return []ec2Ref{groupRef(in.GroupId, in.GroupName)}
		}), e.deleteGroup),
		"AuthorizeSecurityGroupIngress": ec2Action(ec2On(e, "AuthorizeSecurityGroupIngress", func(in *ec2.AuthorizeSecurityGroupIngressRequest) []ec2Ref {
			return ruled(in.GroupId, in.GroupName, in.TagSpecifications)
		}), e.authorizeIngress),
		"AuthorizeSecurityGroupEgress": ec2Action(ec2On(e, "AuthorizeSecurityGroupEgress", func(in *ec2.AuthorizeSecurityGroupEgressRequest) []ec2Ref {
			return ruled(in.GroupId, nil, in.TagSpecifications)
		}), e.authorizeEgress),
		"RevokeSecurityGroupIngress": ec2Action(ec2On(e, "RevokeSecurityGroupIngress", func(in *ec2.RevokeSecurityGroupIngressRequest) []ec2Ref {
			return []ec2Ref{groupRef(in.GroupId, in.GroupName)}
		}), e.revokeIngress),
		"RevokeSecurityGroupEgress": ec2Action(ec2On(e, "RevokeSecurityGroupEgress", func(in *ec2.RevokeSecurityGroupEgressRequest) []ec2Ref {
			return []ec2Ref{groupRef(in.GroupId, nil)}
		}), e.revokeEgress),
		"DescribeSecurityGroups":     ec2Action(anything[ec2.DescribeSecurityGroupsRequest]("ec2:DescribeSecurityGroups"), e.describeGroups),
		"DescribeSecurityGroupRules": ec2Action(anything[ec2.DescribeSecurityGroupRulesRequest]("ec2:DescribeSecurityGroupRules"), e.describeRules),
	}
}

func groupRef(id, name *string) ec2Ref {
	return ec2Ref{of: network.TypeGroup, id: val(id), name: val(name)}
}

// ruled is a group that gets rules. Rules are tagged resources of their own where tags come with them.
func ruled(id, name *string, tags []ec2.TagSpecification) []ec2Ref {
	about := []ec2Ref{groupRef(id, name)}
	if len(tags) > 0 {
		about = append(about, making(network.TypeRule, tags))
	}
	return about
}

func (e *ec2API) createGroup(ctx context.Context, c Call, in *ec2.CreateSecurityGroupRequest) (*ec2.CreateSecurityGroupResult, error) {
	tags, err := specified(network.TypeGroup, in.TagSpecifications)
	if err != nil {
		return nil, err
	}
	g, err := e.net.CreateGroup(ctx, c.Scope, network.GroupInput{VPCID: val(in.VpcId), Name: *in.GroupName, Description: *in.Description, Tags: tags})
	if err != nil {
		return nil, err
	}
	return &ec2.CreateSecurityGroupResult{GroupId: &g.ID, Tags: tagsEC2(g.Tags), SecurityGroupArn: new(network.ARN(g.Scope, network.TypeGroup, g.ID))}, nil
}

func (e *ec2API) deleteGroup(ctx context.Context, c Call, in *ec2.DeleteSecurityGroupRequest) (*ec2.DeleteSecurityGroupResult, error) {
	id, err := e.net.DeleteGroup(ctx, c.Scope, network.GroupRef{ID: val(in.GroupId), Name: val(in.GroupName)})
	if err != nil {
		return nil, err
	}
	return &ec2.DeleteSecurityGroupResult{Return: new(true), GroupId: &id}, nil
}

// oldRule is a rule in the form of the first days of EC2: one rule, spread over the request.
type oldRule struct {
	protocol, cidr, group *string
	from, to              *int32
}

// permission is the rule in the form of today; ok is false where none was sent.
func (o oldRule) permission() (p ec2.IpPermission, ok bool) {
	p = ec2.IpPermission{IpProtocol: o.protocol, FromPort: o.from, ToPort: o.to}
	if o.cidr != nil {
		p.IpRanges = []ec2.IpRange{{CidrIp: o.cidr}}
	}
	if o.group != nil {
		p.UserIdGroupPairs = []ec2.UserIdGroupPair{{GroupName: o.group}}
	}
	if o.protocol == nil && o.group != nil {
		p.IpProtocol = new("-1")
	}
	return p, o.protocol != nil || o.cidr != nil || o.group != nil
}

// peers takes permissions apart: one rule for each other side.
func peers(permissions []ec2.IpPermission, old oldRule) ([]network.Peer, error) {
	if p, ok := old.permission(); ok {
		permissions = append(permissions[:len(permissions):len(permissions)], p)
	}
	var out []network.Peer
	for _, p := range permissions {
		if len(p.PrefixListIds) > 0 {
			return nil, notServed(map[string]bool{"PrefixListIds": true})
		}
		one := network.Peer{Protocol: val(p.IpProtocol), FromPort: p.FromPort, ToPort: p.ToPort}
		before := len(out)
		for _, r := range p.IpRanges {
			out = append(out, one.With(val(r.CidrIp), network.GroupRef{}, val(r.Description)))
		}
		for _, r := range p.Ipv6Ranges {
			out = append(out, one.With(val(r.CidrIpv6), network.GroupRef{}, val(r.Description)))
		}
		for _, g := range p.UserIdGroupPairs {
			out = append(out, one.With("", network.GroupRef{ID: val(g.GroupId), Name: val(g.GroupName)}, val(g.Description)))
		}
		if len(out) == before {
			out = append(out, one) // which the network room refuses: it has no other side
		}
	}
	return out, nil
}

func (e *ec2API) authorizeIngress(ctx context.Context, c Call, in *ec2.AuthorizeSecurityGroupIngressRequest) (*ec2.AuthorizeSecurityGroupIngressResult, error) {
	rules, err := peers(in.IpPermissions, oldRule{in.IpProtocol, in.CidrIp, in.SourceSecurityGroupName, in.FromPort, in.ToPort})
	if err != nil {
		return nil, err
	}
	shown, err := e.authorize(ctx, c, network.GroupRef{ID: val(in.GroupId), Name: val(in.GroupName)}, false, rules, in.TagSpecifications)
	return &ec2.AuthorizeSecurityGroupIngressResult{Return: new(true), SecurityGroupRules: shown}, err
}

func (e *ec2API) authorizeEgress(ctx context.Context, c Call, in *ec2.AuthorizeSecurityGroupEgressRequest) (*ec2.AuthorizeSecurityGroupEgressResult, error) {
	rules, err := peers(in.IpPermissions, oldRule{in.IpProtocol, in.CidrIp, in.SourceSecurityGroupName, in.FromPort, in.ToPort})
	if err != nil {
		return nil, err
	}
	shown, err := e.authorize(ctx, c, network.GroupRef{ID: val(in.GroupId)}, true, rules, in.TagSpecifications)
	return &ec2.AuthorizeSecurityGroupEgressResult{Return: new(true), SecurityGroupRules: shown}, err
}

func (e *ec2API) authorize(ctx context.Context, c Call, ref network.GroupRef, egress bool, rules []network.Peer, specs []ec2.TagSpecification) ([]ec2.SecurityGroupRule, error) {
	tags, err := specified(network.TypeRule, specs)
	if err != nil {
		return nil, err
	}
	g, added, err := e.net.Authorize(ctx, c.Scope, ref, egress, rules, tags)
	if err != nil {
		return nil, err
	}
	out := make([]ec2.SecurityGroupRule, len(added))
	for i, r := range added {
		out[i] = groupRuleOut(network.GroupRule{Rule: r, Group: g, Egress: egress})
	}
	return out, nil
}

func (e *ec2API) revokeIngress(ctx context.Context, c Call, in *ec2.RevokeSecurityGroupIngressRequest) (*ec2.RevokeSecurityGroupIngressResult, error) {
	rules, err := peers(in.IpPermissions, oldRule{in.IpProtocol, in.CidrIp, in.SourceSecurityGroupName, in.FromPort, in.ToPort})
	if err != nil {
		return nil, err
	}
	shown, err := e.revoke(ctx, c, network.GroupRef{ID: val(in.GroupId), Name: val(in.GroupName)}, false, rules, in.SecurityGroupRuleIds)
	return &ec2.RevokeSecurityGroupIngressResult{Return: new(true), RevokedSecurityGroupRules: shown}, err
}

func (e *ec2API) revokeEgress(ctx context.Context, c Call, in *ec2.RevokeSecurityGroupEgressRequest) (*ec2.RevokeSecurityGroupEgressResult, error) {
	rules, err := peers(in.IpPermissions, oldRule{in.IpProtocol, in.CidrIp, in.SourceSecurityGroupName, in.FromPort, in.ToPort})
	if err != nil {
		return nil, err
	}
	shown, err := e.revoke(ctx, c, network.GroupRef{ID: val(in.GroupId)}, true, rules, in.SecurityGroupRuleIds)
	return &ec2.RevokeSecurityGroupEgressResult{Return: new(true), RevokedSecurityGroupRules: shown}, err
}

func (e *ec2API) revoke(ctx context.Context, c Call, ref network.GroupRef, egress bool, rules []network.Peer, ids []string) ([]ec2.RevokedSecurityGroupRule, error) {
	g, revoked, err := e.net.Revoke(ctx, c.Scope, ref, egress, rules, ids)
	if err != nil {
		return nil, err
	}
	out := make([]ec2.RevokedSecurityGroupRule, len(revoked))
	for i, r := range revoked {
		four, six := cidrsOut(r)
		out[i] = ec2.RevokedSecurityGroupRule{
			SecurityGroupRuleId: &r.ID, GroupId: &g.ID, IsEgress: &egress, IpProtocol: &r.Protocol, FromPort: int32Out(r.FromPort), ToPort: int32Out(r.ToPort),
			CidrIpv4: four, CidrIpv6: six, ReferencedGroupId: given(r.GroupID), Description: given(r.Description),
		}
	}
	return out, nil
}

func (e *ec2API) describeGroups(ctx context.Context, c Call, in *ec2.DescribeSecurityGroupsRequest) (*ec2.DescribeSecurityGroupsResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	ids := in.GroupIds
	for _, name := range in.GroupNames {
		ids = append(ids[:len(ids):len(ids)], s.GroupID(network.GroupRef{Name: name}))
	}
	l := ec2Listing{c, "DescribeSecurityGroups", ids, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListGroups(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(g network.SecurityGroup) position { return placeOf(g.Head) }, groupOut)
	return &ec2.DescribeSecurityGroupsResult{SecurityGroups: list, NextToken: next}, err
}

func groupOut(g network.SecurityGroup) ec2.SecurityGroup {
	return ec2.SecurityGroup{
		GroupId: &g.ID, GroupName: &g.Name, Description: &g.Description, VpcId: &g.VPCID, OwnerId: &g.Scope.Account, Tags: tagsEC2(g.Tags),
		SecurityGroupArn: new(network.ARN(g.Scope, network.TypeGroup, g.ID)), IpPermissions: permissionsOut(g, g.Ingress), IpPermissionsEgress: permissionsOut(g, g.Egress),
	}
}

// permissionsOut puts rules together that differ by their other side alone, in the order of the first of each.
func permissionsOut(g network.SecurityGroup, rules []network.Rule) []ec2.IpPermission {
	type sort struct {
		protocol string
		from, to int
	}
	out, at := []ec2.IpPermission{}, map[sort]int{}
	for _, r := range rules {
		k := sort{r.Protocol, r.FromPort, r.ToPort}
		i, known := at[k]
		if !known {
			i = len(out)
			at[k] = i
			p := ec2.IpPermission{IpProtocol: &r.Protocol, IpRanges: []ec2.IpRange{}, Ipv6Ranges: []ec2.Ipv6Range{}, PrefixListIds: []ec2.PrefixListId{}, UserIdGroupPairs: []ec2.UserIdGroupPair{}}
			if r.Protocol != "-1" {
				p.FromPort, p.ToPort = int32Out(r.FromPort), int32Out(r.ToPort)
			}
			out = append(out, p)
		}
		addPeer(&out[i], g, r)
	}
	return out
}

func addPeer(p *ec2.IpPermission, g network.SecurityGroup, r network.Rule) {
	four, six := cidrsOut(r)
	switch {
	case four != nil:
		p.IpRanges = append(p.IpRanges, ec2.IpRange{CidrIp: four, Description: given(r.Description)})
	case six != nil:
		p.Ipv6Ranges = append(p.Ipv6Ranges, ec2.Ipv6Range{CidrIpv6: six, Description: given(r.Description)})
	default:
		p.UserIdGroupPairs = append(p.UserIdGroupPairs, ec2.UserIdGroupPair{GroupId: &r.GroupID, UserId: &g.Scope.Account, Description: given(r.Description)})
	}
}

// cidrsOut is the CIDR of a rule, of the one kind or the other.
func cidrsOut(r network.Rule) (four, six *string) {
	switch {
	case !r.CIDR.IsValid():
		return nil, nil
	case r.CIDR.Addr().Is4():
		return new(r.CIDR.String()), nil
	}
	return nil, new(r.CIDR.String())
}

func (e *ec2API) describeRules(ctx context.Context, c Call, in *ec2.DescribeSecurityGroupRulesRequest) (*ec2.DescribeSecurityGroupRulesResult, error) {
	s, err := e.net.Snapshot(ctx, c.Scope)
	if err != nil {
		return nil, err
	}
	l := ec2Listing{c, "DescribeSecurityGroupRules", in.SecurityGroupRuleIds, in.Filters, in.MaxResults, in.NextToken}
	all, err := s.ListRules(l.ask())
	if err != nil {
		return nil, err
	}
	list, next, err := pageEC2(e, l, all, func(r network.GroupRule) position { return position{Name: r.Group.ID + r.ID} }, groupRuleOut)
	return &ec2.DescribeSecurityGroupRulesResult{SecurityGroupRules: list, NextToken: next}, err
}

func groupRuleOut(r network.GroupRule) ec2.SecurityGroupRule {
	four, six := cidrsOut(r.Rule)
	out := ec2.SecurityGroupRule{
		SecurityGroupRuleId: &r.ID, SecurityGroupRuleArn: new(network.ARN(r.Group.Scope, network.TypeRule, r.ID)), GroupId: &r.Group.ID, GroupOwnerId: &r.Group.Scope.Account,
		IsEgress: &r.Egress, IpProtocol: &r.Protocol, FromPort: int32Out(r.FromPort), ToPort: int32Out(r.ToPort), CidrIpv4: four, CidrIpv6: six,
		Description: given(r.Description), Tags: tagsEC2(r.Tags),
	}
	if r.GroupID != "" {
		out.ReferencedGroupInfo = &ec2.ReferencedSecurityGroup{GroupId: &r.GroupID, UserId: &r.Group.Scope.Account}
	}
	return out
}
