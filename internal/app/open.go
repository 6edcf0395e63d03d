package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/config"
	"github.com/liao-im/liao/internal/ops"
	"github.com/liao-im/liao/internal/store/sqlstore"
)

// sqliteFile is the embedded database's name in the data folder.
const sqliteFile = "liao.db"

// openStore opens the configured database without migrating it.
func openStore(ctx context.Context, c *config.Config, log *slog.Logger, metrics prometheus.Registerer) (*sqlstore.Store, error) {
	o := sqlstore.Options{Driver: c.Store.Driver, Logger: log, Metrics: metrics}
	if c.Store.Driver == "sqlite" {
		o.Path = filepath.Join(c.Data, sqliteFile) // its readers are few: each holds a cache, and none waits for a network
	} else {
		o.DSN, o.Pool = c.Store.DSN.Reveal(), c.Store.Pool
	}
	return sqlstore.Open(ctx, o)
}

// openAudit opens the audit log for an operator's command. With no file configured
// its lines go where the command's errors go.
func openAudit(c *config.Config, std Streams) (*ops.Audit, error) {
	return ops.OpenAudit(ops.AuditOptions{File: c.Log.AuditFile, Stderr: std.Err})
}

// openForOperator opens the database of an installation that exists, for a command
// that an operator runs beside the server or in its place.
func openForOperator(ctx context.Context, c *config.Config, done *stack) (*sqlstore.Store, error) {
	if err := installed(c); err != nil {
		return nil, err
	}
	st, err := openStore(ctx, c, nil, nil)
	if err != nil {
		return nil, err
	}
	done.pushClose("store", st.Close)
	pending, err := st.Pending(ctx)
	if err != nil {
		return nil, err
	}
	if pending {
		return nil, errors.New("the database is of an older version; run `liao migrate` first")
	}
	return st, nil
}

// installed says what to do if there is no database to work on, rather than making
// an empty one in a folder that was misspelt.
func installed(c *config.Config) error {
	if c.Store.Driver != "sqlite" {
		return nil
	}
	file := filepath.Join(c.Data, sqliteFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database at %s; name its folder with --data, or start one with `liao serve`", file)
	} else if err != nil {
		return fmt.Errorf("look for the database: %w", err)
	}
	return nil
}
