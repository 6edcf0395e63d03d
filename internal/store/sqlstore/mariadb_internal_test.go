//go:build integration

package sqlstore

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/storetest"
)

// TestMariaDBSession is about what this package asks of its connections.
func TestMariaDBSession(t *testing.T) {
	server := storetest.StartMariaDB(t)
	dsn := server.Database(t)
	s, err := Open(t.Context(), Options{Driver: "mysql", DSN: dsn})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	t.Run("Settings", func(t *testing.T) { testSettings(t, s) })
	t.Run("Deadlock", func(t *testing.T) { testDeadlock(t, s) })
	t.Run("HeldUser", func(t *testing.T) { testHeldUser(t, s) })
	t.Run("Warnings", func(t *testing.T) { testWarnings(t, s, server, dsn) })
}

func testSettings(t *testing.T, s *Store) {
	t.Helper()
	settings := map[string]string{
		"@@tx_isolation":                   "READ-COMMITTED",
		"@@innodb_lock_wait_timeout":       "1",
		"@@idle_write_transaction_timeout": "3",
		"@@time_zone":                      "+00:00",
		"@@character_set_connection":       "utf8mb4",
		"@@innodb_flush_log_at_trx_commit": "1",
	}
	for name, want := range settings {
		var got string
		if err := s.reads.row(t.Context(), "SELECT "+name).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v, want %q", name, got, err, want)
		}
	}
	var mode string
	if err := s.reads.row(t.Context(), "SELECT @@sql_mode").Scan(&mode); err != nil || !strings.Contains(mode, "STRICT_ALL_TABLES") {
		t.Errorf("@@sql_mode = %q, %v, want a strict one", mode, err)
	}
	before := fault.Now().UnixMicro()
	now, err := s.now(t.Context())
	if after := fault.Now().UnixMicro(); err != nil || int64(now) < before || int64(now) > after {
		t.Errorf("the database's clock shows %d, %v; this machine's %d before and %d after", now, err, before, after)
	}
}

// testDeadlock: two transactions lock two users the wrong way round. One of them is
// rolled back by the server, and run again.
func testDeadlock(t *testing.T, s *Store) {
	t.Helper()
	var ids [2]im.UserID
	for i, handle := range []string{"ann", "bob"} {
		u, err := s.CreateAccount(t.Context(), im.NewAccount{Email: handle + "@example.org", Handle: handle, Name: handle})
		if err != nil {
			t.Fatalf("CreateAccount: %v", err)
		}
		ids[i] = u.ID
	}
	var runs atomic.Int32
	met := make(chan struct{})
	var holding atomic.Int32
	errs := make(chan error)
	for i := range 2 {
		first := true
		go func() {
			errs <- s.write(t.Context(), "cross", func(ctx context.Context, x *tx) error {
				runs.Add(1)
				if _, err := x.lockUser(ctx, ids[i]); err != nil {
					return err
				}
				if first {
					first = false
					if holding.Add(1) == 2 {
						close(met)
					}
					<-met
				}
				_, err := x.lockUser(ctx, ids[1-i])
				return err
			})
		}()
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Errorf("a transaction in a deadlock: %v", err)
		}
	}
	if got := runs.Load(); got != 3 {
		t.Errorf("the two ran %d times in all, want 3", got)
	}
}

func testHeldUser(t *testing.T, s *Store) {
	t.Helper()
	u, err := s.CreateAccount(t.Context(), im.NewAccount{Email: "cleo@example.org", Handle: "cleo", Name: "Cleo"})
	if err != nil {
		t.Fatalf("CreateAccount: %v", err)
	}
	err = s.write(t.Context(), "hold", func(ctx context.Context, x *tx) error {
		if _, err := x.lockUser(ctx, u.ID); err != nil {
			return err
		}
		if err := s.DisableUser(t.Context(), u.ID); !errors.Is(err, im.Overloaded) {
			t.Errorf("DisableUser of a user who is locked: %v, want overloaded", err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("the transaction that held the lock: %v", err)
	}
	if a, err := s.Account(t.Context(), u.ID); err != nil || a.Disabled {
		t.Errorf("after a refusal the user is disabled %v, %v", a.Disabled, err)
	}
}

func testWarnings(t *testing.T, s *Store, server *storetest.MariaDB, dsn string) {
	t.Helper()
	check := func(want ...string) {
		t.Helper()
		got, err := s.Warnings(t.Context())
		if err != nil || len(got) != len(want) {
			t.Fatalf("Warnings = %q, %v, want %d about %q", got, err, len(want), want)
		}
		for i, w := range want {
			if !strings.Contains(got[i], w) {
				t.Errorf("Warnings[%d] = %q, want it about %s", i, got[i], w)
			}
		}
	}
	check("log_bin")
	server.Exec(t, dsn, "SET GLOBAL innodb_flush_log_at_trx_commit = 2")
	check("innodb_flush_log_at_trx_commit", "log_bin")
	server.Exec(t, dsn, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	check("log_bin")
}
