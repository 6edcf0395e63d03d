package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/liao-im/liao/internal/fault"
)

// sqliteDialect is SQLite in WAL mode. A second process may have the file open (an
// operator's command beside the server): whoever must wait for the other waits.
type sqliteDialect struct{ path string }

// openSQLite opens one connection that writes and a few that read. Readers see
// what was committed before they began and never wait for the writer.
func (s *Store) openSQLite(o Options) error {
	if o.Path == "" {
		return errors.New("the path of the file is missing")
	}
	if err := makePrivate(o.Path); err != nil {
		return err
	}
	s.dialect = sqliteDialect{path: o.Path}
	w, err := openFile(o.Path, "immediate", "4096")
	if err != nil {
		return err
	}
	w.SetMaxOpenConns(1)
	r, err := openFile(o.Path, "deferred", "512") // the system keeps the rest in its own cache
	if err != nil {
		return errors.Join(err, w.Close())
	}
	readers := o.Pool
	if readers <= 0 {
		readers = max(8, 2*runtime.GOMAXPROCS(0))
	}
	r.SetMaxOpenConns(readers)
	r.SetMaxIdleConns(readers)
	s.writes, s.reads = newPool(w), newPool(r)
	return nil
}

// openFile opens the file; lock is how BEGIN locks, and cache how many KiB of pages
// a connection keeps.
func openFile(path, lock, cache string) (*sql.DB, error) {
	q := url.Values{
		"_txlock": {lock},
		"_pragma": {
			"busy_timeout(4000)", // less than a transaction may take
			"journal_mode(WAL)",
			"synchronous(FULL)", // in WAL mode NORMAL would not flush at a commit
			"temp_store(MEMORY)",
			"cache_size(-" + cache + ")",
			"wal_autocheckpoint(4000)",     // pages: a batch may write 800, and a page written often is copied once
			"journal_size_limit(67108864)", // bytes of WAL that stay after a checkpoint
		},
	}
	c, err := sqlite.NewConnector("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// makePrivate makes the file, for its owner alone, or takes others' rights away from
// the one that is there; SQLite gives its WAL the same mode. The file is not opened
// if it exists: closing it again would drop the locks that another store of this
// process has on it.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the path is the operator's
	if errors.Is(err, os.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	// A file whose name is not on the disk is lost with the power, its entries too.
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// clock is this machine's clock: everyone who has the file open shares it.
func (sqliteDialect) clock() (string, []any) { return "?", []any{fault.Now().UnixMicro()} }

func (sqliteDialect) forUpdate() string { return "" }

func (sqliteDialect) upsert(keys string, cols ...string) string {
	if len(cols) == 0 {
		return " ON CONFLICT (" + keys + ") DO NOTHING"
	}
	q, sep := " ON CONFLICT ("+keys+") DO UPDATE SET ", ""
	for _, c := range cols {
		q += sep + c + " = excluded." + c
		sep = ", "
	}
	return q
}

func (sqliteDialect) greatest(a, b string) string { return "MAX(" + a + ", " + b + ")" }

func (sqliteDialect) cause(err error) cause {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return causeOther
	}
	switch e.Code() {
	case codes.SQLITE_CONSTRAINT_UNIQUE, codes.SQLITE_CONSTRAINT_PRIMARYKEY:
		return causeDuplicate
	case codes.SQLITE_IOERR_FSYNC, codes.SQLITE_IOERR_DIR_FSYNC:
		return causeUnflushed
	}
	switch e.Code() & 0xff {
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return causeBusy
	case codes.SQLITE_FULL, codes.SQLITE_IOERR, codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY:
		return causeAway
	}
	return causeOther
}

func (d sqliteDialect) migrations() (goose.Dialect, *sql.DB, error) {
	db, err := openFile(d.path, "immediate", "4096")
	return goose.DialectSQLite3, db, err
}

// alone lets f try again if another process was quicker: each migration is one
// transaction, so the slower one fails whole and then finds it done.
func (d sqliteDialect) alone(_ context.Context, _ *sql.DB, f func() error) (err error) {
	for range 3 {
		if err = f(); err == nil {
			return nil
		}
	}
	return err
}

func (sqliteDialect) warnings(ctx context.Context, q querier) ([]string, error) {
	var mode string
	var sync int
	if err := q.row(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return nil, err
	}
	if err := q.row(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
		return nil, err
	}
	var list []string
	if mode != "wal" {
		list = append(list, fmt.Sprintf("the SQLite journal is in %s mode: this file system does not support WAL, and readers wait for writers", mode))
	}
	if sync < 2 {
		list = append(list, "SQLite does not flush at each commit (synchronous): an acknowledged message may be lost with the power")
	}
	return list, nil
}
