package edge

import "time"

// allowance bounds how often a client may do something that costs us more than it: so many times at once, and a tenth of that every
// second from then on.
type allowance struct {
	most, left int
	at         time.Duration // when left was last refilled
}

func newAllowance(most int, now time.Duration) allowance { return allowance{most, most, now} }

// take uses up n; false when there is not enough.
func (a *allowance) take(n int, now time.Duration) bool {
	a.left -= n
	if a.left >= 0 {
		return true
	}
	earned := int(int64(a.most) * int64(now-a.at) / int64(10*time.Second))
	if earned > 0 {
		a.left, a.at = min(a.most, a.left+n+earned)-n, now
	}
	return a.left >= 0
}

// earn gives n back for something useful.
func (a *allowance) earn(n int) { a.left = min(a.most, a.left+n) }

// pastStreams remembers the last streams that ended, for frames that were on the way.
type pastStreams struct {
	ids  [128]uint32
	ours [128]bool // we ended it before the client had
	next int
}

func (p *pastStreams) add(id uint32, ours bool) {
	p.ids[p.next], p.ours[p.next] = id, ours
	p.next = (p.next + 1) % len(p.ids)
}

// find tells whether a stream ended lately, and whether we ended it.
func (p *pastStreams) find(id uint32) (known, ours bool) {
	for i, past := range p.ids {
		if past == id {
			return true, p.ours[i]
		}
	}
	return false, false
}
