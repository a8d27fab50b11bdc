package domain

import (
	"fmt"
	"time"

	"slipway.dev/slipway/internal/apprunner"
)

// chores is what the records need, apart from the work on names that takes its time.
type chores struct {
	put      []Certificate
	expiries map[string]Expiry // told together with the record of the same ARN
	forget   []string          // ARNs
	failed   []apprunner.CustomDomain
	news     []news
}

// news is a line for the owner of a service.
type news struct {
	serviceARN string
	text       string
	bad        bool
}

func (c chores) none() bool { return len(c.put)+len(c.forget)+len(c.failed) == 0 }

// choresOf decides over all records: each association has a certificate, one whose domain was unlinked is kept for a while (§16.6), the
// ends of certificates are announced and noted.
func choresOf(domains []apprunner.CustomDomain, all []Certificate, now time.Time, keep time.Duration) chores {
	out := chores{expiries: map[string]Expiry{}}
	linked, held := map[string]apprunner.CustomDomain{}, hold(all, now)
	users := held.users(domains)
	for _, d := range domains {
		linked[d.CertificateARN] = d
	}
	for _, c := range all {
		if c.Standing {
			continue
		}
		if _, is := linked[c.ARN]; !is && !c.Imported {
			out.letGo(c, now, keep)
			continue
		}
		out.watch(c, users[c.ARN], now)
	}
	for _, d := range domains {
		if held.byARN[d.CertificateARN].ARN == "" {
			out.put = append(out.put, newCertificate(d))
		}
		if _, served := held.chosen(d); d.Status == apprunner.DomainActive && !served {
			d.Status = apprunner.DomainCreateFailed
			out.failed = append(out.failed, d)
			out.say(d.ServiceARN, true, "Custom domain %s is not served any more: its certificate has expired. Disassociate the domain and associate it again.", d.Name)
		}
	}
	return out
}

func newCertificate(d apprunner.CustomDomain) Certificate {
	return Certificate{
		ARN: d.CertificateARN, Scope: scopeOf(d.ServiceARN), Hosts: d.Hosts(), Records: d.Records, Status: CertificatePending,
		CreatedAt: d.CreatedAt, ServiceARN: d.ServiceARN,
	}
}

// letGo treats the certificate of a domain that is unlinked. One that never was issued goes at once.
func (out *chores) letGo(c Certificate, now time.Time, keep time.Duration) {
	if c.IssuedAt.IsZero() || !c.ReleasedAt.IsZero() && !now.Before(c.ReleasedAt.Add(keep)) {
		out.forget = append(out.forget, c.ARN)
		return
	}
	released := c.ReleasedAt.IsZero()
	if released {
		c.ReleasedAt = now
	}
	if out.announce(&c, false, now) || released {
		out.put = append(out.put, c)
	}
}

// nextEnd is when the first of the certificates of unlinked domains goes; zero while there is none.
func nextEnd(all []Certificate, keep time.Duration) (next time.Time) {
	for _, c := range all {
		if end := c.ReleasedAt.Add(keep); !c.ReleasedAt.IsZero() && (next.IsZero() || end.Before(next)) {
			next = end
		}
	}
	return next
}

// warnAt are the days before the end of a certificate at which its users are told, when it has not been replaced by then.
var warnAt = []int{1, 3, 7, 14, 30}

// watch notes the end of a certificate, tells of it every day before, and warns those who are served with it.
func (out *chores) watch(c Certificate, users []string, now time.Time) {
	told := out.announce(&c, len(users) > 0, now)
	if out.warn(&c, users, now) || told {
		out.put = append(out.put, c)
	}
}

// warn tells the users of a certificate that it ends. Certificates made here are replaced long before; a warning about one means that this
// failed.
func (out *chores) warn(c *Certificate, users []string, now time.Time) bool {
	if c.Status != CertificateIssued || !c.Imported && now.Before(RenewAt(c.NotBefore, c.NotAfter)) {
		return false
	}
	left := int(c.NotAfter.Sub(now) / (24 * time.Hour))
	for _, days := range warnAt {
		if left >= days {
			continue
		}
		if c.Warned != 0 && c.Warned <= days {
			return false
		}
		c.Warned = days
		for _, u := range users {
			out.say(u, true, "The certificate of %s expires in less than %s, on %s%s", c.Hosts[0], dayCount(days), c.NotAfter.UTC().Format("2006-01-02 15:04 MST"), because(*c))
		}
		return true
	}
	return false
}

func dayCount(days int) string {
	if days == 1 {
		return "a day"
	}
	return fmt.Sprintf("%d days", days)
}

func because(c Certificate) string {
	switch {
	case c.Imported:
		return ". Import a new one in its place."
	case c.Reason != "":
		return ", and could not be renewed: " + c.Reason
	}
	return "."
}

func (out *chores) say(serviceARN string, bad bool, format string, args ...any) {
	out.news = append(out.news, news{serviceARN, fmt.Sprintf(format, args...), bad})
}

// scopeOf is where a service is; the zero scope for what is no ARN.
func scopeOf(serviceARN string) apprunner.Scope {
	a, err := apprunner.ParseARN(serviceARN)
	if err != nil {
		return apprunner.Scope{}
	}
	return a.Scope
}

// checkEvery is how often the DNS of a domain is asked for its records: its owner waits at first, and may take days (§16.3).
func checkEvery(age time.Duration) time.Duration {
	switch {
	case age < 2*time.Minute:
		return time.Second
	case age < 15*time.Minute:
		return 10 * time.Second
	case age < 2*time.Hour:
		return time.Minute
	default:
		return 5 * time.Minute
	}
}

// The pauses after failures to get a certificate.
const (
	firstPause  = 10 * time.Second
	longestWait = 6 * time.Hour
)

// backOff is the pause after so many failures in a row, from 1: each three times the one before. Issuers count failures and shut those
// out who go on asking.
func backOff(failures int) time.Duration {
	wait := firstPause
	for ; failures > 1 && wait < longestWait; failures-- {
		wait *= 3
	}
	return min(wait, longestWait)
}
