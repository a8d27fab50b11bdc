package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"slipway.dev/slipway/internal/observe"
	"slipway.dev/slipway/internal/store"
)

// openAudit opens the audit trail.
func (s *System) openAudit(ctx context.Context) error {
	key, err := s.conf.auditKey(true)
	if err != nil {
		return err
	}
	bucket, err := s.conf.trailS3()
	if err != nil {
		return err
	}
	s.audit, err = observe.OpenAudit(ctx, observe.AuditConfig{DB: s.db, ChainKey: key, TrailDir: s.conf.path("trails"), S3: bucket, Log: s.log})
	return err
}

// beginRecord lets the record of a call be written in the transaction of its action.
func beginRecord(ctx context.Context, record func() observe.AuditRecord) (context.Context, func() bool) {
	return store.AtCommit(ctx, func(tx *store.Tx) error { return observe.Begin(tx, record()) })
}

// auditKey is the key of the chain of audit records. It lies beside the database, not in it: who can change the database alone
// cannot mend the chain. The records know no other key, so one that is lost makes a new beginning impossible to tell from a
// forgery, and Verify says so.
func (c Config) auditKey(mayMake bool) ([]byte, error) {
	path := c.path("audit.key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && mayMake {
		key := make([]byte, 32)
		rand.Read(key)
		text = []byte(hex.EncodeToString(key) + "\n")
		err = writeFile(path, text, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the audit records: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s does not hold 64 hexadecimal digits: it was damaged or is not a key file", path)
	}
	return key, nil
}

// VerifyAudit holds the audit records of an installation against their chain and returns how many there are. It works whether the
// installation runs or not.
func VerifyAudit(ctx context.Context, dataDir string) (records int, err error) {
	c := Config{DataDir: dataDir}
	key, err := c.auditKey(false)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("no Slipway has been started over %s", dataDir)
	}
	if err != nil {
		return 0, err
	}
	db, err := store.Open(ctx, c.path("slipway.db"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	audit, err := observe.OpenAudit(ctx, observe.AuditConfig{DB: db, ChainKey: key, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	return audit.Verify(ctx)
}
