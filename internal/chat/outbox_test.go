package chat_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// post is a committed entry of size bytes for some users.
func post(seq im.Seq, size int, members ...im.UserID) []im.Post {
	return []im.Post{{
		Entry: im.Entry{Conv: 9, Seq: seq, Content: im.Content{Kind: "text", Text: strings.Repeat("x", size)}}, Members: members,
	}}
}

// helloDeaf says HELLO, reads WELCOME, and reads nothing after it.
func (r *rig) helloDeaf(user im.UserID) *device {
	r.t.Helper()
	d := r.dialDeaf()
	go d.send(clientpb.Type_HELLO, 1, &clientpb.Hello{Token: r.token(user, 1)})
	f, err := readFrame(d.conn)
	if err != nil || f.Type != clientpb.Type_WELCOME {
		r.t.Fatalf("HELLO was answered by %v, %v", f.Type, err)
	}
	return d
}

func TestASlowReaderIsHungUpOnAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Limits.OutboxBytes = 256 << 10 })
		slow, quick := r.helloDeaf(1), r.join(2, 1)
		start := time.Now()
		for i := range im.Seq(40) {
			r.chat.Push(t.Context(), post(i+1, 10<<10, 1, 2))
			quick.pushed(clientpb.Type_MESSAGE)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the quick reader waited %v for the slow one", took)
		}
		if n := r.count("liao_chat_drops_total", "slow"); n != 1 {
			t.Errorf("%v pushes were too much, want 1", n)
		}
		synctest.Wait()
		<-time.After(2 * time.Second) // GOAWAY is tried, and then the line is cut
		synctest.Wait()
		if n := r.count("liao_chat_connections"); n != 1 {
			t.Errorf("%v connections are left, want 1", n)
		}
		if n := r.count("liao_chat_connections_ended_total", "slow"); n != 1 {
			t.Errorf("%v connections ended as slow, want 1", n)
		}
		slow.conn.Close()
	})
}

// Who is slow but reads is told why, and gets no further pushes.
func TestASlowReaderIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Limits.OutboxBytes = 64 << 10 })
		d := r.helloDeaf(1)
		for i := range im.Seq(20) {
			r.chat.Push(t.Context(), post(i+1, 10<<10, 1))
		}
		d.listen()
		if bye := d.goodbye(); bye.GetReason() != clientpb.Reason_SLOW {
			t.Errorf("GOAWAY(%v), want SLOW", bye.GetReason())
		}
		if n := d.restOf(clientpb.Type_MESSAGE); n > 7 {
			t.Errorf("%d messages came before GOAWAY; what waited should have been dropped", n)
		}
	})
}

// An answer is only begun while little waits: who asks for much and reads slowly is
// slowed down, not hung up on, and holds no more memory than that.
func TestScrollingMakesNobodySlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Limits.OutboxBytes = 256 << 10 })
		var served atomic.Int32
		r.store.onHistory = func(q im.HistoryQuery) (im.HistoryPage, error) {
			served.Add(1)
			var page im.HistoryPage
			for i := range im.Seq(8) {
				page.Entries = append(page.Entries, im.Entry{Conv: q.Conv, Seq: i + 1, Content: im.Content{Kind: "text", Text: strings.Repeat("x", 10<<10)}})
			}
			return page, nil
		}
		d := r.helloDeaf(1)
		const asked = 30
		go func() {
			for i := range uint32(asked) {
				d.send(clientpb.Type_HISTORY, 10+i, &clientpb.History{Conv: 5})
			}
		}()
		synctest.Wait()
		if n := served.Load(); n != 1 {
			t.Errorf("%d pages were begun for who reads none, want 1", n)
		}
		<-time.After(5 * time.Second)
		d.listen()
		for i := range uint32(asked) {
			if f := d.next("PAGE", func(f wire.Frame) bool { return f.ID == 10+i }); f.Type != clientpb.Type_PAGE {
				t.Fatalf("request %d is answered by %v", i, f.Type)
			}
		}
	})
}

