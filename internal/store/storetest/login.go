package storetest

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

func loginThemes() []theme {
	return []theme{
		{"CreateLogin", testCreateLogin},
		{"DeviceReplaced", testDeviceReplaced},
		{"DeviceRace", testDeviceRace},
		{"LoginList", testLoginList},
		{"RevokeLogin", testRevokeLogin},
		{"Revocations", testRevocations},
		{"AccessExpires", testAccessExpires},
		{"Seen", testSeen},
	}
}

// held is a login and the tokens of its last answer.
type held struct {
	im.Login
	pair im.TokenPair
}

func newPair() im.TokenPair {
	_, access := im.NewToken(im.AccessPrefix)
	_, refresh := im.NewToken(im.RefreshPrefix)
	return im.TokenPair{Access: access, Refresh: refresh, AccessFor: time.Hour, RefreshFor: 30 * 24 * time.Hour}
}

func newLogin(user im.UserID, device string) im.NewLogin {
	return im.NewLogin{User: user, Device: im.Device{ID: device, Name: "a phone 📱", Platform: "ios"}, Tokens: newPair()}
}

// login logs in; device is empty for a new one.
func (w *world) login(user im.UserID, device string) held {
	w.t.Helper()
	l := newLogin(user, device)
	got, _, err := w.CreateLogin(w.t.Context(), l)
	if err != nil {
		w.t.Fatalf("CreateLogin: %v", err)
	}
	return held{got, l.Tokens}
}

// refresh exchanges the refresh token of h and returns what h is then.
func (w *world) refresh(h held) (held, error) {
	w.t.Helper()
	next := newPair()
	l, err := w.Refresh(w.t.Context(), h.pair.Refresh, next)
	return held{l, next}, err
}

// wantLive reports a login whose access token proves nothing. It uses the token.
func (w *world) wantLive(h held) {
	w.t.Helper()
	s, err := w.Authenticate(w.t.Context(), h.pair.Access)
	if err != nil {
		w.t.Errorf("Authenticate of a live login: %v", err)
	} else if s.Login != h.ID || s.User != h.User || s.Device != h.Device || s.At == 0 {
		w.t.Errorf("Authenticate = %+v, want login %d of %v on %v", s, h.ID, h.User, h.Device)
	}
}

// wantDead reports a login that can still be used in any way.
func (w *world) wantDead(h held) {
	w.t.Helper()
	w.wantVoid(h)
	_, err := w.refresh(h)
	wantCode(w.t, "Refresh of a dead login", err, im.Unauthenticated)
}

// wantVoid reports an access token that still proves something.
func (w *world) wantVoid(h held) {
	w.t.Helper()
	_, err := w.Authenticate(w.t.Context(), h.pair.Access)
	wantCode(w.t, "Authenticate with a void token", err, im.Unauthenticated)
}

func testCreateLogin(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	l := newLogin(ann.ID, "")
	got, posts, err := w.CreateLogin(t.Context(), l)
	if err != nil {
		t.Fatalf("CreateLogin: %v", err)
	}
	if got.ID == 0 || got.Device.ID == "" || got.LastSeen == 0 || got.User != ann {
		t.Errorf("CreateLogin = %+v", got)
	}
	w.wantLive(held{got, l.Tokens})
	if len(posts) != 1 || posts[0].Entry.Content.Kind != im.KindLoginNew || !slices.Equal(posts[0].Members, []im.UserID{ann.ID}) {
		t.Fatalf("CreateLogin posts %+v, want login.new to ann", posts)
	}
	if diff := cmp.Diff([]im.Entry{posts[0].Entry}, w.inbox(ann.ID)); diff != "" {
		t.Errorf("the inbox holds (-posted +stored):\n%s", diff)
	}
	_, _, err = w.CreateLogin(t.Context(), newLogin(999, ""))
	wantCode(t, "CreateLogin of nobody", err, im.Unauthenticated)
}

