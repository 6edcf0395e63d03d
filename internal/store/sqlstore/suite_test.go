package sqlstore_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver that home.Exec opens

	"github.com/liao-im/liao/internal/store/sqlstore"
	"github.com/liao-im/liao/internal/store/storetest"
)

// home is a database of one test.
type home struct {
	options sqlstore.Options
	driver  string // for Exec
	source  string
}

// newFile is a home in a SQLite file.
func newFile(t *testing.T) storetest.Home {
	t.Helper()
	path := filepath.Join(t.TempDir(), "liao.db")
	return home{sqlstore.Options{Driver: "sqlite", Path: path}, "sqlite", "file:" + path + "?_pragma=busy_timeout(5000)"}
}

func (h home) Open(t *testing.T) storetest.Store { return h.open(t) }

func (h home) open(t *testing.T) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), h.options)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	return s
}

func (h home) Exec(t *testing.T, query string, args ...any) {
	t.Helper()
	db, err := sql.Open(h.driver, h.source)
	if err != nil {
		t.Fatalf("open %s: %v", h.driver, err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func TestSQLite(t *testing.T) { storetest.Run(t, newFile) }
