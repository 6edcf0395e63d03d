package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/storetest"
)

// pairOf makes two friends and returns one of them and their conversation.
func pairOf(t *testing.T, s storetest.Store, name string) (im.UserID, im.ConvID) {
	t.Helper()
	var ids [2]im.UserID
	for i := range ids {
		handle := fmt.Sprintf("%s%d", name, i)
		u, err := s.CreateAccount(t.Context(), im.NewAccount{Email: handle + "@example.org", Handle: handle, Name: handle, PasswordHash: "none"})
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = u.ID
	}
	if _, err := s.RequestFriend(t.Context(), im.FriendAsk{From: ids[0], To: ids[1]}); err != nil {
		t.Fatal(err)
	}
	conv, _, err := s.AnswerFriend(t.Context(), im.FriendAnswer{User: ids[1], From: ids[0], Accept: true})
	if err != nil {
		t.Fatal(err)
	}
	return ids[0], conv
}

func textDraft(t *testing.T, from im.UserID, conv im.ConvID, key, text string) im.Draft {
	t.Helper()
	d, err := im.NewDraft(from, conv, key, im.Content{Kind: im.KindText, Text: text}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// head is how many entries a conversation has.
func head(t *testing.T, s storetest.Log, user im.UserID, conv im.ConvID) im.Seq {
	t.Helper()
	p, err := s.History(t.Context(), im.HistoryQuery{User: user, Conv: conv, Limit: 1, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return p.Head
}

func TestOneBadDraftFailsAlone(t *testing.T) {
	t.Parallel()
	checkBadDraft(t, newFile(t), `CREATE TRIGGER poison BEFORE INSERT ON messages
		WHEN CAST(NEW.content AS TEXT) LIKE '%poison%' BEGIN SELECT RAISE(ABORT, 'poison'); END`)
}

// checkBadDraft has a draft that the database itself refuses, in a batch with good
// ones of other conversations. The trigger makes the database refuse it.
func checkBadDraft(t *testing.T, h storetest.Home, trigger string) {
	t.Helper()
	s := h.Open(t)
	defer func() { _ = s.Close() }()
	var users [3]im.UserID
	var convs [3]im.ConvID
	for i := range users {
		users[i], convs[i] = pairOf(t, s, fmt.Sprintf("pair%d", i))
	}
	h.Exec(t, trigger)
	got, err := s.Append(t.Context(), []im.Draft{
		textDraft(t, users[0], convs[0], "key-0001", "good"),
		textDraft(t, users[1], convs[1], "key-0001", "poison"),
		textDraft(t, users[2], convs[2], "key-0001", "good"),
		textDraft(t, users[0], convs[0], "key-0002", "good"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []im.Seq{2, 0, 2, 3} {
		if got[i].Entry.Seq != want || (got[i].Err == nil) != (want > 0) || got[i].Again {
			t.Errorf("draft %d: seq %d, again %v, err %v; want seq %d", i, got[i].Entry.Seq, got[i].Again, got[i].Err, want)
		}
	}
	// Nobody can tell a user what was wrong: it is our fault.
	if e := im.Explain(got[1].Err); e.Code != im.Internal {
		t.Errorf("the bad draft is answered by %v, want internal", e)
	}
	for i, want := range []im.Seq{3, 1, 2} {
		if got := head(t, s, users[i], convs[i]); got != want {
			t.Errorf("conversation %d has %d entries, want %d", i, got, want)
		}
	}
}