// Typing and presence are dropped before anything else is.
func TestHintsOfTheMomentAreDroppedFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Limits.OutboxBytes = 256 << 10 })
		r.store.converse(5, im.Direct, 1, 2)
		d, typist := r.helloDeaf(1), r.join(2, 1)
		for i := range im.Seq(8) {
			r.chat.Push(t.Context(), post(i+1, 10<<10, 1))
		}
		typist.send(clientpb.Type_TYPING, 0, &clientpb.Typing{Conv: 5})
		synctest.Wait()
		if n := r.count("liao_chat_drops_total", "pressure"); n != 1 {
			t.Errorf("%v drops under pressure, want 1", n)
		}
		d.listen()
		for range 8 {
			d.pushed(clientpb.Type_MESSAGE)
		}
		synctest.Wait()
		if rest := d.rest(); len(rest) != 0 {
			t.Errorf("besides came %v", rest)
		}
	})
}

// What was read is answered after GOAWAY, within 5 s; what comes later is not read.
func TestAnswersFollowGoaway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store    time.Duration
		answered bool
	}{"the store answers": {3 * time.Second, true}, "the store hangs": {20 * time.Second, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.store.converse(5, im.Direct, 1, 2)
				r.store.onAppend = func(context.Context, []im.Draft) error {
					<-time.After(c.store)
					return nil
				}
				d := r.join(1, 1)
				d.send(clientpb.Type_SEND, 9, text(5, "key-00001", "x"))
				synctest.Wait()
				drained := make(chan error, 1)
				start := time.Now()
				go func() { drained <- r.chat.Drain(t.Context()) }()
				f := d.pushed(clientpb.Type_GOAWAY)
				if g := body[clientpb.Goaway](t, f); g.GetReason() != clientpb.Reason_DRAINING || g.GetRetryAfterMs() == 0 {
					t.Errorf("got %v, want DRAINING with a time to come back", g)
				}
				go d.send(clientpb.Type_SEND, 10, text(5, "key-00002", "too late"))
				answered := false
				for f := range d.in {
					answered = answered || f.ID == 9 && f.Type == clientpb.Type_SENT
					if f.ID == 10 {
						t.Errorf("what came after GOAWAY is answered by %v", f.Type)
					}
				}
				if answered != c.answered {
					t.Errorf("answered is %v, want %v", answered, c.answered)
				}
				if took := time.Since(start); took > 6*time.Second {
					t.Errorf("the line was closed after %v, want at most 5 s", took)
				}
				if err := <-drained; err != nil {
					t.Errorf("Drain: %v", err)
				}
			})
		})
	}
}

func TestDrainCutsOffWhoDoesNotGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		deaf, fine := r.helloDeaf(1), r.join(2, 1)
		silent := r.dial() // never says HELLO
		synctest.Wait()
		go func() {
			for range fine.in { // reads to the end
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.chat.Drain(ctx); err == nil {
			t.Error("Drain says that all have gone")
		}
		synctest.Wait()
		if n := r.count("liao_chat_connections"); n != 0 {
			t.Errorf("%v connections are left", n)
		}
		if bye := silent.goodbye(); bye.GetReason() != clientpb.Reason_DRAINING {
			t.Errorf("GOAWAY(%v) before HELLO, want DRAINING", bye.GetReason())
		}
		nodes, _ := r.mem.Nodes(t.Context())
		if len(nodes) != 0 {
			t.Errorf("the node list still has %v", nodes)
		}
		deaf.conn.Close()
		if d := r.dial(); d.goodbye().GetReason() != clientpb.Reason_DRAINING {
			t.Error("a newcomer is let in while the node drains")
		}
	})
}

// An idle connection has the goroutine that reads it, and no other.
func TestOneGoroutinePerIdleConnection(t *testing.T) {
	r := newRig(t, nil)
	const n = 100
	r.helloTCP(1)
	before := runtime.NumGoroutine()
	for i := range n {
		r.helloTCP(im.UserID(i + 2))
	}
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var extra int
	for time.Now().Before(deadline) {
		// dialTCP starts a listener of its own for each: two goroutines that are not ours.
		if extra = runtime.NumGoroutine() - before; extra <= 3*n {
			return
		}
		<-tick.C
	}
	t.Errorf("%d connections have %d goroutines with their listeners, want %d", n, extra, 3*n)
}

func (r *rig) helloTCP(user im.UserID) {
	r.t.Helper()
	d := &device{t: r.t, conn: r.dialTCP(), codec: wire.Protobuf}
	d.send(clientpb.Type_HELLO, 1, &clientpb.Hello{Token: r.token(user, 1)})
	if f, err := readFrame(d.conn); err != nil || f.Type != clientpb.Type_WELCOME {
		r.t.Fatalf("HELLO of %s was answered by %v, %v", fmt.Sprint(user), f.Type, err)
	}
}
