package storetest

import (
	"testing"

	"github.com/liao-im/liao/internal/im"
)

func refreshThemes() []theme {
	return []theme{
		{"Refresh", testRefresh},
		{"RefreshLostAnswer", testRefreshLostAnswer},
		{"RefreshGraceEnds", testRefreshGraceEnds},
		{"RefreshReuse", testRefreshReuse},
		{"RefreshExpires", testRefreshExpires},
		{"RefreshRace", testRefreshRace},
		{"RefreshPruned", testRefreshPruned},
	}
}

func testRefresh(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	first := w.login(ann.ID, "")
	second, err := w.refresh(first)
	if err != nil {
		t.Fatalf("Refresh: %v", err)
	}
	if second.ID != first.ID || second.Device != first.Device || second.User != ann || second.LastSeen == 0 {
		t.Errorf("Refresh = %+v, want the same login as %+v", second.Login, first.Login)
	}
	w.wantVoid(first)
	w.wantLive(second)
	third, err := w.refresh(second)
	if err != nil {
		t.Fatalf("Refresh again: %v", err)
	}
	w.wantVoid(second)
	w.wantLive(third)
	_, err = w.refresh(held{pair: newPair()})
	wantCode(t, "Refresh with a token that nobody gave", err, im.Unauthenticated)
	w.wantLive(third)
}

func testRefreshLostAnswer(t *testing.T, home Home) {
	w := newWorld(t, home)
	first := w.login(w.user("ann").ID, "")
	var answers []held
	for range 3 { // each answer but the last is lost
		next, err := w.refresh(first)
		if err != nil {
			t.Fatalf("Refresh after a lost answer: %v", err)
		}
		answers = append(answers, next)
	}
	w.wantVoid(first)
	w.wantVoid(answers[0])
	w.wantVoid(answers[1])
	w.wantLive(answers[2])
	if _, err := w.refresh(answers[2]); err != nil {
		t.Errorf("Refresh with the answer that arrived: %v", err)
	}
}

func testRefreshGraceEnds(t *testing.T, home Home) {
	tests := []struct {
		name string
		end  func(w *world, first, second held)
	}{
		{"access token used", func(w *world, _, second held) { w.wantLive(second) }},
		{"refresh token used", func(w *world, _, second held) {
			if _, err := w.refresh(second); err != nil {
				w.t.Errorf("Refresh: %v", err)
			}
		}},
		{"a minute passed", func(w *world, _, _ held) {
			w.home.Exec(w.t, "UPDATE refresh_tokens SET replaced_at = replaced_at - 61000000 WHERE replaced_at > 0")
		}},
		{"a minute passed since the first use", func(w *world, first, _ held) {
			w.home.Exec(w.t, "UPDATE refresh_tokens SET replaced_at = replaced_at - 50000000 WHERE replaced_at > 0")
			if _, err := w.refresh(first); err != nil {
				w.t.Errorf("Refresh after 50 s: %v", err)
			}
			w.home.Exec(w.t, "UPDATE refresh_tokens SET replaced_at = replaced_at - 11000000 WHERE replaced_at > 0")
		}},
		{"the login was revoked", func(w *world, first, _ held) {
			if err := w.RevokeLogin(w.t.Context(), first.User.ID, first.ID); err != nil {
				w.t.Errorf("RevokeLogin: %v", err)
			}
		}},
		{"the user was disabled", func(w *world, first, _ held) {
			if err := w.DisableUser(w.t.Context(), first.User.ID); err != nil {
				w.t.Errorf("DisableUser: %v", err)
			}
		}},
	}
	w := newWorld(t, home)
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ann := w.user("ann" + string(rune('a'+i)))
			first := w.login(ann.ID, "")
			second, err := w.refresh(first)
			if err != nil {
				t.Fatalf("Refresh: %v", err)
			}
			test.end(w, first, second)
			_, err = w.refresh(first)
			wantCode(t, "Refresh with the old token", err, im.Unauthenticated)
			w.wantDead(second) // the login is revoked
			if list, err := w.Logins(t.Context(), ann.ID); err != nil || len(list) != 0 {
				t.Errorf("Logins = %v, %v, want none", list, err)
			}
		})
	}
}

// A token that was given out and replaced is a thief's or a victim's: both must
// log in again.
func testRefreshReuse(t *testing.T, home Home) {
	w := newWorld(t, home)
	first := w.login(w.user("ann").ID, "")
	lost, err := w.refresh(first)
	if err != nil {
		t.Fatalf("Refresh: %v", err)
	}
	second, err := w.refresh(first)
	if err != nil {
		t.Fatalf("Refresh: %v", err)
	}
	_, err = w.refresh(lost)
	wantCode(t, "Refresh with a void answer's token", err, im.Unauthenticated)
	w.wantDead(second)
	list, err := w.Revocations(t.Context(), 0)
	if err != nil || len(list) != 1 || list[0].Login != first.ID {
		t.Errorf("Revocations = %v, %v, want login %d once", list, err, first.ID)
	}
}

func testRefreshExpires(t *testing.T, home Home) {
	w := newWorld(t, home)
	l := w.login(w.user("ann").ID, "")
	home.Exec(t, "UPDATE logins SET refresh_expires_at = refresh_expires_at - 2592000000000")
	_, err := w.refresh(l)
	wantCode(t, "Refresh with an expired token", err, im.Unauthenticated)
}

func testRefreshRace(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	l := w.login(ann.ID, "")
	answers := make([]held, 10)
	n := countSuccess(t, len(answers), im.Unauthenticated, func(i int) (err error) {
		answers[i], err = w.refresh(l)
		return err
	})
	if n != len(answers) {
		t.Errorf("%d of %d refreshes within the grace succeeded", n, len(answers))
	}
	live := 0
	for _, a := range answers {
		if _, err := w.Authenticate(t.Context(), a.pair.Access); err == nil {
			live++
		}
	}
	if live != 1 {
		t.Errorf("%d of the answers to one token work, want 1", live)
	}
}

func testRefreshPruned(t *testing.T, home Home) {
	w := newWorld(t, home)
	ann := w.user("ann")
	first := w.login(ann.ID, "")
	second, err := w.refresh(first)
	if err != nil {
		t.Fatalf("Refresh: %v", err)
	}
	w.wantLive(second)
	gone := w.login(ann.ID, "")
	w.login(ann.ID, gone.Device.ID)
	const days40 = "3456000000000"
	home.Exec(t, "UPDATE refresh_tokens SET created_at = created_at - "+days40)
	home.Exec(t, "UPDATE logins SET revoked_at = revoked_at - "+days40+" WHERE revoked_at > 0")
	if err := w.Prune(t.Context()); err != nil {
		t.Fatalf("Prune: %v", err)
	}
	third, err := w.refresh(second) // the oldest token that still counts
	if err != nil {
		t.Fatalf("Refresh after Prune: %v", err)
	}
	_, err = w.refresh(first) // replaced a moment ago: kept to tell a thief by
	wantCode(t, "Refresh with a replaced token", err, im.Unauthenticated)
	w.wantDead(third)
}
