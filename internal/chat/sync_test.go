package chat_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// moves is a list of conversations that move, as a database keeps it.
type moves struct {
	at     map[im.ConvID]im.Micros
	behind im.Micros // the database's clock against ours
	asked  []im.ChangesQuery
}

func (m *moves) now() im.Micros { return micros() + m.behind }

func (m *moves) move(c im.ConvID) { m.at[c] = max(m.at[c]+1, m.now()) }

func (m *moves) changes(q im.ChangesQuery) (im.ChangesPage, error) {
	m.asked = append(m.asked, q)
	page := im.ChangesPage{Now: m.now()}
	var all []im.ChangePos
	for c, at := range m.at {
		if p := (im.ChangePos{Moved: at, Conv: c}); at > q.Floor && (q.Before == im.ChangePos{} || before(p, q.Before)) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b im.ChangePos) int {
		return cmp.Or(cmp.Compare(b.Moved, a.Moved), cmp.Compare(b.Conv, a.Conv))
	})
	page.More = len(all) > q.Limit
	for _, p := range all[:min(len(all), q.Limit)] {
		page.Conversations = append(page.Conversations, im.Conversation{ID: p.Conv, Kind: im.Direct})
		page.Last = p
	}
	return page, nil
}

func before(p, q im.ChangePos) bool {
	return p.Moved < q.Moved || p.Moved == q.Moved && p.Conv < q.Conv
}

func (d *device) sync(cursor string, limit uint32) *clientpb.Changes {
	d.t.Helper()
	f := d.ask(clientpb.Type_SYNC, &clientpb.Sync{Cursor: cursor, Limit: limit})
	if f.Type != clientpb.Type_CHANGES {
		d.t.Fatalf("SYNC is answered by %v %q", f.Type, f.Body)
	}
	return body[clientpb.Changes](d.t, f)
}

func newMoves(r *rig, n int) *moves {
	m := &moves{at: make(map[im.ConvID]im.Micros)}
	r.store.onChanges = m.changes
	for c := range im.ConvID(n) {
		m.at[c+1] = micros() - im.Micros(time.Hour/time.Microsecond) + im.Micros(c)
	}
	return m
}

func TestSyncPagesThroughEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		m := newMoves(r, 25)
		d := r.join(1, 1)
		seen := make(map[uint64]int)
		cursor, pages := "", 0
		for {
			c := d.sync(cursor, 10)
			for _, conv := range c.GetConversations() {
				seen[conv.GetId()]++
			}
			cursor = c.GetCursor()
			if pages++; !c.GetMore() {
				break
			}
			if c.GetReset_() {
				t.Error("a first run is said to be a reset")
			}
		}
		if len(seen) != 25 || pages != 3 {
			t.Errorf("%d conversations on %d pages, want 25 on 3", len(seen), pages)
		}
		// The next run gives what moved, and what moved shortly before the last one.
		<-time.After(time.Minute)
		m.move(7)
		c := d.sync(cursor, 10)
		if n := len(c.GetConversations()); n != 1 || c.GetConversations()[0].GetId() != 7 || c.GetMore() {
			t.Errorf("after one move came %v", c)
		}
		if ago := micros() - m.asked[len(m.asked)-1].Floor; ago != im.Micros(90*time.Second/time.Microsecond) {
			t.Errorf("the floor is %d µs ago, want 90 s: the first run's time less 30 s", ago)
		}
	})
}

func TestSyncLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		m := newMoves(r, 1)
		d := r.join(1, 1)
		d.sync("", 0)
		d.sync("", 200)
		if m.asked[0].Limit != 100 || m.asked[1].Limit != 200 {
			t.Errorf("limits 0 and 200 became %d and %d", m.asked[0].Limit, m.asked[1].Limit)
		}
		wantError(t, d.ask(clientpb.Type_SYNC, &clientpb.Sync{Limit: 201}), clientpb.Code_INVALID)
	})
}

func TestSyncStartsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		m := newMoves(r, 3)
		d := r.join(1, 1)
		good := d.sync("", 0).GetCursor()
		within := d.sync("", 1).GetCursor()
		for name, cursor := range map[string]string{
			"garbage": "no cursor at all", "cut": good[:len(good)-2], "changed": strings.ToUpper(good), "huge": strings.Repeat("A", 5000),
		} {
			c := d.sync(cursor, 0)
			if !c.GetReset_() || len(c.GetConversations()) != 3 {
				t.Errorf("%s: got %v, want everything and reset", name, c)
			}
		}
		m.behind = -im.Micros(time.Minute / time.Microsecond)
		for name, cursor := range map[string]string{"future": good, "future within a run": within} {
			c := d.sync(cursor, 0)
			if !c.GetReset_() || len(c.GetConversations()) != 3 {
				t.Errorf("%s: got %v, want everything and reset", name, c)
			}
			if again := d.sync(c.GetCursor(), 0); again.GetReset_() {
				t.Errorf("%s: the cursor that a reset gave is reset again", name)
			}
		}
		// Ten seconds back are no future: the cursor is 30 s behind its clock.
		m.behind = 0
		fresh := d.sync("", 0).GetCursor()
		m.behind = -im.Micros(10 * time.Second / time.Microsecond)
		if c := d.sync(fresh, 0); c.GetReset_() {
			t.Error("a clock that stepped back by 10 s resets cursors")
		}
	})
}

