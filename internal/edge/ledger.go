package edge

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// While two edges serve, as when one takes over from the other, an instance must not get its MaxConcurrency of requests from each. So each
// shows the other how many it has at every target, in memory that both have mapped: to show costs a store, to look costs a load, and
// neither waits for the other (ADR 8).
//
// The memory is a row of 64-bit words of this machine: the three below, and for each entry its key and its count. Only its owner writes
// it, and holds a lock on it for as long as it lives.

const (
	wordFormat  = iota
	wordChanges // how often an entry was made or struck out
	wordUsed    // how many entries there are, those struck out included

	ledgerHeader
)

const (
	ledgerFormat  = 0x534c5057_0001
	ledgerEntries = 1 << 16 // targets; memory is only taken for those there are
	ledgerBytes   = (ledgerHeader + 2*ledgerEntries) * 8
)

// ledger shows other edges what this one has in flight. It stays mapped for as long as the process lives: a request that ends late
// may still write.
type ledger struct {
	file  *os.File
	words []atomic.Uint64

	mu   sync.Mutex
	free []*entry // struck out
}

// entry is the count of one target.
type entry struct{ key, count *atomic.Uint64 }

// newLedger makes a ledger that nobody has seen yet.
func newLedger() (*ledger, error) {
	fd, err := unix.MemfdCreate("slipway-edge", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make shared memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), "shared memory of the edge")
	err = unix.Ftruncate(fd, ledgerBytes)
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	}
	var words []atomic.Uint64
	if err == nil {
		words, err = mapWords(fd, unix.PROT_READ|unix.PROT_WRITE)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make shared memory: %w", err), file.Close())
	}
	words[wordFormat].Store(ledgerFormat)
	return &ledger{file: file, words: words}, nil
}

func mapWords(fd, protection int) ([]atomic.Uint64, error) {
	b, err := unix.Mmap(fd, 0, ledgerBytes, protection, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(b))), ledgerBytes/8), nil
}

// path is where another process of the same user finds the ledger; empty when there is none.
func (l *ledger) path() string {
	if l == nil {
		return ""
	}
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), l.file.Fd())
}

// close tells other edges that nothing is in flight here any more. The mapping would hold the lock beyond the end of the file.
func (l *ledger) close() {
	if l != nil {
		_ = errors.Join(unix.Flock(int(l.file.Fd()), unix.LOCK_UN), l.file.Close()) // at the latest with the process
	}
}

// enter makes an entry for a target; nil when there is no place for one.
func (l *ledger) enter(b *backend) *entry {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var e *entry
	used := l.words[wordUsed].Load()
	switch n := len(l.free); {
	case n > 0:
		e, l.free = l.free[n-1], l.free[:n-1]
	case used < ledgerEntries:
		at := ledgerHeader + 2*used
		e = &entry{&l.words[at], &l.words[at+1]}
		l.words[wordUsed].Store(used + 1)
	default:
		return nil
	}
	e.key.Store(b.key())
	l.words[wordChanges].Add(1)
	return e
}

// strike takes an entry out again.
func (l *ledger) strike(e *entry) {
	if l == nil || e == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e.key.Store(0)
	e.count.Store(0)
	l.words[wordChanges].Add(1)
	l.free = append(l.free, e)
}

// key names a target in all ledgers; never 0.
func (b *backend) key() uint64 {
	h := fnv.New64a()
	h.Write([]byte(b.id + " " + b.address))
	return h.Sum64() | 1
}

// peerLedger is the ledger of another edge.
type peerLedger struct {
	file  *os.File
	words []atomic.Uint64
	seen  uint64                    // the changes when of was made
	of    map[uint64]*atomic.Uint64 // the counts by key
}

// openPeer maps the ledger of another edge.
func openPeer(path string) (*peerLedger, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("what the other edge has in flight: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.Size() != ledgerBytes {
		err = fmt.Errorf("it has %d bytes, not %d", info.Size(), ledgerBytes)
	}
	var words []atomic.Uint64
	if err == nil {
		words, err = mapWords(int(file.Fd()), unix.PROT_READ)
	}
	p := &peerLedger{file: file, words: words}
	if err == nil && words[wordFormat].Load() != ledgerFormat {
		err = errors.Join(errors.New("it is of another format"), p.unmap())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("what the other edge has in flight: %w", err), file.Close())
	}
	return p, nil
}

func (p *peerLedger) unmap() error {
	return unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p.words))), ledgerBytes))
}

// over tells whether the owner of the ledger has ended, however it did.
func (p *peerLedger) over() bool {
	return unix.Flock(int(p.file.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
}

// changed tells whether there are other entries than when they were read.
func (p *peerLedger) changed() bool { return p.of == nil || p.words[wordChanges].Load() != p.seen }

// read takes up the entries there are.
func (p *peerLedger) read() {
	p.seen, p.of = p.words[wordChanges].Load(), map[uint64]*atomic.Uint64{}
	for n := range min(p.words[wordUsed].Load(), ledgerEntries) {
		at := ledgerHeader + 2*n
		if key := p.words[at].Load(); key != 0 {
			p.of[key] = &p.words[at+1]
		}
	}
}

// peerEvery is how often requests in line are offered the places that another edge has given back.
const peerEvery = 5 * time.Millisecond

// meet has this edge count what another one has in flight with its own, for as long as that lives. gone is called when it has ended.
func (r *routing) meet(path string, gone func()) error {
	p, err := openPeer(path)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.peers = append(r.peers, p)
	r.compare()
	r.mu.Unlock()
	r.checks.Go(func() { r.follow(p, gone) })
	return nil
}

// follow watches another edge until it has ended.
func (r *routing) follow(p *peerLedger, gone func()) {
	tick := time.NewTicker(peerEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.base.Done():
			return
		case <-tick.C:
		}
		over := p.over()
		r.mu.Lock()
		if over {
			r.peers = slices.DeleteFunc(r.peers, func(other *peerLedger) bool { return other == p })
		}
		if over || p.changed() {
			r.compare()
		}
		r.mu.Unlock()
		r.offer()
		if over {
			_ = errors.Join(p.unmap(), p.file.Close()) // nobody looks there any more
			gone()
			return
		}
	}
}

// compare finds out where every target stands in the ledgers of other edges. The caller holds the lock.
func (r *routing) compare() {
	for _, p := range r.peers {
		if p.changed() {
			p.read()
		}
	}
	for _, s := range r.services {
		s.mu.Lock()
		for _, b := range s.backends {
			b.elsewhere = nil
			for _, p := range r.peers {
				if count := p.of[b.key()]; count != nil {
					b.elsewhere = append(b.elsewhere, count)
				}
			}
		}
		s.mu.Unlock()
	}
}

// offer serves requests in line, as far as there are places.
func (r *routing) offer() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.services {
		s.mu.Lock()
		s.serveWaiters()
		s.mu.Unlock()
	}
}

// ledgers are the paths of the ledgers that a younger edge has to count: that of this one, and those of others it still counts.
func (r *routing) ledgers() (list []string) {
	if own := r.ledger.path(); own != "" {
		list = append(list, own)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.peers {
		list = append(list, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), p.file.Fd()))
	}
	return list
}
