package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// txTime is how long a transaction may take, waiting for its connection included.
// SYNC's cursors allow for 10 s.
const txTime = 5 * time.Second

// errLost is in the chain of an error after which nobody knows whether the
// transaction was committed.
var errLost = errors.New("the connection to the database broke")

// tx is one transaction.
type tx struct {
	s   *Store
	t   *sql.Tx
	new []string // queries that are to be prepared once the connection is free again
}

// write runs fn in a transaction and commits it: on SQLite as the one writer, on
// MySQL at READ COMMITTED. When two transactions block each other fn is run once
// more, so it must set its results anew. An error of fn rolls back. The
// error names what was tried and matches
//
//   - the *im.Error that fn returned;
//   - im.Overloaded if a connection or a lock was not to be had in time: nothing
//     was done;
//   - errLost and im.Unavailable if the outcome is unknown.
func (s *Store) write(ctx context.Context, what string, fn func(ctx context.Context, x *tx) error) error {
	return s.writeWithin(ctx, txTime, what, fn)
}

// writeWithin is write with another limit of time.
func (s *Store) writeWithin(ctx context.Context, limit time.Duration, what string, fn func(ctx context.Context, x *tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	err := s.attempt(ctx, fn)
	if s.dialect.cause(err) == causeBusy && ctx.Err() == nil {
		s.metrics.retries.Inc()
		err = s.attempt(ctx, fn)
	}
	s.metrics.transactions.WithLabelValues(what).Observe(time.Since(start).Seconds())
	return s.explain(what, err)
}

// attempt runs fn in a transaction once.
func (s *Store) attempt(ctx context.Context, fn func(ctx context.Context, x *tx) error) (err error) {
	if p := s.broken.Load(); p != nil {
		return fmt.Errorf("%w: the disk failed to flush earlier: %w", im.Unavailable, *p)
	}
	t, err := s.writes.db.BeginTx(ctx, nil)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("begin: %w: %w", tooBusy(), err) // no statement was sent
	}
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		if rerr := t.Rollback(); rerr != nil && !errors.Is(rerr, sql.ErrTxDone) && s.dialect.cause(rerr) != causeLost {
			err = errors.Join(err, rerr)
		}
	}()
	x := &tx{s: s, t: t}
	if err := fn(ctx, x); err != nil {
		return err
	}
	committed = true
	err = t.Commit()
	if err == nil {
		s.writes.stmts.add(ctx, x.new)
	}
	switch s.dialect.cause(err) {
	case causeLost:
		return fmt.Errorf("commit: %w: %w", errLost, err)
	case causeUnflushed:
		// The kernel may have dropped the pages: a second flush could succeed
		// without them, so nothing is acknowledged any more.
		s.broken.CompareAndSwap(nil, &err)
		return fmt.Errorf("commit: %w: %w", errLost, err)
	case causeOther, causeDuplicate, causeBusy, causeAway:
	}
	return err
}

// explain says what was tried, and gives errors of the database that a caller must
// tell apart their code; nil stays nil, and sql.ErrNoRows recognizable.
func (s *Store) explain(what string, err error) error {
	var known *im.Error
	if err == nil {
		return nil
	}
	if errors.As(err, &known) || errors.Is(err, sql.ErrNoRows) || errors.Is(err, im.Unavailable) {
		return fmt.Errorf("%s: %w", what, err)
	}
	switch s.dialect.cause(err) {
	case causeBusy:
		s.metrics.busy.Inc()
		return fmt.Errorf("%s: %w: %w", what, tooBusy(), err)
	case causeLost:
		return fmt.Errorf("%s: %w: %w: %w", what, im.Unavailable, errLost, err)
	case causeAway, causeUnflushed:
		return fmt.Errorf("%s: %w: %w", what, im.Unavailable, err)
	case causeOther, causeDuplicate:
	}
	// ErrTxDone: the context ended, and database/sql was quicker to roll back than we
	// were to ask.
	if errors.Is(err, errLost) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrTxDone) {
		return fmt.Errorf("%s: %w: %w", what, im.Unavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// tooBusy is definite: nothing was done.
func tooBusy() error {
	return im.FailAfter(im.Overloaded, "the server is busy; try again shortly", time.Second)
}

func (x *tx) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	if st := x.stmt(ctx, q); st != nil { //nolint:sqlclosecheck // the cache closes it
		return st.QueryContext(ctx, args...)
	}
	return x.t.QueryContext(ctx, q, args...)
}

func (x *tx) row(ctx context.Context, q string, args ...any) *sql.Row {
	if st := x.stmt(ctx, q); st != nil { //nolint:sqlclosecheck // the cache closes it
		return st.QueryRowContext(ctx, args...)
	}
	return x.t.QueryRowContext(ctx, q, args...)
}

// exec runs a statement that returns no rows.
func (x *tx) exec(ctx context.Context, q string, args ...any) (sql.Result, error) {
	if st := x.stmt(ctx, q); st != nil { //nolint:sqlclosecheck // the cache closes it
		return st.ExecContext(ctx, args...)
	}
	return x.t.ExecContext(ctx, q, args...)
}

// stmt is the prepared form of q in this transaction, or nil if there is none yet:
// preparing needs a connection, and on SQLite this transaction holds the only one.
func (x *tx) stmt(ctx context.Context, q string) *sql.Stmt {
	st, room := x.s.writes.stmts.look(q)
	if st != nil {
		return x.t.StmtContext(ctx, st)
	}
	if room && !slices.Contains(x.new, q) {
		x.new = append(x.new, q)
	}
	return nil
}

// change is exec for who asks how many rows the condition met.
func (x *tx) change(ctx context.Context, q string, args ...any) (rows int64, err error) {
	res, err := x.exec(ctx, q, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// insert is exec for who asks which id the new row got.
func (x *tx) insert(ctx context.Context, q string, args ...any) (id uint64, err error) {
	res, err := x.exec(ctx, q, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.LastInsertId()
	return uint64(n), err //nolint:gosec // an id is never negative
}

// now is the database's clock at this moment.
func (x *tx) now(ctx context.Context) (im.Micros, error) { return readClock(ctx, x.s.dialect, x) }
