package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

func testHistoryPages(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob") // entries 1 and 2: hello and friend.started
	w.fill(b.ID, conv, "more", 8)      // entries 3 to 10
	for _, tc := range []struct {
		name   string
		q      im.HistoryQuery
		from   im.Seq // first and last entry given; 0: none
		to     im.Seq
		more   bool
		people []im.UserID
	}{
		{"all", im.HistoryQuery{Limit: 50}, 1, 10, false, []im.UserID{a.ID, b.ID}},
		{"the first three", im.HistoryQuery{Limit: 3}, 1, 3, true, []im.UserID{a.ID, b.ID}},
		{"after 3", im.HistoryQuery{After: 3, Limit: 3}, 4, 6, true, []im.UserID{b.ID}},
		{"after 7, exactly to the head", im.HistoryQuery{After: 7, Limit: 3}, 8, 10, false, []im.UserID{b.ID}},
		{"after the head", im.HistoryQuery{After: 10, Limit: 3}, 0, 0, false, nil},
		{"after what is not there yet", im.HistoryQuery{After: 4_000_000_000, Limit: 3}, 0, 0, false, nil},
		{"before 5", im.HistoryQuery{Before: 5, Limit: 3}, 2, 4, true, []im.UserID{b.ID}},
		{"before 4, exactly to the start", im.HistoryQuery{Before: 4, Limit: 3}, 1, 3, false, []im.UserID{a.ID, b.ID}},
		{"before 1", im.HistoryQuery{Before: 1, Limit: 3}, 0, 0, false, nil},
		{"before what is not there yet", im.HistoryQuery{Before: 4_000_000_000, Limit: 2}, 9, 10, true, []im.UserID{b.ID}},
		{"between", im.HistoryQuery{After: 2, Before: 6, Limit: 50}, 3, 5, false, []im.UserID{b.ID}},
		{"between, the newest first", im.HistoryQuery{After: 2, Before: 9, Limit: 4}, 5, 8, true, []im.UserID{b.ID}},
		{"between, exactly", im.HistoryQuery{After: 4, Before: 9, Limit: 4}, 5, 8, false, []im.UserID{b.ID}},
		{"between nothing", im.HistoryQuery{After: 5, Before: 6, Limit: 4}, 0, 0, false, nil},
		{"between what is crossed", im.HistoryQuery{After: 6, Before: 5, Limit: 4}, 0, 0, false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.q.User, tc.q.Conv, tc.q.MaxBytes = a.ID, conv, 1<<20
			p, err := w.History(t.Context(), tc.q)
			if err != nil {
				t.Fatal(err)
			}
			var got, want []im.Seq
			for _, e := range p.Entries {
				got = append(got, e.Seq)
			}
			for s := tc.from; s > 0 && s <= tc.to; s++ {
				want = append(want, s)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("entries (-want +got):\n%s", d)
			}
			if p.More != tc.more || p.Head != 10 {
				t.Errorf("more %v, head %d; want %v, 10", p.More, p.Head, tc.more)
			}
			people := make(map[im.UserID]bool)
			for _, u := range p.Users {
				if people[u.ID] || u.Handle == "" || u.Name == "" {
					t.Errorf("sender %+v is given twice, or without a name", u)
				}
				people[u.ID] = true
			}
			wanted := make(map[im.UserID]bool)
			for _, u := range tc.people {
				wanted[u] = true
			}
			if d := cmp.Diff(wanted, people); d != "" {
				t.Errorf("senders (-want +got):\n%s", d)
			}
		})
	}
}

func testHistoryEndsAtBytes(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, _, conv := w.pair("ann", "bob")
	for i := range 6 {
		w.send(a.ID, conv, fmt.Sprintf("large-%02d", i), strings.Repeat("x", 10_000))
	}
	for _, tc := range []struct {
		bytes int
		want  int // entries at the end of the log that are given
	}{
		{1, 1}, // one is always given
		{25_000, 2},
		{1 << 20, 8},
	} {
		p, err := w.History(t.Context(), im.HistoryQuery{User: a.ID, Conv: conv, Before: 9, Limit: 50, MaxBytes: tc.bytes})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Entries) != tc.want || p.More != (tc.want < 8) || p.Entries[len(p.Entries)-1].Seq != 8 {
			t.Errorf("%d bytes: %d entries, more %v; want the last %d", tc.bytes, len(p.Entries), p.More, tc.want)
		}
	}
}

func testHistoryIsForMembers(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	stranger := w.user("eve")
	for _, c := range []im.ConvID{conv, 1 << 52} {
		_, err := w.History(t.Context(), im.HistoryQuery{User: stranger.ID, Conv: c, Limit: 10, MaxBytes: 1 << 20})
		wantCode(t, fmt.Sprintf("conversation %d, not a member", c), err, im.NotFound)
	}
	// Who is no friend any more keeps what was said.
	w.remove(a.ID, b.ID)
	for _, u := range []im.UserID{a.ID, b.ID} {
		if got := len(w.log(u, conv)); got != 2 {
			t.Errorf("user %d reads %d entries after the end, want 2", u, got)
		}
	}
	// Of who is deleted only the id is left.
	if err := w.DeleteAccount(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	p, err := w.History(t.Context(), im.HistoryQuery{User: b.ID, Conv: conv, Limit: 10, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]im.User{{ID: a.ID}}, p.Users); d != "" {
		t.Errorf("the deleted sender (-want +got):\n%s", d)
	}
	if c := w.conversation(b.ID, conv); c.Peer == nil || *c.Peer != (im.User{ID: a.ID}) || !c.Closed {
		t.Errorf("the conversation with the deleted: peer %+v, closed %v", c.Peer, c.Closed)
	}
}

// testDamageIsShownAsDamage changes each stored column of an entry behind the
// store's back.
func testDamageIsShownAsDamage(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	for _, change := range []string{
		"content = x'7b2274657874223a2266616c7365227d'", // {"text":"false"}
		"content = x''",
		"kind = 'x-other'",
		"at_ms = at_ms + 1",
		"checksum = checksum + 1",
		"checksum = 0",
	} {
		key := fmt.Sprintf("key-%04d", len(w.log(a.ID, conv)))
		whole := w.send(a.ID, conv, key, "truth")
		home.Exec(t, "UPDATE messages SET "+change+" WHERE conv_id = ? AND seq = ?", conv, whole.Seq)
		log := w.log(b.ID, conv)
		want := im.Damaged(conv, whole.Seq)
		if d := cmp.Diff(want, log[whole.Seq-1]); d != "" {
			t.Errorf("%s: read as (-want +got):\n%s", change, d)
		}
		if d := cmp.Diff(&want, w.conversation(b.ID, conv).Last); d != "" {
			t.Errorf("%s: listed as (-want +got):\n%s", change, d)
		}
		// The sender is told the number, and nobody gets what is left.
		again := w.append(w.draft(a.ID, conv, key, "truth"))[0]
		if again.Err != nil || !again.Again || again.Entry.Seq != whole.Seq || again.Members != nil {
			t.Errorf("%s: sent again: %+v", change, again)
		}
		next := w.send(a.ID, conv, key+"-next", "whole")
		if d := cmp.Diff(next, w.log(b.ID, conv)[next.Seq-1]); d != "" {
			t.Errorf("%s: the entry behind it (-want +got):\n%s", change, d)
		}
	}
}
