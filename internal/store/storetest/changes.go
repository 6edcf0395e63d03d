package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

// margin is what a cursor's floor lies below the time at which its run began.
const margin = im.Micros(30 * time.Second / time.Microsecond)

// run is the client's question, from floor to the end: pages of limit until there
// are no more. It returns the conversations in the order in which they came, and
// the next floor.
func (w *world) run(user im.UserID, floor im.Micros, limit int, between func()) ([]im.Conversation, im.Micros) {
	w.t.Helper()
	var all []im.Conversation
	var next im.Micros
	q := im.ChangesQuery{User: user, Floor: floor, Limit: limit, MaxBytes: 1 << 20}
	for {
		p, err := w.Changes(w.t.Context(), q)
		if err != nil {
			w.t.Fatalf("Changes(%+v): %v", q, err)
		}
		if next == 0 {
			next = p.Now - margin
		}
		all = append(all, p.Conversations...)
		if !p.More {
			return all, next
		}
		if len(p.Conversations) == 0 || p.Last.Conv != p.Conversations[len(p.Conversations)-1].ID {
			w.t.Fatalf("a page of %d conversations ends at %+v and says that there is more", len(p.Conversations), p.Last)
		}
		q.Before = p.Last
		between()
	}
}

// age makes everything look as if it had moved a minute ago.
func (w *world) age() {
	w.t.Helper()
	w.home.Exec(w.t, "UPDATE conversations SET moved = moved - 60000000")
	w.home.Exec(w.t, "UPDATE members SET moved = moved - 60000000")
}

func ids(list []im.Conversation) []im.ConvID {
	out := make([]im.ConvID, 0, len(list))
	for _, c := range list {
		out = append(out, c.ID)
	}
	return out
}

func testChangesShowConversations(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	e := w.send(b.ID, conv, "key-0001", "hi ann")
	start := time.Now()
	list := w.changes(a.ID)
	if len(list) != 2 {
		t.Fatalf("%d conversations, want the direct one and the inbox", len(list))
	}
	want := im.Conversation{
		ID: conv, Kind: im.Direct, Peer: &b, Head: 3, Read: 1, PeerRead: 3, Last: &e, Updated: e.At,
	}
	if d := cmp.Diff(want, list[0]); d != "" {
		t.Errorf("the direct conversation (-want +got):\n%s", d)
	}
	inbox := list[1]
	if inbox.Kind != im.Inbox || inbox.Peer != nil || inbox.Last == nil || inbox.Head != inbox.Last.Seq || !inbox.Closed ||
		inbox.Updated != inbox.Last.At || inbox.Read != 0 || inbox.Left {
		t.Errorf("the inbox: %+v", inbox)
	}
	// A new account has an empty inbox.
	fresh := w.changes(w.user("cyd").ID)
	if len(fresh) != 1 || fresh[0].Head != 0 || fresh[0].Last != nil || fresh[0].Updated < im.ToMillis(start.Add(-time.Minute)) {
		t.Errorf("a new account has %+v", fresh)
	}
	p, err := w.Changes(t.Context(), im.ChangesQuery{User: 1 << 52, Limit: 10, MaxBytes: 1 << 20})
	if err != nil || len(p.Conversations) != 0 || p.More || p.Now.Millis() < im.ToMillis(start.Add(-time.Minute)) {
		t.Errorf("of nobody: %+v, %v; want nothing but the time", p, err)
	}
	// closed follows what is between the two; it shows without a new entry.
	for _, step := range []struct {
		name   string
		do     func()
		closed [2]bool // for ann and for bob
	}{
		{"ann blocks", func() { w.block(a.ID, b.ID, true) }, [2]bool{false, true}},
		{"bob blocks, too", func() { w.block(b.ID, a.ID, true) }, [2]bool{true, true}},
		{"ann unblocks", func() { w.block(a.ID, b.ID, false) }, [2]bool{true, false}},
		{"bob unblocks", func() { w.block(b.ID, a.ID, false) }, [2]bool{false, false}},
		{"ann ends it", func() { w.remove(a.ID, b.ID) }, [2]bool{true, true}},
		{"friends again", func() { w.befriend(b.ID, a.ID, "") }, [2]bool{false, false}},
	} {
		w.age()
		before := [2]bool{w.conversation(a.ID, conv).Closed, w.conversation(b.ID, conv).Closed}
		step.do()
		for i, u := range []im.UserID{a.ID, b.ID} {
			c := w.conversation(u, conv)
			if c.Closed != step.closed[i] {
				t.Errorf("%s: closed for user %d is %v, want %v", step.name, u, c.Closed, step.closed[i])
			}
			moved, _ := w.run(u, im.Micros(start.Add(-10*time.Second).UnixMicro()), 10, func() {})
			told := false
			for _, m := range moved {
				told = told || m.ID == conv
			}
			if before[i] != step.closed[i] && !told {
				t.Errorf("%s: user %d is not told by a sync", step.name, u)
			}
		}
	}
}

