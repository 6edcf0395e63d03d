package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/sqlstore"
)

func TestOpenRefuses(t *testing.T) {
	const secret = "hunter2secret"
	dir := t.TempDir()
	tests := []struct {
		name    string
		options sqlstore.Options
		want    string
	}{
		{"unknown driver", sqlstore.Options{Driver: "oracle"}, "sqlite or mysql"},
		{"no driver", sqlstore.Options{}, "sqlite or mysql"},
		{"no path", sqlstore.Options{Driver: "sqlite"}, "path"},
		{"no such directory", sqlstore.Options{Driver: "sqlite", Path: filepath.Join(dir, "none", "liao.db")}, "no such file"},
		{"a directory", sqlstore.Options{Driver: "sqlite", Path: dir}, "open sqlite store"},
		{"no DSN", sqlstore.Options{Driver: "mysql"}, "names no database"},
		{"broken DSN", sqlstore.Options{Driver: "mysql", DSN: "liao:" + secret + "@tcp(127.0.0.1"}, "cannot be read"},
		{"no database", sqlstore.Options{Driver: "mysql", DSN: "liao:" + secret + "@tcp(127.0.0.1:1)/"}, "names no database"},
		{"no server", sqlstore.Options{Driver: "mysql", DSN: "liao:" + secret + "@tcp(127.0.0.1:1)/liao"}, "refused"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := sqlstore.Open(t.Context(), test.options)
			if err == nil {
				_ = s.Close()
				t.Fatal("Open succeeded")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("Open: %v, want something about %q", err, test.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("Open shows the password: %v", err)
			}
		})
	}
}

func TestFileIsPrivate(t *testing.T) {
	for _, there := range []bool{false, true} {
		t.Run(fmt.Sprintf("there before: %v", there), func(t *testing.T) {
			h := newFile(t).(home)
			if there {
				if err := os.WriteFile(h.options.Path, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			h.store(t)
			files, err := filepath.Glob(h.options.Path + "*")
			if err != nil || len(files) < 2 {
				t.Fatalf("files are %v, %v, want the database and its WAL", files, err)
			}
			for _, f := range files {
				i, err := os.Stat(f)
				if err != nil {
					t.Fatal(err)
				}
				if got := i.Mode().Perm(); got != 0o600 {
					t.Errorf("%s has mode %o, want 600", filepath.Base(f), got)
				}
			}
		})
	}
}

// A path is a path, whatever it means in a URL.
func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a b.db", "q?x=1#y.db", "per%20cent.db", "安.db"} {
		path := filepath.Join(t.TempDir(), name)
		s, err := sqlstore.Open(t.Context(), sqlstore.Options{Driver: "sqlite", Path: path})
		if err != nil {
			t.Errorf("Open(%q): %v", name, err)
			continue
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Errorf("Migrate(%q): %v", name, err)
		}
		if i, err := os.Stat(path); err != nil || i.Size() == 0 {
			t.Errorf("after Migrate %q is %v, %v", name, i, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

func TestSQLiteNeedsNoWarning(t *testing.T) {
	if got, err := newFile(t).(home).store(t).Warnings(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("Warnings = %q, %v, want none", got, err)
	}
}

func testMigrate(t *testing.T, h home) {
	t.Helper()
	s := h.openRaw(t)
	defer func() { _ = s.Close() }()
	if pending, err := s.Pending(t.Context()); err != nil || !pending {
		t.Errorf("Pending of an empty database = %v, %v, want true", pending, err)
	}
	if _, err := s.FindAccount(t.Context(), "ann"); err == nil || errors.Is(err, im.NotFound) {
		t.Errorf("FindAccount without a schema: %v", err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	epoch, err := s.Epoch(t.Context())
	if err != nil || len(epoch) != 32 {
		t.Errorf("Epoch = %q, %v", epoch, err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate again: %v", err)
	}
	if pending, err := s.Pending(t.Context()); err != nil || pending {
		t.Errorf("Pending after Migrate = %v, %v, want false", pending, err)
	}
	other := h.store(t)
	if got, err := other.Epoch(t.Context()); err != nil || got != epoch {
		t.Errorf("Epoch after a restart = %q, %v, want %q", got, err, epoch)
	}
}

func testMigrateAtOnce(t *testing.T, h home) {
	t.Helper()
	const n = 5
	stores := make([]*sqlstore.Store, n)
	for i := range stores {
		stores[i] = h.openRaw(t)
		defer func() { _ = stores[i].Close() }()
	}
	errs := make(chan error)
	for _, s := range stores {
		go func() { errs <- s.Migrate(t.Context()) }()
	}
	for range stores {
		if err := <-errs; err != nil {
			t.Errorf("Migrate at once with others: %v", err)
		}
	}
	epochs := make(map[string]bool)
	for _, s := range stores {
		e, err := s.Epoch(t.Context())
		if err != nil {
			t.Errorf("Epoch: %v", err)
		}
		epochs[e] = true
	}
	if len(epochs) != 1 {
		t.Errorf("the stores know %d epochs, want one", len(epochs))
	}
}

func testMetrics(t *testing.T, h home) {
	t.Helper()
	reg := prometheus.NewRegistry()
	h.options.Metrics = reg
	for range 2 { // a store that is opened anew may register again
		s := h.openRaw(t)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("Migrate: %v", err)
		}
		families, err := reg.Gather()
		if err != nil {
			t.Fatalf("Gather: %v", err)
		}
		names := make(map[string]bool)
		for _, f := range families {
			names[f.GetName()] = true
		}
		for _, want := range []string{"liao_sqlstore_transaction_seconds", "liao_sqlstore_connections_open", "liao_sqlstore_retries_total"} {
			if !names[want] {
				t.Errorf("%s is missing; there are %v", want, names)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if left, err := reg.Gather(); err != nil || len(left) != 0 {
		t.Errorf("after Close %d metrics are left, %v", len(left), err)
	}
}

func testClosed(t *testing.T, h home) {
	t.Helper()
	s := h.openRaw(t)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	calls := map[string]func(ctx context.Context) error{
		"Ping":        s.Ping,
		"FindAccount": func(ctx context.Context) error { _, err := s.FindAccount(ctx, "ann"); return err },
		"EnableUser":  func(ctx context.Context) error { return s.EnableUser(ctx, 1) },
	}
	for name, call := range calls {
		if err := call(t.Context()); err == nil || errors.Is(err, im.NotFound) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}
