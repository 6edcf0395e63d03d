package gate_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/gate"
	"github.com/liao-im/liao/internal/im"
)

// TestStory goes through every call as a person would.
func TestStory(t *testing.T) {
	t.Parallel()
	d := openDoor(t)

	a := d.do("POST", "/v1/codes", "", obj{"email": " Ada@Example.org ", "purpose": "register"})
	a.want(t, http.StatusAccepted, "")
	if diff := cmp.Diff(obj{"request": "request-of-ada-example.org", "expiresInS": 300.0, "resendInS": 60.0}, obj(a.fields)); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	a = d.do("POST", "/v1/accounts", "", accountOf("ada"))
	a.want(t, http.StatusCreated, "")
	ada := obj{"user": map[string]any{"id": "1", "handle": "ada", "name": "Ada", "avatar": "", "bio": ""}}
	if diff := cmp.Diff(ada, obj(a.fields)); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}

	a = d.do("POST", "/v1/logins", "", loginOf("Ada@example.org"))
	a.want(t, http.StatusCreated, "")
	token, _ := a.fields["accessToken"].(string)
	if !strings.HasPrefix(token, im.AccessPrefix) || a.fields["accessExpiresS"] != 3600.0 || a.fields["refreshExpiresS"] != 2592000.0 {
		t.Errorf("login: got %s", a.body)
	}
	if diff := cmp.Diff(map[string]any{"tcp": "chat.test:1", "ws": "ws://chat.test:2/v1/ws"}, a.fields["chat"]); diff != "" {
		t.Errorf("chat of a login (-want +got):\n%s", diff)
	}
	if len(d.pushed.posts) != 1 || len(d.codes.notices) != 1 || d.codes.notices[0].Kind != im.NoticeNewDevice {
		t.Errorf("new device: got %d pushes and notices %v", len(d.pushed.posts), d.codes.notices)
	}
	deviceID := a.fields["deviceId"]

	// The same device again is no new one.
	again := loginOf("ada")
	again["device"].(obj)["id"] = deviceID
	a = d.do("POST", "/v1/logins", "", again)
	a.want(t, http.StatusCreated, "")
	if a.fields["deviceId"] != deviceID || len(d.codes.notices) != 1 {
		t.Errorf("known device: got %v and %d notices", a.fields["deviceId"], len(d.codes.notices))
	}

	a = d.do("GET", "/v1/logins", token, nil)
	a.want(t, http.StatusOK, "")
	first := a.fields["logins"].([]any)[0].(map[string]any)
	if diff := cmp.Diff(map[string]any{
		"id": "2", "current": true, "lastSeenMs": "1700000000000",
		"device": map[string]any{"id": deviceID, "name": "laptop", "platform": "test"},
	}, first); diff != "" {
		t.Errorf("logins (-want +got):\n%s", diff)
	}

	a = d.do("GET", "/v1/nodes", token, nil)
	a.want(t, http.StatusOK, "")
	if got := len(a.fields["nodes"].([]any)); got != 2 {
		t.Errorf("nodes: got %d, want 2", got)
	}
	d.do("GET", "/v1/me", token, nil).want(t, http.StatusOK, "")
	a = d.do("PATCH", "/v1/me", token, obj{"name": "Ada L.", "bio": "numbers", "unknown": obj{"x": 1}})
	a.want(t, http.StatusOK, "")
	if u := a.fields["user"].(map[string]any); u["name"] != "Ada L." || u["bio"] != "numbers" {
		t.Errorf("changed profile: got %v", u)
	}

	d.do("DELETE", "/v1/logins/3", token, nil).want(t, http.StatusNoContent, "")
	d.do("DELETE", "/v1/logins/3", token, nil).want(t, http.StatusNotFound, "not_found")
	d.do("DELETE", "/v1/logins/current", token, nil).want(t, http.StatusNoContent, "")
	d.do("GET", "/v1/me", token, nil).want(t, http.StatusUnauthorized, "unauthenticated")
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, refresh, _ := d.signUp("ada")
	a := d.do("POST", "/v1/logins/refresh", "", obj{"refreshToken": refresh})
	a.want(t, http.StatusOK, "")
	d.do("GET", "/v1/me", token, nil).want(t, http.StatusUnauthorized, "unauthenticated")
	d.do("GET", "/v1/me", a.fields["accessToken"].(string), nil).want(t, http.StatusOK, "")
	for name, bad := range map[string]string{
		"used": refresh, "an access token": a.fields["accessToken"].(string), "empty": "", "no token": "x",
	} {
		t.Run(name, func(t *testing.T) {
			d.do("POST", "/v1/logins/refresh", "", obj{"refreshToken": bad}).want(t, http.StatusUnauthorized, "unauthenticated")
		})
	}
}

