package domain

import (
	"context"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"slipway.dev/slipway/internal/apprunner"
)

// dnsSolver answers DNS challenges in the own zone, at the names that the validation records of the custom domains are aliases to.
type dnsSolver struct {
	names   *Directory
	targets map[string]string // by validation name

	mu     sync.Mutex
	remove map[string]func()
}

func (s *dnsSolver) Present(_ context.Context, c acme.Challenge) error {
	at := apprunner.ValidationName(strings.ToLower(c.Identifier.Value))
	if target := s.targets[at]; target != "" {
		at = target // of a custom domain; names of the own zone hold the answer themselves
	}
	done := s.names.SetChallenge(at, c.DNS01KeyAuthorization())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.remove == nil {
		s.remove = map[string]func(){}
	}
	s.remove[c.URL] = done
	return nil
}

func (s *dnsSolver) CleanUp(_ context.Context, c acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if done := s.remove[c.URL]; done != nil {
		done()
	}
	return nil
}

// httpSolver answers over plain HTTP at the front door.
type httpSolver struct{ proofs *Proofs }

func (s httpSolver) Present(ctx context.Context, c acme.Challenge) error {
	return s.proofs.show(ctx, Proof{Host: strings.ToLower(c.Identifier.Value), Token: c.Token, Answer: c.KeyAuthorization})
}

func (s httpSolver) CleanUp(ctx context.Context, c acme.Challenge) error {
	return s.proofs.hide(ctx, strings.ToLower(c.Identifier.Value))
}

// tlsSolver answers in the handshake at the front door.
type tlsSolver struct{ proofs *Proofs }

func (s tlsSolver) Present(ctx context.Context, c acme.Challenge) error {
	cert, err := acmez.TLSALPN01ChallengeCert(c)
	if err != nil {
		return fmt.Errorf("make the certificate of a challenge: %w", err)
	}
	key, err := keyPEM(cert.PrivateKey)
	if err != nil {
		return err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	return s.proofs.show(ctx, Proof{Host: strings.ToLower(c.Identifier.Value), Pair: Pair{chain, key}})
}

func (s tlsSolver) CleanUp(ctx context.Context, c acme.Challenge) error {
	return s.proofs.hide(ctx, strings.ToLower(c.Identifier.Value))
}
