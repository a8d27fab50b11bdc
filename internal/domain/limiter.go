package domain

import (
	"net/netip"
	"sync"
	"time"
)

// verdict is what becomes of a query over UDP.
type verdict int

const (
	answerIt   verdict = iota
	truncateIt         // an empty answer that sends real clients to TCP, and is no larger than the question
	dropIt
)

const (
	defaultRate  = 200     // answers a second for one network; a busy resolver asks far less for names that it keeps for a minute
	maxNetworks  = 1 << 14 // watched at a time; what is beyond shares one count
	slipEvery    = 2       // of those above the rate, every second one is truncated, the other dropped
	networkBits4 = 24
	networkBits6 = 56
)

// limiter bounds the answers to one network, because the sender of a UDP packet may be forged and the answer hit somebody else.
type limiter struct {
	rate int

	mu     sync.Mutex
	second int64
	counts map[netip.Prefix]int
}

func (l *limiter) judge(client netip.Addr, now time.Time) verdict {
	bits := networkBits6
	if client = client.Unmap(); client.Is4() {
		bits = networkBits4
	}
	network, err := client.WithZone("").Prefix(bits)
	if err != nil {
		return dropIt
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := now.Unix(); s != l.second || l.counts == nil {
		l.second, l.counts = s, map[netip.Prefix]int{}
	}
	if _, known := l.counts[network]; !known && len(l.counts) >= maxNetworks {
		network = netip.Prefix{}
	}
	l.counts[network]++
	switch over := l.counts[network] - l.rate; {
	case over <= 0:
		return answerIt
	case over%slipEvery == 1:
		return truncateIt
	default:
		return dropIt
	}
}
