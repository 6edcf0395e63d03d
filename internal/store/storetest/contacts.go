package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

func testRemoveAndReturn(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	posts, err := w.RemoveFriend(t.Context(), a.ID, b.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantPosts(t, "remove", posts, to(im.KindContactsChanged, a), to(im.KindContactsChanged, b))
	for _, u := range []im.User{a, b} {
		if got := w.contacts(u.ID); len(got.Friends)+len(got.Asked)+len(got.Requests) != 0 {
			t.Errorf("contacts after the end: %+v", got)
		}
		posts, err := w.RemoveFriend(t.Context(), u.ID, a.ID+b.ID-u.ID)
		if err != nil || len(posts) != 0 {
			t.Errorf("remove again: %v, %v; want nothing written", postsBy(posts), err)
		}
	}
	_, err = w.RemoveFriend(t.Context(), a.ID, 1<<52)
	wantCode(t, "remove nobody", err, im.NotFound)
	if again := w.befriend(b.ID, a.ID, "friends again?"); again != conv {
		t.Errorf("friends again talk in %d, want the old conversation %d", again, conv)
	}
	checkFriends(t, w, a, b)
	want := []string{
		fmt.Sprintf("1 %d hello", a.ID), "2 0 " + im.KindFriendStarted,
		fmt.Sprintf("3 %d friends again?", b.ID), "4 0 " + im.KindFriendStarted,
	}
	if d := cmp.Diff(want, seen(w.log(a.ID, conv))); d != "" {
		t.Errorf("the conversation (-want +got):\n%s", d)
	}
	w.send(a.ID, conv, "key-0001", "good")
	w.send(b.ID, conv, "key-0001", "good")
}

func testBlockAndUnblock(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	posts, err := w.SetBlock(t.Context(), a.ID, b.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	wantPosts(t, "block", posts, to(im.KindContactsChanged, a)) // the blocked side is told nothing
	mine := w.contacts(a.ID)
	if len(mine.Blocked) != 1 || mine.Blocked[0] != b || len(mine.Friends) != 1 || !mine.Friends[0].Blocked || !mine.Friends[0].Hidden {
		t.Errorf("who blocked sees %+v", mine)
	}
	theirs := w.contacts(b.ID)
	if len(theirs.Blocked) != 0 || len(theirs.Friends) != 1 || theirs.Friends[0].Blocked || !theirs.Friends[0].Hidden {
		t.Errorf("who is blocked sees %+v", theirs)
	}
	wantCode(t, "a blocked friend", w.append(w.draft(b.ID, conv, "key-0001", "hello?"))[0].Err, im.Forbidden)
	w.send(a.ID, conv, "key-0001", "who blocked may still talk")
	posts, err = w.SetBlock(t.Context(), a.ID, b.ID, true)
	if err != nil || len(posts) != 0 {
		t.Errorf("block again: %v, %v; want nothing written", postsBy(posts), err)
	}
	w.block(a.ID, b.ID, false)
	if got := w.contacts(a.ID); len(got.Blocked) != 0 || got.Friends[0].Blocked || got.Friends[0].Hidden {
		t.Errorf("after unblocking: %+v", got)
	}
	w.send(b.ID, conv, "key-0002", "I am back")
	posts, err = w.SetBlock(t.Context(), a.ID, b.ID, false)
	if err != nil || len(posts) != 0 {
		t.Errorf("unblock again: %v, %v; want nothing written", postsBy(posts), err)
	}
	// A block outlives the friendship and keeps it closed when it begins anew.
	stranger := w.user("eve")
	w.block(a.ID, stranger.ID, true)
	_, err = w.SetBlock(t.Context(), a.ID, 1<<52, true)
	wantCode(t, "block nobody", err, im.NotFound)
	_, err = w.SetBlock(t.Context(), a.ID, a.ID, true)
	wantCode(t, "block oneself", err, im.Invalid)
	// A block and sends at once: once it is committed nothing more comes.
	inParallel(8, func(i int) {
		if i == 0 {
			if _, err := w.SetBlock(t.Context(), a.ID, b.ID, true); err != nil {
				t.Errorf("block at once: %v", err)
			}
			head := w.conversation(a.ID, conv).Head
			r, err := w.Append(t.Context(), []im.Draft{w.draft(b.ID, conv, "after-all", "late")})
			if err != nil || r[0].Err == nil || w.conversation(a.ID, conv).Head != head {
				t.Errorf("after the block: %+v, %v", r, err)
			}
			return
		}
		for n := range 20 {
			if _, err := w.Append(t.Context(), []im.Draft{w.draft(b.ID, conv, fmt.Sprintf("race-%d-%d", i, n), "race")}); err != nil {
				t.Errorf("sender %d: %v", i, err)
			}
		}
	})
}

func testRemarks(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, _ := w.pair("ann", "bob")
	stranger := w.user("eve")
	set := func(remark string) []im.Post {
		posts, err := w.SetRemark(t.Context(), a.ID, b.ID, remark)
		if err != nil {
			t.Fatalf("SetRemark(%q): %v", remark, err)
		}
		return posts
	}
	wantPosts(t, "set", set("Bobby"), to(im.KindContactsChanged, a))
	wantPosts(t, "set again", set("Bobby"))
	wantPosts(t, "another by case", set("bobby"), to(im.KindContactsChanged, a))
	wantPosts(t, "another by its end", set("bobby "), to(im.KindContactsChanged, a))
	if got := w.contacts(a.ID).Friends[0].Remark; got != "bobby " {
		t.Errorf("remark %q", got)
	}
	if got := w.contacts(b.ID).Friends[0].Remark; got != "" {
		t.Errorf("the friend sees remark %q", got)
	}
	for _, other := range []im.UserID{stranger.ID, 1 << 52, a.ID} {
		_, err := w.SetRemark(t.Context(), a.ID, other, "x")
		wantCode(t, "a remark on who is no friend", err, im.NotFound)
	}
}

func testContactsPage(t *testing.T, home Home) {
	w := newWorld(t, home)
	me := w.user("myself")
	want := w.contacts(me.ID)
	for i := range 4 {
		asker, asked := w.user(fmt.Sprintf("asker%d", i)), w.user(fmt.Sprintf("asked%d", i))
		blocked, friend := w.user(fmt.Sprintf("blocked%d", i)), w.user(fmt.Sprintf("friend%d", i))
		w.ask(asker.ID, me.ID, "let me in")
		w.ask(me.ID, asked.ID, "may I")
		w.block(me.ID, blocked.ID, true)
		conv := w.befriend(friend.ID, me.ID, "")
		want.Requests = append(want.Requests, im.FriendRequest{User: asker, Greeting: "let me in"})
		want.Asked = append(want.Asked, im.FriendRequest{User: asked, Greeting: "may I"})
		want.Blocked = append(want.Blocked, blocked)
		want.Friends = append(want.Friends, im.Friend{User: friend, Conv: conv})
	}
	for limit := 1; limit <= 17; limit++ {
		var got im.FriendsPage
		q := im.FriendsQuery{User: me.ID, Limit: limit, MaxBytes: 1 << 20}
		for {
			p, err := w.Friends(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			n := len(p.Requests) + len(p.Asked) + len(p.Blocked) + len(p.Friends)
			if n > limit || n < limit && p.More {
				t.Fatalf("a page of %d has %d rows, more %v", limit, n, p.More)
			}
			got.Requests = append(got.Requests, p.Requests...)
			got.Asked = append(got.Asked, p.Asked...)
			got.Blocked = append(got.Blocked, p.Blocked...)
			got.Friends = append(got.Friends, p.Friends...)
			if !p.More {
				break
			}
			q.Part, q.After = p.Part, p.After
		}
		for i := range got.Requests {
			got.Requests[i].At = 0
		}
		for i := range got.Asked {
			got.Asked[i].At = 0
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("in pages of %d (-want +got):\n%s", limit, d)
		}
	}
	p, err := w.Friends(t.Context(), im.FriendsQuery{User: me.ID, Limit: 100, MaxBytes: 1})
	if err != nil || len(p.Requests) != 1 || len(p.Asked) != 0 || !p.More {
		t.Errorf("a page of a byte: %+v, %v; want one row", p, err)
	}
}

func testDeletedContactsGo(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, conv := w.pair("ann", "bob")
	asker, asked, blocked := w.user("asker"), w.user("asked"), w.user("blocked")
	w.ask(asker.ID, b.ID, "hello")
	w.ask(b.ID, asked.ID, "hello")
	w.block(blocked.ID, b.ID, true)
	w.send(b.ID, conv, "key-0001", "farewell")
	if err := w.DeleteAccount(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	for _, u := range []im.User{a, asker, asked, blocked} {
		if got := w.contacts(u.ID); len(got.Friends)+len(got.Asked)+len(got.Requests)+len(got.Blocked) != 0 {
			t.Errorf("%s still has %+v", u.Handle, got)
		}
	}
	if got := kinds(w.inbox(a.ID)); got[len(got)-1] != im.KindContactsChanged {
		t.Errorf("the friend's inbox ends with %v", got)
	}
	wantCode(t, "send to the deleted", w.append(w.draft(a.ID, conv, "key-0001", "where are you"))[0].Err, im.Forbidden)
	if log := seen(w.log(a.ID, conv)); log[len(log)-1] != fmt.Sprintf("3 %d farewell", b.ID) {
		t.Errorf("what the deleted wrote: %v", log)
	}
	for name, err := range map[string]error{
		"ask":    second(w.RequestFriend(t.Context(), im.FriendAsk{From: a.ID, To: b.ID})),
		"remove": second(w.RemoveFriend(t.Context(), a.ID, b.ID)),
		"block":  second(w.SetBlock(t.Context(), a.ID, b.ID, true)),
		"remark": second(w.SetRemark(t.Context(), a.ID, b.ID, "gone")),
	} {
		wantCode(t, name+" the deleted", err, im.NotFound)
	}
}

func second(_ []im.Post, err error) error { return err }

func testFindUsers(t *testing.T, home Home) {
	w := newWorld(t, home)
	create := func(handle, name string) im.User {
		u, err := w.CreateAccount(t.Context(), im.NewAccount{Email: handle + "@example.org", Handle: handle, Name: name, PasswordHash: "none"})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	ann, anna, annex := create("ann", "Zoe"), create("anna", "Bell"), create("annex", "Ärger im Büro")
	named, other := create("zed", "ANN"), create("other", "Anny")
	special := create("special", `100%_"x'`)
	gone := create("anngone", "Ann")
	if err := w.DeleteAccount(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		query string
		want  []im.User
	}{
		{"ann", []im.User{ann, named, anna, annex, other}},
		{"  ANN ", []im.User{ann, named, anna, annex, other}},
		{"@ann", []im.User{ann, anna, annex}},
		{"anna", []im.User{anna}},
		{"bell", []im.User{anna}},
		{"ärger im büro", []im.User{annex}},
		{"büro", nil}, // not the middle of a name
		{"anna@example.org", []im.User{anna}},
		{"ANNA@Example.ORG", []im.User{anna}},
		{"anna@example", nil}, // only a whole address
		{"anna@", nil},
		{fmt.Sprintf("#%d", anna.ID), []im.User{anna}},
		{fmt.Sprintf("#%d", gone.ID), nil},
		{"#99999999999999999999", nil},
		{"anngone@example.org", nil},
		{"anngone", nil},
		{"%", nil},
		{"_nn", nil},
		{"100%", []im.User{special}},
		{`100%_"x'`, []im.User{special}},
		{"nobody", nil},
	} {
		got, err := w.FindUsers(t.Context(), other.ID, tc.query, 20)
		if err != nil {
			t.Errorf("%q: %v", tc.query, err)
			continue
		}
		var handles, want []string
		for _, u := range got {
			handles = append(handles, u.Handle)
		}
		for _, u := range tc.want {
			want = append(want, u.Handle)
		}
		if d := cmp.Diff(want, handles); d != "" {
			t.Errorf("%q (-want +got):\n%s", tc.query, d)
		}
	}
	if got, err := w.FindUsers(t.Context(), other.ID, "ann", 2); err != nil || len(got) != 2 || got[0] != ann || got[1] != named {
		t.Errorf("the best two: %+v, %v", got, err)
	}
	_, err := w.FindUsers(t.Context(), other.ID, "  ", 20)
	wantCode(t, "an empty query", err, im.Invalid)
}

func testPresenceFriends(t *testing.T, home Home) {
	w := newWorld(t, home)
	a, b, _ := w.pair("ann", "bob")
	c, d := w.user("cyd"), w.user("dan")
	w.befriend(a.ID, c.ID, "")
	w.ask(a.ID, d.ID, "no friend yet")
	check := func(when string, want map[im.UserID][]im.UserID) {
		t.Helper()
		got, err := w.PresenceFriends(t.Context(), []im.UserID{a.ID, b.ID, d.ID, a.ID, 1 << 52})
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range got {
			slices.Sort(list)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
	}
	check("friends", map[im.UserID][]im.UserID{a.ID: {b.ID, c.ID}, b.ID: {a.ID}})
	w.block(b.ID, a.ID, true)
	check("one blocked the other", map[im.UserID][]im.UserID{a.ID: {c.ID}})
	w.block(b.ID, a.ID, false)
	w.remove(c.ID, a.ID)
	check("one ended it", map[im.UserID][]im.UserID{a.ID: {b.ID}, b.ID: {a.ID}})
}