func testChangesPage(t *testing.T, home Home) {
	w := newWorld(t, home)
	hub := w.user("hub")
	var convs []im.ConvID
	for i := range 7 {
		convs = append(convs, w.befriend(w.user(fmt.Sprintf("user%d", i)).ID, hub.ID, ""))
	}
	w.send(hub.ID, convs[0], "key-0001", "the oldest is now the newest")
	got := ids(w.changes(hub.ID))
	if len(got) != 8 || got[0] != convs[0] {
		t.Fatalf("conversations %v, want 8 with %d first", got, convs[0])
	}
	for limit := 1; limit <= 9; limit++ {
		paged, _ := w.run(hub.ID, 0, limit, func() {})
		if d := cmp.Diff(got, ids(paged)); d != "" {
			t.Errorf("in pages of %d (-want +got):\n%s", limit, d)
		}
	}
	// Equal times are told apart by the id.
	home.Exec(t, "UPDATE conversations SET moved = 1000")
	home.Exec(t, "UPDATE members SET moved = 1000")
	for limit := 1; limit <= 9; limit++ {
		paged, _ := w.run(hub.ID, 999, limit, func() {})
		if len(paged) != 8 {
			t.Errorf("equal times in pages of %d: %v", limit, ids(paged))
		}
		for i := 1; i < len(paged); i++ {
			if paged[i].ID >= paged[i-1].ID {
				t.Errorf("equal times in pages of %d: %v, want falling ids", limit, ids(paged))
			}
		}
	}
	if paged, _ := w.run(hub.ID, 1000, 3, func() {}); len(paged) != 0 {
		t.Errorf("moved at the floor, not above it: %v", ids(paged))
	}
}

func testChangesEndAtBytes(t *testing.T, home Home) {
	w := newWorld(t, home)
	hub := w.user("hub")
	for i := range 4 {
		conv := w.befriend(w.user(fmt.Sprintf("user%d", i)).ID, hub.ID, "")
		w.send(hub.ID, conv, "key-0001", strings.Repeat("x", 10_000))
	}
	for _, tc := range []struct{ bytes, want int }{{1, 1}, {25_000, 3}, {1 << 20, 5}} { // the second is the inbox
		p, err := w.Changes(t.Context(), im.ChangesQuery{User: hub.ID, Limit: 100, MaxBytes: tc.bytes})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Conversations) != tc.want || p.More != (tc.want < 5) {
			t.Errorf("%d bytes: %d conversations, more %v; want %d", tc.bytes, len(p.Conversations), p.More, tc.want)
		}
	}
}

// testSyncMissesNothing is a device that syncs in small pages while conversations
// move between them: after one more run it holds the head of each.
func testSyncMissesNothing(t *testing.T, home Home) {
	w := newWorld(t, home)
	hub := w.user("hub")
	var convs []im.ConvID
	for i := range 9 {
		convs = append(convs, w.befriend(w.user(fmt.Sprintf("user%d", i)).ID, hub.ID, ""))
	}
	w.age()
	sent := 0
	move := func(i int) {
		sent++
		w.send(hub.ID, convs[i%len(convs)], fmt.Sprintf("key-%05d", sent), "moved")
	}
	held := make(map[im.ConvID]im.Seq)
	hold := func(list []im.Conversation) {
		for _, c := range list {
			if c.Head < held[c.ID] {
				t.Errorf("conversation %d went back from %d to %d", c.ID, held[c.ID], c.Head)
			}
			held[c.ID] = c.Head
		}
	}
	floor := im.Micros(0)
	for round := range 6 {
		step := 0
		list, next := w.run(hub.ID, floor, 2, func() {
			// Pull up what would have come later, and what has come.
			if step < 12 {
				move(step*5 + round)
				move(step * 7)
			}
			step++
		})
		hold(list)
		if next <= floor {
			t.Errorf("round %d: the floor went from %d to %d", round, floor, next)
		}
		floor = next
		// One more run, from the new floor, closes what moved meanwhile.
		list, floor = w.run(hub.ID, floor, 3, func() {})
		hold(list)
		for _, c := range w.changes(hub.ID) {
			if held[c.ID] != c.Head {
				t.Errorf("round %d: the device holds %d of conversation %d, whose head is %d", round, held[c.ID], c.ID, c.Head)
			}
		}
		// What did not move for a minute is not given again.
		w.age()
		if list, _ := w.run(hub.ID, floor, 3, func() {}); len(list) != 0 {
			t.Errorf("round %d: unmoved conversations %v come again", round, ids(list))
		}
	}
}