func testDeviceReplaced(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann, bob := w.user("ann"), w.user("bob")
	first := w.login(ann.ID, "")
	other := w.login(ann.ID, "")

	second := w.login(ann.ID, first.Device.ID)
	if second.Device.ID != first.Device.ID || second.ID == first.ID {
		t.Errorf("the second login of device %s is login %d of device %s", first.Device.ID, second.ID, second.Device.ID)
	}
	w.wantDead(first)
	w.wantLive(other)
	w.wantLive(second)
	if k := kinds(w.inbox(ann.ID)); len(k) != 2 {
		t.Errorf("ann's inbox holds %v, want login.new twice", k)
	}

	// An id that this user was never given counts for nothing.
	for _, id := range []string{first.Device.ID, "made-up"} {
		l := w.login(bob.ID, id)
		if l.Device.ID == id {
			t.Errorf("bob could take device %s", id)
		}
	}
	w.wantLive(second)

	// One whose login has ended does.
	if err := w.RevokeLogin(t.Context(), ann.ID, second.ID); err != nil {
		t.Fatalf("RevokeLogin: %v", err)
	}
	third := w.login(ann.ID, first.Device.ID)
	if third.Device.ID != first.Device.ID {
		t.Errorf("after a logout device %s became %s", first.Device.ID, third.Device.ID)
	}
}

func testDeviceRace(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	first := w.login(ann.ID, "")
	inParallel(10, func(int) {
		if _, _, err := w.CreateLogin(t.Context(), newLogin(ann.ID, first.Device.ID)); err != nil {
			t.Errorf("CreateLogin in a race: %v", err)
		}
	})
	live, err := w.Logins(t.Context(), ann.ID)
	if err != nil || len(live) != 1 {
		t.Errorf("Logins = %d, %v, want one live login of the device", len(live), err)
	}
}

