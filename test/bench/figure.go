package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// figure is one line of the result. Without a peer the last two members are empty.
type figure struct {
	name  string
	value float64
	unit  string
	peer  string
	other float64 // the peer's value
}

// String is the line, in the form that design and scripts rely on.
func (f figure) String() string {
	line := fmt.Sprintf("figure %s %s %s", f.name, number(f.value), f.unit)
	if f.peer != "" {
		line += fmt.Sprintf(" peer %s %s ratio %.2f", f.peer, number(f.other), f.value/f.other)
	}
	return line
}

// number writes three digits that count, never with an exponent.
func number(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func (b *bench) print(f figure) { fmt.Fprintln(b.out, f) }

func (b *bench) note(format string, args ...any) {
	fmt.Fprintf(b.notes, "bench: "+format+"\n", args...)
}

// milliseconds prints the median of durations less what is not Slipway's, and notes the durations.
func (b *bench) milliseconds(name string, rounds []time.Duration, less time.Duration) {
	b.note("%s: %v less %v", name, rounds, less.Round(time.Microsecond))
	b.print(figure{name: name, value: ms(max(median(rounds)-less, time.Microsecond)), unit: "ms"})
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// median is the middle value, the lower one of two; zero of none.
func median[T ~int64 | ~float64](list []T) T {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[(len(sorted)-1)/2]
}
