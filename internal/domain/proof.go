package domain

import (
	"context"
	"slices"
	"sync"
)

// Proof is what the front door shows a certificate authority that wants to see whether a host leads to it.
type Proof struct {
	Host          string // in lower case
	Token, Answer string // over plain HTTP (http-01)
	Pair                 // in the handshake (tls-alpn-01)
}

// Proofs are those that are wanted now.
type Proofs struct {
	// Publish returns when the front door shows what [Proofs.List] says.
	Publish func(context.Context) error

	mu   sync.Mutex
	list []Proof
}

// List gives all that are wanted, oldest first.
func (p *Proofs) List() []Proof {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.list)
}

func (p *Proofs) show(ctx context.Context, proof Proof) error {
	p.mu.Lock()
	p.list = append(p.list, proof)
	p.mu.Unlock()
	return p.Publish(ctx)
}

func (p *Proofs) hide(ctx context.Context, host string) error {
	p.mu.Lock()
	p.list = slices.DeleteFunc(p.list, func(q Proof) bool { return q.Host == host })
	p.mu.Unlock()
	return p.Publish(ctx)
}
