package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
)

func openTest(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Driver: "sqlite", Path: path})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	return s
}

func setMeta(name, value string) func(context.Context, *tx) error {
	return func(ctx context.Context, x *tx) error {
		_, err := x.exec(ctx, "INSERT INTO meta (name, value) VALUES (?, ?)", name, value)
		return err
	}
}

func hasMeta(t *testing.T, s *Store, name string) bool {
	t.Helper()
	var n int
	if err := s.reads.row(t.Context(), "SELECT COUNT(*) FROM meta WHERE name = ?", name).Scan(&n); err != nil {
		t.Fatalf("read meta: %v", err)
	}
	return n == 1
}

// hold keeps a write transaction of s open until the returned function is called.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- s.write(t.Context(), "hold", func(ctx context.Context, x *tx) error {
			if err := setMeta("held", "x")(ctx, x); err != nil {
				return err
			}
			close(begun)
			<-end
			return nil
		})
	}()
	<-begun
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Errorf("the transaction that was held: %v", err)
		}
	}
}

func TestWriterWaitsForWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "liao.db")
	server, command := openTest(t, path), openTest(t, path)
	release := hold(t, server)
	result := make(chan error)
	go func() { result <- command.write(t.Context(), "wait", setMeta("late", "x")) }()
	if hasMeta(t, command, "held") || hasMeta(t, command, "late") {
		t.Error("a reader sees what is not committed")
	}
	release()
	if err := <-result; err != nil {
		t.Errorf("the second process's write: %v", err)
	}
	if !hasMeta(t, server, "late") {
		t.Error("the first process does not see what the second wrote")
	}
}

func TestBusyIsDefinite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "liao.db")
	server, command := openTest(t, path), openTest(t, path)
	release := hold(t, server)
	for name, s := range map[string]*Store{"same process": server, "other process": command} {
		start := time.Now()
		err := s.writeWithin(t.Context(), 100*time.Millisecond, "try", setMeta("refused", "x"))
		if !errors.Is(err, im.Overloaded) {
			t.Errorf("%s: %v, want overloaded", name, err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%s: refused after %v", name, took)
		}
	}
	release()
	for name, s := range map[string]*Store{"same process": server, "other process": command} {
		if hasMeta(t, s, "refused") {
			t.Errorf("%s: what was refused is there", name)
		}
		if err := s.write(t.Context(), "again", setMeta("after "+name, "x")); err != nil {
			t.Errorf("%s: a write once the lock is free: %v", name, err)
		}
	}
}

func TestRollback(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "liao.db"))
	ctx, cancel := context.WithCancel(t.Context())
	tests := []struct {
		name string
		run  func() error
		want error
	}{
		{"error", func() error {
			return s.write(t.Context(), "w", func(ctx context.Context, x *tx) error {
				if err := setMeta("gone", "x")(ctx, x); err != nil {
					return err
				}
				return im.Fail(im.Forbidden, "no")
			})
		}, im.Forbidden},
		{"cancelled", func() error {
			return s.write(ctx, "w", func(ctx context.Context, x *tx) error {
				if err := setMeta("gone", "x")(ctx, x); err != nil {
					return err
				}
				cancel()
				return nil
			})
		}, im.Unavailable},
		{"panic", func() (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			return s.write(t.Context(), "w", func(ctx context.Context, x *tx) error {
				if err := setMeta("gone", "x")(ctx, x); err != nil {
					return err
				}
				panic("a test's") //nolint:forbidigo // what is tested
			})
		}, nil},
		{"duplicate", func() error {
			return s.write(t.Context(), "w", func(ctx context.Context, x *tx) error {
				return errors.Join(setMeta("gone", "x")(ctx, x), setMeta("epoch", "x")(ctx, x))
			})
		}, nil},
	}
	for _, test := range tests {
		err := test.run()
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if hasMeta(t, s, "gone") {
			t.Errorf("%s: what was rolled back is there", test.name)
		}
	}
	if err := s.write(t.Context(), "after", setMeta("after", "x")); err != nil {
		t.Errorf("a write after all that: %v", err)
	}
}