func testLoginList(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann, bob := w.user("ann"), w.user("bob")
	var want []im.LoginID
	var sightings []im.Sighting
	for i := range 3 {
		l := w.login(ann.ID, "")
		want = append(want, l.ID)
		sightings = append(sightings, im.Sighting{Login: l.ID, At: l.LastSeen + im.Millis(3-i)*10})
	}
	w.login(bob.ID, "")
	home.Exec(t, "UPDATE logins SET seen_at = seen_at - 1000000")
	if err := w.Seen(t.Context(), sightings); err != nil {
		t.Fatalf("Seen: %v", err)
	}
	list, err := w.Logins(t.Context(), ann.ID)
	if err != nil {
		t.Fatalf("Logins: %v", err)
	}
	var got []im.LoginID
	for _, l := range list {
		got = append(got, l.ID)
		if l.User != ann || l.Device.Name != "a phone 📱" || l.Device.Platform != "ios" {
			t.Errorf("Logins gave %+v", l)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Logins (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(list, func(a, b im.Login) int { return int(b.LastSeen - a.LastSeen) }) {
		t.Errorf("Logins are not the latest seen first: %+v", list)
	}
	home.Exec(t, "UPDATE logins SET access_expires_at = 1, refresh_expires_at = 1 WHERE id = ?", uint64(want[0]))
	if list, err = w.Logins(t.Context(), ann.ID); err != nil || len(list) != 2 {
		t.Errorf("Logins after one expired = %d, %v, want 2", len(list), err)
	}
}

func testRevokeLogin(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann, bob := w.user("ann"), w.user("bob")
	phone, web := w.login(ann.ID, ""), w.login(ann.ID, "")
	wantCode(t, "RevokeLogin of another's", w.RevokeLogin(t.Context(), bob.ID, phone.ID), im.NotFound)
	wantCode(t, "RevokeLogin of none", w.RevokeLogin(t.Context(), bob.ID, 999), im.NotFound)
	w.wantLive(phone)
	if err := w.RevokeLogin(t.Context(), ann.ID, phone.ID); err != nil {
		t.Fatalf("RevokeLogin: %v", err)
	}
	w.wantDead(phone)
	w.wantLive(web)
	wantCode(t, "RevokeLogin again", w.RevokeLogin(t.Context(), ann.ID, phone.ID), im.NotFound)
}

func testRevocations(t *testing.T, home Home) {
	w := newWorld(t, home)
	other := newWorld(t, home) // another node
	ann := w.user("ann")
	var ended []im.LoginID
	for range 3 {
		l := w.login(ann.ID, "")
		ended = append(ended, l.ID)
		if err := w.RevokeLogin(t.Context(), ann.ID, l.ID); err != nil {
			t.Fatalf("RevokeLogin: %v", err)
		}
	}
	read := func(after uint64) (logins []im.LoginID, last uint64) {
		t.Helper()
		list, err := other.Revocations(t.Context(), after)
		if err != nil {
			t.Fatalf("Revocations: %v", err)
		}
		for _, r := range list {
			if r.ID <= last {
				t.Errorf("Revocations are not in the order of their ids: %v", list)
			}
			logins, last = append(logins, r.Login), r.ID
		}
		return logins, last
	}
	got, last := read(0)
	if diff := cmp.Diff(ended, got); diff != "" {
		t.Errorf("Revocations(0) (-want +got):\n%s", diff)
	}
	// A row of the last 30 s may have become visible late, so it comes again.
	if got, _ := read(last); !slices.Equal(got, ended) {
		t.Errorf("Revocations after the last gave %v, want the young ones again: %v", got, ended)
	}
	home.Exec(t, "UPDATE revocations SET at = at - 31000000")
	if got, _ := read(last); len(got) != 0 {
		t.Errorf("Revocations after the last gave %v that are old", got)
	}
	if got, _ := read(last - 1); !slices.Equal(got, ended[2:]) {
		t.Errorf("Revocations before the last gave %v, want %v", got, ended[2:])
	}
	home.Exec(t, "UPDATE revocations SET at = at - 90000000000")
	if err := w.Prune(t.Context()); err != nil {
		t.Fatalf("Prune: %v", err)
	}
	if got, _ := read(0); len(got) != 0 {
		t.Errorf("after Prune Revocations(0) = %v", got)
	}
	l := w.login(ann.ID, "")
	if err := w.RevokeLogin(t.Context(), ann.ID, l.ID); err != nil {
		t.Fatalf("RevokeLogin: %v", err)
	}
	if got, id := read(last); !slices.Equal(got, []im.LoginID{l.ID}) || id <= last {
		t.Errorf("after Prune a revocation is %v with id %d, want login %d and an id above %d", got, id, l.ID, last)
	}
}

func testAccessExpires(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	l := w.login(ann.ID, "")
	home.Exec(t, "UPDATE logins SET access_expires_at = access_expires_at - 3600000000")
	w.wantVoid(l)
	next, err := w.refresh(l)
	if err != nil {
		t.Fatalf("Refresh after the access token expired: %v", err)
	}
	w.wantLive(next)
	w.wantVoid(held{pair: im.TokenPair{}})
	w.wantVoid(held{pair: im.TokenPair{Access: next.pair.Refresh}})
}

func testSeen(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	l := w.login(ann.ID, "")
	lastSeen := func() im.Millis {
		t.Helper()
		list, err := w.Logins(t.Context(), ann.ID)
		if err != nil || len(list) != 1 {
			t.Fatalf("Logins = %v, %v", list, err)
		}
		return list[0].LastSeen
	}
	home.Exec(t, "UPDATE logins SET seen_at = seen_at - 60000000")
	start := lastSeen()
	steps := []struct {
		name string
		at   im.Millis
		want im.Millis
	}{
		{"later", start + 1000, start + 1000},
		{"earlier", start + 500, start + 1000},
		{"later again", start + 2000, start + 2000},
	}
	for _, s := range steps {
		if err := w.Seen(t.Context(), []im.Sighting{{Login: l.ID, At: s.at - 1}, {Login: l.ID, At: s.at}, {Login: 999, At: s.at}}); err != nil {
			t.Fatalf("Seen: %v", err)
		}
		if got := lastSeen(); got != s.want {
			t.Errorf("%s: last seen %d, want %d", s.name, got, s.want)
		}
	}
	future := im.ToMillis(time.Now().Add(24 * time.Hour))
	if err := w.Seen(t.Context(), []im.Sighting{{Login: l.ID, At: future}}); err != nil {
		t.Fatalf("Seen: %v", err)
	}
	if got := lastSeen(); got >= future-3_600_000 || got <= start+2000 {
		t.Errorf("a sighting from tomorrow gave %d, want the database's now", got)
	}
	if err := w.Seen(t.Context(), nil); err != nil {
		t.Errorf("Seen of nothing: %v", err)
	}
}

// countSuccess runs f n times at once and counts successes; an error that is not
// of the code fails the test.
func countSuccess(t *testing.T, n int, code im.Code, f func(i int) error) int {
	t.Helper()
	var ok atomic.Int32
	inParallel(n, func(i int) {
		err := f(i)
		if err == nil {
			ok.Add(1)
		} else if !errors.Is(err, code) {
			t.Errorf("in a race: %v", err)
		}
	})
	return int(ok.Load())
}
