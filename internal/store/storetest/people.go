package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

// peopleThemes are the promises about friends.
func peopleThemes() []theme {
	return []theme{
		{"RequestAndAccept", testRequestAndAccept},
		{"RequestAgain", testRequestAgain},
		{"RequestRefused", testRequestRefused},
		{"RequestJudged", testRequestJudged},
		{"RequestsCross", testRequestsCross},
		{"RequestsCrossAtOnce", testRequestsCrossAtOnce},
		{"BlockedAsksLikeAnyone", testBlockedAsksLikeAnyone},
		{"BlockHidesRequests", testBlockHidesRequests},
		{"AnswersRepeat", testAnswersRepeat},
		{"RemoveAndReturn", testRemoveAndReturn},
		{"BlockAndUnblock", testBlockAndUnblock},
		{"Remarks", testRemarks},
		{"ContactsPage", testContactsPage},
		{"DeletedContactsGo", testDeletedContactsGo},
		{"FindUsers", testFindUsers},
		{"PresenceFriends", testPresenceFriends},
	}
}

// postsBy says what entries were written, and for whom.
func postsBy(posts []im.Post) []string {
	var out []string
	for _, p := range posts {
		out = append(out, kindFor(p.Entry.Content.Kind, p.Members))
	}
	slices.Sort(out)
	return out
}

// to is what postsBy says of one entry.
func to(kind string, members ...im.User) string {
	var ids []im.UserID
	for _, m := range members {
		ids = append(ids, m.ID)
	}
	return kindFor(kind, ids)
}

func kindFor(kind string, members []im.UserID) string {
	return fmt.Sprint(kind, " for ", slices.Sorted(slices.Values(members)))
}

func wantPosts(t *testing.T, what string, got []im.Post, want ...string) {
	t.Helper()
	slices.Sort(want)
	if d := cmp.Diff(want, postsBy(got)); d != "" {
		t.Errorf("%s: entries (-want +got):\n%s", what, d)
	}
}

// dataOf is the data of an event.
func dataOf(t *testing.T, e im.Entry) map[string]any {
	t.Helper()
	m := make(map[string]any)
	if err := json.Unmarshal(e.Content.Data, &m); err != nil {
		t.Fatalf("the data of %s: %v", e.Content.Kind, err)
	}
	return m
}

func testRequestAndAccept(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b := w.user("ann"), w.user("bob")
	start := im.ToMillis(time.Now().Add(-time.Minute))

	posts, err := w.RequestFriend(t.Context(), im.FriendAsk{From: a.ID, To: b.ID, Greeting: "it is me", Remark: "Bobby"})
	if err != nil {
		t.Fatal(err)
	}
	wantPosts(t, "request", posts, to(im.KindFriendRequested, b), to(im.KindContactsChanged, a))
	in := w.inbox(b.ID)
	if d := cmp.Diff([]string{im.KindFriendRequested}, kinds(in)); d != "" {
		t.Fatalf("the inbox of who is asked (-want +got):\n%s", d)
	}
	data := dataOf(t, in[0])
	user, _ := data["user"].(map[string]any)
	if data["greeting"] != "it is me" || user["id"] != strconv.FormatUint(uint64(a.ID), 10) || user["handle"] != "ann" {
		t.Errorf("friend.requested says %v", data)
	}
	mine, theirs := w.contacts(a.ID), w.contacts(b.ID)
	if len(mine.Asked) != 1 || mine.Asked[0].User != b || mine.Asked[0].Greeting != "it is me" || mine.Asked[0].At < start || len(mine.Requests) != 0 {
		t.Errorf("the asker's contacts: %+v", mine)
	}
	if len(theirs.Requests) != 1 || theirs.Requests[0].User != a || theirs.Requests[0].Greeting != "it is me" || len(theirs.Asked) != 0 {
		t.Errorf("the other's contacts: %+v", theirs)
	}

	conv, posts, err := w.AnswerFriend(t.Context(), im.FriendAnswer{User: b.ID, From: a.ID, Accept: true, Remark: "Annie"})
	if err != nil || conv == 0 {
		t.Fatalf("accept: conversation %d, %v", conv, err)
	}
	wantPosts(t, "accept", posts, to(im.KindText, a, b), to(im.KindFriendStarted, a, b), to(im.KindFriendAccepted, a),
		to(im.KindContactsChanged, a), to(im.KindContactsChanged, b))
	wantLog := []string{fmt.Sprintf("1 %d it is me", a.ID), "2 0 " + im.KindFriendStarted}
	for _, u := range []im.User{a, b} {
		if d := cmp.Diff(wantLog, seen(w.log(u.ID, conv))); d != "" {
			t.Errorf("the conversation (-want +got):\n%s", d)
		}
	}
	in = w.inbox(a.ID)
	i := slices.Index(kinds(in), im.KindFriendAccepted)
	if i < 0 {
		t.Fatalf("the asker's inbox: %v", kinds(in))
	}
	if data := dataOf(t, in[i]); data["conv"] != strconv.FormatUint(uint64(conv), 10) {
		t.Errorf("friend.accepted says %v", data)
	}
	mine, theirs = w.contacts(a.ID), w.contacts(b.ID)
	if d := cmp.Diff(im.FriendsPage{Friends: []im.Friend{{User: b, Remark: "Bobby", Conv: conv}}, Part: im.PartFriends, After: b.ID}, mine); d != "" {
		t.Errorf("the asker's contacts (-want +got):\n%s", d)
	}
	if d := cmp.Diff(im.FriendsPage{Friends: []im.Friend{{User: a, Remark: "Annie", Conv: conv}}, Part: im.PartFriends, After: a.ID}, theirs); d != "" {
		t.Errorf("the other's contacts (-want +got):\n%s", d)
	}
	w.send(a.ID, conv, "key-0001", "at last")
	w.send(b.ID, conv, "key-0001", "at last")
}

