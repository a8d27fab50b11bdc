package parameter

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// Value is a value of a parameter. No verb of fmt and no log shows it.
type Value struct{ text string }

// Reveal is the value itself.
func (v Value) Reveal() string { return v.text }

// LogValue keeps the value out of structured logs.
func (v Value) LogValue() slog.Value { return slog.StringValue(hidden) }

// Format keeps the value out of every verb of fmt.
func (v Value) Format(f fmt.State, _ rune) { fmt.Fprint(f, hidden) }

const hidden = "(a value)"

// Find reads what is known of the version that text means: a name or ARN, with or without a selector. It fails with CodeNotFound or
// CodeVersionNotFound.
func (s *Parameters) Find(ctx context.Context, sc apprunner.Scope, text string) (Parameter, Version, error) {
	p, err := s.Describe(ctx, sc, text)
	if err != nil {
		return p, Version{}, err
	}
	_, _, selector := Locate(sc, text)
	v, err := p.pick(selector)
	return p, v, err
}

// Value reads the value of a version. A SecureString that is not to be decrypted comes as its ciphertext in base64.
func (s *Parameters) Value(ctx context.Context, p Parameter, v Version, decrypt bool) (Value, error) {
	var blob []byte
	err := s.conf.DB.View(ctx, func(tx *store.Tx) error {
		found, err := tx.Get(`SELECT sealed FROM parameter_values WHERE arn = $1 AND version = $2`, []any{p.ARN(), v.Number}, &blob)
		if err == nil && !found {
			err = notFound(p.Name) // deleted since it was looked for
		}
		return err
	})
	if err != nil {
		return Value{}, err
	}
	if p.Type == SecureString && !decrypt {
		return Value{base64.StdEncoding.EncodeToString(blob)}, nil
	}
	plain, err := s.conf.Keys.Decrypt(ctx, p.Scope, blob, bound(p))
	if err != nil {
		return Value{}, keyTrouble(v.sealKey(), err)
	}
	return Value{string(plain)}, nil
}
