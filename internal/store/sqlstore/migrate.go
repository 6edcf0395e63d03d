package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"github.com/liao-im/liao/internal/im"
)

//go:embed migrations
var migrationFiles embed.FS

const schemaTable = "schema_versions"

// Migrate brings the schema up to this program's version. Any number of processes
// may call it at once. Migrations only add, so older programs go on working.
func (s *Store) Migrate(ctx context.Context) error {
	err := s.withMigrations(func(p *goose.Provider, db *sql.DB) error {
		return s.dialect.alone(ctx, db, func() error {
			done, err := p.Up(ctx)
			for _, m := range done {
				s.log.InfoContext(ctx, "migrated the schema", "version", m.Source.Version, "took", m.Duration)
			}
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return s.write(ctx, "name this history", func(ctx context.Context, x *tx) error {
		_, err := x.exec(ctx, "INSERT INTO meta (name, value) VALUES ('epoch', ?), ('instance', ?)"+s.dialect.upsert("name"),
			im.NewID(), im.NewID())
		return err
	})
}

// Pending says whether Migrate has anything to do.
func (s *Store) Pending(ctx context.Context) (bool, error) {
	var pending bool
	err := s.withMigrations(func(p *goose.Provider, _ *sql.DB) (err error) {
		pending, err = p.HasPending(ctx)
		return err
	})
	return pending, s.explain("look for pending migrations", err)
}

// withMigrations hands f a provider over a database of its own.
func (s *Store) withMigrations(f func(*goose.Provider, *sql.DB) error) (err error) {
	dialect, db, err := s.dialect.migrations()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	dir := "mysql"
	if dialect == goose.DialectSQLite3 {
		dir = "sqlite"
	}
	files, err := fs.Sub(migrationFiles, "migrations/"+dir)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, files,
		goose.WithTableName(schemaTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	return f(p, db)
}
