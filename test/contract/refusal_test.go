package contract_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/liao-im/liao/test/liaotest"
)

func TestSignUpRefusals(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	s.SignUp("taken")
	request, code := s.RequestCode("new@example.org", "register")
	good := object{"email": "new@example.org", "request": request, "code": code, "handle": "fresh", "name": "Fresh", "password": liaotest.Password}
	with := func(field string, v any) object {
		o := object{}
		maps.Copy(o, good)
		o[field] = v
		return o
	}
	wrong := "00000000"
	if code == wrong {
		wrong = "00000001"
	}
	for _, tc := range []struct {
		name   string
		body   object
		status int
		code   string
	}{
		{"handle too short", with("handle", "ab"), 400, "invalid"},
		{"no name", with("name", ""), 400, "invalid"},
		{"password too short", with("password", "1234567"), 400, "invalid"},
		{"password too long", with("password", strings.Repeat("x1", 65)), 400, "invalid"},
		{"password that everyone has", with("password", "password1"), 400, "invalid"},
		{"no e-mail address", with("email", "new"), 400, "invalid"},
		{"handle of another type", with("handle", 5), 400, "invalid"},
		{"handle taken", with("handle", "taken"), 409, "already_exists"},
		{"wrong code", with("code", wrong), 403, "forbidden"},
		{"code of another address", with("email", "other@example.org"), 403, "forbidden"},
		{"unknown request", with("request", "nonsense"), 403, "forbidden"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.Call(http.MethodPost, "/v1/accounts", "", tc.body).Refused(t, tc.status, tc.code)
		})
	}
	// Neither 400 nor 409 cost a try, so the right code still works; then it is used up.
	s.Call(http.MethodPost, "/v1/accounts", "", good).Want(t, http.StatusCreated)
	s.Call(http.MethodPost, "/v1/accounts", "", with("handle", "fresher")).Refused(t, 403, "forbidden")
}

func TestCodeDiesAfterFiveTries(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	request, code := s.RequestCode("ann@example.org", "register")
	body := func(code string) object {
		return object{"email": "ann@example.org", "request": request, "code": code, "handle": "ann", "name": "Ann", "password": liaotest.Password}
	}
	for i := range 5 {
		guess := "1234567" + string(rune('0'+i))
		if guess == code {
			guess = "99999999"
		}
		s.Call(http.MethodPost, "/v1/accounts", "", body(guess)).Refused(t, 403, "forbidden")
	}
	s.Call(http.MethodPost, "/v1/accounts", "", body(code)).Refused(t, 403, "forbidden")
}

func TestKnownAndUnknownAddressesAnswerAlike(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_LIMITS_CODES_PER_MINUTE_EMAIL=0"}})
	s.SignUp("ann")
	ask := func(email, purpose string) liaotest.Answer {
		return s.Call(http.MethodPost, "/v1/codes", "", object{"email": email, "purpose": purpose})
	}
	known, unknown := ask("ann@example.org", "reset").Want(t, http.StatusAccepted), ask("nobody@example.org", "reset")
	if known.Status != unknown.Status || len(known.Raw) != len(unknown.Raw) {
		t.Errorf("known %d %s, unknown %d %s: want the same", known.Status, known.Raw, unknown.Status, unknown.Raw)
	}
	login := func(account string) liaotest.Answer {
		return s.Call(http.MethodPost, "/v1/logins", "", object{"account": account, "password": "wrong password", "device": object{"name": "d", "platform": "test"}})
	}
	a, b := login("ann").Refused(t, 401, "unauthenticated"), login("nobody").Refused(t, 401, "unauthenticated")
	if string(a.Raw) != string(b.Raw) {
		t.Errorf("wrong password says %s, unknown account %s: want the same", a.Raw, b.Raw)
	}
}

