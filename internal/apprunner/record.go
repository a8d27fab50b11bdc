package apprunner

import (
	"cmp"
	"time"
)

// Record is what all resources beside services have in common: connections, auto scaling and observability configurations, VPC
// connectors and VPC ingress connections.
type Record struct {
	ARN       string // full
	Live      bool   // not deleted: it holds its name, is listed and counts towards quotas
	CreatedAt time.Time
	DeletedAt time.Time // zero while live
}

// Place is where an item stands in a listing: newest first, then by name. The zero Place stands before everything.
type Place struct {
	At   int64 // microseconds since the epoch
	Name string
}

// PlaceOf is the place of something made at that time.
func PlaceOf(at time.Time, name string) Place { return Place{At: at.UnixMicro(), Name: name} }

// Compare orders places as listings show them: negative when p comes before q.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(q.At, p.At), cmp.Compare(p.Name, q.Name))
}

// ServiceSummary is a service as ListServices shows it (§4).
type ServiceSummary struct {
	ARN       string
	ID        string
	Name      string
	URL       string
	Status    ServiceStatus
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Place is where the service stands in a listing.
func (s ServiceSummary) Place() Place { return PlaceOf(s.CreatedAt, s.ARN) }
