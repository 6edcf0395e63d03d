package security_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/liao-im/liao/test/liaotest"
)

// TestIdentityInTheMessage: whoever the body says it is from, it is from the session.
func TestIdentityInTheMessage(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann, ben, eve := s.SignUp("ann"), s.SignUp("ben"), s.SignUp("eve")
	a, b, e := ann.Connect(), ben.Connect(), eve.Connect()
	conv := liaotest.Befriend(a, b)
	theirs := liaotest.Befriend(a, e)
	e.Ask("SEND", object{
		"conv": theirs, "key": "key-00000001", "from": ben.ID, "user": ben.ID, "device": ben.Device, "seq": 1, "atMs": "1",
		"content": object{"kind": "text", "text": "I am ben", "from": ben.ID},
	}).Want("SENT")
	got := a.Ask("HISTORY", object{"conv": theirs, "after": 1}).Want("PAGE").Objects("messages")
	if len(got) != 1 || liaotest.Text(got[0], "from") != eve.ID {
		t.Errorf("stored as %v, want from eve", got)
	}
	// Typing and reading name their user by the session as well.
	if err := e.Write(liaotest.Encode(liaotest.Types["TYPING"], 0, object{"conv": theirs, "user": ben.ID})); err != nil {
		t.Fatal(err)
	}
	if f := a.Next("TYPING"); f.Text("user") != eve.ID {
		t.Errorf("TYPING of %s, want of eve", f.Text("user"))
	}
	e.Ask("READ", object{"conv": conv, "user": ben.ID, "seq": 1}).Refused("NOT_FOUND")
}

// TestDeviceOfAnother: nobody can take the place of another user's device.
func TestDeviceOfAnother(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann, eve := s.SignUp("ann"), s.SignUp("eve")
	a := ann.Connect()
	login := s.Call(http.MethodPost, "/v1/logins", "", object{
		"account": "eve", "password": liaotest.Password, "device": object{"id": ann.Device, "name": "d", "platform": "test"},
	}).Want(t, http.StatusCreated)
	if login.String("deviceId") == ann.Device {
		t.Error("eve was given ann's device")
	}
	thief := *eve
	thief.Access = login.String("accessToken")
	l := thief.Connect()
	if got := l.Welcome.Text("user.id"); got != eve.ID {
		t.Errorf("WELCOME for user %s, want eve", got)
	}
	a.Silent("GOAWAY")
	a.Ask("PING", nil).Want("PONG")
}

// TestSilentProbes: a stranger's probes, of whatever kind, reach nobody.
func TestSilentProbes(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_SENDS_PER_SECOND=0", "LIAO_LIMITS_REQUESTS_PER_SECOND=0"}})
	a, b, e := s.SignUp("ann").Connect(), s.SignUp("ben").Connect(), s.SignUp("eve").Connect()
	conv := liaotest.Befriend(a, b)
	a.Ask("PING", nil).Want("PONG")
	for i := range 1000 {
		e.Put("READ", object{"conv": conv, "seq": 1})
		e.Put("SEND", object{"conv": conv, "key": fmt.Sprintf("key-%08d", i), "content": object{"kind": "text", "text": "x"}})
		if err := e.Write(liaotest.Encode(liaotest.Types["TYPING"], 0, object{"conv": conv})); err != nil {
			t.Fatal(err)
		}
	}
	e.Answer(e.Put("PING", nil)).Want("PONG")
	a.Silent("RECEIPT", "TYPING")
	if page := b.Ask("HISTORY", object{"conv": conv}); page.Number("head") != 1 {
		t.Errorf("head %d after a stranger's probes, want 1", page.Number("head"))
	}
	// A receipt goes out once for what moved, and not for what did not.
	b.Ask("READ", object{"conv": conv, "seq": 1}).Want("OK")
	a.Next("RECEIPT")
	for range 50 {
		b.Ask("READ", object{"conv": conv, "seq": 1}).Want("OK")
	}
	a.Silent("RECEIPT")
}
