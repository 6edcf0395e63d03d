package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

func accountThemes() []theme {
	return []theme{
		{"CreateAccount", testCreateAccount},
		{"HandleRace", testHandleRace},
		{"FindAccount", testFindAccount},
		{"Passwords", testPasswords},
		{"Profiles", testProfiles},
		{"Avatars", testAvatars},
		{"DeleteAccount", testDeleteAccount},
		{"DeleteEndsFriendships", testDeleteEndsFriendships},
		{"DisableUser", testDisableUser},
	}
}

func testCreateAccount(t *testing.T, home Home) {
	w := newWorld(t, home)
	a := im.NewAccount{Email: "ann@example.org", Handle: "ann", Name: "Ann Ångström 安", PasswordHash: "$argon2id$x"}
	u, err := w.CreateAccount(t.Context(), a)
	if err != nil {
		t.Fatalf("CreateAccount: %v", err)
	}
	want := im.User{ID: u.ID, Handle: "ann", Name: "Ann Ångström 安"}
	if diff := cmp.Diff(want, u); diff != "" || u.ID == 0 {
		t.Errorf("CreateAccount returned (-want +got):\n%s", diff)
	}
	got, err := w.Account(t.Context(), u.ID)
	if err != nil {
		t.Fatalf("Account: %v", err)
	}
	if diff := cmp.Diff(im.Account{User: want, Email: a.Email, PasswordHash: a.PasswordHash}, got); diff != "" {
		t.Errorf("Account (-want +got):\n%s", diff)
	}
	if got := w.inbox(u.ID); len(got) != 0 {
		t.Errorf("a new inbox holds %v", seen(got))
	}

	tests := []struct {
		name string
		a    im.NewAccount
		want im.Code
	}{
		{"handle taken", im.NewAccount{Email: "new@example.org", Handle: "ann", Name: "N"}, im.AlreadyExists},
		{"address taken", im.NewAccount{Email: "ann@example.org", Handle: "new", Name: "N"}, im.Conflict},
		{"both taken", im.NewAccount{Email: "ann@example.org", Handle: "ann", Name: "N"}, im.AlreadyExists},
	}
	for _, test := range tests {
		_, err := w.CreateAccount(t.Context(), test.a)
		wantCode(t, test.name, err, test.want)
	}
	if u2 := w.user("bob"); u2.ID <= u.ID {
		t.Errorf("the second user has id %d after %d", u2.ID, u.ID)
	}
}

func testHandleRace(t *testing.T, home Home) {
	w := newWorld(t, home)
	var made atomic.Int32
	inParallel(8, func(i int) {
		_, err := w.CreateAccount(t.Context(), im.NewAccount{Email: fmt.Sprintf("a%d@example.org", i), Handle: "wanted", Name: "N"})
		switch {
		case err == nil:
			made.Add(1)
		case !errors.Is(err, im.AlreadyExists):
			t.Errorf("CreateAccount in a race: %v", err)
		}
	})
	if got := made.Load(); got != 1 {
		t.Errorf("%d accounts got one handle", got)
	}
}

func testFindAccount(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	gone := w.user("gone")
	if err := w.DeleteAccount(t.Context(), gone.ID); err != nil {
		t.Fatalf("DeleteAccount: %v", err)
	}
	tests := []struct {
		name string
		want im.UserID // 0: not found
	}{
		{"ann", ann.ID},
		{"ann@example.org", ann.ID},
		{"Ann", 0},
		{"ANN@example.org", 0},
		{"ann ", 0},
		{"ann@example.org ", 0},
		{"an", 0},
		{"", 0},
		{"@", 0},
		{"%", 0},
		{"' OR 1=1 --", 0},
		{"gone", 0},
		{"gone@example.org", 0},
	}
	for _, test := range tests {
		got, err := w.FindAccount(t.Context(), test.name)
		if test.want == 0 {
			wantCode(t, fmt.Sprintf("FindAccount(%q)", test.name), err, im.NotFound)
		} else if err != nil || got.ID != test.want {
			t.Errorf("FindAccount(%q) = %d, %v, want %d", test.name, got.ID, err, test.want)
		}
	}
	for handle, want := range map[string]bool{"ann": true, "gone": true, "bob": false, "ANN": false} {
		if got, err := w.HandleTaken(t.Context(), handle); err != nil || got != want {
			t.Errorf("HandleTaken(%q) = %v, %v, want %v", handle, got, err, want)
		}
	}
}

