package observe

import (
	"errors"
)

// errForgotten is what an append meets whose stream was deleted after it was looked up.
var errForgotten = errors.New("the stream was deleted")

// commit is one thing for the committer to do: store entries in a stream, forget streams, or run a function between writes.
type commit struct {
	stream  *stream
	entries []entry
	forget  []*stream
	between func() error
	done    chan error
}

// store hands entries to the committer and waits until they are on disk.
func (l *Logs) store(st *stream, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	return l.submit(&commit{stream: st, entries: entries})
}

func (l *Logs) submit(c *commit) error {
	c.done = make(chan error, 1)
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return errClosed
	case c.entries != nil && c.stream.deleted:
		l.mu.Unlock()
		return errForgotten
	}
	for _, st := range c.forget {
		st.deleted = true
	}
	l.queue = append(l.queue, c)
	l.mu.Unlock()
	poke(l.work)
	return <-c.done
}

// commitLoop writes everything that has queued up while the last write was under way with one write and one sync.
func (l *Logs) commitLoop() {
	defer close(l.stopped)
	var buf []byte
	for range l.work {
		l.mu.Lock()
		queue, closed := l.queue, l.closed
		l.queue = nil
		l.mu.Unlock()
		for len(queue) > 0 {
			var batch []*commit
			batch, queue = nextBatch(queue)
			buf = l.commit(batch, buf[:0])
		}
		if cap(buf) > checkpointBytes {
			buf = nil
		}
		if closed {
			_, err := l.wal.rotate()
			if err != nil {
				l.log.Error("close the log file", "error", err)
			}
			return
		}
	}
}

// nextBatch takes what can be written together: everything up to a function that wants to run between writes.
func nextBatch(queue []*commit) (batch, rest []*commit) {
	for i, c := range queue {
		if c.between == nil {
			continue
		}
		if i == 0 {
			return queue[:1], queue[1:]
		}
		return queue[:i], queue[i:]
	}
	return queue, nil
}

func (l *Logs) commit(batch []*commit, buf []byte) []byte {
	if batch[0].between != nil {
		batch[0].done <- batch[0].between()
		return buf
	}
	if l.wal.file == nil { // so that definitions are written for the file the events go to
		if err := l.wal.begin(); err != nil {
			l.finish(batch, err)
			return buf
		}
	}
	for _, c := range batch {
		buf = l.encode(buf, c)
	}
	err := l.wal.write(buf)
	if err == nil {
		l.apply(batch)
	}
	l.finish(batch, err)
	return buf
}

func (l *Logs) finish(batch []*commit, err error) {
	for _, c := range batch {
		c.done <- err
	}
}

// encode appends the records of c to buf and gives its entries their places in the order of ingestion.
func (l *Logs) encode(buf []byte, c *commit) []byte {
	for _, st := range c.forget {
		buf = appendForget(buf, st.def.id)
	}
	if len(c.entries) == 0 {
		return buf
	}
	st := c.stream
	if st.definedIn != l.wal.number {
		buf = appendDefinition(buf, st.def)
		st.definedIn = l.wal.number
	}
	seq := max(l.lastSeq+1, l.now().UnixMicro())
	first, size := 0, 0
	for i := range c.entries {
		c.entries[i].seq = seq + int64(i)
		size += c.entries[i].bytes()
		if size >= maxEventsRecord || i == len(c.entries)-1 {
			buf = appendEvents(buf, st.def.id, c.entries[first:i+1])
			first, size = i+1, 0
		}
	}
	l.lastSeq = seq + int64(len(c.entries)) - 1
	return buf
}

// apply makes written events visible and wakes those who follow.
func (l *Logs) apply(batch []*commit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range batch {
		if len(c.entries) > 0 {
			l.unflushed += c.stream.add(c.entries)
		}
	}
	close(l.appended)
	l.appended = make(chan struct{})
}
