package observe_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"slipway.dev/slipway/internal/observe"
)

// line is a typical line of an application's log.
const line = `{"level":"info","ts":"2026-03-01T12:00:00.123Z","msg":"request handled","method":"GET","path":"/api/users/42","status":200,"ms":3.4}`

func BenchmarkAppendOneLine(b *testing.B) {
	for _, streams := range []int{1, 100, 10000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			r := open(b)
			var n atomic.Int64
			b.SetParallelism(64)
			b.SetBytes(int64(len(line)))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					r.append("g", fmt.Sprint("instance/", i%int64(streams)), observe.Event{Time: t0.Add(time.Duration(i)), Message: line})
				}
			})
		})
	}
}

func BenchmarkAppendBatch(b *testing.B) {
	r := open(b)
	batch := make([]observe.Event, 1000)
	for i := range batch {
		batch[i] = observe.Event{Time: t0, Message: line}
	}
	b.SetBytes(int64(len(batch) * len(line)))
	for b.Loop() {
		r.append("g", "s", batch...)
	}
}

func BenchmarkGetNewestOfLongStream(b *testing.B) {
	r := open(b)
	batch := make([]observe.Event, 1000)
	for i := range 300 {
		for j := range batch {
			batch[j] = observe.Event{Time: t0.Add(time.Duration(i*1000+j) * time.Millisecond), Message: line}
		}
		r.append("g", "s", batch...)
	}
	if err := r.Checkpoint(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if p := r.get(observe.GetQuery{Group: "g", Stream: "s", Limit: 100}); len(p.Events) != 100 {
			b.Fatal(len(p.Events))
		}
	}
}
