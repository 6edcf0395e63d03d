package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// MariaDB is a server of the test's own: in a temporary directory, on a Unix socket,
// with its durable defaults. It dies with the test, and with the test's process.
type MariaDB struct {
	dir  string
	cmd  *exec.Cmd
	life io.Closer // the server is killed when this is closed
	next int
}

// StartMariaDB starts a server and stops it when t ends. A machine without the
// program fails the test: what was not tested must not look as if it was.
func StartMariaDB(t *testing.T) *MariaDB {
	t.Helper()
	// The name of a socket may have about 100 bytes, and t.TempDir's may be long.
	dir, err := os.MkdirTemp("", "liaodb") //nolint:usetesting // see above
	if err != nil {
		t.Fatalf("make a directory: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	install := exec.CommandContext(t.Context(), program(t, "mariadb-install-db", "mysql_install_db"),
		append(asMyself(), "--no-defaults", "--datadir="+filepath.Join(dir, "data"),
			"--auth-root-authentication-method=normal", "--skip-test-db")...)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("make a MariaDB data directory: %v\n%s", err, out)
	}
	m := &MariaDB{dir: dir}
	m.Start(t)
	t.Cleanup(func() { m.Kill(t) })
	return m
}

// asMyself lets the server run as root if the tests do.
func asMyself() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// program finds one of the names, also where administrators' programs are.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, n := range names {
		for _, dir := range []string{"", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"} {
			path := n
			if dir != "" {
				path = filepath.Join(dir, n)
			}
			if p, err := exec.LookPath(path); err == nil {
				return p
			}
		}
	}
	t.Fatalf("%s is not installed: apt-get install mariadb-server", names[0])
	return ""
}

// Start starts the server, again after Kill, and returns once it answers.
func (m *MariaDB) Start(t *testing.T) {
	t.Helper()
	args := append(asMyself(), "--skip-networking", "--datadir="+filepath.Join(m.dir, "data"), "--socket="+m.socket(),
		"--pid-file="+filepath.Join(m.dir, "pid"), "--innodb-buffer-pool-size=64M", "--skip-name-resolve", "--max-connections=300")
	// The shell waits for the end of its input, which comes when the test closes it
	// and also when the test's process dies in whatever way.
	const script = `"$@" </dev/null & server=$!; read -r _; kill -9 $server; wait $server`
	m.cmd = exec.Command("/bin/sh", append([]string{ //nolint:noctx // it outlives t.Context, which ends before the cleanups
		"-c", script, "sh", program(t, "mariadbd", "mysqld"), "--no-defaults",
	}, args...)...)
	logs, err := os.OpenFile(filepath.Join(m.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatalf("open MariaDB's log: %v", err)
	}
	defer func() { _ = logs.Close() }() // the server has its own copy
	m.cmd.Stdout, m.cmd.Stderr = logs, logs
	life, err := m.cmd.StdinPipe()
	if err != nil {
		t.Fatalf("make a pipe: %v", err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatalf("start MariaDB: %v", err)
	}
	m.life = life
	m.await(t)
}

// await returns once the server answers.
func (m *MariaDB) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	db := m.connect(t, "")
	defer func() { _ = db.Close() }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			logs, _ := os.ReadFile(filepath.Join(m.dir, "log"))
			t.Fatalf("MariaDB does not answer: %v\n%s", err, logs)
		}
	}
}

// Kill ends the server at once, as a loss of power to it alone would. Killed
// already: nothing.
func (m *MariaDB) Kill(t *testing.T) {
	t.Helper()
	if m.life == nil {
		return
	}
	if err := m.life.Close(); err != nil {
		t.Errorf("close MariaDB's life line: %v", err)
	}
	_ = m.cmd.Wait() // it was killed: that is no news
	m.life = nil
}

func (m *MariaDB) socket() string { return filepath.Join(m.dir, "sock") }

func (m *MariaDB) connect(t *testing.T, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", m.dsn(database))
	if err != nil {
		t.Fatalf("open MariaDB: %v", err)
	}
	return db
}

func (m *MariaDB) dsn(database string) string {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "unix", m.socket(), database
	c.Logger = &mysql.NopLogger{}
	return c.FormatDSN()
}

// Database makes an empty database, drops it when t ends, and returns its DSN.
func (m *MariaDB) Database(t *testing.T) (dsn string) {
	t.Helper()
	m.next++
	name := fmt.Sprintf("liao%d", m.next)
	m.Exec(t, "", "CREATE DATABASE "+name+" CHARACTER SET latin1") // a default that must not matter
	t.Cleanup(func() {
		if m.life != nil {
			m.exec(t, context.Background(), "", "DROP DATABASE "+name)
		}
	})
	return m.dsn(name)
}

// Exec runs a statement as root, in the database of a DSN that Database gave.
func (m *MariaDB) Exec(t *testing.T, dsn, query string, args ...any) {
	t.Helper()
	m.exec(t, t.Context(), dsn, query, args...)
}

func (m *MariaDB) exec(t *testing.T, ctx context.Context, dsn, query string, args ...any) { //nolint:revive // the order of testing's own helpers
	t.Helper()
	_, name, _ := strings.Cut(dsn, ")/")
	name, _, _ = strings.Cut(name, "?")
	db := m.connect(t, name)
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(ctx, query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}
