package build

import (
	"context"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// keyedLock is a lock per name. The zero value is ready.
type keyedLock struct {
	mu    sync.Mutex
	locks map[string]*waiters
}

type waiters struct {
	token chan struct{} // holds one element while unlocked
	count int
}

// lock waits for the name's turn or for ctx.
func (k *keyedLock) lock(ctx context.Context, name string) (unlock func(), err error) {
	w := k.join(name)
	select {
	case <-w.token:
		return func() { w.token <- struct{}{}; k.leave(name, w) }, nil
	case <-ctx.Done():
		k.leave(name, w)
		return nil, ctx.Err()
	}
}

func (k *keyedLock) join(name string) *waiters {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.locks == nil {
		k.locks = map[string]*waiters{}
	}
	w := k.locks[name]
	if w == nil {
		w = &waiters{token: make(chan struct{}, 1)}
		w.token <- struct{}{}
		k.locks[name] = w
	}
	w.count++
	return w
}

func (k *keyedLock) leave(name string, w *waiters) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w.count--; w.count == 0 {
		delete(k.locks, name)
	}
}

// lockFile takes an advisory lock, which ends with the process that holds it.
func lockFile(ctx context.Context, name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX)
		for errors.Is(err, unix.EINTR) {
			err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		}
		locked <- err
	}()
	select {
	case err := <-locked:
		if err != nil {
			file.Close()
			return nil, err
		}
		return func() { file.Close() }, nil
	case <-ctx.Done():
		go func() { <-locked; file.Close() }() // the lock comes some time and is let go at once
		return nil, ctx.Err()
	}
}