func testPasswords(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	phone, web := w.login(ann.ID, ""), w.login(ann.ID, "")
	if err := w.SetPassword(t.Context(), ann.ID, "two", phone.ID); err != nil {
		t.Fatalf("SetPassword: %v", err)
	}
	w.wantLive(phone)
	w.wantDead(web)
	if err := w.Rehash(t.Context(), ann.ID, "none", "three"); err != nil {
		t.Errorf("Rehash: %v", err)
	}
	if a, err := w.Account(t.Context(), ann.ID); err != nil || a.PasswordHash != "two" {
		t.Errorf("after a Rehash of an old hash it is %q, %v, want two", a.PasswordHash, err)
	}
	if err := w.Rehash(t.Context(), ann.ID, "two", "three"); err != nil {
		t.Errorf("Rehash: %v", err)
	}
	if a, err := w.Account(t.Context(), ann.ID); err != nil || a.PasswordHash != "three" {
		t.Errorf("after Rehash it is %q, %v, want three", a.PasswordHash, err)
	}
	if err := w.SetPassword(t.Context(), ann.ID, "four", 0); err != nil {
		t.Fatalf("SetPassword: %v", err)
	}
	w.wantDead(phone)
	wantCode(t, "SetPassword of nobody", w.SetPassword(t.Context(), 999, "x", 0), im.NotFound)
}

func testProfiles(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	name, bio := "Anna 😀", "line\nline '\"\\%"
	u, err := w.SetProfile(t.Context(), ann.ID, im.ProfileChange{Name: &name})
	if err != nil {
		t.Fatalf("SetProfile: %v", err)
	}
	want := im.User{ID: ann.ID, Handle: "ann", Name: name}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("SetProfile of the name (-want +got):\n%s", diff)
	}
	want.Bio = bio
	if u, err = w.SetProfile(t.Context(), ann.ID, im.ProfileChange{Bio: &bio}); err != nil {
		t.Fatalf("SetProfile: %v", err)
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Errorf("SetProfile of the bio (-want +got):\n%s", diff)
	}
	if a, err := w.Account(t.Context(), ann.ID); err != nil || a.User != want {
		t.Errorf("Account after SetProfile = %v, %v, want %v", a.User, err, want)
	}
	_, err = w.SetProfile(t.Context(), 999, im.ProfileChange{Bio: &bio})
	wantCode(t, "SetProfile of nobody", err, im.NotFound)
}

func testAvatars(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann, bob := w.user("ann"), w.user("bob")
	pic := im.Avatar{SHA256: fmt.Sprintf("%064x", 7), Type: "image/png", Bytes: bytes.Repeat([]byte{0, 0xff, '\''}, 80_000)}
	for _, id := range []im.UserID{ann.ID, bob.ID} {
		u, err := w.SetAvatar(t.Context(), id, &pic)
		if err != nil || u.Avatar != pic.SHA256 {
			t.Fatalf("SetAvatar = %q, %v", u.Avatar, err)
		}
	}
	got, err := w.Avatar(t.Context(), pic.SHA256)
	if err != nil {
		t.Fatalf("Avatar: %v", err)
	}
	if diff := cmp.Diff(pic, got); diff != "" {
		t.Errorf("Avatar gave other bytes back")
	}
	_, err = w.Avatar(t.Context(), fmt.Sprintf("%064x", 8))
	wantCode(t, "Avatar that nobody stored", err, im.NotFound)

	// A picture goes with the last who shows it, but not at once.
	for i, id := range []im.UserID{ann.ID, bob.ID} {
		if u, err := w.SetAvatar(t.Context(), id, nil); err != nil || u.Avatar != "" {
			t.Fatalf("SetAvatar(nil) = %q, %v", u.Avatar, err)
		}
		home.Exec(t, "UPDATE avatars SET used_at = used_at - 7200000000")
		if err := w.Prune(t.Context()); err != nil {
			t.Fatalf("Prune: %v", err)
		}
		_, err := w.Avatar(t.Context(), pic.SHA256)
		if there := err == nil; there != (i == 0) {
			t.Errorf("after %d of 2 users took the picture away: there %v, %v", i+1, there, err)
		}
	}
}

