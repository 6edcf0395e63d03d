//go:build integration

package sqlstore_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/storetest"
)

// testAppendOnServer holds Append to its promises when the server, or the line to
// it, behaves badly.
func testAppendOnServer(t *testing.T, server *storetest.MariaDB, newDatabase func(*testing.T) storetest.Home) {
	t.Helper()
	t.Run("OneBadDraftFailsAlone", func(t *testing.T) {
		checkBadDraft(t, newDatabase(t), `CREATE TRIGGER poison BEFORE INSERT ON messages FOR EACH ROW
			IF NEW.content LIKE '%poison%' THEN SIGNAL SQLSTATE '45000'; END IF`)
	})
	t.Run("HeldLock", func(t *testing.T) { testHeldLock(t, newDatabase(t).(home)) })
	t.Run("LostCommit", func(t *testing.T) { testLostCommit(t, newDatabase(t).(home)) })
	t.Run("Kill", func(t *testing.T) { testKill(t, server, newDatabase(t).(home)) })
}

// testHeldLock: somebody holds one conversation and does not let go.
func testHeldLock(t *testing.T, h home) {
	t.Helper()
	s := h.store(t)
	heldUser, held := pairOf(t, s, "held")
	freeUser, free := pairOf(t, s, "free")
	db, err := sql.Open(h.driver, h.source)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "SELECT id FROM conversations WHERE id = ? FOR UPDATE", held); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	drafts := []im.Draft{
		textDraft(t, heldUser, held, "key-0001", "waits"),
		textDraft(t, freeUser, free, "key-0001", "goes on"),
	}
	got, err := s.Append(t.Context(), drafts)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the batch took %v, want at most 5 s", took)
	}
	if !errors.Is(got[0].Err, im.Overloaded) {
		t.Errorf("the held conversation: %v, want overloaded", got[0].Err)
	}
	if got[1].Err != nil || got[1].Entry.Seq != 2 {
		t.Errorf("the free conversation: seq %d, %v", got[1].Entry.Seq, got[1].Err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	got, err = s.Append(t.Context(), drafts)
	if err != nil || got[0].Err != nil || got[0].Again || got[0].Entry.Seq != 2 || !got[1].Again {
		t.Errorf("once it is free: %+v, %v", got, err)
	}
}

// testLostCommit cuts the line at the commit: before the server has it, or after.
func testLostCommit(t *testing.T, h home) {
	t.Helper()
	line := newCutLine(t, h.source)
	h.options.DSN = line.dsn
	s := h.store(t)
	user, conv := pairOf(t, s, "pair")
	want := im.Seq(1)
	for _, cut := range []cutWhen{cutBefore, cutAfter} {
		for n := range 5 {
			drafts := []im.Draft{
				textDraft(t, user, conv, fmt.Sprintf("key-%d-%d-a", cut, n), "first"),
				textDraft(t, user, conv, fmt.Sprintf("key-%d-%d-b", cut, n), "second"),
			}
			line.arm(cut, 1)
			got, err := s.Append(t.Context(), drafts)
			if err != nil {
				t.Fatal(err)
			}
			if line.left() != 0 {
				t.Fatalf("cut %d: the line was not cut", cut)
			}
			for i, r := range got {
				want++
				if r.Err != nil || r.Again || r.Entry.Seq != want {
					t.Errorf("cut %d, draft %d: seq %d, again %v, err %v; want %d as new", cut, i, r.Entry.Seq, r.Again, r.Err, want)
				}
			}
		}
	}
	// Whatever is tried, every answer is lost: the outcome is unknown, and a retry tells.
	d := []im.Draft{textDraft(t, user, conv, "key-0001", "who knows")}
	line.arm(cutAfter, 1000)
	got, err := s.Append(t.Context(), d)
	if err == nil {
		err = got[0].Err
	}
	if !unknown(err) || !errors.Is(err, im.Unavailable) {
		t.Errorf("every answer lost: %v, want unavailable", err)
	}
	line.arm(cutAfter, 0)
	got, err = s.Append(t.Context(), d)
	if err != nil || got[0].Err != nil || !got[0].Again || got[0].Entry.Seq != want+1 {
		t.Errorf("the retry: %+v, %v; want the original %d", got, err, want+1)
	}
	if got := head(t, s, user, conv); got != want+1 {
		t.Errorf("the head is %d, want %d", got, want+1)
	}
}

// testKill kills the server while senders send: what was acknowledged is there
// afterwards, under its number, and nothing else but what was left unknown.
func testKill(t *testing.T, server *storetest.MariaDB, h home) {
	t.Helper()
	s := h.store(t)
	user, conv := pairOf(t, s, "pair")
	const senders = 6
	var mu sync.Mutex
	acked := make(map[string]im.Seq)
	open := make(map[string]bool)
	for range 3 {
		var done atomic.Bool
		var count atomic.Int64
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				for n := 0; !done.Load(); n++ {
					key := fmt.Sprintf("key-%d-%d-%d", i, n, time.Now().UnixNano())
					got, err := s.Append(t.Context(), []im.Draft{textDraft(t, user, conv, key, key)})
					if err == nil {
						err = got[0].Err
					}
					mu.Lock()
					if err == nil {
						acked[key] = got[0].Entry.Seq
						count.Add(1)
					} else if unknown(err) {
						open[key] = true
					}
					mu.Unlock()
				}
			})
		}
		tick := time.NewTicker(time.Millisecond)
		for count.Load() < 50 {
			<-tick.C
		}
		tick.Stop()
		server.Kill(t)
		done.Store(true)
		wg.Wait()
		server.Start(t)
	}
	log := make(map[string]im.Seq)
	for after := im.Seq(0); ; {
		p, err := s.History(t.Context(), im.HistoryQuery{User: user, Conv: conv, After: after, Limit: 200, MaxBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries {
			if after++; e.Seq != after {
				t.Fatalf("entry %d is numbered %d", after, e.Seq)
			}
			if e.Key != "" {
				log[e.Key] = e.Seq
			}
		}
		if !p.More {
			break
		}
	}
	for key, seq := range acked {
		if log[key] != seq {
			t.Errorf("%s was acknowledged as %d and is stored as %d", key, seq, log[key])
		}
	}
	for key := range log {
		if acked[key] == 0 && !open[key] {
			t.Errorf("%s is stored, and its sender was told that it is not", key)
		}
	}
	t.Logf("%d acknowledged, %d unknown, %d stored", len(acked), len(open), len(log))
}

type cutWhen int

const (
	cutBefore cutWhen = iota // the server never has the COMMIT
	cutAfter                 // the server has answered it, to nobody
)

// cutLine stands between a store and its server and cuts connections at a COMMIT.
type cutLine struct {
	dsn    string
	server string

	mu   sync.Mutex
	when cutWhen
	n    int // how many COMMITs more are cut
}

func newCutLine(t *testing.T, dsn string) *cutLine {
	t.Helper()
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "liaocut") //nolint:usetesting // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l := &cutLine{server: c.Addr}
	c.Addr = filepath.Join(dir, "s")
	l.dsn = c.FormatDSN()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "unix", c.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go l.serve(t.Context(), conn)
		}
	}()
	return l
}

func (l *cutLine) arm(when cutWhen, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.when, l.n = when, n
}

func (l *cutLine) left() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// cut says whether this packet ends its connection, and when.
func (l *cutLine) cut(packet []byte) (cutWhen, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 || !bytes.Contains(packet, []byte("\x03COMMIT")) {
		return 0, false
	}
	l.n--
	return l.when, true
}

func (l *cutLine) serve(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	var d net.Dialer
	server, err := d.DialContext(ctx, "unix", l.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var deaf atomic.Bool // what the server says next is for nobody
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := server.Read(b)
			if err != nil || deaf.Load() {
				_ = client.Close()
				return
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		when, cut := l.cut(b[:n])
		if cut && when == cutBefore {
			return
		}
		deaf.Store(cut)
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
		if cut {
			_, _ = io.Copy(io.Discard, client) // until the other direction has closed it
			return
		}
	}
}

// unknown says whether an error leaves the outcome unknown.
func unknown(err error) bool {
	var e *im.Error
	return err != nil && (!errors.As(err, &e) || !e.Code.Definite())
}
