package logfile

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway.dev/slipway/internal/instance"
)

func readAll(t *testing.T, dir string, at instance.Cursor) ([]instance.LogRecord, instance.Cursor) {
	t.Helper()
	var all []instance.LogRecord
	for {
		records, next, err := Read(dir, at)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			return all, at
		}
		all, at = append(all, records...), next
	}
}

func open(t *testing.T, limit int64) (*Writer, string) {
	t.Helper()
	dir := t.TempDir()
	w, err := NewWriter(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, dir
}

func TestReaderFollowsWriterOverSegments(t *testing.T) {
	w, dir := open(t, 100<<20)
	now := time.Now()
	line := bytes.Repeat([]byte("x"), 10_000)
	var read int
	var at instance.Cursor
	for n := range 1000 { // ten segments
		w.Write(now, instance.StreamStderr, fmt.Appendf(line[:len(line):len(line)], "%d", n), n%2 == 0)
		if n%37 == 0 || n == 999 {
			var records []instance.LogRecord
			records, at = readAll(t, dir, at)
			for _, r := range records {
				if want := fmt.Sprintf("%s%d", line, read); r.Line != want || r.Stream != instance.StreamStderr || r.Partial != (read%2 == 0) || !r.Time.Equal(now.Truncate(time.Microsecond)) {
					t.Fatalf("record %d is %.20s… %v %v %v", read, r.Line, r.Stream, r.Partial, r.Time)
				}
				read++
			}
			if err := Trim(dir, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if read != 1000 {
		t.Errorf("read %d records", read)
	}
	if left, _ := segments(dir); len(left) != 1 {
		t.Errorf("after trimming there are segments %v", left)
	}
}

func TestUncollectedLogStaysBoundedAndSaysSo(t *testing.T) {
	w, dir := open(t, 4*SegmentBytes)
	line := bytes.Repeat([]byte("y"), 1000)
	for range 10_000 {
		w.Write(time.Now(), instance.StreamStdout, line, false)
	}
	var size int64
	numbers, _ := segments(dir)
	for _, n := range numbers {
		info, err := os.Stat(segmentPath(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 4*SegmentBytes+SegmentBytes/2 {
		t.Errorf("the log takes %d bytes", size)
	}
	all, _ := readAll(t, dir, instance.Cursor{})
	lines, dropped := 0, 0
	for _, r := range all {
		if r.Stream != instance.StreamSystem {
			lines++
			continue
		}
		var n int
		if _, err := fmt.Sscanf(r.Line, "%d log lines in all were dropped", &n); err != nil {
			t.Errorf("remark %q", r.Line)
		}
		dropped = n
	}
	// Remarks in a dropped segment count as lines of it.
	if lines+dropped < 10_000 || lines+dropped > 10_020 {
		t.Errorf("%d lines and %d dropped do not make 10000", lines, dropped)
	}
}

func TestTornRecordHidesNothingAfterIt(t *testing.T) {
	w, dir := open(t, 1<<30)
	w.Write(time.Now(), instance.StreamStdout, []byte("whole"), false)
	f, err := os.OpenFile(segmentPath(dir, 1), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	record := appendRecord(nil, time.Now(), instance.StreamStdout, []byte("torn by a killed writer"), false)
	f.Write(record[:len(record)-3])
	f.Close()
	if all, _ := readAll(t, dir, instance.Cursor{}); len(all) != 1 {
		t.Errorf("read %v", all)
	}
	next, err := NewWriter(dir, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	next.Write(time.Now(), instance.StreamStdout, []byte("later"), false)
	all, at := readAll(t, dir, instance.Cursor{})
	if len(all) != 2 || all[1].Line != "later" {
		t.Errorf("read %v", all)
	}
	if end, err := AtEnd(dir, at); err != nil || !end {
		t.Errorf("at end: %v, %v", end, err)
	}
}

func TestUnterminatedLineIsWrittenAfterAMoment(t *testing.T) {
	w, dir := open(t, 1<<20)
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := copying(t, w, &Source{Pipe: r, Stream: instance.StreamStdout})
	fmt.Fprint(pipe, "first\nPassword: ")
	deadline := time.Now().Add(10 * time.Second)
	for {
		if all, _ := readAll(t, dir, instance.Cursor{}); len(all) == 2 {
			if all[1].Line != "Password: " || !all[1].Partial {
				t.Errorf("read %+v", all[1])
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the prompt does not appear")
		}
		<-time.After(5 * time.Millisecond)
	}
	fmt.Fprint(pipe, "rest\n")
	pipe.Close()
	<-done
	if all, _ := readAll(t, dir, instance.Cursor{}); len(all) != 3 || all[2].Line != "rest" || all[2].Partial {
		t.Errorf("read %+v", all)
	}
}

// copying copies until the pipes are at their end, and closes done then.
func copying(t *testing.T, w *Writer, sources ...*Source) (done <-chan struct{}) {
	t.Helper()
	c, err := NewCopier(w, sources...)
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	go func() { c.Run(); close(end) }()
	return end
}

// TestOrderOfStreams: lines of both streams that were written while nobody read keep their order.
func TestOrderOfStreams(t *testing.T) {
	for _, first := range []instance.Stream{instance.StreamStdout, instance.StreamStderr} {
		w, dir := open(t, 1<<30)
		out, toOut, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		faults, toFaults, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		one, two, second := toOut, toFaults, instance.StreamStderr
		if first == instance.StreamStderr {
			one, two, second = toFaults, toOut, instance.StreamStdout
		}
		c, err := NewCopier(w, &Source{Pipe: out, Stream: instance.StreamStdout}, &Source{Pipe: faults, Stream: instance.StreamStderr})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(one, strings.Repeat("starting\n", 2000))
		fmt.Fprint(two, "it failed\n")
		one.Close()
		two.Close()
		c.Run()
		all, _ := readAll(t, dir, instance.Cursor{})
		if len(all) != 2001 || all[0].Stream != first || all[2000].Stream != second || all[2000].Line != "it failed" {
			t.Errorf("%s first: %d lines, the last one %+v", first, len(all), all[len(all)-1])
		}
	}
}

func TestLinesAreSplit(t *testing.T) {
	w, dir := open(t, 1<<30)
	long := strings.Repeat("z", 2*maxLine+5)
	var rest []byte
	for chunk := range slices.Chunk([]byte("a\r\n\n"+long+"\nend"), 7000) {
		rest = w.lineUp(time.Now(), instance.StreamStdout, rest, chunk)
	}
	all, _ := readAll(t, dir, instance.Cursor{})
	var lengths []int
	for _, r := range all {
		lengths = append(lengths, len(r.Line))
	}
	if !slices.Equal(lengths, []int{1, 0, maxLine, maxLine, 5}) || string(rest) != "end" {
		t.Errorf("lengths %v, rest %q", lengths, rest)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(appendRecord(nil, time.Now(), instance.StreamStdout, []byte("line"), true))
	f.Add(make([]byte, headerBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := parseRecord(b)
		if err != nil {
			return
		}
		again := appendRecord(nil, r.Time, r.Stream, []byte(r.Line), r.Partial)
		if n != len(again) || n > len(b) {
			t.Errorf("%d bytes of %d, written again %d", n, len(b), len(again))
		}
	})
}