func testDeleteAccount(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	login := w.login(ann.ID, "")
	if err := w.DeleteAccount(t.Context(), ann.ID); err != nil {
		t.Fatalf("DeleteAccount: %v", err)
	}
	w.wantDead(login)
	_, err := w.Account(t.Context(), ann.ID)
	wantCode(t, "Account of a deleted user", err, im.NotFound)
	wantCode(t, "DeleteAccount again", w.DeleteAccount(t.Context(), ann.ID), im.NotFound)
	_, _, err = w.CreateLogin(t.Context(), newLogin(ann.ID, ""))
	wantCode(t, "CreateLogin of a deleted user", err, im.Unauthenticated)
	_, err = w.CreateAccount(t.Context(), im.NewAccount{Email: "b@example.org", Handle: "ann", Name: "B"})
	wantCode(t, "CreateAccount with a deleted user's handle", err, im.AlreadyExists)
	again, err := w.CreateAccount(t.Context(), im.NewAccount{Email: "ann@example.org", Handle: "ann2", Name: "Ann again"})
	if err != nil {
		t.Fatalf("CreateAccount with a deleted user's address: %v", err)
	}
	if again.ID <= ann.ID {
		t.Errorf("the new account has id %d after %d", again.ID, ann.ID)
	}
}

func testDeleteEndsFriendships(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann, bob, conv := w.pair("ann", "bob")
	cleo := w.user("cleo")
	w.ask(ann.ID, cleo.ID, "hello")
	w.send(ann.ID, conv, "key-0001", "last words")
	if err := w.DeleteAccount(t.Context(), ann.ID); err != nil {
		t.Fatalf("DeleteAccount: %v", err)
	}
	if got := w.contacts(bob.ID); len(got.Friends) != 0 {
		t.Errorf("bob's friends are %v", got.Friends)
	}
	if got := w.contacts(cleo.ID); len(got.Requests) != 0 {
		t.Errorf("requests that wait for cleo are %v", got.Requests)
	}
	for who, id := range map[string]im.UserID{"bob": bob.ID, "cleo": cleo.ID} {
		if k := kinds(w.inbox(id)); k[len(k)-1] != im.KindContactsChanged {
			t.Errorf("%s's inbox holds %v, want contacts.changed at its end", who, k)
		}
	}
	got := w.append(w.draft(bob.ID, conv, "key-0002", "still there?"))[0]
	wantCode(t, "send to a deleted user", got.Err, im.Forbidden)
	c := w.conversation(bob.ID, conv)
	if !c.Closed || c.Peer == nil || *c.Peer != (im.User{ID: ann.ID}) {
		t.Errorf("bob sees closed %v, peer %v, want true and the id alone", c.Closed, c.Peer)
	}
	if log := seen(w.log(bob.ID, conv)); !slices.Contains(log, fmt.Sprintf("%d %d last words", c.Head, ann.ID)) {
		t.Errorf("what ann wrote is not in the log: %v", log)
	}
	_, err := w.RequestFriend(t.Context(), im.FriendAsk{From: bob.ID, To: ann.ID})
	wantCode(t, "ask a deleted user", err, im.NotFound)
}

func testDisableUser(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	login := w.login(ann.ID, "")
	for range 2 { // the second time changes nothing
		if err := w.DisableUser(t.Context(), ann.ID); err != nil {
			t.Fatalf("DisableUser: %v", err)
		}
	}
	w.wantDead(login)
	if a, err := w.FindAccount(t.Context(), "ann"); err != nil || !a.Disabled {
		t.Errorf("FindAccount = disabled %v, %v, want true", a.Disabled, err)
	}
	_, _, err := w.CreateLogin(t.Context(), newLogin(ann.ID, ""))
	wantCode(t, "CreateLogin of a disabled user", err, im.Unauthenticated)
	if err := w.EnableUser(t.Context(), ann.ID); err != nil {
		t.Fatalf("EnableUser: %v", err)
	}
	w.wantDead(login)
	first, second := w.login(ann.ID, ""), w.login(ann.ID, "")
	if n, err := w.RevokeAll(t.Context(), ann.ID); err != nil || n != 2 {
		t.Errorf("RevokeAll = %d, %v, want 2", n, err)
	}
	w.wantDead(first)
	w.wantDead(second)
	wantCode(t, "DisableUser of nobody", w.DisableUser(t.Context(), 999), im.NotFound)
	wantCode(t, "EnableUser of nobody", w.EnableUser(t.Context(), 999), im.NotFound)
}
