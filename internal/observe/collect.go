package observe

import (
	"cmp"
	"context"
	"math"
	"slices"
)

const (
	maxPageEvents = 10000
	maxPageBytes  = 1 << 20
	scanBudget    = 64 << 20 // uncompressed bytes a page may look through before it is handed out unfilled
)

// view is a stream as a reader sees it at one moment: the events in memory, and those in segments up to flushedSeq.
type view struct {
	id         int64
	name       string
	memory     []entry
	flushedSeq int64
}

// views takes what memory holds of the streams in a group that keep says yes to.
func (l *Logs) views(gk groupKey, keep func(name string) bool) map[string]view {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]view{}
	if a := l.groups[gk]; a != nil {
		for st := range a.streams {
			if keep(st.def.key.name) {
				out[st.def.key.name] = st.view()
			}
		}
	}
	return out
}

// view is only used under the mutex. The slices it returns are never written again, only appended behind.
func (st *stream) view() view {
	v := view{id: st.def.id, name: st.def.key.name, memory: st.buf[:len(st.buf):len(st.buf)], flushedSeq: st.stats.flushedSeq}
	if len(st.flushing) > 0 {
		v.memory = slices.Concat(st.flushing, st.buf)
	}
	return v
}

// hit is an event found.
type hit struct {
	entry
	view *view
}

// search says which events are wanted, and from where in which direction.
type search struct {
	start, end int64     // microseconds; start is wanted, end is not
	from       *position // nil: from the start, or backward from the end
	backward   bool
	match      func(message string) bool // nil: all
	limit      int
}

// wants tells whether e lies in the range and on the right side of the position.
func (s search) wants(e entry) bool {
	if e.ts < s.start || e.ts >= s.end {
		return false
	}
	if s.from == nil {
		return true
	}
	if s.backward {
		return s.from.compare(e) > 0
	}
	return s.from.compare(e) < 0
}

// order is the order of reading.
func (s search) order(a, b entry) int {
	if s.backward {
		return compareEntries(b, a)
	}
	return compareEntries(a, b)
}

// page is what collect found, in the order of reading.
type page struct {
	hits []hit
	more bool     // there may be more behind
	next position // where to go on when more
}

// chunk is a run of events to look through: a frame, or what memory holds of a stream.
type chunk struct {
	view         *view
	frame        *frame // nil: memory
	minTS, maxTS int64
	bytes        int
}

// collect finds the first events of a search. It looks through the chunks in the order of reading and stops as soon as no further
// chunk can hold an earlier event than those it keeps, so a page costs about what it returns.
func (l *Logs) collect(ctx context.Context, views []view, s search) (page, error) {
	chunks, err := l.chunks(views, s)
	if err != nil {
		return page{}, err
	}
	k := keeper{search: s}
	budget := scanBudget
	for _, c := range chunks {
		edge := entry{ts: c.minTS}
		if s.backward {
			edge = entry{ts: c.maxTS, seq: math.MaxInt64}
		}
		if k.bounded && s.order(edge, k.bound) > 0 {
			k.cut = true
			break
		}
		if budget <= 0 && (s.from == nil || s.order(edge, entry{ts: s.from.ts, seq: s.from.seq}) > 0) && s.advances(edge) {
			return k.upTo(edge), nil
		}
		if err := ctx.Err(); err != nil {
			return page{}, err
		}
		budget -= c.bytes
		if err := l.look(c, &k); err != nil {
			return page{}, err
		}
	}
	return k.page(), nil
}

// advances tells whether stopping at an edge leaves the reader farther than where it began.
func (s search) advances(edge entry) bool {
	if s.backward {
		return edge.ts < s.end-1
	}
	return edge.ts > s.start
}

