package network

import "slipway.dev/slipway/internal/apprunner"

// The codes of the EC2 API that this room answers with (adjacent §8).
const (
	CodeDryRun          apprunner.Code = "DryRunOperation"
	CodeDependency      apprunner.Code = "DependencyViolation"
	CodeParameter       apprunner.Code = "InvalidParameter"
	CodeUnsupported     apprunner.Code = "UnsupportedOperation"
	CodeParameterValue  apprunner.Code = "InvalidParameterValue"
	CodeParameterCombo  apprunner.Code = "InvalidParameterCombination"
	CodeMissing         apprunner.Code = "MissingParameter"
	CodeServiceName     apprunner.Code = "InvalidServiceName"
	CodeGroupNotFound   apprunner.Code = "InvalidGroup.NotFound"
	CodeVPCNotFound     apprunner.Code = "InvalidVpcID.NotFound"
	CodeSubnetNotFound  apprunner.Code = "InvalidSubnetID.NotFound"
	CodeEndpointMissing apprunner.Code = "InvalidVpcEndpointId.NotFound"
)

// missing is how the API says, for each kind of record, that there is none of that id.
var missing = map[kind]struct {
	code apprunner.Code
	text string
}{
	TypeVPC:       {CodeVPCNotFound, "The vpc ID '%s' does not exist"},
	TypeSubnet:    {CodeSubnetNotFound, "The subnet ID '%s' does not exist"},
	TypeGroup:     {CodeGroupNotFound, "The security group '%s' does not exist"},
	TypeRule:      {"InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist"},
	TypeEndpoint:  {CodeEndpointMissing, "The Vpc Endpoint Id '%s' does not exist"},
	TypeInterface: {"InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist"},
	TypeTable:     {"InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist"},
	TypeGateway:   {"InvalidInternetGatewayID.NotFound", "The internetGateway ID '%s' does not exist"},
	TypeNAT:       {"NatGatewayNotFound", "The Nat Gateway %s was not found"},
	TypeAddress:   {"InvalidAllocationID.NotFound", "The allocation ID '%s' does not exist"},
	TypeACL:       {"InvalidNetworkAclID.NotFound", "The networkAcl ID '%s' does not exist"},
	TypeOptions:   {"InvalidDhcpOptionID.NotFound", "The dhcpOption ID '%s' does not exist"},
}

func noRecord(k kind, id string) error {
	m := missing[k]
	return apprunner.Errorf(m.code, m.text, clip(id))
}

// Missing says that a request lacks a parameter.
func Missing(parameter string) error {
	return apprunner.Errorf(CodeMissing, "The request must contain the parameter %s", parameter)
}

// wrong says that a parameter has a value that is not possible, and why.
func wrong(parameter, value, why string) error {
	return apprunner.Errorf(CodeParameterValue, "Value (%s) for parameter %s is invalid. %s", clip(value), parameter, why)
}

// dependent refuses to delete what something else needs.
func dependent(what, id, why string) error {
	return apprunner.Errorf(CodeDependency, "The %s '%s' has dependencies and cannot be deleted.", what, id).WithHint("%s", why)
}

// clip shortens a caller's text for a message.
func clip(s string) string {
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
