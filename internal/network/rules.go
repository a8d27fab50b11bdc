package network

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"slipway.dev/slipway/internal/apprunner"
)

// allProtocols is the protocol of a rule for any traffic.
const allProtocols = "-1"

// everywhere is a rule for all traffic with all IPv4 addresses.
func everywhere() Rule {
	return Rule{ID: newID(prefixes[TypeRule]), Protocol: allProtocols, FromPort: -1, ToPort: -1, CIDR: netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
}

// Peer is one rule as a request spells it: exactly one of CIDR and Group says who is on the other side.
type Peer struct {
	Protocol         string
	FromPort, ToPort *int32
	CIDR             string
	Group            GroupRef
	Description      string
}

// With is the same with this other side.
func (p Peer) With(cidr string, group GroupRef, description string) Peer {
	p.CIDR, p.Group, p.Description = cidr, group, description
	return p
}

// protocolNames are the protocols that have names, by number.
var protocolNames = map[string]string{"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": allProtocols}

// rule reads a rule of a group in a VPC.
func (s *Snapshot) rule(vpcID string, p Peer) (Rule, error) {
	r := Rule{ID: newID(prefixes[TypeRule]), FromPort: -1, ToPort: -1, Description: p.Description}
	if p.Description != "" && !isGroupText(p.Description) {
		return r, wrongRuleText(p.Description)
	}
	if err := r.protocol(p); err != nil {
		return r, err
	}
	if (p.CIDR == "") == (p.Group == GroupRef{}) {
		return r, apprunner.Errorf(CodeParameterCombo, "A rule needs either a CIDR or a security group as its other side.")
	}
	if p.CIDR != "" {
		var err error
		r.CIDR, err = cidr("cidrIp", p.CIDR)
		return r, err
	}
	g, err := s.group(p.Group)
	if err == nil && g.VPCID != vpcID {
		err = noRecord(TypeGroup, g.ID)
	}
	if err != nil {
		return r, err
	}
	r.GroupID = g.ID
	return r, nil
}

func wrongRuleText(text string) error {
	return wrong("description", text, "Descriptions have up to 255 letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*")
}

// protocol reads the protocol and the ports of a rule.
func (r *Rule) protocol(p Peer) error {
	r.Protocol = strings.ToLower(p.Protocol)
	if name := protocolNames[r.Protocol]; name != "" {
		r.Protocol = name
	}
	switch r.Protocol {
	case "tcp", "udp":
		return r.ports(p)
	case "icmp", "icmpv6":
		return r.icmp(p)
	case allProtocols:
		return nil
	case "":
		return Missing("ipProtocol")
	}
	if n, err := strconv.Atoi(r.Protocol); err != nil || n < 0 || n > 255 {
		return wrong("ipProtocol", p.Protocol, "Use tcp, udp, icmp, icmpv6, -1 for all, or a number from 0 to 255.")
	}
	return nil
}

func (r *Rule) ports(p Peer) error {
	if p.FromPort == nil || p.ToPort == nil {
		return apprunner.Errorf(CodeParameterValue, "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
	}
	r.FromPort, r.ToPort = int(*p.FromPort), int(*p.ToPort)
	if r.FromPort == -1 && r.ToPort == -1 {
		r.FromPort, r.ToPort = 0, 65535
	}
	if r.FromPort < 0 || r.ToPort > 65535 || r.FromPort > r.ToPort {
		return apprunner.Errorf(CodeParameterValue, "Invalid TCP/UDP port range (%d:%d). Ports are from 0 to 65535, the first not above the last.", *p.FromPort, *p.ToPort)
	}
	return nil
}

func (r *Rule) icmp(p Peer) error {
	for _, x := range []struct {
		to   *int
		sent *int32
		name string
	}{{&r.FromPort, p.FromPort, "type"}, {&r.ToPort, p.ToPort, "code"}} {
		if x.sent == nil {
			continue
		}
		if *x.sent < -1 || *x.sent > 255 {
			return apprunner.Errorf(CodeParameterValue, "ICMP %s (%d) out of range: it is from 0 to 255, or -1 for all.", x.name, *x.sent)
		}
		*x.to = int(*x.sent)
	}
	return nil
}

// same tells whether two rules allow the same.
func (r Rule) same(o Rule) bool {
	return r.Protocol == o.Protocol && r.FromPort == o.FromPort && r.ToPort == o.ToPort && r.CIDR == o.CIDR && r.GroupID == o.GroupID
}

// String is a rule as messages show it.
func (r Rule) String() string {
	peer := r.GroupID
	if r.CIDR.IsValid() {
		peer = r.CIDR.String()
	}
	protocol, ports := strings.ToUpper(r.Protocol), ""
	if r.Protocol == allProtocols {
		protocol = "ALL"
	} else if r.FromPort >= 0 {
		ports = fmt.Sprintf("from port: %d, to port: %d, ", r.FromPort, r.ToPort)
	}
	return fmt.Sprintf("peer: %s, %s, %sALLOW", peer, protocol, ports)
}

// rules are those of one direction.
func (g *SecurityGroup) rules(egress bool) *[]Rule {
	if egress {
		return &g.Egress
	}
	return &g.Ingress
}

// Authorize adds rules to a group, all or none, and returns them with the group.
func (n *Network) Authorize(ctx context.Context, sc apprunner.Scope, ref GroupRef, egress bool, peers []Peer, tags map[string]string) (g SecurityGroup, added []Rule, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		group, err := e.group(ref)
		if err != nil {
			return err
		}
		if len(peers) == 0 {
			return Missing("IpPermissions")
		}
		rules := group.rules(egress)
		for _, p := range peers {
			r, err := e.rule(group.VPCID, p)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(*rules, r.same) {
				return apprunner.Errorf("InvalidPermission.Duplicate", "the specified rule %q already exists", r)
			}
			if err := limit("RulesPerSecurityGroupLimitExceeded", "rules of a security group", len(*rules), maxRules); err != nil {
				return err
			}
			r.Tags = tags
			*rules = append(*rules, r)
			added = append(added, r)
		}
		g = *group
		return e.put(group)
	})
	return g, added, err
}

// Revoke takes rules from a group, all or none: those that are the same as the given ones, and those of the ids. It returns them with
// the group.
func (n *Network) Revoke(ctx context.Context, sc apprunner.Scope, ref GroupRef, egress bool, peers []Peer, ids []string) (g SecurityGroup, revoked []Rule, err error) {
	err = n.change(ctx, sc, func(e *edit) error {
		group, err := e.group(ref)
		if err != nil {
			return err
		}
		if len(peers) == 0 && len(ids) == 0 {
			return Missing("IpPermissions")
		}
		rules := group.rules(egress)
		take := func(is func(Rule) bool, absent error) error {
			i := slices.IndexFunc(*rules, is)
			if i < 0 {
				return absent
			}
			revoked = append(revoked, (*rules)[i])
			*rules = slices.Delete(*rules, i, i+1)
			return nil
		}
		for _, p := range peers {
			r, err := e.rule(group.VPCID, p)
			if err != nil {
				return err
			}
			if err := take(r.same, apprunner.Errorf("InvalidPermission.NotFound", "The specified rule does not exist in this security group: %s.", r)); err != nil {
				return err
			}
		}
		for _, id := range ids {
			if err := take(func(r Rule) bool { return r.ID == id }, noRecord(TypeRule, id)); err != nil {
				return err
			}
		}
		g = *group
		return e.put(group)
	})
	return g, revoked, err
}
