package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// world is a store with people in it. Its methods end the test when the store
// refuses what every store must do, so that tests speak only of their own promise.
type world struct {
	Store
	t    *testing.T
	home Home
}

// newWorld opens the store of home.
func newWorld(t *testing.T, home Home) *world {
	t.Helper()
	s := home.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return &world{Store: s, t: t, home: home}
}

// user makes an account whose handle, name and address come from handle.
func (w *world) user(handle string) im.User {
	w.t.Helper()
	u, err := w.CreateAccount(w.t.Context(), im.NewAccount{
		Email: handle + "@example.org", Handle: handle, Name: "Name of " + handle, PasswordHash: "none",
	})
	if err != nil {
		w.t.Fatalf("CreateAccount(%s): %v", handle, err)
	}
	return u
}

// pair makes two users who are friends, and returns their conversation.
func (w *world) pair(a, b string) (ua, ub im.User, conv im.ConvID) {
	w.t.Helper()
	ua, ub = w.user(a), w.user(b)
	return ua, ub, w.befriend(ua.ID, ub.ID, "hello")
}

// befriend makes two users friends: a asks, b accepts.
func (w *world) befriend(a, b im.UserID, greeting string) im.ConvID {
	w.t.Helper()
	w.ask(a, b, greeting)
	return w.accept(b, a)
}

func (w *world) ask(from, to im.UserID, greeting string) []im.Post {
	w.t.Helper()
	posts, err := w.RequestFriend(w.t.Context(), im.FriendAsk{From: from, To: to, Greeting: greeting})
	if err != nil {
		w.t.Fatalf("RequestFriend(%d to %d): %v", from, to, err)
	}
	return posts
}

func (w *world) accept(user, from im.UserID) im.ConvID {
	w.t.Helper()
	conv, _, err := w.AnswerFriend(w.t.Context(), im.FriendAnswer{User: user, From: from, Accept: true})
	if err != nil {
		w.t.Fatalf("AnswerFriend(%d accepts %d): %v", user, from, err)
	}
	return conv
}

func (w *world) block(me, other im.UserID, blocked bool) {
	w.t.Helper()
	if _, err := w.SetBlock(w.t.Context(), me, other, blocked); err != nil {
		w.t.Fatalf("SetBlock(%d, %d, %v): %v", me, other, blocked, err)
	}
}

func (w *world) remove(me, other im.UserID) {
	w.t.Helper()
	if _, err := w.RemoveFriend(w.t.Context(), me, other); err != nil {
		w.t.Fatalf("RemoveFriend(%d, %d): %v", me, other, err)
	}
}

// draft makes a text for Append.
func (w *world) draft(from im.UserID, conv im.ConvID, key, text string) im.Draft {
	w.t.Helper()
	return w.draftOf(from, conv, key, im.Content{Kind: im.KindText, Text: text})
}

func (w *world) draftOf(from im.UserID, conv im.ConvID, key string, c im.Content) im.Draft {
	w.t.Helper()
	d, err := im.NewDraft(from, conv, key, c, time.Now())
	if err != nil {
		w.t.Fatalf("NewDraft(%q): %v", key, err)
	}
	return d
}

// append appends drafts in one call; it fails the test if the outcome is unknown.
func (w *world) append(drafts ...im.Draft) []im.Appended {
	w.t.Helper()
	got, err := w.Append(w.t.Context(), drafts)
	if err != nil {
		w.t.Fatalf("Append: %v", err)
	}
	if len(got) != len(drafts) {
		w.t.Fatalf("Append of %d drafts gave %d results", len(drafts), len(got))
	}
	return got
}

// send appends one text that must be taken.
func (w *world) send(from im.UserID, conv im.ConvID, key, text string) im.Entry {
	w.t.Helper()
	got := w.append(w.draft(from, conv, key, text))[0]
	if got.Err != nil {
		w.t.Fatalf("send %q from %d to %d: %v", key, from, conv, got.Err)
	}
	return got.Entry
}

