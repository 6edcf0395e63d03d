package security_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liao-im/liao/test/liaotest"
)

// TestCanaries: secrets that go through every flow at the highest log level are
// found nowhere: not in the log, the metrics, the command line, the error answers
// or the database file; nor is what people write to each other in the log.
func TestCanaries(t *testing.T) {
	sink := newSink(t)
	s := liaotest.Start(t, liaotest.Options{Env: append([]string{
		"LIAO_LOG_LEVEL=debug", "LIAO_LIMITS_CODES_PER_MINUTE_EMAIL=0",
		"LIAO_SECRETS_PEPPER=canary-pepper-8sKq2Zt6Vw0Xy4Bn7Mc1Lp5Rd9Gh3Jf",
		"LIAO_SECRETS_CODE_KEY=canary-codekey-2nFv8Qx5Tz1Wc7Yb4Km0Rj6Lg3Hd9",
	}, sink.env()...)})
	const password, next = "canary password one", "canary password two"
	secrets := map[string]string{
		"password": password, "new password": next, "pepper": "canary-pepper", "code key": "canary-codekey",
		"message": "canary-message-body", "greeting": "canary-greeting",
	}
	request, code := sink.requestCode(s, "ann@example.org", "register")
	secrets["code"] = code
	s.Call(http.MethodPost, "/v1/accounts", "", object{
		"email": "ann@example.org", "request": request, "code": code, "handle": "ann", "name": "Ann", "password": password,
	}).Want(t, 201)
	login := func(account, password string) liaotest.Answer {
		return s.Call(http.MethodPost, "/v1/logins", "", object{"account": account, "password": password, "device": object{"name": "d", "platform": "test"}})
	}
	var answers bytes.Buffer // of refusals
	answers.Write(login("ann", "canary wrong guess").Raw)
	secrets["wrong guess"] = "canary wrong guess"
	first := login("ann", password).Want(t, 201)
	secrets["access token"], secrets["refresh token"] = first.String("accessToken"), first.String("refreshToken")
	second := s.Call(http.MethodPost, "/v1/logins/refresh", "", object{"refreshToken": first.String("refreshToken")}).Want(t, 200)
	secrets["second access token"], secrets["second refresh token"] = second.String("accessToken"), second.String("refreshToken")
	answers.Write(s.Call(http.MethodGet, "/v1/me", first.String("accessToken"), nil).Refused(t, 401, "unauthenticated").Raw)
	token := second.String("accessToken")
	s.Call(http.MethodPost, "/v1/me/password", token, object{"old": password, "new": next}).Want(t, 204)
	answers.Write(s.Call(http.MethodPost, "/v1/me/password", token, object{"old": password, "new": next}).Raw)

	d := s.Dial()
	d.Ask("HELLO", object{"token": token}).Want("WELCOME")
	request, code = sink.requestCode(s, "ben@example.org", "register")
	secrets["ben's code"] = code
	s.Call(http.MethodPost, "/v1/accounts", "", object{
		"email": "ben@example.org", "request": request, "code": code, "handle": "ben", "name": "Ben", "password": password,
	}).Want(t, 201)
	ben := s.Dial()
	bens := login("ben", password).Want(t, 201)
	secrets["ben's token"] = bens.String("accessToken")
	who := ben.Ask("HELLO", object{"token": bens.String("accessToken")}).Want("WELCOME").Text("user.id")
	d.Ask("REQUEST_FRIEND", object{"user": who, "greeting": "canary-greeting"}).Want("OK")
	conv := ben.Ask("ANSWER_FRIEND", object{"user": first.String("user.id"), "accept": true}).Want("ANSWERED").Text("conv")
	d.Ask("SEND", object{"conv": conv, "key": "key-00000001", "content": object{"kind": "text", "text": "canary-message-body"}}).Want("SENT")
	liaotest.Until(t, "the message at ben's", func() bool { return ben.NextMessage(conv).Text("content.text") == "canary-message-body" })
	request, code = sink.requestCode(s, "ann@example.org", "reset")
	secrets["reset code"], secrets["reset password"] = code, "canary password three"
	s.Call(http.MethodPost, "/v1/password-resets", "", object{
		"email": "ann@example.org", "request": request, "code": code, "password": "canary password three",
	}).Want(t, 204)
	bad := s.Dial()
	bad.Ask("HELLO", object{"token": token[:len(token)-2] + "zz"})

	metrics, err := liaotest.Do(t.Context(), http.MethodGet, s.Ops+"/metrics", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := s.Stop(); code != 0 {
		t.Errorf("exit %d", code)
	}
	places := map[string]string{"log": s.Log(), "metrics": string(metrics.Raw), "command line": string(argv), "refusals": answers.String()}
	for where, text := range places {
		for what, secret := range secrets {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("the %s shows the %s", where, what)
			}
		}
	}
	// The database holds hashes of all these, and the greeting and messages of course.
	files, err := filepath.Glob(filepath.Join(s.Data, "liao.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no database in %s: %v", s.Data, err)
	}
	delete(secrets, "message")
	delete(secrets, "greeting")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for what, secret := range secrets {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s holds the %s", filepath.Base(file), what)
			}
		}
	}
	if !strings.Contains(s.Log(), `"audit":true`) {
		t.Error("the log has no audit lines; was anything logged at all?")
	}
}
