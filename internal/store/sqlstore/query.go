package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
)

// querier is what reads: a pool or a transaction.
type querier interface {
	query(ctx context.Context, q string, args ...any) (*sql.Rows, error)
	row(ctx context.Context, q string, args ...any) *sql.Row
}

// collect runs a query and scans each of its rows.
func collect[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (list []T, err error) {
	rows, err := q.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// scanOne scans a row of one column.
func scanOne[T any](r scanner) (v T, err error) {
	err = r.Scan(&v)
	return v, err
}

// marks is a list of n placeholders: "?, ?, ?".
func marks(n int) string {
	if n < 1 {
		panic("sqlstore: a list of placeholders is empty") //nolint:forbidigo // an IN () would be a syntax error on MySQL: callers must not ask
	}
	return strings.Repeat("?, ", n-1) + "?"
}

// tuples is a list of n rows of placeholders: "(?, ?), (?, ?)".
func tuples(n, cols int) string {
	one := "(" + marks(cols) + ")"
	return strings.Repeat(one+", ", n-1) + one
}

// anys turns ids into arguments, after those that come before them.
func anys[T any](before []any, ids []T) []any {
	for _, id := range ids {
		before = append(before, id)
	}
	return before
}

// maxStatements is how many different queries are kept prepared on a connection;
// MySQL allows 16,382 for all connections together.
const maxStatements = 256

// statements prepares each query once; database/sql prepares it again on every
// connection that it comes to.
type statements struct {
	db *sql.DB

	mu     sync.Mutex
	known  map[string]*sql.Stmt
	closed bool
}

// look returns the prepared form of q, or nil and whether there is room for it.
func (s *statements) look(q string) (st *sql.Stmt, room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[q], len(s.known) < maxStatements && !s.closed
}

// get returns the prepared form of q, or nil if q is to be run unprepared.
func (s *statements) get(ctx context.Context, q string) (*sql.Stmt, error) {
	st, room := s.look(q) //nolint:sqlclosecheck // the cache closes it
	if st != nil || !room {
		return st, nil
	}
	// Outside the lock: it goes to the server.
	st, err := s.db.PrepareContext(ctx, q)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, ok := s.known[q]; ok {
		return other, st.Close() //nolint:sqlclosecheck // what is kept is not closed here
	}
	if s.closed {
		return nil, st.Close()
	}
	if s.known == nil {
		s.known = make(map[string]*sql.Stmt)
	}
	s.known[q] = st
	return st, nil
}

// add prepares queries for the next time; one that cannot be prepared now will be
// seen again.
func (s *statements) add(ctx context.Context, queries []string) {
	for _, q := range queries {
		if _, err := s.get(ctx, q); err != nil { //nolint:sqlclosecheck // the cache closes it
			return
		}
	}
}

func (s *statements) close() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for q, st := range s.known {
		err = errors.Join(err, st.Close())
		delete(s.known, q)
	}
	return err
}