// fill appends n texts with keys made from prefix.
func (w *world) fill(from im.UserID, conv im.ConvID, prefix string, n int) {
	w.t.Helper()
	drafts := make([]im.Draft, n)
	for i := range drafts {
		drafts[i] = w.draft(from, conv, fmt.Sprintf("%s-%06d", prefix, i), fmt.Sprintf("%s %d", prefix, i))
	}
	for i, r := range w.append(drafts...) {
		if r.Err != nil {
			w.t.Fatalf("fill: draft %d: %v", i, r.Err)
		}
	}
}

// log returns all entries of a conversation that user sees, read page by page.
func (w *world) log(user im.UserID, conv im.ConvID) []im.Entry {
	w.t.Helper()
	return readLog(w.t, w.Store, user, conv)
}

// inbox returns the entries of user's inbox.
func (w *world) inbox(user im.UserID) []im.Entry {
	w.t.Helper()
	for _, c := range w.changes(user) {
		if c.Kind == im.Inbox {
			return w.log(user, c.ID)
		}
	}
	w.t.Fatalf("user %d has no inbox", user)
	return nil
}

// changes returns every conversation of user, newest first.
func (w *world) changes(user im.UserID) []im.Conversation {
	w.t.Helper()
	p, err := w.Changes(w.t.Context(), im.ChangesQuery{User: user, Limit: 200, MaxBytes: 1 << 20})
	if err != nil {
		w.t.Fatalf("Changes(%d): %v", user, err)
	}
	if p.More {
		w.t.Fatalf("Changes(%d): more than one page of 200", user)
	}
	return p.Conversations
}

// conversation returns conv as user sees it.
func (w *world) conversation(user im.UserID, conv im.ConvID) im.Conversation {
	w.t.Helper()
	for _, c := range w.changes(user) {
		if c.ID == conv {
			return c
		}
	}
	w.t.Fatalf("user %d does not see conversation %d", user, conv)
	return im.Conversation{}
}

// contacts returns all of a user's contacts.
func (w *world) contacts(user im.UserID) im.FriendsPage {
	w.t.Helper()
	p, err := w.Friends(w.t.Context(), im.FriendsQuery{User: user, Limit: 500, MaxBytes: 1 << 20})
	if err != nil {
		w.t.Fatalf("Friends(%d): %v", user, err)
	}
	return p
}

func readLog(t *testing.T, l Log, user im.UserID, conv im.ConvID) []im.Entry {
	t.Helper()
	var all []im.Entry
	for after := im.Seq(0); ; {
		p, err := l.History(t.Context(), im.HistoryQuery{
			User: user, Conv: conv, After: after, Limit: 200, MaxBytes: 1 << 20,
		})
		if err != nil {
			t.Fatalf("History(%d, %d, after %d): %v", user, conv, after, err)
		}
		all = append(all, p.Entries...)
		if !p.More {
			return all
		}
		after = all[len(all)-1].Seq
	}
}

// seen is what of entries most tests ask about: kinds and texts.
func seen(entries []im.Entry) []string {
	var out []string
	for _, e := range entries {
		if e.Content.Kind == im.KindText {
			out = append(out, fmt.Sprintf("%d %d %s", e.Seq, e.From, e.Content.Text))
		} else {
			out = append(out, fmt.Sprintf("%d %d %s", e.Seq, e.From, e.Content.Kind))
		}
	}
	return out
}

// kinds are the kinds of entries, in order.
func kinds(entries []im.Entry) []string {
	out := make([]string, 0, len(entries))
	for _, e := range entries {
		out = append(out, e.Content.Kind)
	}
	return out
}

// wantCode reports an error that is not of this code.
func wantCode(t *testing.T, what string, err error, want im.Code) {
	t.Helper()
	var e *im.Error
	if !errors.As(err, &e) || e.Code != want {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// inParallel calls f with each number below n, all at once, and waits for all.
func inParallel(n int, f func(i int)) {
	start := make(chan struct{})
	done := make(chan struct{})
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			<-start
			f(i)
		}()
	}
	close(start)
	for range n {
		<-done
	}
}
