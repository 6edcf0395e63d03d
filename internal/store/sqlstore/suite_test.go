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

// Open opens and migrates the store; the test closes it.
func (h home) Open(t *testing.T) storetest.Store {
	t.Helper()
	return h.open(t)
}

func (h home) open(t *testing.T) *sqlstore.Store {
	t.Helper()
	s := h.openRaw(t)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	return s
}

// openRaw opens the store as it is.
func (h home) openRaw(t *testing.T) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), h.options)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

// store opens and migrates the store, and closes it when the test ends.
func (h home) store(t *testing.T) *sqlstore.Store {
	t.Helper()
	s := h.open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
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

// runAll holds what newHome makes to the suite of every store, and to what only
// this package does.
func runAll(t *testing.T, newHome func(t *testing.T) storetest.Home) {
	t.Helper()
	storetest.Run(t, newHome)
	own := []struct {
		name string
		test func(t *testing.T, h home)
	}{
		{"Migrate", testMigrate},
		{"MigrateAtOnce", testMigrateAtOnce},
		{"ListUsers", testListUsers},
		{"UserDetail", testUserDetail},
		{"Seed", testSeed},
		{"SeededUsersTalk", testSeededUsersTalk},
		{"Metrics", testMetrics},
		{"Closed", testClosed},
	}
	for _, o := range own {
		t.Run(o.name, func(t *testing.T) { o.test(t, newHome(t).(home)) })
	}
}

func TestSQLite(t *testing.T) { runAll(t, newFile) }