// chunks lists what overlaps the search, in the order of reading.
func (l *Logs) chunks(views []view, s search) ([]chunk, error) {
	lo, hi := s.start, s.end-1
	if s.from != nil && s.backward {
		hi = min(hi, s.from.ts)
	} else if s.from != nil {
		lo = max(lo, s.from.ts)
	}
	var all []chunk
	add := func(c chunk) {
		if c.maxTS >= lo && c.minTS <= hi {
			c.minTS, c.maxTS = max(c.minTS, lo), min(c.maxTS, hi)
			all = append(all, c)
		}
	}
	for i := range views {
		v := &views[i]
		frames, err := l.segs.frames(v.id)
		if err != nil {
			return nil, err
		}
		for j := range frames {
			if f := &frames[j]; f.lastSeq <= v.flushedSeq {
				add(chunk{view: v, frame: f, minTS: f.minTS, maxTS: f.maxTS, bytes: int(f.raw)})
			}
		}
		if len(v.memory) > 0 {
			c := chunk{view: v, minTS: math.MaxInt64, maxTS: math.MinInt64}
			for _, e := range v.memory {
				c.minTS, c.maxTS, c.bytes = min(c.minTS, e.ts), max(c.maxTS, e.ts), c.bytes+len(e.msg)
			}
			add(c)
		}
	}
	slices.SortStableFunc(all, func(a, b chunk) int {
		if s.backward {
			return cmp.Compare(b.maxTS, a.maxTS)
		}
		return cmp.Compare(a.minTS, b.minTS)
	})
	return all, nil
}

// look offers the events of a chunk to the keeper. A damaged frame is passed over: the rest of the log stays readable.
func (l *Logs) look(c chunk, k *keeper) error {
	entries := c.view.memory
	if c.frame != nil {
		var err error
		if entries, err = l.segs.load(*c.frame); err != nil {
			l.log.Error("a part of a log stream cannot be read", "stream", c.view.name, "error", err)
			return nil
		}
	}
	for _, e := range entries {
		k.offer(hit{e, c.view})
	}
	return nil
}

// keeper keeps the first events of a search, in the order of reading, up to a number and a size.
type keeper struct {
	search
	hits    []hit
	bytes   int
	bounded bool
	bound   entry // nothing behind it is needed
	cut     bool  // something was left out
}

func (k *keeper) offer(h hit) {
	if !k.wants(h.entry) {
		return
	}
	if k.bounded && k.order(h.entry, k.bound) > 0 {
		if !k.cut && (k.match == nil || k.match(h.msg)) {
			k.cut = true
		}
		return
	}
	if k.match != nil && !k.match(h.msg) {
		return
	}
	k.hits = append(k.hits, h)
	if k.bytes += h.bytes(); len(k.hits) >= 2*k.limit || k.bytes >= 4*maxPageBytes {
		k.trim()
	}
}

// trim drops what lies beyond the page's number and size. One event always stays.
func (k *keeper) trim() {
	slices.SortFunc(k.hits, func(a, b hit) int { return k.order(a.entry, b.entry) })
	n, bytes := 0, 0
	for n < len(k.hits) && n < k.limit {
		if bytes+k.hits[n].bytes() > maxPageBytes && n > 0 {
			break
		}
		bytes += k.hits[n].bytes()
		n++
	}
	if n < len(k.hits) {
		k.cut = true
		clear(k.hits[n:])
		k.hits, k.bounded, k.bound = k.hits[:n], true, k.hits[n-1].entry
	} else if n == k.limit {
		k.bounded, k.bound = true, k.hits[n-1].entry
	}
	k.bytes = bytes
}

func (k *keeper) page() page {
	k.trim()
	p := page{hits: k.hits, more: k.cut}
	if n := len(k.hits); n > 0 {
		p.next = position{k.hits[n-1].ts, k.hits[n-1].seq}
	}
	return p
}

// upTo is the page of a search that was stopped at an edge: only what lies before the edge is certain to be complete.
func (k *keeper) upTo(edge entry) page {
	k.trim()
	if k.bounded && k.order(k.bound, edge) < 0 {
		return k.page()
	}
	n := 0
	for n < len(k.hits) && k.order(k.hits[n].entry, edge) < 0 {
		n++
	}
	return page{hits: k.hits[:n], more: true, next: position{edge.ts, edge.seq}}
}