func TestStrangersAndBlocked(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann, ben, eve := s.SignUp("ann"), s.SignUp("ben"), s.SignUp("eve")
	a, b, e := ann.Connect(), ben.Connect(), eve.Connect()
	conv := liaotest.Befriend(a, b)

	// A stranger learns nothing, whatever is asked.
	for typ, body := range map[string]object{
		"SEND":    text(conv, "key-eve-0001", "let me in"),
		"HISTORY": {"conv": conv},
		"READ":    {"conv": conv, "seq": 1},
	} {
		foreign := e.Ask(typ, body).Refused("NOT_FOUND")
		body["conv"] = "9007199254740000"
		if none := e.Ask(typ, body).Refused("NOT_FOUND"); none.Text("text") != foreign.Text("text") {
			t.Errorf("%s: foreign says %q, non-existing %q; want the same", typ, foreign.Text("text"), none.Text("text"))
		}
	}
	if got := syncAll(t, e, "").conversations[conv]; got != nil {
		t.Errorf("eve's SYNC shows %v", got)
	}

	// A blocked friend is refused, and the conversation is closed to him alone.
	a.Ask("BLOCK", object{"user": ben.ID}).Want("OK")
	b.Ask("SEND", text(conv, "key-ben-0001", "why?")).Refused("FORBIDDEN")
	if c := syncAll(t, b, "").conversations[conv]; c == nil || c["closed"] != true {
		t.Errorf("ben sees %v, want closed", c)
	}
	b.Ask("REQUEST_FRIEND", object{"user": ann.ID}).Refused("ALREADY_EXISTS")
	a.Ask("UNBLOCK", object{"user": ben.ID}).Want("OK")
	b.Ask("SEND", text(conv, "key-ben-0001", "why?")).Want("SENT")

	// An ended friendship leaves the past readable.
	a.Ask("REMOVE_FRIEND", object{"user": ben.ID}).Want("OK")
	a.Ask("REMOVE_FRIEND", object{"user": ben.ID}).Want("OK")
	b.Ask("SEND", text(conv, "key-ben-0002", "bye")).Refused("FORBIDDEN")
	if again := b.Ask("SEND", text(conv, "key-ben-0001", "why?")).Want("SENT"); again.Body["again"] != true {
		t.Errorf("the old key gives %v, want again", again.Body)
	}
	b.Ask("HISTORY", object{"conv": conv}).Want("PAGE")

	// Crossing requests meet, and the same conversation opens again.
	a.Ask("REQUEST_FRIEND", object{"user": ben.ID}).Want("OK")
	b.Ask("REQUEST_FRIEND", object{"user": ann.ID}).Want("OK")
	if got := b.Ask("SEND", text(conv, "key-ben-0003", "hello again")); got.Type != "SENT" {
		t.Errorf("after crossing requests SEND gives %v", got.Body)
	}
}

func TestFriendRequests(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann, ben := s.SignUp("ann"), s.SignUp("ben")
	a, b := ann.Connect(), ben.Connect()

	a.Ask("REQUEST_FRIEND", object{"user": ann.ID}).Refused("INVALID")
	a.Ask("REQUEST_FRIEND", object{"user": "9007199254740000"}).Refused("NOT_FOUND")
	a.Ask("REQUEST_FRIEND", object{"user": ben.ID, "greeting": strings.Repeat("g", 201)}).Refused("TOO_LARGE")
	b.Ask("ANSWER_FRIEND", object{"user": ann.ID, "accept": true}).Refused("NOT_FOUND")

	a.Ask("REQUEST_FRIEND", object{"user": ben.ID, "greeting": "one"}).Want("OK")
	a.Ask("REQUEST_FRIEND", object{"user": ben.ID, "greeting": "two"}).Want("OK")
	requests := b.Ask("FRIENDS", object{}).Objects("requests")
	if len(requests) != 1 || liaotest.Text(requests[0], "greeting") != "two" {
		t.Errorf("requests %v, want one with the newer greeting", requests)
	}
	b.Ask("ANSWER_FRIEND", object{"user": ann.ID}).Want("ANSWERED")
	b.Ask("ANSWER_FRIEND", object{"user": ann.ID}).Want("ANSWERED")
	b.Ask("ANSWER_FRIEND", object{"user": ann.ID, "accept": true}).Refused("CONFLICT")

	// Refused: the asker is not told, and sees it as before; asking again does nothing.
	if asked := a.Ask("FRIENDS", object{}).Objects("asked"); len(asked) != 1 {
		t.Errorf("ann's asked %v, want ben still there", asked)
	}
	a.Ask("REQUEST_FRIEND", object{"user": ben.ID, "greeting": "three"}).Want("OK")
	if requests := b.Ask("FRIENDS", object{}).Objects("requests"); len(requests) != 0 {
		t.Errorf("a refused asker asked again and shows as %v", requests)
	}

	// Whom one has blocked one cannot ask; who blocked one is asked to no effect.
	b.Ask("BLOCK", object{"user": ann.ID}).Want("OK")
	b.Ask("REQUEST_FRIEND", object{"user": ann.ID}).Refused("FORBIDDEN")
	a.Ask("REQUEST_FRIEND", object{"user": ben.ID}).Want("OK")
	if requests := b.Ask("FRIENDS", object{}).Objects("requests"); len(requests) != 0 {
		t.Errorf("a blocked asker shows as %v", requests)
	}
}