// TestRehash: with the login that proves it, a password moves to today's parameters.
func TestRehash(t *testing.T) {
	t.Parallel()
	d := openDoor(t, func(o *gate.Options) { o.Passwords.Time = 3 })
	_, _, id := d.signUp("ada")
	for range 2 {
		d.do("POST", "/v1/logins", "", loginOf("ada")).want(t, http.StatusCreated, "")
		a, err := d.store.Account(t.Context(), id)
		if err != nil || !strings.Contains(a.PasswordHash, "t=3") {
			t.Errorf("hash after a login: got %s, %v", a.PasswordHash, err)
		}
	}
	if len(d.pushed.posts) != 2 {
		t.Errorf("pushes: got %d, want one for each new device", len(d.pushed.posts))
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, _, id := d.signUp("ada")
	a := d.do("POST", "/v1/logins", "", loginOf("ada"))
	a.want(t, http.StatusCreated, "")
	other := a.fields["accessToken"].(string)

	d.do("POST", "/v1/me/password", token, obj{"old": "wrong one", "new": "another good one"}).want(t, http.StatusForbidden, "forbidden")
	d.do("POST", "/v1/me/password", token, obj{"old": goodPassword, "new": "short"}).want(t, http.StatusBadRequest, "invalid")
	d.do("POST", "/v1/me/password", token, obj{"old": goodPassword, "new": "another good one"}).want(t, http.StatusNoContent, "")
	d.do("GET", "/v1/me", token, nil).want(t, http.StatusOK, "")
	d.do("GET", "/v1/me", other, nil).want(t, http.StatusUnauthorized, "unauthenticated")

	reset := obj{"email": "ada@example.org", "request": "r1", "code": rightCode, "password": "a third good one"}
	d.do("POST", "/v1/password-resets", "", obj{"email": "ada@example.org", "request": "r1", "code": "00000000", "password": "a third good one"}).
		want(t, http.StatusForbidden, "forbidden")
	d.do("POST", "/v1/password-resets", "", reset).want(t, http.StatusNoContent, "")
	d.do("POST", "/v1/password-resets", "", reset).want(t, http.StatusForbidden, "forbidden")
	d.do("GET", "/v1/me", token, nil).want(t, http.StatusUnauthorized, "unauthenticated")
	if n := d.codes.notices[len(d.codes.notices)-1]; n.Kind != im.NoticePasswordReset || n.Email != "ada@example.org" {
		t.Errorf("notice of a reset: got %+v", n)
	}

	login := loginOf("ada")
	login["password"] = "a third good one"
	a = d.do("POST", "/v1/logins", "", login)
	a.want(t, http.StatusCreated, "")
	token = a.fields["accessToken"].(string)
	d.do("DELETE", "/v1/me", token, obj{"password": "wrong one"}).want(t, http.StatusForbidden, "forbidden")
	d.do("DELETE", "/v1/me", token, obj{"password": "a third good one"}).want(t, http.StatusNoContent, "")
	d.do("GET", "/v1/me", token, nil).want(t, http.StatusUnauthorized, "unauthenticated")
	if acc, _ := d.store.Account(t.Context(), id); acc.Name != "" {
		t.Errorf("a deleted account still has the name %q", acc.Name)
	}
}
