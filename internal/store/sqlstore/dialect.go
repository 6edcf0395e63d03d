package sqlstore

import (
	"context"
	"database/sql"

	"github.com/pressly/goose/v3"

	"github.com/liao-im/liao/internal/im"
)

// dialect is all that the two databases do differently. Its fragments are put
// together with constant SQL only, never with what a user typed.
type dialect interface {
	// clock is an expression for the database's clock at the moment of the call, in
	// µs (inside a transaction it goes on too), and the argument that it needs, if any.
	clock() (expr string, args []any)
	// forUpdate ends a SELECT whose rows are to be locked until the transaction ends.
	forUpdate() string
	// upsert ends an INSERT: a row with the same keys gets the new values of cols.
	// Without cols the row that is there stays as it is. How many rows were affected
	// tells nothing.
	upsert(keys string, cols ...string) string
	// greatest is the larger of two expressions.
	greatest(a, b string) string
	// cause says what an error of the driver means.
	cause(err error) cause
	// migrations opens what goose needs: its name of the dialect, and a database
	// on which a statement may take as long as it likes.
	migrations() (goose.Dialect, *sql.DB, error)
	// alone runs f while no other process that migrates this database does.
	alone(ctx context.Context, db *sql.DB, f func() error) error
	// warnings lists settings of the server with which an acknowledged write could
	// be lost.
	warnings(ctx context.Context, q querier) ([]string, error)
}

// cause is what an error of a driver means for a transaction.
type cause uint8

const (
	causeOther     cause = iota
	causeDuplicate       // a unique key has this value already
	causeBusy            // a lock was not to be had, or two transactions blocked each other: nothing was done
	causeLost            // the connection broke: the outcome of what was under way is unknown
	causeAway            // the disk is full or cannot be read
	causeUnflushed       // a flush to disk failed: what it should have kept may be gone
)

// readClock reads the database's clock. Where that is this machine's, nobody is asked.
func readClock(ctx context.Context, d dialect, q querier) (now im.Micros, err error) {
	expr, args := d.clock()
	if len(args) == 1 {
		if us, ok := args[0].(int64); ok {
			return im.Micros(us), nil
		}
	}
	err = q.row(ctx, "SELECT "+expr, args...).Scan(&now)
	return now, err
}
