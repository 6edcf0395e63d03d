package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
)

// mysqlDialect is MySQL 8, and MariaDB 10.6 or later.
type mysqlDialect struct{ config *mysql.Config }

const (
	mysqlDial = 3 * time.Second
	mysqlIO   = 5 * time.Second // for one answer: a frozen server must not hold a caller for longer
)

// openMySQL makes a pool of connections; none is dialled yet.
func (s *Store) openMySQL(o Options) error {
	c, err := mysql.ParseDSN(o.DSN)
	if err != nil {
		return errors.New("the DSN cannot be read; it is user:password@tcp(host:port)/database") // the driver's words quote the password
	}
	if c.DBName == "" {
		return errors.New("the DSN names no database")
	}
	c.ClientFoundRows = true // rows affected are those that the condition met, as on SQLite
	c.RejectReadOnly = true  // a demoted primary: leave the connection, do not fail on it for ever
	c.CheckConnLiveness = true
	c.MultiStatements = false
	c.ParseTime = false
	if c.Timeout == 0 {
		c.Timeout = mysqlDial
	}
	c.ReadTimeout, c.WriteTimeout = mysqlIO, mysqlIO
	c.Logger = &mysql.NopLogger{}
	if err := c.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin")); err != nil {
		return err
	}
	s.dialect = mysqlDialect{config: c}
	db, err := openServer(c)
	if err != nil {
		return err
	}
	n := o.Pool
	if n <= 0 {
		n = 32
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxLifetime(10 * time.Minute) // so that load follows a server list that changed
	s.writes = newPool(db)
	s.reads = s.writes
	return nil
}

func openServer(c *mysql.Config) (*sql.DB, error) {
	inner, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(sessionConnector{inner}), nil
}

// sessionConnector sets what this package relies on, whatever the server's own
// settings are, once on each new connection.
type sessionConnector struct{ driver.Connector }

// sessionSettings: waiting for a row ends after 1 s, and on MariaDB a node that
// froze in a transaction loses it, with its locks, after 3 s.
var sessionSettings = [...]string{
	"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
	`SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO',
		innodb_lock_wait_timeout = 1 /*M!100600 , idle_write_transaction_timeout = 3 */`,
}

func (c sessionConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	x, ok := conn.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("the MySQL driver cannot execute"), conn.Close())
	}
	for _, q := range sessionSettings {
		if _, err := x.ExecContext(ctx, q, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("set up the session: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// clock: NOW would stand still during a statement, while it waits for a lock.
func (mysqlDialect) clock() (string, []any) {
	return "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)", nil
}

func (mysqlDialect) forUpdate() string { return " FOR UPDATE" }

func (mysqlDialect) upsert(keys string, cols ...string) string {
	if len(cols) == 0 {
		first, _, _ := strings.Cut(keys, ",")
		return " ON DUPLICATE KEY UPDATE " + first + " = " + first
	}
	q, sep := " ON DUPLICATE KEY UPDATE ", ""
	for _, c := range cols {
		q += sep + c + " = VALUES(" + c + ")"
		sep = ", "
	}
	return q
}

func (mysqlDialect) greatest(a, b string) string { return "GREATEST(" + a + ", " + b + ")" }

// Numbers of errors, from the server's manual.
const (
	errDuplicate       = 1062
	errDiskFull        = 1021
	errTableFull       = 1114
	errLockWaitTimeout = 1205
	errDeadlock        = 1213
	errTooManyConns    = 1040
	errShutdown        = 1053
	errConnKilled      = 1927 // MariaDB
	errReadOnlyOption  = 1290 // the server was made read-only
)

func (mysqlDialect) cause(err error) cause {
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		return causeOther // the latter is a net.Error, too
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		switch e.Number {
		case errDuplicate:
			return causeDuplicate
		case errLockWaitTimeout, errDeadlock:
			return causeBusy
		case errDiskFull, errTableFull, errTooManyConns, errReadOnlyOption:
			return causeAway
		case errShutdown, errConnKilled:
			return causeLost
		}
		return causeOther
	}
	var n net.Error
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, sql.ErrConnDone) || errors.As(err, &n) {
		return causeLost
	}
	return causeOther
}

// migrations opens connections without limits of time: to build an index of a large
// table takes as long as it takes.
func (d mysqlDialect) migrations() (goose.Dialect, *sql.DB, error) {
	c := d.config.Clone()
	c.ReadTimeout, c.WriteTimeout = 0, 0
	db, err := openServer(c)
	return goose.DialectMySQL, db, err
}

// alone holds a lock of the server, named for the database, on a connection of its
// own; if the process dies the lock goes with the connection.
func (d mysqlDialect) alone(ctx context.Context, db *sql.DB, f func() error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	const name = "LEFT(CONCAT('liao.migrate.', DATABASE()), 64)"
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+name+", 600)").Scan(&got); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return errors.New("another process has been migrating this database for ten minutes")
	}
	defer func() {
		_, uerr := conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK("+name+")")
		err = errors.Join(err, uerr)
	}()
	return f()
}
