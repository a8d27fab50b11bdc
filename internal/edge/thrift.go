package edge

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// thrift gives memory back to the system that work has left behind: a table, a burst of requests. An edge with little to do begins no
// collection that would, for minutes.
type thrift struct {
	next   time.Duration // when to look again
	before uint64        // bytes allocated so far, at the last look
	given  uint64        // and when memory was last given back
}

const (
	thriftEvery = 5 * time.Second
	// quietBytes is the most an edge allocates between two looks that is believed to have nothing to do: what health checks take.
	quietBytes = 256 << 10
	// worthGiving is how many bytes must have been allocated for a collection to be worth its while.
	worthGiving = 2 << 20
)

// due decides from the bytes allocated so far whether to give memory back: there may be some, and nothing goes on.
func (t *thrift) due(allocated uint64) bool {
	quiet := allocated-t.before < quietBytes
	t.before = allocated
	if !quiet || allocated-t.given < worthGiving {
		return false
	}
	t.given = allocated
	return true
}

// look gives memory back when it is time to.
func (t *thrift) look(now time.Duration) {
	if now < t.next {
		return
	}
	t.next = now + thriftEvery
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	if sample[0].Value.Kind() == metrics.KindUint64 && t.due(sample[0].Value.Uint64()) {
		go debug.FreeOSMemory()
	}
}
