package apprunner

import "time"

// Quota is a limit of an account in a region (§3).
type Quota struct {
	Code       string // as the Service Quotas API names it
	Name       string
	Default    int
	Adjustable bool
}

// The codes of the quotas. They are this product's own.
const (
	QuotaServices               = "L-5E7A0001"
	QuotaConnections            = "L-5E7A0002"
	QuotaAutoScalingNames       = "L-5E7A0003"
	QuotaAutoScalingRevisions   = "L-5E7A0004"
	QuotaObservabilityNames     = "L-5E7A0005"
	QuotaObservabilityRevisions = "L-5E7A0006"
	QuotaVPCConnectors          = "L-5E7A0007"
	QuotaVPCIngressPerService   = "L-5E7A0008"
	QuotaDomainsPerService      = "L-5E7A0009"
)

// Quotas lists every quota with the value it is shipped with (§3).
func Quotas() []Quota {
	return []Quota{
		{QuotaServices, "Services", 10, true},
		{QuotaConnections, "Connections", 10, true},
		{QuotaAutoScalingNames, "Auto scaling configurations", 10, true},
		{QuotaAutoScalingRevisions, "Revisions per auto scaling configuration", 10, false},
		{QuotaObservabilityNames, "Observability configurations", 10, true},
		{QuotaObservabilityRevisions, "Revisions per observability configuration", 10, false},
		{QuotaVPCConnectors, "VPC connectors", 10, true},
		{QuotaVPCIngressPerService, "VPC ingress connections per service", 1, false},
		{QuotaDomainsPerService, "Custom domains per service", 5, false},
	}
}

// QuotaValue is a quota with the value in force for an account and region.
type QuotaValue struct {
	Quota
	Value int
}

// QuotaRequest is a request to raise a quota. It is decided at once, so every one that is kept was approved.
type QuotaRequest struct {
	Scope
	ID        string
	Quota     Quota
	Desired   int
	Requester string // ARN of the caller
	CreatedAt time.Time
}
