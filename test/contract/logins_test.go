package contract_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/liao-im/liao/test/liaotest"
)

func refresh(s *liaotest.Server, token string) liaotest.Answer {
	return s.Call(http.MethodPost, "/v1/logins/refresh", "", object{"refreshToken": token})
}

func TestRefresh(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	me := func(token string) int { return s.Call(http.MethodGet, "/v1/me", token, nil).Status }

	t.Run("both tokens are new and the old access token ends", func(t *testing.T) {
		ann := s.SignUp("ann")
		next := refresh(s, ann.Refresh).Want(t, http.StatusOK)
		if me(ann.Access) != 401 || me(next.String("accessToken")) != 200 {
			t.Error("want the old access token refused and the new one accepted")
		}
		if next.String("deviceId") != ann.Device {
			t.Errorf("device %q, want the same %q", next.String("deviceId"), ann.Device)
		}
	})
	t.Run("a lost answer", func(t *testing.T) {
		ben := s.SignUp("ben")
		lost := refresh(s, ben.Refresh).Want(t, http.StatusOK)
		again := refresh(s, ben.Refresh).Want(t, http.StatusOK)
		if me(lost.String("accessToken")) != 401 {
			t.Error("the lost answer's access token still works")
		}
		if me(again.String("accessToken")) != 200 {
			t.Error("the new answer's access token does not work")
		}
		// Now a token of the last answer is used: the first refresh token ends the login.
		refresh(s, ben.Refresh).Refused(t, 401, "unauthenticated")
		if me(again.String("accessToken")) != 401 {
			t.Error("a replayed refresh token did not revoke its login")
		}
		refresh(s, again.String("refreshToken")).Refused(t, 401, "unauthenticated")
	})
	t.Run("a void answer's refresh token", func(t *testing.T) {
		cleo := s.SignUp("cleo")
		lost := refresh(s, cleo.Refresh).Want(t, http.StatusOK)
		again := refresh(s, cleo.Refresh).Want(t, http.StatusOK)
		refresh(s, lost.String("refreshToken")).Refused(t, 401, "unauthenticated")
		if me(again.String("accessToken")) != 401 {
			t.Error("using a void refresh token did not revoke the login")
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		dan := s.SignUp("dan")
		refresh(s, "nonsense").Refused(t, 401, "unauthenticated")
		refresh(s, dan.Access).Refused(t, 401, "unauthenticated")
		if me(dan.Access) != 200 {
			t.Error("an access token given as a refresh token ended the login")
		}
	})
}

func TestRevocation(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	phone := ann.LogIn("phone")
	a, p := ann.Connect(), phone.Connect()

	logins := ann.Call(http.MethodGet, "/v1/logins", nil).Want(t, http.StatusOK)
	list, _ := logins.Body["logins"].([]any)
	var other, current string
	for _, v := range list {
		l, _ := v.(object)
		if l["current"] == true {
			current = liaotest.Text(l, "id")
		} else if liaotest.Text(l, "device.name") == "phone" {
			other = liaotest.Text(l, "id")
		}
	}
	if len(list) != 2 || other == "" || current == "" {
		t.Fatalf("logins %s, want two, one of them current", logins.Raw)
	}

	ben := s.SignUp("ben")
	ben.Call(http.MethodDelete, "/v1/logins/"+other, nil).Refused(t, 404, "not_found")
	begin := time.Now()
	ann.Call(http.MethodDelete, "/v1/logins/"+other, nil).Want(t, http.StatusNoContent)
	p.Gone("UNAUTHORIZED")
	if took := time.Since(begin); took > 1500*time.Millisecond {
		t.Errorf("a revoked login's connection closed after %v, want 1 s (and half of one for a busy machine)", took)
	}
	phone.Call(http.MethodGet, "/v1/me", nil).Refused(t, 401, "unauthenticated")
	ann.Call(http.MethodDelete, "/v1/logins/"+other, nil).Refused(t, 404, "not_found")

	ann.Call(http.MethodDelete, "/v1/logins/current", nil).Want(t, http.StatusNoContent)
	a.Gone("UNAUTHORIZED")
}

func TestPasswords(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_CODES_PER_MINUTE_EMAIL=0"}})
	ann := s.SignUp("ann")
	phone := ann.LogIn("phone")
	p := phone.Connect()
	const next = "another good phrase"

	ann.Call(http.MethodPost, "/v1/me/password", object{"old": "wrong password", "new": next}).Refused(t, 403, "forbidden")
	ann.Call(http.MethodPost, "/v1/me/password", object{"old": liaotest.Password, "new": "short"}).Refused(t, 400, "invalid")
	ann.Call(http.MethodPost, "/v1/me/password", object{"old": liaotest.Password, "new": next}).Want(t, http.StatusNoContent)
	p.Gone("UNAUTHORIZED")
	ann.Call(http.MethodGet, "/v1/me", nil).Want(t, http.StatusOK)
	login := func(password string) liaotest.Answer {
		return s.Call(http.MethodPost, "/v1/logins", "", object{"account": ann.Email, "password": password, "device": object{"name": "d", "platform": "test"}})
	}
	login(liaotest.Password).Refused(t, 401, "unauthenticated")
	login(next).Want(t, http.StatusCreated)

	request, code := s.RequestCode(ann.Email, "reset")
	reset := object{"email": ann.Email, "request": request, "code": code, "password": liaotest.Password}
	s.Call(http.MethodPost, "/v1/password-resets", "", reset).Want(t, http.StatusNoContent)
	s.Call(http.MethodPost, "/v1/password-resets", "", reset).Refused(t, 403, "forbidden")
	ann.Call(http.MethodGet, "/v1/me", nil).Refused(t, 401, "unauthenticated")
	login(liaotest.Password).Want(t, http.StatusCreated)
}

func TestDeviceComesBack(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann, ben := s.SignUp("ann"), s.SignUp("ben")
	login := func(device string) liaotest.Answer {
		return s.Call(http.MethodPost, "/v1/logins", "", object{
			"account": "ann", "password": liaotest.Password, "device": object{"id": device, "name": "d", "platform": "test"},
		}).Want(t, http.StatusCreated)
	}
	if got := login(ben.Device).String("deviceId"); got == ben.Device || got == "" {
		t.Errorf("another user's device id gave device %q, want a new one", got)
	}
	ben.Call(http.MethodGet, "/v1/me", nil).Want(t, http.StatusOK)
	a := ann.Connect()
	if got := login(ann.Device).String("deviceId"); got != ann.Device {
		t.Errorf("my device id gave device %q, want the same", got)
	}
	a.Gone("UNAUTHORIZED")
	ann.Call(http.MethodGet, "/v1/me", nil).Refused(t, 401, "unauthenticated")
}

func TestDeletedAccount(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_CODES_PER_MINUTE_EMAIL=0"}})
	ann, ben := s.SignUp("ann"), s.SignUp("ben")
	a, b := ann.Connect(), ben.Connect()
	conv := liaotest.Befriend(a, b)
	a.Ask("SEND", text(conv, "key-00000001", "remember me")).Want("SENT")

	ann.Call(http.MethodDelete, "/v1/me", object{"password": "wrong password"}).Refused(t, 403, "forbidden")
	ann.Call(http.MethodDelete, "/v1/me", object{"password": liaotest.Password}).Want(t, http.StatusNoContent)
	a.Gone("UNAUTHORIZED")

	page := b.Ask("HISTORY", object{"conv": conv}).Want("PAGE")
	m := page.Objects("messages")
	if len(m) != 2 || liaotest.Text(m[1], "content.text") != "remember me" {
		t.Errorf("after the account was deleted its friend reads %v", m)
	}
	for _, u := range page.Objects("users") {
		if liaotest.Text(u, "id") == ann.ID && (liaotest.Text(u, "handle") != "" || liaotest.Text(u, "name") != "") {
			t.Errorf("of a deleted account the page shows %v", u)
		}
	}
	b.Ask("SEND", text(conv, "key-00000002", "hello?")).Refused("FORBIDDEN")

	// The handle is gone for ever; the address is free again.
	request, code := s.RequestCode(ann.Email, "register")
	body := object{"email": ann.Email, "request": request, "code": code, "handle": "ann", "name": "Ann", "password": liaotest.Password}
	s.Call(http.MethodPost, "/v1/accounts", "", body).Refused(t, 409, "already_exists")
	body["handle"] = "ann2"
	s.Call(http.MethodPost, "/v1/accounts", "", body).Want(t, http.StatusCreated)
}
