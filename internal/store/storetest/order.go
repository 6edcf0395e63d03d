package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

func testOrderIsDenseUnderConcurrency(t *testing.T, home Home) {
	w := newWorld(t, home)
	checkOrder(t, w, w.Store, w.Store)
}

func testTwoProcessesShareOneOrder(t *testing.T, home Home) {
	w := newWorld(t, home)
	second := newWorld(t, home)
	checkOrder(t, w, w.Store, second.Store)
}

// checkOrder sends from many goroutines through two stores into the same
// conversations, three drafts at a time, and compares what was acknowledged with
// the log.
func checkOrder(t *testing.T, w *world, stores ...Log) {
	t.Helper()
	const senders, rounds = 12, 15
	hub := w.user("hub")
	var convs []im.ConvID
	var peers []im.UserID
	for i := range 3 {
		u := w.user(fmt.Sprintf("peer%d", i))
		peers = append(peers, u.ID)
		convs = append(convs, w.befriend(u.ID, hub.ID, ""))
	}
	acked := make([][]im.Entry, senders)
	inParallel(senders, func(i int) {
		store, conv, from := stores[i%len(stores)], i%len(convs), hub.ID
		if i%2 == 0 {
			from = peers[conv]
		}
		for r := range rounds {
			key := func(n int) string { return fmt.Sprintf("key-%d-%d-%d", i, r, n) }
			mixed := (conv + r) % len(convs) // two locks in one call, in either order
			drafts := []im.Draft{
				w.draft(from, convs[conv], key(0), key(0)),
				w.draft(hub.ID, convs[mixed], key(1), key(1)),
				w.draft(from, convs[conv], key(2), key(2)),
			}
			got, err := store.Append(t.Context(), drafts)
			if err != nil {
				t.Errorf("sender %d: %v", i, err)
				return
			}
			for n, g := range got {
				if g.Err != nil || g.Again {
					t.Errorf("sender %d, draft %d: err %v, again %v", i, n, g.Err, g.Again)
					return
				}
				acked[i] = append(acked[i], g.Entry)
			}
			if got[2].Entry.Seq <= got[0].Entry.Seq {
				t.Errorf("sender %d: drafts of one call were numbered %d, %d", i, got[0].Entry.Seq, got[2].Entry.Seq)
			}
		}
		for n := 3; n < len(acked[i]); n += 3 {
			if acked[i][n].Seq <= acked[i][n-3].Seq {
				t.Errorf("sender %d: a later send got %d after %d", i, acked[i][n].Seq, acked[i][n-3].Seq)
			}
		}
	})
	logs := make(map[im.ConvID][]im.Entry)
	total := 0
	for i, conv := range convs {
		logs[conv] = w.log(hub.ID, conv)
		total += len(logs[conv]) - 1 // but friend.started
		for n, e := range logs[conv] {
			if e.Seq != im.Seq(n)+1 {
				t.Fatalf("conversation %d: entry %d is numbered %d", conv, n+1, e.Seq)
			}
		}
		if d := cmp.Diff(logs[conv], readLog(t, stores[len(stores)-1], peers[i], conv)); d != "" {
			t.Errorf("two members see different logs:\n%s", d)
		}
	}
	if want := senders * rounds * 3; total != want {
		t.Errorf("the logs hold %d entries, want %d", total, want)
	}
	for _, e := range slices.Concat(acked...) {
		if d := cmp.Diff(e, logs[e.Conv][e.Seq-1]); d != "" {
			t.Errorf("acknowledged and stored differ (-acknowledged +stored):\n%s", d)
		}
	}
}

func testRestartKeepsEverything(t *testing.T, home Home) {
	first := home.Open(t)
	w := &world{Store: first, t: t, home: home}
	a, b, conv := w.pair("ann", "bob")
	sent := w.send(a.ID, conv, "key-0001", "remember me")
	w.block(b.ID, a.ID, true)
	log, people, changes := w.log(b.ID, conv), w.contacts(b.ID), w.changes(a.ID)
	epoch, err := w.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	w = newWorld(t, home)
	if d := cmp.Diff(log, w.log(b.ID, conv)); d != "" {
		t.Errorf("the log (-before +after):\n%s", d)
	}
	if d := cmp.Diff(people, w.contacts(b.ID)); d != "" {
		t.Errorf("contacts (-before +after):\n%s", d)
	}
	if d := cmp.Diff(changes, w.changes(a.ID)); d != "" {
		t.Errorf("conversations (-before +after):\n%s", d)
	}
	if got, err := w.Epoch(t.Context()); err != nil || got != epoch || got == "" {
		t.Errorf("epoch %q, %v; want %q", got, err, epoch)
	}
	got := w.append(w.draft(a.ID, conv, "key-0001", "remember me"), w.draft(a.ID, conv, "key-0002", "still blocked?"))
	if d := cmp.Diff(sent, got[0].Entry); d != "" || !got[0].Again {
		t.Errorf("the key again: again %v, entry (-want +got):\n%s", got[0].Again, d)
	}
	wantCode(t, "a blocked sender", got[1].Err, im.Forbidden)
}