func testRequestAgain(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b := w.user("ann"), w.user("bob")
	w.ask(a.ID, b.ID, "first")
	wantPosts(t, "asked again", w.ask(a.ID, b.ID, "second"))
	if got := w.contacts(b.ID).Requests; len(got) != 1 || got[0].Greeting != "second" {
		t.Errorf("requests: %+v, want one with the new greeting", got)
	}
	if got := w.contacts(a.ID).Asked; len(got) != 1 || got[0].Greeting != "second" {
		t.Errorf("asked: %+v, want one with the new greeting", got)
	}
	conv := w.accept(b.ID, a.ID)
	if got := w.log(a.ID, conv); len(got) != 2 || got[0].Content.Text != "second" {
		t.Errorf("the conversation begins with %v", seen(got))
	}
	// Without a greeting it begins with the event.
	c := w.user("cyd")
	if got := kinds(w.log(a.ID, w.befriend(c.ID, a.ID, ""))); len(got) != 1 || got[0] != im.KindFriendStarted {
		t.Errorf("without a greeting the conversation begins with %v", got)
	}
}

func testRequestRefused(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b := w.user("ann"), w.user("bob")
	w.ask(a.ID, b.ID, "please")
	before := w.contacts(a.ID).Asked
	conv, posts, err := w.AnswerFriend(t.Context(), im.FriendAnswer{User: b.ID, From: a.ID})
	if err != nil || conv != 0 {
		t.Fatalf("refuse: %d, %v", conv, err)
	}
	wantPosts(t, "refuse", posts, to(im.KindContactsChanged, b))
	if got := w.contacts(b.ID); len(got.Requests) != 0 {
		t.Errorf("a refused request still waits: %+v", got.Requests)
	}
	if d := cmp.Diff(before, w.contacts(a.ID).Asked); d != "" {
		t.Errorf("the asker sees the refusal (-before +after):\n%s", d)
	}
	wantPosts(t, "asked again within a week", w.ask(a.ID, b.ID, "pretty please"))
	if got := w.contacts(b.ID); len(got.Requests) != 0 {
		t.Errorf("asked again within a week: %+v, want it to reach nobody", got.Requests)
	}
	if got := w.contacts(a.ID).Asked; len(got) != 1 || got[0].Greeting != "pretty please" {
		t.Errorf("the asker sees %+v, want the new greeting as if it waited", got)
	}
	home.Exec(t, "UPDATE friend_requests SET answered_at = answered_at - 604801000000")
	wantPosts(t, "asked again after a week", w.ask(a.ID, b.ID, "hello again"), to(im.KindFriendRequested, b), to(im.KindContactsChanged, a))
	w.accept(b.ID, a.ID)
}

