package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver registers itself as "sqlite"
)

// readers is how many connections may read at once; SQLite's readers never wait for the writer in WAL mode.
const readers = 8

// DB is an open database. Writes go through one connection, one after the other; reads see a snapshot.
type DB struct {
	write *sql.DB
	read  *sql.DB

	mu      sync.Mutex
	changed chan struct{}
	living  *living // the services as a reader last saw them; nil before the first
	// instances and hosts are what readers have decoded; nil before the first.
	instances knownInstances
	hosts     *knownHosts
}

// Open opens the database file at path, making it when it is missing, and brings the schema of the store's own records up to
// date. The caller closes it.
func Open(ctx context.Context, path string) (*DB, error) {
	dsn := "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)"
	write, err := sql.Open("sqlite", dsn+"&_txlock=immediate")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), write.Close())
	}
	read.SetMaxOpenConns(readers)
	db := &DB{write: write, read: read, changed: make(chan struct{})}
	if err := db.Migrate(ctx, "store", migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

// Close ends all connections.
func (db *DB) Close() error { return errors.Join(db.read.Close(), db.write.Close()) }

// Migrate runs those of a room's steps that this database has not seen, each once and in its own transaction. Steps are only
// ever appended: a step that has shipped does not change.
func (db *DB) Migrate(ctx context.Context, room string, steps []string) error {
	const table = `CREATE TABLE IF NOT EXISTS schema_migrations (room TEXT NOT NULL, step BIGINT NOT NULL, PRIMARY KEY (room, step))`
	if _, err := db.write.ExecContext(ctx, table); err != nil {
		return fmt.Errorf("make the migrations table: %w", err)
	}
	var done int
	if err := db.write.QueryRowContext(ctx, `SELECT count(*) FROM schema_migrations WHERE room = $1`, room).Scan(&done); err != nil {
		return fmt.Errorf("read the migrations of %s: %w", room, err)
	}
	if done > len(steps) {
		return fmt.Errorf("the database was written by a newer version: %s is at step %d, this version knows %d", room, done, len(steps))
	}
	for i := done; i < len(steps); i++ {
		err := db.Update(ctx, func(tx *Tx) error {
			if err := tx.Exec(steps[i]); err != nil {
				return err
			}
			return tx.Exec(`INSERT INTO schema_migrations (room, step) VALUES ($1, $2)`, room, i+1)
		})
		if err != nil {
			return fmt.Errorf("migrate %s, step %d: %w", room, i+1, err)
		}
	}
	return nil
}

// Update runs fn in a write transaction: all it does is kept when it returns nil, nothing otherwise. Watchers wake after the
// commit, unless the transaction is [Tx.Quiet]. The hook of [AtCommit] runs in the same transaction.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	fn, note := hooked(ctx, fn)
	tx := &Tx{db: db}
	if err := run(ctx, db.write, tx, fn); err != nil {
		return err
	}
	note()
	if !tx.quiet {
		db.Wake()
	}
	return nil
}

// UpdateQuietly is Update for records that nobody waits for: no watcher wakes.
func (db *DB) UpdateQuietly(ctx context.Context, fn func(*Tx) error) error {
	return run(ctx, db.write, &Tx{db: db}, fn)
}

// View runs fn on a read-only snapshot.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	return run(ctx, db.read, &Tx{db: db, snapshot: true}, fn)
}

func run(ctx context.Context, pool *sql.DB, tx *Tx, fn func(*Tx) error) error {
	t, err := pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: tx.snapshot})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer t.Rollback() // has no effect after a commit
	tx.ctx, tx.tx = ctx, t
	if err := fn(tx); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Changed returns a channel that closes at the next commit of this process. Take it before reading, then wait on it: no change
// is missed.
func (db *DB) Changed() <-chan struct{} {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.changed
}

// Wake lets everyone who waits on [DB.Changed] look again, as a commit does.
func (db *DB) Wake() {
	db.mu.Lock()
	defer db.mu.Unlock()
	close(db.changed)
	db.changed = make(chan struct{})
}

// Tx is one transaction. It belongs to the function it was handed to.
type Tx struct {
	ctx context.Context //nolint:containedctx // a transaction lives inside one call and shares its context
	tx  *sql.Tx
	db  *DB

	snapshot bool // it only reads, and so sees nothing but what is committed
	quiet    bool // nobody waits for what it writes
}

// Context is the context the transaction runs under.
func (t *Tx) Context() context.Context { return t.ctx }

// Quiet lets no watcher wake after the commit: nobody waits for what this transaction writes.
func (t *Tx) Quiet() { t.quiet = true }

// Exec runs a statement.
func (t *Tx) Exec(query string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, query, args...)
	return err
}

// ExecCount runs a statement and returns how many rows it touched.
func (t *Tx) ExecCount(query string, args ...any) (int64, error) {
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Get reads one row into dest; it reports false when there is none.
func (t *Tx) Get(query string, args []any, dest ...any) (bool, error) {
	err := t.tx.QueryRowContext(t.ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Each calls scan for every row of a query, in order.
func (t *Tx) Each(query string, args []any, scan func(row Row) error) error {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Row is what Each hands out.
type Row interface{ Scan(dest ...any) error }

// Micros is a time as the database keeps it; the zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time reads what Micros wrote.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
