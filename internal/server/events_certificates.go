package server

import (
	"time"

	"slipway.dev/slipway/internal/domain"
	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// announceExpiry puts the event about the end of a certificate on the bus.
func announceExpiry(tx *store.Tx, e domain.Expiry) error {
	return observe.EmitEvent(tx, expiryEvent(e))
}

// expiryEvent is the event about the end of a certificate, as ACM sends it ("Amazon EventBridge support for ACM").
func expiryEvent(e domain.Expiry) observe.BusEvent {
	c := e.Certificate
	out := observe.BusEvent{
		Scope: c.Scope, Time: e.At, Source: "aws.acm", DetailType: "ACM Certificate Approaching Expiration", Resources: []string{c.ARN},
		Detail: map[string]any{"DaysToExpiry": e.Days, "CommonName": c.Hosts[0]},
	}
	if e.Days > 0 {
		return out
	}
	kind := "AMAZON_ISSUED"
	if c.Imported {
		kind = "IMPORTED"
	}
	out.DetailType = "ACM Certificate Expired"
	out.Detail = map[string]any{
		"CertificateType": kind, "CommonName": c.Hosts[0], "DomainValidationMethod": "DNS", "InUse": e.InUse, "Exported": false,
		"CertificateCreatedDate": c.CreatedAt.UTC().Format(time.RFC3339), "CertificateExpirationDate": c.NotAfter.UTC().Format(time.RFC3339),
	}
	return out
}