func testRequestJudged(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, _ := w.pair("ann", "bob")
	gone := w.user("gone")
	if err := w.DeleteAccount(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	blocked := w.user("blocked")
	w.block(a.ID, blocked.ID, true)
	for _, tc := range []struct {
		name string
		to   im.UserID
		want im.Code
	}{
		{"oneself", a.ID, im.Invalid},
		{"a friend", b.ID, im.AlreadyExists},
		{"nobody", 1 << 52, im.NotFound},
		{"who is deleted", gone.ID, im.NotFound},
		{"whom one blocked", blocked.ID, im.Forbidden},
	} {
		_, err := w.RequestFriend(t.Context(), im.FriendAsk{From: a.ID, To: tc.to})
		wantCode(t, "ask "+tc.name, err, tc.want)
	}
	if got := w.contacts(a.ID).Asked; len(got) != 0 {
		t.Errorf("refused requests are listed: %+v", got)
	}
	// Two a day: those who accepted do not count, and who was asked may be asked again.
	ask := func(to im.User) error {
		_, err := w.RequestFriend(t.Context(), im.FriendAsk{From: a.ID, To: to.ID, PerDay: 2})
		return err
	}
	var asked []im.User
	for i := range 3 {
		asked = append(asked, w.user(fmt.Sprintf("asked%d", i)))
	}
	for _, u := range asked[:2] {
		if err := ask(u); err != nil {
			t.Fatalf("ask %s: %v", u.Handle, err)
		}
	}
	wantCode(t, "a third in a day", ask(asked[2]), im.RateLimited)
	if err := ask(asked[0]); err != nil {
		t.Errorf("ask one of the two again: %v", err)
	}
	w.accept(asked[0].ID, a.ID)
	if err := ask(asked[2]); err != nil {
		t.Errorf("a third once one has accepted: %v", err)
	}
	home.Exec(t, "UPDATE friend_requests SET asked_at = asked_at - 86401000000")
	if err := ask(w.user("tomorrow")); err != nil {
		t.Errorf("on the next day: %v", err)
	}
}

func testRequestsCross(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b := w.user("ann"), w.user("bob")
	if _, err := w.RequestFriend(t.Context(), im.FriendAsk{From: a.ID, To: b.ID, Greeting: "from ann", Remark: "B"}); err != nil {
		t.Fatal(err)
	}
	posts, err := w.RequestFriend(t.Context(), im.FriendAsk{From: b.ID, To: a.ID, Greeting: "from bob", Remark: "A"})
	if err != nil {
		t.Fatal(err)
	}
	wantPosts(t, "the second request", posts, to(im.KindText, a, b), to(im.KindText, a, b), to(im.KindFriendStarted, a, b),
		to(im.KindFriendAccepted, a), to(im.KindFriendAccepted, b), to(im.KindContactsChanged, a), to(im.KindContactsChanged, b))
	checkFriends(t, w, a, b)
	if got := w.contacts(a.ID).Friends; got[0].Remark != "B" {
		t.Errorf("ann's remark: %q", got[0].Remark)
	}
	if got := w.contacts(b.ID).Friends; got[0].Remark != "A" {
		t.Errorf("bob's remark: %q", got[0].Remark)
	}
	want := []string{fmt.Sprintf("1 %d from ann", a.ID), fmt.Sprintf("2 %d from bob", b.ID), "3 0 " + im.KindFriendStarted}
	if d := cmp.Diff(want, seen(w.log(a.ID, w.contacts(a.ID).Friends[0].Conv))); d != "" {
		t.Errorf("the conversation (-want +got):\n%s", d)
	}
}

// checkFriends holds two users to be friends, once, and to have no requests left.
func checkFriends(t *testing.T, w *world, a, b im.User) {
	t.Helper()
	mine, theirs := w.contacts(a.ID), w.contacts(b.ID)
	if len(mine.Friends) != 1 || len(theirs.Friends) != 1 {
		t.Fatalf("%s has %d friends, %s has %d; want one each", a.Handle, len(mine.Friends), b.Handle, len(theirs.Friends))
	}
	if mine.Friends[0].User != b || theirs.Friends[0].User != a || mine.Friends[0].Conv != theirs.Friends[0].Conv {
		t.Errorf("friends: %+v and %+v", mine.Friends[0], theirs.Friends[0])
	}
	if n := len(mine.Requests) + len(mine.Asked) + len(theirs.Requests) + len(theirs.Asked); n != 0 {
		t.Errorf("%d requests are left between friends", n)
	}
}

func testRequestsCrossAtOnce(t *testing.T, home Home) {
	w := newWorld(t, home)
	const pairs = 12
	var users [pairs][2]im.User
	for i := range users {
		users[i] = [2]im.User{w.user(fmt.Sprintf("left%d", i)), w.user(fmt.Sprintf("right%d", i))}
	}
	inParallel(2*pairs, func(i int) {
		u := users[i/2]
		from, to := u[i%2], u[1-i%2]
		if _, err := w.RequestFriend(t.Context(), im.FriendAsk{From: from.ID, To: to.ID, Greeting: "me too"}); err != nil {
			t.Errorf("%s asks %s: %v", from.Handle, to.Handle, err)
		}
	})
	for _, u := range users {
		checkFriends(t, w, u[0], u[1])
		direct := 0
		for _, c := range w.changes(u[0].ID) {
			if c.Kind == im.Direct {
				direct++
			}
		}
		if direct != 1 {
			t.Errorf("%s has %d conversations with %s, want 1", u[0].Handle, direct, u[1].Handle)
		}
	}
}
