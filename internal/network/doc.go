// Package network keeps the records of virtual private clouds and the rules about them: a small model of what the EC2 API calls
// VPCs, subnets, security groups, interface endpoints and what stands around those.
//
// What flows in are the actions of the EC2 API, for one account in one region at a time; what flows out are the records as they are
// then, and [Network.Layout], all that a host has to show of them. How a VPC looks on a host is not this room's business: the host is
// told by the layout and tells back by [Network.Settle] what has become of an endpoint.
//
// The room knows accounts and regions and nothing of services: who uses an endpoint, a subnet or a group from outside is asked of
// the one interface users. Failures for the caller are *apprunner.Error with the codes of the EC2 API. What is decided is decided in
// functions of values; statements to the database stand in records.go.
package network
