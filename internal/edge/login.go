package edge

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	// maxCredential is the longest Authorization value that is looked at.
	maxCredential = 1 << 10
	// maxKnown bounds the credentials remembered as right; each of them cost a bcrypt, so that only who knows a password adds one.
	maxKnown = 1 << 10
	// maxJudging bounds the requests that wait for their password to be held against a hash.
	maxJudging = 64
)

var (
	failLogin = &failure{
		status: 401, code: "Unauthorized", cause: "this service asks for a user name and a password",
		header: [][2]string{{"WWW-Authenticate", `Basic realm="service", charset="UTF-8"`}},
	}
	failCrowd = &failure{
		status: 429, code: "TooManyRequests", cause: "too many passwords are being checked for this service; try again",
		header: [][2]string{{"Retry-After", "1"}},
	}
	failTries = &failure{
		status: 429, code: "TooManyRequests", cause: "too many wrong passwords from your address; try again in a minute",
		header: [][2]string{{"Retry-After", "60"}},
	}
)

// logins are the users that a service lets in (RFC 7617). A password is held against its bcrypt hash once; from then on a keyed hash
// of the whole credential is looked up, so that a request costs a microsecond. Passwords are never kept.
type logins struct {
	pairs []string // "user:hash", as configured
	key   [sha256.Size]byte
	match func(hash, password []byte) error

	mu    sync.Mutex
	known map[[sha256.Size]byte]struct{}
	tries tries

	judging sync.Mutex // one bcrypt at a time: guessing costs the service time, not the machine
	waiting atomic.Int32
}

func newLogins(pairs []string) *logins {
	l := &logins{pairs: pairs, known: map[[sha256.Size]byte]struct{}{}, match: bcrypt.CompareHashAndPassword}
	rand.Read(l.key[:]) // never fails
	return l
}

// admit tells why a request with this Authorization value does not pass.
func (l *logins) admit(from netip.Addr, authorization string, now time.Duration) *failure {
	var space [maxCredential]byte
	credential, ok := basicCredential(space[:0], authorization)
	if !ok {
		return failLogin
	}
	sum := l.sum(credential)
	if l.knows(sum) {
		return nil
	}
	if l.tired(from, now) {
		return failTries
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > maxJudging {
		return failCrowd
	}
	return l.judge(credential, sum, from, now)
}

// judge holds a credential that is not known against the hashes.
func (l *logins) judge(credential []byte, sum [sha256.Size]byte, from netip.Addr, now time.Duration) *failure {
	l.judging.Lock()
	defer l.judging.Unlock()
	switch { // it may have changed while this request waited
	case l.knows(sum):
		return nil
	case l.tired(from, now):
		return failTries
	}
	if !l.right(credential) {
		l.failed(from, now)
		return failLogin
	}
	l.remember(sum)
	return nil
}

// basicCredential appends the "user:password" of an Authorization value to b.
func basicCredential(b []byte, authorization string) ([]byte, bool) {
	scheme, encoded, _ := strings.Cut(authorization, " ")
	encoded = strings.Trim(encoded, " ")
	if !strings.EqualFold(scheme, "basic") || encoded == "" || base64.StdEncoding.DecodedLen(len(encoded)) > maxCredential {
		return nil, false
	}
	b, err := base64.StdEncoding.AppendDecode(b, []byte(encoded))
	return b, err == nil
}

func (l *logins) sum(credential []byte) [sha256.Size]byte {
	var space [sha256.Size + maxCredential]byte
	return sha256.Sum256(append(append(space[:0], l.key[:]...), credential...))
}

func (l *logins) knows(sum [sha256.Size]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.known[sum]
	return known
}

func (l *logins) remember(sum [sha256.Size]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.known) >= maxKnown {
		clear(l.known)
	}
	l.known[sum] = struct{}{}
}

// right holds the credential against its user's hash. An unknown user costs as much as a known one, so that answers do not tell the
// names apart.
func (l *logins) right(credential []byte) bool {
	user, password, _ := strings.Cut(string(credential), ":")
	_, hash, _ := strings.Cut(l.pairs[0], ":")
	found := 0
	for _, pair := range l.pairs {
		name, h, _ := strings.Cut(pair, ":")
		if subtle.ConstantTimeCompare([]byte(name), []byte(user)) == 1 {
			hash, found = h, 1
		}
	}
	return l.match([]byte(hash), []byte(password)) == nil && found == 1
}

func (l *logins) tired(from netip.Addr, now time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries.over(from, now)
}

func (l *logins) failed(from netip.Addr, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries.count(from, now)
}

// The wrong passwords that one network may send: a burst, and one more every so often.
const (
	triesBurst = 10
	triesEvery = 6 * time.Second
	// maxTried bounds the networks remembered.
	maxTried = 4096
)

// tries counts wrong passwords by network: an IPv4 address, or the 64 bits that one IPv6 line gets. What is kept is the time at which
// all is forgiven.
type tries struct{ until map[netip.Addr]time.Duration }

// network is what one customer of a provider usually has.
func network(a netip.Addr) netip.Addr {
	if p, err := a.Prefix(64); err == nil && a.Is6() {
		return p.Addr()
	}
	return a
}

// over tells whether no more tries are allowed now.
func (t *tries) over(from netip.Addr, now time.Duration) bool {
	return t.until[network(from)]-now > (triesBurst-1)*triesEvery
}

// count notes a wrong password.
func (t *tries) count(from netip.Addr, now time.Duration) {
	if t.until == nil {
		t.until = map[netip.Addr]time.Duration{}
	}
	n := network(from)
	if _, there := t.until[n]; !there && len(t.until) >= maxTried {
		t.forget(now)
	}
	t.until[n] = max(t.until[n], now) + triesEvery
}

// forget drops who is forgiven, and one network at random when nobody is.
func (t *tries) forget(now time.Duration) {
	for n, until := range t.until {
		if until <= now {
			delete(t.until, n)
		}
	}
	for n := range t.until {
		if len(t.until) < maxTried {
			return
		}
		delete(t.until, n)
	}
}
