package gate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/liao-im/liao/internal/gate"
	"github.com/liao-im/liao/internal/im"
)

// door is a gate on fakes, and a client in front of it.
type door struct {
	t      *testing.T
	gate   *gate.Gate
	store  *memory
	codes  *openCodes
	pushed *pushLog
	log    *bytes.Buffer // everything logged and audited
}

func openDoor(t *testing.T, change ...func(*gate.Options)) *door {
	t.Helper()
	d := &door{t: t, store: newMemory(), codes: &openCodes{}, pushed: &pushLog{}, log: &bytes.Buffer{}}
	log := slog.New(slog.NewJSONHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o := gate.Options{
		Accounts: d.store, Profiles: d.store, Logins: d.store, Tries: d.store, Limiter: d.store,
		Codes: d.codes, Pushes: d.pushed,
		Nodes:   nodeList{{TCP: "chat.test:1", WS: "ws://chat.test:2/v1/ws"}, {TCP: "chat.test:3"}},
		Logger:  log,
		Audit:   log,
		Version: "test",
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	if d.gate, err = gate.New(o); err != nil {
		t.Fatalf("gate.New: %v", err)
	}
	return d
}

// answer is what came back; fields are those of a JSON object.
type answer struct {
	status int
	header http.Header
	body   []byte
	fields map[string]any
}

func (d *door) send(r *http.Request) answer {
	d.t.Helper()
	w := httptest.NewRecorder()
	d.gate.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	if strings.Contains(a.header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(a.body, &a.fields); err != nil {
			d.t.Fatalf("%s %s: the answer is not JSON: %v: %.100s", r.Method, r.URL, err, a.body)
		}
	}
	return a
}

// request builds a request; body is sent as JSON unless it is a string or nil.
func request(t *testing.T, method, path, token string, body any) *http.Request {
	t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			t.Fatalf("marshal: %v", err)
		}
		in = bytes.NewReader(j)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, in)
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func (d *door) do(method, path, token string, body any) answer {
	d.t.Helper()
	return d.send(request(d.t, method, path, token, body))
}

// obj is a JSON object.
type obj map[string]any

// want fails the test unless the answer has the status, and, if it is a refusal, is
// a problem document of that code.
func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status: got %d, want %d; body %.300s", a.status, status, a.body)
	}
	if code == "" {
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type of a refusal: got %q", got)
	}
	if a.fields["code"] != code || a.fields["status"] != float64(status) || a.fields["title"] != http.StatusText(status) || a.fields["detail"] == "" {
		t.Errorf("problem: got %s, want code %s and a detail", a.body, code)
	}
	if (status == 429 || status == 503) && a.header.Get("Retry-After") == "" {
		t.Errorf("a %d without Retry-After", status)
	}
	if status == 401 && a.header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a 401 without WWW-Authenticate")
	}
}

// goodPassword may be chosen, and goodHash is one of its hashes.
const (
	goodPassword = "correct horse battery staple"
	goodHash     = "$argon2id$v=19$m=19456,t=2,p=1$AP2+qvVUeh1/G+Wn0EB9vg$LG2cVtlpa/4Xf9dyYyribr43FFihnNhH0FYZqWxo0C4"
)

func accountOf(handle string) obj {
	return obj{
		"email": handle + "@example.org", "request": "request-of-" + handle, "code": rightCode,
		"handle": handle, "name": strings.ToUpper(handle[:1]) + handle[1:], "password": goodPassword,
	}
}

func loginOf(account string) obj {
	return obj{"account": account, "password": goodPassword, "device": obj{"name": "laptop", "platform": "test"}}
}

// signUp gives the store a user of goodPassword with one login, which costs no hash.
func (d *door) signUp(handle string) (token, refresh string, id im.UserID) {
	d.t.Helper()
	u, err := d.store.CreateAccount(d.t.Context(), im.NewAccount{
		Email: handle + "@example.org", Handle: handle, Name: handle, PasswordHash: goodHash,
	})
	if err != nil {
		d.t.Fatalf("create the account: %v", err)
	}
	var pair im.TokenPair
	token, pair.Access = im.NewToken(im.AccessPrefix)
	refresh, pair.Refresh = im.NewToken(im.RefreshPrefix)
	if _, _, err := d.store.CreateLogin(d.t.Context(), im.NewLogin{User: u.ID, Tokens: pair}); err != nil {
		d.t.Fatalf("create the login: %v", err)
	}
	return token, refresh, u.ID
}
