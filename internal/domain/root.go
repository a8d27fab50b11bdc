package domain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The life of a root ends in two steps, so that everybody who trusts it has time to trust the next: for a year the next root is
// published beside it and signs nothing, then for a year it signs and the old one is still published.
const (
	announceBefore = 2 * 365 * 24 * time.Hour
	changeBefore   = 365 * 24 * time.Hour
)

func (ca *CA) rootFile(which string) string { return filepath.Join(ca.cfg.Dir, which+".pem") }

// openRoot reads the roots or makes the first one, and takes the step in its life that is due.
func (ca *CA) openRoot() error {
	have, err := readPair(ca.rootFile("root"))
	switch {
	case err == nil && ca.cfg.Now().Before(have.cert.NotAfter):
		ca.root = have
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; restore the file from a backup, or remove %s to start a new CA that every client has to trust anew", err, ca.cfg.Dir)
	default:
		if ca.root, err = ca.makeRoot("root"); err != nil {
			return err
		}
	}
	return ca.ageRoot()
}

func (ca *CA) makeRoot(which string) (pair, error) {
	template := ca.authority("root", rootLife, 1)
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	made, err := sign(template, pair{template, key}, key)
	if err != nil {
		return pair{}, err
	}
	return made, writePair(ca.rootFile(which), made)
}

// ageRoot announces the next root, changes to it, or lets the old one go, as time has it.
func (ca *CA) ageRoot() error {
	now := ca.cfg.Now()
	left := ca.root.cert.NotAfter.Sub(now)
	next, err := readPair(ca.rootFile("root-next"))
	if errors.Is(err, fs.ErrNotExist) && left < announceBefore {
		next, err = ca.makeRoot("root-next")
		ca.cfg.Log.Warn("the root of the local CA expires; its successor is published beside it and will sign later. Have clients trust both: run `slipway trust` again",
			"expires", ca.root.cert.NotAfter, "file", ca.cfg.Export)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && left < changeBefore {
		// A crash between the two leaves the old root in both places, and the change is made again.
		if err := errors.Join(writePair(ca.rootFile("root-old"), ca.root), os.Rename(ca.rootFile("root-next"), ca.rootFile("root"))); err != nil {
			return err
		}
		ca.root, next = next, pair{}
	}
	old, err := readPair(ca.rootFile("root-old"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ca.others = nil
	for _, p := range []pair{next, old} {
		if p.cert != nil && now.Before(p.cert.NotAfter) && !p.cert.Equal(ca.root.cert) {
			ca.others = append(ca.others, p)
		}
	}
	return nil
}

// rotate is openRoot for a CA that is open. Leaves below an old root are renewed by the next look at them.
func (ca *CA) rotate() error {
	ca.mu.Lock()
	err := ca.ageRoot()
	if err == nil {
		err = ca.openIntermediate()
	}
	ca.mu.Unlock()
	if err != nil {
		return fmt.Errorf("look after the root: %w", err)
	}
	return ca.export()
}
