package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

// mark marks one conversation as read.
func (w *world) mark(user im.UserID, conv im.ConvID, seq im.Seq) im.Marked {
	w.t.Helper()
	got, err := w.MarkRead(w.t.Context(), []im.ReadMark{{User: user, Conv: conv, Seq: seq}})
	if err != nil || len(got) != 1 {
		w.t.Fatalf("MarkRead: %d results, %v", len(got), err)
	}
	return got[0]
}

func testReadMarks(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob") // entry 1 of a, entry 2 of the server
	stranger := w.user("eve")
	w.fill(b.ID, conv, "more", 8) // to 10
	other := w.befriend(a.ID, stranger.ID, "")
	marks := []im.ReadMark{
		{User: a.ID, Conv: conv, Seq: 4},
		{User: a.ID, Conv: conv, Seq: 3}, // never back
		{User: a.ID, Conv: conv, Seq: 6},
		{User: a.ID, Conv: conv, Seq: 11}, // above the head
		{User: stranger.ID, Conv: conv, Seq: 1},
		{User: a.ID, Conv: 1 << 52, Seq: 1},
		{User: b.ID, Conv: conv, Seq: 10}, // has read so far by sending
		{User: stranger.ID, Conv: other, Seq: 1},
	}
	got, err := w.MarkRead(t.Context(), marks)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(marks) {
		t.Fatalf("%d results, want %d", len(got), len(marks))
	}
	for i, want := range []im.Marked{
		{Seq: 4, Moved: true, Peer: b.ID},
		{Seq: 4},
		{Seq: 6, Moved: true, Peer: b.ID},
		{Err: im.Invalid},
		{Err: im.NotFound},
		{Err: im.NotFound},
		{Seq: 10},
		{Seq: 1, Moved: true, Peer: a.ID},
	} {
		if code, ok := want.Err.(im.Code); ok { //nolint:errorlint // it stands in the table as it is
			wantCode(t, fmt.Sprintf("mark %d", i), got[i].Err, code)
			continue
		}
		if d := cmp.Diff(want, got[i]); d != "" {
			t.Errorf("mark %d (-want +got):\n%s", i, d)
		}
	}
	if c := w.conversation(a.ID, conv); c.Read != 6 || c.PeerRead != 10 {
		t.Errorf("ann sees read %d, peer's %d; want 6, 10", c.Read, c.PeerRead)
	}
	if c := w.conversation(b.ID, conv); c.Read != 10 || c.PeerRead != 6 {
		t.Errorf("bob sees read %d, peer's %d; want 10, 6", c.Read, c.PeerRead)
	}
	// A send after a mark goes on from there.
	w.send(a.ID, conv, "key-0001", "read all")
	if got := w.mark(a.ID, conv, 7); got.Moved || got.Seq != 11 {
		t.Errorf("a mark below an own entry: %+v, want 11, not moved", got)
	}
	// An inbox has nobody else to tell.
	for _, c := range w.changes(a.ID) {
		if c.Kind == im.Inbox {
			if got := w.mark(a.ID, c.ID, c.Head); !got.Moved || got.Peer != 0 {
				t.Errorf("a mark in the inbox: %+v", got)
			}
		}
	}
}

// testReadMarksTellThePeer: whoever blocked the other is told nothing of them, and
// tells nothing.
func testReadMarksTellThePeer(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	w.fill(a.ID, conv, "more", 8)
	for i, step := range []struct {
		name string
		do   func()
		tell bool
	}{
		{"friends", func() {}, true},
		{"the reader blocked", func() { w.block(b.ID, a.ID, true) }, false},
		{"unblocked", func() { w.block(b.ID, a.ID, false) }, true},
		{"the other blocked", func() { w.block(a.ID, b.ID, true) }, false},
		{"both", func() { w.block(b.ID, a.ID, true) }, false},
		{"neither", func() { w.block(b.ID, a.ID, false); w.block(a.ID, b.ID, false) }, true},
	} {
		step.do()
		want := im.Marked{Seq: im.Seq(i) + 3, Moved: true}
		if step.tell {
			want.Peer = a.ID
		}
		if d := cmp.Diff(want, w.mark(b.ID, conv, want.Seq)); d != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, d)
		}
	}
}

func testAudience(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	stranger := w.user("eve")
	for _, c := range []im.ConvID{conv, 1 << 52} {
		_, err := w.Audience(t.Context(), stranger.ID, c)
		wantCode(t, fmt.Sprintf("conversation %d, not a member", c), err, im.NotFound)
	}
	for i, step := range []struct {
		name string
		do   func()
		see  bool
	}{
		{"friends", func() {}, true},
		{"who types blocked the other", func() { w.block(a.ID, b.ID, true) }, false},
		{"both", func() { w.block(b.ID, a.ID, true) }, false},
		{"the other blocked who types", func() { w.block(a.ID, b.ID, false) }, false},
		{"neither", func() { w.block(b.ID, a.ID, false) }, true},
		{"no friends any more", func() { w.remove(b.ID, a.ID) }, false},
	} {
		step.do()
		// Twice: the second may come from a cache that the first, or a send, has filled.
		for range 2 {
			got, err := w.Audience(t.Context(), a.ID, conv)
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if step.see && (len(got) != 1 || got[0] != b.ID) || !step.see && len(got) != 0 {
				t.Errorf("%s: seen by %v, want bob: %v", step.name, got, step.see)
			}
			w.append(w.draft(a.ID, conv, fmt.Sprintf("key-%04d", i), "text"))
		}
	}
}

// testReadMarksMove: a watermark of a direct conversation is news for both members,
// that of an inbox for its owner.
func testReadMarksMove(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	var inbox im.Conversation
	for _, c := range w.changes(b.ID) {
		if c.Kind == im.Inbox {
			inbox = c
		}
	}
	w.age()
	_, floor := w.run(a.ID, 0, 10, func() {})
	check := func(what string, user im.UserID, want ...im.ConvID) {
		t.Helper()
		moved, _ := w.run(user, floor, 10, func() {})
		if d := cmp.Diff(append([]im.ConvID{}, want...), ids(moved)); d != "" {
			t.Errorf("%s: user %d is told of (-want +got):\n%s", what, user, d)
		}
	}
	check("nothing happened", a.ID)
	w.mark(b.ID, conv, 2)
	check("bob read", a.ID, conv)
	check("bob read", b.ID, conv)
	w.age()
	w.mark(b.ID, conv, 2)
	check("bob read it again", a.ID)
	w.mark(b.ID, inbox.ID, inbox.Head)
	check("bob read the inbox", a.ID)
	check("bob read the inbox", b.ID, inbox.ID)
}
