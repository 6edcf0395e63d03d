package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

// testBlockedAsksLikeAnyone: what the asker sees does not tell a target that waits
// from one that blocked or refused the asker.
func testBlockedAsksLikeAnyone(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, waits, blocks := w.user("ann"), w.user("waits"), w.user("blocks")
	w.block(blocks.ID, a.ID, true)
	quiet := len(w.inbox(blocks.ID))
	ask := func(u im.User, greeting string, perDay int) ([]string, error) {
		posts, err := w.RequestFriend(t.Context(), im.FriendAsk{From: a.ID, To: u.ID, Greeting: greeting, PerDay: perDay})
		var mine []string
		for _, p := range posts {
			if slices.Contains(p.Members, a.ID) {
				mine = append(mine, p.Entry.Content.Kind)
			}
		}
		return mine, err
	}
	for _, step := range []struct {
		name, greeting string
		perDay         int
	}{
		{"first", "hello", 2},
		{"again", "hello?", 2},
		{"again at the limit", "hello??", 1},
	} {
		seenOf := func(u im.User) []string {
			mine, err := ask(u, step.greeting, step.perDay)
			out := append(mine, fmt.Sprint(err))
			for _, r := range w.contacts(a.ID).Asked {
				if r.User.ID == u.ID {
					out = append(out, r.Greeting)
				}
			}
			return out
		}
		if d := cmp.Diff(seenOf(waits), seenOf(blocks)); d != "" {
			t.Errorf("%s: the asker sees a difference (-waits +blocks):\n%s", step.name, d)
		}
	}
	if got := w.contacts(blocks.ID); len(got.Requests) != 0 || len(w.inbox(blocks.ID)) != quiet {
		t.Errorf("who blocked is asked: %+v, inbox %v", got.Requests, kinds(w.inbox(blocks.ID)))
	}
	_, _, err := w.AnswerFriend(t.Context(), im.FriendAnswer{User: blocks.ID, From: a.ID, Accept: true})
	wantCode(t, "accept what was never shown", err, im.NotFound)
	// Once unblocked, asking is asking again.
	w.block(blocks.ID, a.ID, false)
	if got := w.contacts(blocks.ID); len(got.Requests) != 0 {
		t.Errorf("unblocking shows what was asked before: %+v", got.Requests)
	}
	w.ask(a.ID, blocks.ID, "now?")
	if got := w.contacts(blocks.ID); len(got.Requests) != 1 {
		t.Errorf("asked after the block: %+v", got.Requests)
	}
	// asked forgets after 30 days.
	home.Exec(t, "UPDATE friend_requests SET asked_at = asked_at - 2592001000000 WHERE to_id = ?", waits.ID)
	if got := w.contacts(a.ID).Asked; len(got) != 1 || got[0].User.ID != blocks.ID {
		t.Errorf("asked after 30 days: %+v, want only the newer", got)
	}
}

func testBlockHidesRequests(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b := w.user("ann"), w.user("bob")
	w.ask(a.ID, b.ID, "hello")
	before := w.contacts(a.ID)
	w.block(b.ID, a.ID, true)
	if got := w.contacts(b.ID); len(got.Requests) != 0 || len(got.Blocked) != 1 || got.Blocked[0] != a {
		t.Errorf("who blocked sees %+v", got)
	}
	if d := cmp.Diff(before, w.contacts(a.ID)); d != "" {
		t.Errorf("who is blocked sees it (-before +after):\n%s", d)
	}
	// And the other way: what I asked is hidden from whom I block.
	c := w.user("cyd")
	w.ask(a.ID, c.ID, "hello")
	w.block(a.ID, c.ID, true)
	if got := w.contacts(c.ID); len(got.Requests) != 0 {
		t.Errorf("who was asked and then blocked sees %+v", got.Requests)
	}
}

func testAnswersRepeat(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, c := w.user("ann"), w.user("bob"), w.user("cyd")
	w.ask(a.ID, b.ID, "")
	w.ask(a.ID, c.ID, "")
	conv := w.accept(b.ID, a.ID)
	answer := func(user im.UserID, accept bool) (im.ConvID, []im.Post, error) {
		return w.AnswerFriend(t.Context(), im.FriendAnswer{User: user, From: a.ID, Accept: accept})
	}
	got, posts, err := answer(b.ID, true)
	if got != conv || len(posts) != 0 || err != nil {
		t.Errorf("accept again: %d, %v, %v; want %d and nothing written", got, postsBy(posts), err, conv)
	}
	_, _, err = answer(b.ID, false)
	wantCode(t, "refuse what was accepted", err, im.Conflict)
	for range 2 {
		if got, _, err := answer(c.ID, false); got != 0 || err != nil {
			t.Errorf("refuse: %d, %v", got, err)
		}
	}
	_, _, err = answer(c.ID, true)
	wantCode(t, "accept what was refused", err, im.Conflict)
	_, _, err = answer(w.user("dan").ID, true)
	wantCode(t, "accept what nobody asked", err, im.NotFound)
	_, _, err = w.AnswerFriend(t.Context(), im.FriendAnswer{User: a.ID, From: 1 << 52, Accept: true})
	wantCode(t, "accept what nobody could ask", err, im.NotFound)
	// At once: one acceptance takes effect, all are answered alike.
	w.ask(b.ID, c.ID, "")
	var convs [8]im.ConvID
	inParallel(len(convs), func(i int) {
		var err error
		convs[i], _, err = w.AnswerFriend(t.Context(), im.FriendAnswer{User: c.ID, From: b.ID, Accept: true})
		if err != nil {
			t.Errorf("accept at once: %v", err)
		}
	})
	for _, got := range convs {
		if got != convs[0] || got == 0 {
			t.Errorf("accepted at once: conversations %v", convs)
			break
		}
	}
	if log := kinds(w.log(c.ID, convs[0])); len(log) != 1 {
		t.Errorf("the conversation begins with %v, want one event", log)
	}
}
