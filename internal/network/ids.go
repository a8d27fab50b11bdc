package network

import (
	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/apprunner/pattern"
)

// prefixes begin the ids of each kind of record.
var prefixes = map[kind]string{
	TypeVPC: "vpc-", TypeSubnet: "subnet-", TypeGroup: "sg-", TypeRule: "sgr-", TypeEndpoint: "vpce-", TypeInterface: "eni-", TypeTable: "rtb-",
	TypeGateway: "igw-", TypeNAT: "nat-", TypeAddress: "eipalloc-", TypeACL: "acl-", TypeOptions: "dopt-",
}

// newID is an id nobody has: the prefix and 17 hex digits.
func newID(prefix string) string { return prefix + "0" + apprunner.NewID()[:16] }

var idTail = pattern.Of(`^[0-9a-f]{8}([0-9a-f]{9})?$`)

// isID tells whether a text has the form of an id of the kind: 17 hex digits, or 8 as once was usual.
func isID(k kind, id string) bool {
	p := prefixes[k]
	return len(id) > len(p) && id[:len(p)] == p && idTail.MatchString(id[len(p):])
}
