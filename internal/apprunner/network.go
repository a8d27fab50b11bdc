package apprunner

import (
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner/pattern"
)

// VPCConnector lets outgoing traffic of services into a VPC (§20.1). It never changes once made.
type VPCConnector struct {
	ARN            string
	Name           string
	Revision       int // always 1
	Subnets        []string
	SecurityGroups []string
	Active         bool
	CreatedAt      time.Time
	DeletedAt      time.Time
}

// Record is what the store keeps beside the connector itself.
func (c VPCConnector) Record() Record {
	return Record{ARN: c.ARN, Live: c.Active, CreatedAt: c.CreatedAt, DeletedAt: c.DeletedAt}
}

// VPCConnectorInput is a CreateVpcConnector call.
type VPCConnectorInput struct {
	Name           string
	Subnets        []string
	SecurityGroups []string // none = the default group of the VPC
	Tags           []Tag
}

var (
	subnetID   = pattern.Of(`^subnet-[0-9a-f]{8,17}$`)
	groupID    = pattern.Of(`^sg-[0-9a-f]{8,17}$`)
	vpcID      = pattern.Of(`^vpc-[0-9a-f]{8,17}$`)
	endpointID = pattern.Of(`^vpce-[0-9a-f]{8,17}$`)
)

// Check holds the rules of §20.1 that need no knowledge of the network.
func (in VPCConnectorInput) Check() error {
	var f faults
	checkName(&f, "vpcConnectorName", in.Name, 40)
	checkTags(&f, in.Tags)
	if len(in.Subnets) == 0 {
		f.add("subnets", "is empty; at least one subnet is required")
	}
	checkIDs(&f, "subnets", in.Subnets, subnetID, "subnet-")
	checkIDs(&f, "securityGroups", in.SecurityGroups, groupID, "sg-")
	return f.err()
}

func checkIDs(f *faults, member string, ids []string, form *pattern.Pattern, prefix string) {
	seen := map[string]bool{}
	for i, id := range ids {
		at := fmt.Sprintf("%s.%d.member", member, i+1)
		switch {
		case !form.MatchString(id):
			f.add(at, "%q is not an id of the form %s<8 to 17 hex digits>", clip(id), prefix)
		case seen[id]:
			f.add(at, "%q is given twice", id)
		}
		seen[id] = true
	}
}

// VPCIngressStatus says where a VPC ingress connection stands (§20.2).
type VPCIngressStatus string

// The statuses of a VPC ingress connection.
const (
	IngressAvailable       VPCIngressStatus = "AVAILABLE"
	IngressPendingCreation VPCIngressStatus = "PENDING_CREATION"
	IngressPendingUpdate   VPCIngressStatus = "PENDING_UPDATE"
	IngressPendingDeletion VPCIngressStatus = "PENDING_DELETION"
	IngressFailedCreation  VPCIngressStatus = "FAILED_CREATION"
	IngressFailedUpdate    VPCIngressStatus = "FAILED_UPDATE"
	IngressFailedDeletion  VPCIngressStatus = "FAILED_DELETION"
	IngressDeleted         VPCIngressStatus = "DELETED"
)

// Pending tells whether work on the connection is under way.
func (s VPCIngressStatus) Pending() bool {
	return s == IngressPendingCreation || s == IngressPendingUpdate || s == IngressPendingDeletion
}

// Settled is the status after the work of a pending one; a status that is not pending stays.
func (s VPCIngressStatus) Settled(ok bool) VPCIngressStatus {
	switch {
	case s == IngressPendingDeletion && ok:
		return IngressDeleted
	case s.Pending() && ok:
		return IngressAvailable
	case s == IngressPendingCreation:
		return IngressFailedCreation
	case s == IngressPendingUpdate:
		return IngressFailedUpdate
	case s == IngressPendingDeletion:
		return IngressFailedDeletion
	}
	return s
}

// MayUpdate tells whether UpdateVpcIngressConnection is allowed.
func (s VPCIngressStatus) MayUpdate() bool {
	return s == IngressAvailable || s == IngressFailedCreation || s == IngressFailedUpdate
}

// MayDelete tells whether DeleteVpcIngressConnection is allowed.
func (s VPCIngressStatus) MayDelete() bool { return s.MayUpdate() || s == IngressFailedDeletion }

// VPCIngressConnection joins a private service to one interface endpoint of a VPC (§20.2).
type VPCIngressConnection struct {
	ARN        string
	Name       string
	ServiceARN string
	Status     VPCIngressStatus
	Account    string
	DomainName string // under which the service is reached inside the VPC
	VPCID      string
	EndpointID string
	CreatedAt  time.Time
	DeletedAt  time.Time // when the deletion began
}

// Record is what the store keeps beside the connection itself. It is live until nothing of it is left.
func (c VPCIngressConnection) Record() Record {
	return Record{ARN: c.ARN, Live: c.Status != IngressDeleted, CreatedAt: c.CreatedAt, DeletedAt: c.DeletedAt}
}

// VPCIngressConnectionInput is a CreateVpcIngressConnection call.
type VPCIngressConnectionInput struct {
	Name       string
	ServiceARN string
	VPCID      string
	EndpointID string
	Tags       []Tag
}

// Check holds the rules of §20.2 that need no knowledge of the network.
func (in VPCIngressConnectionInput) Check() error {
	var f faults
	checkName(&f, "vpcIngressConnectionName", in.Name, 40)
	checkTags(&f, in.Tags)
	checkIngressVPC(&f, in.VPCID, in.EndpointID)
	return f.err()
}

// CheckIngressVPC holds the form of an IngressVpcConfiguration.
func CheckIngressVPC(vpc, endpoint string) error {
	var f faults
	checkIngressVPC(&f, vpc, endpoint)
	return f.err()
}

func checkIngressVPC(f *faults, vpc, endpoint string) {
	if !vpcID.MatchString(vpc) {
		f.add("ingressVpcConfiguration.vpcId", "%q is not an id of the form vpc-<8 to 17 hex digits>", clip(vpc))
	}
	if !endpointID.MatchString(endpoint) {
		f.add("ingressVpcConfiguration.vpcEndpointId", "%q is not an id of the form vpce-<8 to 17 hex digits>", clip(endpoint))
	}
}
