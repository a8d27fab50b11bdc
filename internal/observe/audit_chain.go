package observe

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"slipway.dev/slipway/internal/apprunner"
	"slipway.dev/slipway/internal/store"
)

// chain is the end of the chain of records: each record has a number and a link, the keyed hash of its text and of the link
// before it. Who changes, removes or inserts a record without the key breaks it.
type chain struct {
	key  []byte
	seq  int64
	link string
}

// The places of a chain that are remembered beside the records: where it ends, and where it begins after old ones were deleted.
const (
	chainEnd   = "end"
	chainStart = "start"
)

func (a *Audit) openChain(tx *store.Tx) (*chain, error) {
	c := &chain{key: a.conf.ChainKey}
	return c, c.read(tx, chainEnd)
}

func (c *chain) read(tx *store.Tx, place string) error {
	_, err := tx.Get(`SELECT seq, link FROM audit_chain WHERE place = $1`, []any{place}, &c.seq, &c.link)
	if err != nil {
		return fmt.Errorf("audit chain: %w", err)
	}
	return nil
}

func (c *chain) write(tx *store.Tx, place string) error {
	return tx.Exec(`INSERT INTO audit_chain (place, seq, link) VALUES ($1, $2, $3) ON CONFLICT (place) DO UPDATE SET seq = excluded.seq, link = excluded.link`,
		place, c.seq, c.link)
}

// next is the number and the link of a record that follows.
func (c *chain) next(record []byte) (seq int64, link string) {
	seq = c.seq + 1
	if c.key == nil {
		return seq, ""
	}
	h := hmac.New(sha256.New, c.key)
	fmt.Fprintf(h, "%d\n%s\n", seq, c.link)
	h.Write(record)
	return seq, hex.EncodeToString(h.Sum(nil))
}

func (c *chain) close(tx *store.Tx) error { return c.write(tx, chainEnd) }

// cut deletes the records up to a number and remembers where the chain begins now.
func (a *Audit) cut(tx *store.Tx, upTo int64) error {
	c := chain{seq: upTo}
	found, err := tx.Get(`SELECT chain FROM audit_records WHERE seq = $1`, []any{upTo}, &c.link)
	if err != nil || !found {
		return err
	}
	if err := tx.Exec(`DELETE FROM audit_resources WHERE record_id IN (SELECT id FROM audit_records WHERE seq <= $1)`, upTo); err != nil {
		return err
	}
	if err := tx.Exec(`DELETE FROM audit_records WHERE seq <= $1`, upTo); err != nil {
		return err
	}
	return c.write(tx, chainStart)
}

// CodeAuditBroken says that the audit records are not as they were written.
const CodeAuditBroken apprunner.Code = "AuditBroken"

// Verify holds every record against the chain and returns how many there are. It fails with CodeAuditBroken, and a message that
// names the first record that was changed, removed or inserted.
func (a *Audit) Verify(ctx context.Context) (records int, err error) {
	if a.conf.ChainKey == nil {
		return 0, fmt.Errorf("audit: records are not chained: there is no key")
	}
	err = a.conf.DB.View(ctx, func(tx *store.Tx) error {
		c, end := chain{key: a.conf.ChainKey}, chain{}
		if err := c.read(tx, chainStart); err != nil {
			return err
		}
		if err := end.read(tx, chainEnd); err != nil {
			return err
		}
		err := tx.Each(`SELECT seq, chain, record, id FROM audit_records WHERE seq > 0 ORDER BY seq`, nil, func(row store.Row) error {
			var seq int64
			var link, record, id string
			if err := row.Scan(&seq, &link, &record, &id); err != nil {
				return err
			}
			records++
			return c.follow(seq, link, record, id)
		})
		if err == nil && (c.seq != end.seq || c.link != end.link) {
			err = apprunner.Errorf(CodeAuditBroken, "Records are missing at the end: the last is number %d, but %d were written.", c.seq, end.seq)
		}
		return err
	})
	return records, err
}

func (c *chain) follow(seq int64, link, record, id string) error {
	wantSeq, wantLink := c.next([]byte(record))
	switch {
	case seq != wantSeq:
		return apprunner.Errorf(CodeAuditBroken, "Records are missing: number %d follows number %d.", seq, c.seq)
	case !hmac.Equal([]byte(link), []byte(wantLink)):
		return apprunner.Errorf(CodeAuditBroken, "The record %s, number %d, is not as it was written, or the one before it is not.", id, seq)
	}
	c.seq, c.link = seq, link
	return nil
}
