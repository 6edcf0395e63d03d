package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/im"
)

// Options say which database to open.
type Options struct {
	Driver string // "sqlite" or "mysql"
	Path   string // sqlite: the file; it is made, with mode 0600, if there is none
	DSN    string // mysql: user:password@tcp(host:port)/database, as go-sql-driver reads it
	Pool   int    // connections at most; 0: 32 on mysql, 8 readers on sqlite

	Logger  *slog.Logger          // nil: none
	Metrics prometheus.Registerer // nil: a private one
}

// Store is an open database. Its methods may be called from many goroutines.
type Store struct {
	dialect dialect
	writes  *pool // on SQLite one connection, the one writer; on MySQL the same as reads
	reads   *pool
	log     *slog.Logger
	metrics *metrics

	epoch  atomic.Pointer[string]
	latest atomic.Int64          // the latest instant that the database's clock has shown to Ping, in µs
	broken atomic.Pointer[error] // set once a flush to disk has failed: nothing is written any more

	members memberships
}

// Open opens the database and proves that it answers. It does not migrate: until
// Migrate has run the other methods fail.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: o.Logger, metrics: newMetrics(o.Metrics)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	switch o.Driver {
	case "sqlite":
		err = s.openSQLite(o)
	case "mysql":
		err = s.openMySQL(o)
	default:
		return nil, fmt.Errorf("store driver %q is unknown: it is sqlite or mysql", o.Driver)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s store: %w", o.Driver, err)
	}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s store: %w", o.Driver, err), s.Close())
	}
	s.metrics.watch(s.writes, s.reads)
	return s, nil
}

// Close closes every connection. Transactions that are under way end by themselves
// first; what is called after Close fails.
func (s *Store) Close() error {
	s.metrics.forget()
	err := s.writes.close()
	if s.reads != s.writes {
		err = errors.Join(err, s.reads.close())
	}
	return err
}

// maxStepBack is how far the database's clock may go back before the store says
// that it is not ready: SYNC's cursors allow for no more.
const maxStepBack = 10 * time.Second

// Ping says whether the store can serve: it answers, its disk has not failed to
// flush, and its clock has not stepped back by more than 10 s.
func (s *Store) Ping(ctx context.Context) error {
	if p := s.broken.Load(); p != nil {
		return fmt.Errorf("the disk failed to flush earlier, restart after repair: %w", *p)
	}
	var one int
	if err := s.reads.row(ctx, "SELECT 1").Scan(&one); err != nil {
		return s.explain("ping", err)
	}
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	for {
		latest := s.latest.Load()
		if back := time.Duration(latest-int64(now)) * time.Microsecond; back > maxStepBack {
			return fmt.Errorf("the database's clock is %s behind what it showed before", back.Round(time.Second))
		}
		if int64(now) <= latest || s.latest.CompareAndSwap(latest, int64(now)) {
			return nil
		}
	}
}

// now is the database's clock outside a transaction.
func (s *Store) now(ctx context.Context) (im.Micros, error) {
	now, err := readClock(ctx, s.dialect, s.reads)
	if err != nil {
		return 0, s.explain("read the database's clock", err)
	}
	return now, nil
}

// pool is a set of connections and the statements that are prepared on them.
type pool struct {
	db    *sql.DB
	stmts statements
}

func newPool(db *sql.DB) *pool { return &pool{db: db, stmts: statements{db: db}} }

func (p *pool) close() error {
	if p == nil {
		return nil
	}
	return errors.Join(p.stmts.close(), p.db.Close())
}

func (p *pool) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	st, err := p.stmts.get(ctx, q) //nolint:sqlclosecheck // the cache closes it
	if err != nil {
		return nil, err
	}
	if st == nil {
		return p.db.QueryContext(ctx, q, args...)
	}
	return st.QueryContext(ctx, args...)
}

func (p *pool) row(ctx context.Context, q string, args ...any) *sql.Row {
	st, err := p.stmts.get(ctx, q) //nolint:sqlclosecheck // the cache closes it
	if err != nil || st == nil {
		return p.db.QueryRowContext(ctx, q, args...) // which meets the same error
	}
	return st.QueryRowContext(ctx, args...)
}
