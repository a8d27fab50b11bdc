package domain

import "time"

// Expiry tells of a certificate that ends soon, or that has ended.
type Expiry struct {
	Certificate Certificate
	Days        int // until its end, from 45 down to 1: the day that began is one; 0: it has ended
	InUse       bool
	At          time.Time
}

// tellFrom is how many days before the end of a certificate its end begins to be told (ACM, "ACM Certificate Approaching Expiration").
const tellFrom = 45

// expiryDays tells how many days are left until the end of a certificate, and whether anybody has to be told: of one that nobody here
// replaces, and of one whose replacement does not come.
func expiryDays(c Certificate, now time.Time) (days int, matters bool) {
	const day = 24 * time.Hour
	days = int((c.NotAfter.Sub(now) + day - 1) / day)
	renewAt := RenewAt(c.NotBefore, c.NotAfter)
	if c.Reason == "" {
		renewAt = renewAt.Add(day) // it may be under way
	}
	return days, days <= tellFrom && (c.Imported || !c.ReleasedAt.IsZero() || !now.Before(renewAt))
}

// announce notes the end of a certificate, or that it comes nearer by a day, and has it told. It returns false when there is nothing new.
func (out *chores) announce(c *Certificate, inUse bool, now time.Time) bool {
	if c.Status != CertificateIssued {
		return false
	}
	days, matters := expiryDays(*c, now)
	switch {
	case !now.Before(c.NotAfter):
		c.Status, days = CertificateExpired, 0
	case !matters || c.DaysTold != 0 && days >= c.DaysTold:
		return false
	default:
		c.DaysTold = days
	}
	out.expiries[c.ARN] = Expiry{Certificate: *c, Days: days, InUse: inUse, At: now}
	return true
}