func TestSyncOfAnotherEpoch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		newMoves(r, 3)
		cursor := r.join(1, 1).sync("", 0).GetCursor()
		restored := newLedger()
		restored.epoch = "epoch-2"
		r2 := newRig(t, func(o *chat.Options) { o.Log, o.Tokens = restored, restored })
		r2.store = restored
		newMoves(r2, 3)
		if c := r2.join(1, 1).sync(cursor, 0); !c.GetReset_() || len(c.GetConversations()) != 3 {
			t.Errorf("got %v, want everything and reset", c)
		}
	})
}

// A run that was cut off is followed by a fresh one: what was pushed to nobody in
// between has then been given.
func TestARunFromAnotherConnectionIsFollowedByAFreshOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		m := newMoves(r, 15)
		first := r.join(1, 1)
		c := first.sync("", 10)
		if !c.GetMore() {
			t.Fatal("one page is all")
		}
		first.conn.Close()
		<-time.After(time.Minute)
		m.move(3)
		second := r.join(1, 1)
		c = second.sync(c.GetCursor(), 10)
		if !c.GetMore() {
			t.Fatal("the last page of a run that another connection began does not say more")
		}
		c = second.sync(c.GetCursor(), 10)
		if c.GetMore() || len(c.GetConversations()) != 1 || c.GetConversations()[0].GetId() != 3 {
			t.Errorf("the fresh run gave %v, want the one that moved", c)
		}
		if c = second.sync(c.GetCursor(), 10); c.GetMore() {
			t.Errorf("a complete run says more: %v", c)
		}
	})
}

// However conversations move during a run, and wherever it is cut off, no state of
// one that moved is missed once a run has ended.
func TestSyncMissesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				m := newMoves(r, 30)
				rnd := rand.New(rand.NewPCG(seed, 1))
				d := r.join(1, 1)
				held := make(map[im.ConvID]im.Micros)
				cursor := ""
				for range 200 {
					if rnd.IntN(4) == 0 {
						<-time.After(time.Duration(rnd.IntN(20_000)) * time.Millisecond)
					}
					if rnd.IntN(10) == 0 {
						d.conn.Close()
						d = r.join(1, 1)
					}
					m.move(im.ConvID(rnd.IntN(30) + 1))
					state := make(map[im.ConvID]im.Micros, len(m.at))
					maps.Copy(state, m.at)
					c := d.sync(cursor, 4)
					for _, conv := range c.GetConversations() {
						held[im.ConvID(conv.GetId())] = state[im.ConvID(conv.GetId())]
					}
					cursor = c.GetCursor()
				}
				// What moved during the run that goes on was pushed to its connection, or
				// comes in the next.
				for range 2 {
					for more := true; more; {
						c := d.sync(cursor, 4)
						for _, conv := range c.GetConversations() {
							held[im.ConvID(conv.GetId())] = m.at[im.ConvID(conv.GetId())]
						}
						cursor, more = c.GetCursor(), c.GetMore()
					}
				}
				for c, at := range m.at {
					if held[c] != at {
						t.Errorf("conversation %d moved at %d, held is %d", c, at, held[c])
					}
				}
			})
		})
	}
}

// A page ends at 128 KiB as it is sent, whatever the store counts.
func TestSyncPagesFitAFrame(t *testing.T) {
	t.Parallel()
	for _, codec := range []wire.Codec{wire.JSON, wire.Protobuf} {
		t.Run(codec.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				m := newMoves(r, 5)
				numbers := []byte(`{"n":[` + strings.TrimSuffix(strings.Repeat("1,", 4000), ",") + `]}`)
				r.store.onChanges = func(q im.ChangesQuery) (im.ChangesPage, error) {
					q.Limit = min(q.Limit, q.MaxBytes/len(numbers))
					page, err := m.changes(q)
					for i := range page.Conversations {
						page.Conversations[i].Last = &im.Entry{Seq: 1, Content: im.Content{Kind: "x-a", Data: numbers}}
					}
					return page, err
				}
				d := r.dial()
				d.codec = codec
				d.hello(r.token(1, 1))
				seen := make(map[uint64]bool)
				cursor := ""
				for {
					f := d.ask(clientpb.Type_SYNC, &clientpb.Sync{Cursor: cursor})
					c := body[clientpb.Changes](t, f)
					if len(f.Body) > wire.MaxBody+100 && len(c.GetConversations()) > 1 {
						t.Errorf("a page of %d conversations has %d bytes", len(c.GetConversations()), len(f.Body))
					}
					for _, conv := range c.GetConversations() {
						seen[conv.GetId()] = true
					}
					if cursor = c.GetCursor(); !c.GetMore() {
						break
					}
				}
				if len(seen) != 5 {
					t.Errorf("%d conversations came, want 5", len(seen))
				}
			})
		})
	}
}
