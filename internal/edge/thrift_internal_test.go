package edge

import (
	"runtime"
	"testing"
	"time"
)

func TestThriftGivesBackOnceAfterWork(t *testing.T) {
	const mb = 1 << 20
	var th thrift
	for i, look := range []struct {
		allocated uint64
		due       bool
	}{
		{8 * mb, false},                 // busy
		{16 * mb, false},                // still
		{16*mb + 1000, true},            // quiet
		{16*mb + 2000, false},           // nothing new
		{16*mb + 2000 + 2*mb, false},    // busy again
		{16*mb + 3000 + 2*mb, true},     // quiet again
		{16*mb + 103000 + 2*mb, false},  // a trickle
		{17*mb + 1003000 + 2*mb, false}, // a burst below what is worth it
		{17*mb + 1003000 + 2*mb, false},
	} {
		if due := th.due(look.allocated); due != look.due {
			t.Errorf("look %d: %v", i, due)
		}
	}
}

// sink keeps what is allocated from being optimised away.
var sink []byte

func TestThriftCollects(t *testing.T) {
	sink = make([]byte, 4<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var th thrift
	th.look(time.Second) // is busy
	th.look(time.Second + thriftEvery/2)
	if th.given != 0 {
		t.Error("looked too early")
	}
	sink = nil
	patience := time.After(30 * time.Second)
	for now := time.Second + thriftEvery; after.NumForcedGC <= before.NumForcedGC; now += thriftEvery {
		th.look(now)
		select {
		case <-time.After(time.Millisecond):
		case <-patience:
			t.Fatal("no collection")
		}
		runtime.ReadMemStats(&after)
	}
}
