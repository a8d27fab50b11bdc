package kms

import (
	"context"

	"slipway.dev/slipway/internal/apprunner"
)

// Sealer shows Keys to rooms that must not know this one: what it takes and gives are plain types.
type Sealer struct{ Keys *Keys }

// Encrypt is [Keys.Encrypt].
func (s Sealer) Encrypt(ctx context.Context, sc apprunner.Scope, key string, plain []byte, bound map[string]string) (blob []byte, keyARN string, err error) {
	c, err := s.Keys.Encrypt(ctx, sc, key, plain, bound)
	return c.Blob, c.KeyARN, err
}

// Decrypt is [Keys.Decrypt].
func (s Sealer) Decrypt(ctx context.Context, sc apprunner.Scope, blob []byte, bound map[string]string) ([]byte, error) {
	p, err := s.Keys.Decrypt(ctx, sc, blob, bound)
	return p.Bytes, err
}
