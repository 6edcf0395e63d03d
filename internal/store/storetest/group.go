package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

// testWhoJoinsAndLeaves has a group, made behind the store's back, that one joins
// late and another leaves: each sees the log from where the one came to where the
// other went, and nothing else by any way.
func testWhoJoinsAndLeaves(t *testing.T, home Home) {
	w := newWorld(t, home)
	stays, leaves, joins := w.user("stays"), w.user("leaves"), w.user("joins")
	const conv = im.ConvID(1000)
	home.Exec(t, `INSERT INTO conversations (id, kind, title, head_ms, moved, member_version, member_count, created_at)
		VALUES (?, 'group', 'Team', 1, 1, 1, 2, 1)`, conv)
	enter := func(u im.User, at im.Seq) {
		home.Exec(t, `INSERT INTO members (conv_id, user_id, may_send, joined_seq, read_seq, moved, since_at)
			VALUES (?, ?, 1, ?, ?, 1, 1)`, conv, u.ID, at, at-1)
		home.Exec(t, "UPDATE conversations SET member_version = member_version + 1 WHERE id = ?", conv)
	}
	enter(stays, 1)
	enter(leaves, 1)
	w.fill(stays.ID, conv, "before", 3) // 1 to 3
	enter(joins, 4)
	w.fill(leaves.ID, conv, "between", 2) // 4 and 5
	home.Exec(t, `UPDATE members SET left_seq = 5, left_title = 'Team', may_send = 0, moved = moved + 1
		WHERE conv_id = ? AND user_id = ?`, conv, leaves.ID)
	home.Exec(t, "UPDATE conversations SET member_version = member_version + 1, title = 'Renamed' WHERE id = ?", conv)
	last := w.append(w.draft(stays.ID, conv, "key-0001", "after"))[0] // 6
	if d := cmp.Diff([]im.UserID{stays.ID, joins.ID}, last.Members); d != "" || last.Entry.Seq != 6 {
		t.Errorf("entry %d is pushed to (-want +got):\n%s", last.Entry.Seq, d)
	}
	for _, tc := range []struct {
		who      im.User
		from, to im.Seq
		title    string
		left     bool
	}{
		{stays, 1, 6, "Renamed", false},
		{leaves, 1, 5, "Team", true},
		{joins, 4, 6, "Renamed", false},
	} {
		log := w.log(tc.who.ID, conv)
		if len(log) != int(tc.to-tc.from)+1 || log[0].Seq != tc.from || log[len(log)-1].Seq != tc.to {
			t.Errorf("%s reads %v, want %d to %d", tc.who.Handle, seen(log), tc.from, tc.to)
		}
		p, err := w.History(t.Context(), im.HistoryQuery{User: tc.who.ID, Conv: conv, Before: tc.from, Limit: 10, MaxBytes: 1 << 20})
		if err != nil || len(p.Entries) != 0 || p.More || p.Head != tc.to {
			t.Errorf("%s, before the first: %d entries, more %v, head %d, %v", tc.who.Handle, len(p.Entries), p.More, p.Head, err)
		}
		c := w.conversation(tc.who.ID, conv)
		if c.Head != tc.to || c.Last == nil || c.Last.Seq != tc.to || c.Updated != c.Last.At || c.Title != tc.title ||
			c.Left != tc.left || c.Closed != tc.left || (c.Members == 0) != tc.left || c.Peer != nil {
			t.Errorf("%s sees %+v", tc.who.Handle, c)
		}
		wantCode(t, tc.who.Handle+" reads above what there is to see", w.mark(tc.who.ID, conv, tc.to+1).Err, im.Invalid)
		if m := w.mark(tc.who.ID, conv, tc.to); m.Err != nil || m.Seq != tc.to || m.Peer != 0 {
			t.Errorf("%s reads all: %+v", tc.who.Handle, m)
		}
	}
	again := w.append(w.draft(leaves.ID, conv, "between-000000", "once more"), w.draft(leaves.ID, conv, "key-0002", "new"))
	if !again[0].Again || again[0].Entry.Seq != 4 || again[0].Members != nil {
		t.Errorf("a retry of who left: %+v, want the original for nobody", again[0])
	}
	wantCode(t, "a new entry of who left", again[1].Err, im.Forbidden)
	for _, tc := range []struct {
		who  im.User
		want []im.UserID
	}{{stays, []im.UserID{joins.ID}}, {leaves, nil}} {
		got, err := w.Audience(t.Context(), tc.who.ID, conv)
		if d := cmp.Diff(tc.want, got); d != "" || err != nil {
			t.Errorf("%s types for (-want +got), %v:\n%s", tc.who.Handle, err, d)
		}
	}
	// What moves in the group moves nothing for who has left.
	w.age()
	_, floor := w.run(leaves.ID, 0, 10, func() {})
	w.send(joins.ID, conv, "key-0001", "unheard")
	if moved, _ := w.run(leaves.ID, floor, 10, func() {}); len(moved) != 0 {
		t.Errorf("who has left is told of %v", ids(moved))
	}
	if moved, _ := w.run(stays.ID, floor, 10, func() {}); len(moved) != 1 {
		t.Errorf("who stayed is told of %v, want the group", ids(moved))
	}
}