func TestNothingIsWrittenOnceAFlushFailed(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "liao.db"))
	cause := errors.New("input/output error")
	s.broken.Store(&cause)
	if err := s.write(t.Context(), "w", setMeta("lost", "x")); !errors.Is(err, im.Unavailable) || !errors.Is(err, cause) {
		t.Errorf("a write: %v, want unavailable because of the disk", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, cause) {
		t.Errorf("Ping: %v, want %v", err, cause)
	}
}

func TestPingSeesAClockThatSteppedBack(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "liao.db"))
	now := s.latest.Load()
	tests := []struct {
		ahead time.Duration // what the clock showed before
		ok    bool
	}{
		{0, true},
		{9 * time.Second, true},
		{time.Minute, false},
	}
	for _, test := range tests {
		s.latest.Store(now + test.ahead.Microseconds())
		if err := s.Ping(t.Context()); (err == nil) != test.ok {
			t.Errorf("a step back of %v: %v, want ready %v", test.ahead, err, test.ok)
		}
	}
}

func TestStatementsAreBounded(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "liao.db"))
	for i := range maxStatements + 50 {
		var got int
		if err := s.reads.row(t.Context(), fmt.Sprintf("SELECT %d", i)).Scan(&got); err != nil || got != i {
			t.Fatalf("SELECT %d = %d, %v", i, got, err)
		}
	}
	if got := len(s.reads.stmts.known); got > maxStatements {
		t.Errorf("%d statements are kept, want at most %d", got, maxStatements)
	}
}

func TestLists(t *testing.T) {
	tests := []struct{ got, want string }{
		{marks(1), "?"},
		{marks(3), "?, ?, ?"},
		{tuples(1, 1), "(?)"},
		{tuples(2, 3), "(?, ?, ?), (?, ?, ?)"},
		{sqliteDialect{}.upsert("a, b"), " ON CONFLICT (a, b) DO NOTHING"},
		{sqliteDialect{}.upsert("a", "b", "c"), " ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = excluded.c"},
		{mysqlDialect{}.upsert("a, b"), " ON DUPLICATE KEY UPDATE a = a"},
		{mysqlDialect{}.upsert("a", "b", "c"), " ON DUPLICATE KEY UPDATE b = VALUES(b), c = VALUES(c)"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestDelayAfter(t *testing.T) {
	tests := map[int]time.Duration{
		0: 0, 4: 0, 5: time.Second, 6: 2 * time.Second, 10: 32 * time.Second, 14: 512 * time.Second,
		15: maxDelay, 16: maxDelay, 1000: maxDelay, 1 << 40: maxDelay,
	}
	for tries, want := range tests {
		if got := delayAfter(tries); got != want {
			t.Errorf("delayAfter(%d) = %v, want %v", tries, got, want)
		}
	}
}

// Both migrations make the same tables and columns.
func TestDialectsHaveOneSchema(t *testing.T) {
	columns := func(file string) string {
		b, err := migrationFiles.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(strings.Replace(line, "IF NOT EXISTS ", "", 1))
			word, rest, _ := strings.Cut(line, " ")
			switch {
			case strings.HasPrefix(line, "CREATE TABLE"):
				out = append(out, strings.TrimSuffix(line, " ("))
			case word != "" && word == strings.ToLower(word) && word[0] >= 'a' && word[0] <= 'z' && rest != "":
				out = append(out, word)
			}
		}
		return strings.Join(out, "\n")
	}
	lite, my := columns("migrations/sqlite/00001_first.sql"), columns("migrations/mysql/00001_first.sql")
	if lite != my || strings.Count(lite, "CREATE TABLE") < 14 {
		t.Errorf("sqlite has\n%s\n\nmysql has\n%s", lite, my)
	}
}
