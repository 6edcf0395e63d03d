package chat_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

func now() time.Time { return fault.Now() }

func TestRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.wrote(5, 10, 1, 2)
		d, own, peer := r.join(1, 1), r.join(1, 2), r.join(2, 1)
		if f := d.ask(clientpb.Type_READ, &clientpb.Read{Conv: 5, Seq: 7}); f.Type != clientpb.Type_OK {
			t.Fatalf("READ is answered by %v", f.Type)
		}
		for name, other := range map[string]*device{"own device": own, "peer": peer} {
			got := body[clientpb.Receipt](t, other.pushed(clientpb.Type_RECEIPT))
			if got.GetConv() != 5 || got.GetUser() != 1 || got.GetSeq() != 7 {
				t.Errorf("%s got %v", name, got)
			}
		}
		// Backwards it succeeds, moves nothing, and tells nobody.
		if f := d.ask(clientpb.Type_READ, &clientpb.Read{Conv: 5, Seq: 3}); f.Type != clientpb.Type_OK {
			t.Errorf("READ backwards is answered by %v", f.Type)
		}
		wantError(t, d.ask(clientpb.Type_READ, &clientpb.Read{Conv: 5, Seq: 11}), clientpb.Code_INVALID)
		wantError(t, d.ask(clientpb.Type_READ, &clientpb.Read{Conv: 6, Seq: 1}), clientpb.Code_NOT_FOUND)
		wantError(t, d.ask(clientpb.Type_READ, &clientpb.Read{}), clientpb.Code_INVALID)
		synctest.Wait()
		for name, other := range map[string]*device{"own device": own, "peer": peer, "reader": d} {
			if n := other.restOf(clientpb.Type_RECEIPT); n != 0 {
				t.Errorf("%s got %d further receipts", name, n)
			}
		}
	})
}

func TestTyping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.converse(5, im.Direct, 1, 2)
		r.store.converse(6, im.Direct, 1, 2)
		r.store.converse(7, im.Direct, 1, 2)
		r.store.convs[7].closed = true
		d, own, peer := r.join(1, 1), r.join(1, 2), r.join(2, 1)
		typing := func(from *device, conv uint64) {
			from.send(clientpb.Type_TYPING, 0, &clientpb.Typing{Conv: conv, User: 99})
		}

		typing(d, 5)
		if got := body[clientpb.Typing](t, peer.pushed(clientpb.Type_TYPING)); got.GetConv() != 5 || got.GetUser() != 1 {
			t.Errorf("the peer got %v, want conversation 5 and user 1", got)
		}
		typing(d, 5)
		typing(own, 5) // the same person
		typing(d, 7)   // may not send there
		typing(d, 8)   // not a member
		typing(d, 0)
		synctest.Wait()
		if n := peer.restOf(clientpb.Type_TYPING); n != 0 {
			t.Errorf("%d were passed on that should not have been", n)
		}
		typing(d, 6)
		peer.pushed(clientpb.Type_TYPING)
		<-time.After(3 * time.Second)
		typing(d, 5)
		peer.pushed(clientpb.Type_TYPING)
		synctest.Wait()
		for name, dev := range map[string]*device{"typist": d, "own device": own} {
			if rest := dev.rest(); len(rest) != 0 {
				t.Errorf("the %s got %v, want nothing", name, rest)
			}
		}
	})
}

// However many conversations somebody claims to type into, little is kept.
func TestTypingIntoManyConversations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		for c := range im.ConvID(100) {
			r.store.converse(c+1, im.Direct, 1, 2)
		}
		d, peer := r.join(1, 1), r.join(2, 1)
		for c := range uint64(100) {
			d.send(clientpb.Type_TYPING, 0, &clientpb.Typing{Conv: c + 1})
		}
		synctest.Wait()
		if n := peer.restOf(clientpb.Type_TYPING); n != 16 {
			t.Errorf("%d were passed on, want 16", n)
		}
	})
}

func TestPresence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Heartbeat = time.Hour })
		r.store.friends[1], r.store.friends[2] = []im.UserID{2}, []im.UserID{1}
		watcher, stranger := r.join(2, 1), r.join(3, 1)
		<-time.After(2 * time.Second)
		watcher.rest()

		start := time.Now()
		phone := r.join(1, 1)
		got := body[clientpb.Presence](t, watcher.pushed(clientpb.Type_PRESENCE))
		if got.GetUser() != 1 || !got.GetOnline() || time.Since(start) > time.Second {
			t.Errorf("after %v the friend got %v", time.Since(start), got)
		}
		r.join(1, 2).conn.Close() // another device comes and goes
		phone.conn.Close()
		<-time.After(20 * time.Second)
		phone = r.join(1, 1) // back before anybody noticed
		<-time.After(20 * time.Second)
		phone.conn.Close()
		gone := time.Now()
		synctest.Wait()
		if rest := watcher.rest(); len(rest) != 0 {
			t.Errorf("for a change of networks the friend got %v", rest)
		}
		<-time.After(20 * time.Second)
		got = body[clientpb.Presence](t, watcher.pushed(clientpb.Type_PRESENCE))
		if got.GetUser() != 1 || got.GetOnline() || got.GetLastSeenMs() == 0 {
			t.Errorf("the friend got %v, want off line", got)
		}
		if took := time.Since(gone); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("off line after %v, want 30 s", took)
		}
		if n := stranger.restOf(clientpb.Type_PRESENCE); n != 0 {
			t.Errorf("a stranger got %d", n)
		}
	})
}

func TestPresenceIsGatheredByTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var queries atomic.Int32
		r.store.onPresence = func() error { queries.Add(1); return nil }
		for u := range im.UserID(200) {
			r.store.friends[u+1] = []im.UserID{1}
			r.join(u+1, 1)
		}
		<-time.After(1100 * time.Millisecond)
		if n := queries.Load(); n != 1 {
			t.Errorf("%d queries for who came in one second, want 1", n)
		}
	})
}

func TestIdleConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		silent, polite, talks := r.join(1, 1), r.join(2, 1), r.join(3, 1)
		start := time.Now()
		done := make(chan struct{})
		go func() { // answers PING, says nothing else
			defer close(done)
			for f := range polite.in {
				if f.Type == clientpb.Type_PING && f.ID == 0 {
					polite.send(clientpb.Type_PONG, 0, nil)
				}
			}
		}()
		go func() { // a heartbeat of its own
			for range 8 {
				<-time.After(30 * time.Second)
				talks.send(clientpb.Type_PING, 7, nil)
			}
		}()
		<-time.After(70 * time.Second)
		bye := silent.goodbye()
		took := time.Since(start)
		if bye.GetReason() != clientpb.Reason_IDLE || took < 75*time.Second || took > 77*time.Second {
			t.Errorf("GOAWAY(%v) after %v, want IDLE after 75 s", bye.GetReason(), took)
		}
		if n := silent.restOf(clientpb.Type_PING); n != 1 {
			t.Errorf("the silent one was asked %d times, want once", n)
		}
		<-time.After(3 * time.Minute)
		synctest.Wait()
		if n := r.count("liao_chat_sessions"); n != 2 {
			t.Errorf("%v sessions are left, want the two that speak", n)
		}
		if n := talks.restOf(clientpb.Type_PING); n != 0 {
			t.Errorf("who keeps his heartbeat was asked %d times", n)
		}
		polite.conn.Close()
		<-done
	})
}

func TestARevokedLoginIsHungUpOnWithinASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d, other := r.join(1, 1), r.join(1, 2)
		start := time.Now()
		r.store.revoke(11)
		if bye := d.goodbye(); bye.GetReason() != clientpb.Reason_UNAUTHORIZED {
			t.Errorf("GOAWAY(%v), want UNAUTHORIZED", bye.GetReason())
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("after %v, want at most 1 s", took)
		}
		<-time.After(5 * time.Second)
		if f := other.ask(clientpb.Type_PING, nil); f.Type != clientpb.Type_PONG {
			t.Errorf("the other login's PING is answered by %v", f.Type)
		}
	})
}

// Even in the middle of a request that hangs.
func TestARevokedLoginWaitsForNoStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.store.onHistory = func(im.HistoryQuery) (im.HistoryPage, error) {
			<-time.After(4 * time.Second)
			return im.HistoryPage{}, nil
		}
		d := r.join(1, 1)
		d.send(clientpb.Type_HISTORY, 9, &clientpb.History{Conv: 5})
		synctest.Wait()
		start := time.Now()
		r.store.revoke(11)
		d.goodbye()
		if took := time.Since(start); took > time.Second {
			t.Errorf("after %v, want at most 1 s", took)
		}
	})
}

// Rows that are read again and again hang up on nobody twice, and logins that ended
// before this node began concern it no more.
func TestOldRevocationsAreSkipped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := newLedger()
		store.revoke(77)
		r := newRig(t, func(o *chat.Options) { o.Log, o.People, o.Tokens = store, store, store })
		r.store = store
		d := r.join(1, 1)
		<-time.After(10 * time.Second)
		if f := d.ask(clientpb.Type_PING, nil); f.Type != clientpb.Type_PONG {
			t.Errorf("PING is answered by %v", f.Type)
		}
	})
}

// While the store hangs, some wait for it; the others are told soon, and nothing of
// theirs was done.
func TestAStoreThatHangsRefusesTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		var called atomic.Int32
		r.store.onHistory = func(im.HistoryQuery) (im.HistoryPage, error) {
			called.Add(1)
			<-time.After(5 * time.Second)
			return im.HistoryPage{}, context.DeadlineExceeded
		}
		var all []*device
		for u := range im.UserID(40) {
			all = append(all, r.join(u+1, 1))
		}
		start := time.Now()
		for _, d := range all {
			d.send(clientpb.Type_HISTORY, 9, &clientpb.History{Conv: 5})
		}
		synctest.Wait()
		refused := 0
		for _, d := range all {
			f := d.next("ERROR", func(f wire.Frame) bool { return f.ID == 9 })
			if e := body[clientpb.Error](t, f); e.GetCode() == clientpb.Code_OVERLOADED && e.GetRetryAfterMs() > 0 {
				refused++
			} else {
				wantError(t, f, clientpb.Code_UNAVAILABLE)
			}
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("the last was answered after %v, want 5 s", took)
		}
		if refused != 8 || called.Load() != 32 {
			t.Errorf("%d were refused and %d calls made, want 8 and 32", refused, called.Load())
		}
	})
}

func TestSightings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d := r.join(1, 1)
		<-time.After(6 * time.Second)
		if r.store.lastSeen(11) == 0 {
			t.Fatal("HELLO was not noted")
		}
		<-time.After(time.Minute)
		left := im.ToMillis(now())
		d.conn.Close()
		<-time.After(6 * time.Second)
		if got := r.store.lastSeen(11); got != left {
			t.Errorf("last seen is %d, want %d: when the connection ended", got, left)
		}
	})
}
