package client_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/client"
)

// door answers every call of a gate with the same, and notes what was asked.
type door struct {
	status int
	header http.Header
	body   string

	method, path, auth, kind, asked string
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	d.method, d.path, d.auth, d.kind, d.asked = r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(b)
	maps.Copy(w.Header(), d.header)
	w.WriteHeader(d.status)
	_, _ = io.WriteString(w, d.body)
}

func (d *door) gate(t *testing.T) *client.Gate {
	t.Helper()
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	g, err := client.NewGate(client.GateOptions{URL: s.URL + "/"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const ann = `{"user":{"id":"9007199254740991","handle":"ann","name":"Ann"}}`

func TestGateCalls(t *testing.T) {
	name := "Ann B."
	tests := []struct {
		name   string
		call   func(g *client.Gate) (any, error)
		answer string
		method string
		path   string
		asked  string
		auth   string
		want   any
	}{
		{
			"ask for a code", func(g *client.Gate) (any, error) { return g.RequestCode(t.Context(), "a@b.example", client.Register) },
			`{"request":"r1","expiresInS":300,"resendInS":60,"outbox":"http://127.0.0.1:8099/outbox"}`,
			"POST", "/v1/codes", `{"email":"a@b.example","purpose":"register"}`, "",
			client.CodeRequest{Request: "r1", Expires: 5 * time.Minute, Resend: time.Minute, Outbox: "http://127.0.0.1:8099/outbox"},
		},
		{
			"make an account", func(g *client.Gate) (any, error) {
				return g.CreateAccount(t.Context(), client.NewAccount{Email: "e", Request: "r", Code: "c", Handle: "ann", Name: "Ann", Password: "p"})
			},
			ann, "POST", "/v1/accounts",
			`{"code":"c","email":"e","handle":"ann","name":"Ann","password":"p","request":"r"}`, "",
			client.User{ID: 9007199254740991, Handle: "ann", Name: "Ann"},
		},
		{
			"reset the password", func(g *client.Gate) (any, error) {
				return nil, g.ResetPassword(t.Context(), client.PasswordReset{Email: "e", Request: "r", Code: "c", Password: "p"})
			},
			"", "POST", "/v1/password-resets", `{"code":"c","email":"e","password":"p","request":"r"}`, "", nil,
		},
		{
			"list the logins", func(g *client.Gate) (any, error) { return g.Account("tok").Logins(t.Context()) },
			`{"logins":[{"id":"4","device":{"id":"d","name":"n","platform":"p"},"lastSeenMs":"1000","current":true},{"id":5,"lastSeenMs":0}]}`,
			"GET", "/v1/logins", "", "Bearer tok",
			[]client.LoginInfo{
				{ID: "4", Device: client.Device{ID: "d", Name: "n", Platform: "p"}, LastSeen: time.UnixMilli(1000).UTC(), Current: true},
				{ID: "5"},
			},
		},
		{
			"revoke a login", func(g *client.Gate) (any, error) { return nil, g.Account("tok").Revoke(t.Context(), "../me") },
			"", "DELETE", "/v1/logins/../me", "", "Bearer tok", nil,
		},
		{
			"list the nodes", func(g *client.Gate) (any, error) { return g.Account("tok").Nodes(t.Context()) },
			`{"nodes":[{"tcp":"h:1","ws":"ws://h:2/v1/ws"},{"tls":"h:3"}]}`, "GET", "/v1/nodes", "", "Bearer tok",
			[]client.Addrs{{TCP: "h:1", WS: "ws://h:2/v1/ws"}, {TLS: "h:3"}},
		},
		{
			"who am I", func(g *client.Gate) (any, error) { return g.Account("tok").Me(t.Context()) },
			ann, "GET", "/v1/me", "", "Bearer tok",
			client.User{ID: 9007199254740991, Handle: "ann", Name: "Ann"},
		},
		{
			"change the name alone", func(g *client.Gate) (any, error) {
				return g.Account("tok").UpdateMe(t.Context(), client.ProfileChange{Name: &name})
			},
			ann, "PATCH", "/v1/me", `{"name":"Ann B."}`, "Bearer tok",
			client.User{ID: 9007199254740991, Handle: "ann", Name: "Ann"},
		},
		{
			"set a picture", func(g *client.Gate) (any, error) {
				return g.Account("tok").SetAvatar(t.Context(), []byte("\x89PNG\r\n\x1a\n"))
			},
			ann, "PUT", "/v1/me/avatar", "\x89PNG\r\n\x1a\n", "Bearer tok",
			client.User{ID: 9007199254740991, Handle: "ann", Name: "Ann"},
		},
		{
			"take the picture away", func(g *client.Gate) (any, error) { return g.Account("tok").RemoveAvatar(t.Context()) },
			ann, "DELETE", "/v1/me/avatar", "", "Bearer tok",
			client.User{ID: 9007199254740991, Handle: "ann", Name: "Ann"},
		},
		{
			"change the password", func(g *client.Gate) (any, error) {
				return nil, g.Account("tok").ChangePassword(t.Context(), "o", "n")
			},
			"", "POST", "/v1/me/password", `{"new":"n","old":"o"}`, "Bearer tok", nil,
		},
		{
			"delete the account", func(g *client.Gate) (any, error) { return nil, g.Account("tok").DeleteMe(t.Context(), "p") },
			"", "DELETE", "/v1/me", `{"password":"p"}`, "Bearer tok", nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &door{status: 200, body: tt.answer}
			got, err := tt.call(d.gate(t))
			if err != nil {
				t.Fatal(err)
			}
			if d.method != tt.method || d.path != tt.path || d.asked != tt.asked || d.auth != tt.auth {
				t.Errorf("asked %s %s %q as %q, want %s %s %q as %q", d.method, d.path, d.asked, d.auth, tt.method, tt.path, tt.asked, tt.auth)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoginHoldsTokensAndAddresses(t *testing.T) {
	d := &door{status: 201, body: `{"accessToken":"a","accessExpiresS":3600,"refreshToken":"r","refreshExpiresS":"2592000",
		"user":{"id":7,"handle":"ann"},"deviceId":"d1","chat":{"tcp":"h:1"}}`}
	l, err := d.gate(t).Login(t.Context(), "ann", "pw", client.Device{Name: "n", Platform: "bot"})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"account":"ann","device":{"name":"n","platform":"bot"},"password":"pw"}`; d.asked != want {
		t.Errorf("asked %s, want %s", d.asked, want)
	}
	if life := l.AccessExpires.Sub(l.AccessIssued); life != time.Hour || time.Since(l.AccessIssued) > time.Minute {
		t.Errorf("the token lives %v from %v, want an hour from now", life, l.AccessIssued)
	}
	l.AccessIssued, l.AccessExpires, l.RefreshExpires = time.Time{}, time.Time{}, time.Time{}
	want := client.Login{
		Tokens: client.Tokens{Access: "a", Refresh: "r"}, User: client.User{ID: 7, Handle: "ann"},
		DeviceID: "d1", Chat: client.Addrs{TCP: "h:1"},
	}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Errorf("login (-want +got):\n%s", diff)
	}
}

func TestGateErrors(t *testing.T) {
	problem := http.Header{"Content-Type": {"application/problem+json; charset=utf-8"}}
	limited := problem.Clone()
	limited.Set("Retry-After", "17")
	tests := []struct {
		name    string
		status  int
		header  http.Header
		body    string
		code    client.Code
		text    string
		after   time.Duration
		unknown bool
	}{
		{"a refusal", 403, problem, `{"code":"forbidden","detail":"no"}`, client.Forbidden, "no", 0, false},
		{"a limit", 429, limited, `{"code":"rate_limited","detail":"slow"}`, client.RateLimited, "slow", 17 * time.Second, false},
		{"overload", 503, limited, `{"code":"overloaded","detail":"busy"}`, client.Overloaded, "busy", 17 * time.Second, false},
		{"a store that is away", 503, limited, `{"code":"unavailable","detail":"away"}`, client.Unavailable, "away", 17 * time.Second, true},
		{"a code of a later version", 418, problem, `{"code":"teapot","detail":"x"}`, client.Internal, "x", 0, true},
		{"a proxy's page", 502, http.Header{"Content-Type": {"text/html"}}, "<html>", client.Unavailable, "the answer was 502 Bad Gateway", 0, true},
		{"a proxy's limit", 413, nil, "", client.TooLarge, "the answer was 413 Request Entity Too Large", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &door{status: tt.status, header: tt.header, body: tt.body}
			_, err := d.gate(t).Account("x").Me(t.Context())
			var e *client.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want a *client.Error", err)
			}
			if e.Code != tt.code || e.Text != tt.text || e.RetryAfter != tt.after || e.Unknown() != tt.unknown {
				t.Errorf("got %s %q after %v, unknown %v; want %s %q after %v, unknown %v",
					e.Code, e.Text, e.RetryAfter, e.Unknown(), tt.code, tt.text, tt.after, tt.unknown)
			}
		})
	}
}

func TestGateThatIsNotThereDidNothing(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	g, err := client.NewGate(client.GateOptions{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := g.ResetPassword(t.Context(), client.PasswordReset{}); !errors.Is(err, client.Unavailable) || client.Unknown(err) {
		t.Errorf("got %v, want unavailable and definite", err)
	}
}

func TestGateThatHangsUpMayHaveDoneIt(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler) //nolint:forbidigo // how a handler hangs up
	}))
	defer s.Close()
	g, err := client.NewGate(client.GateOptions{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.ResetPassword(t.Context(), client.PasswordReset{}); !client.Unknown(err) {
		t.Errorf("got %v, want an unknown outcome", err)
	}
}

func TestGateAddresses(t *testing.T) {
	for _, bad := range []string{"", "chat.example.org", "ftp://x", "http://", "http://u:p@x", "http://x?y"} {
		if _, err := client.NewGate(client.GateOptions{URL: bad}); !errors.Is(err, client.Invalid) {
			t.Errorf("%q: got %v, want invalid", bad, err)
		}
	}
	g, err := client.NewGate(client.GateOptions{URL: "https://chat.example.org/im/"})
	if err != nil || g.URL() != "https://chat.example.org/im" {
		t.Errorf("got %v, %v", g, err)
	}
}

func TestErrorsKeepSecrets(t *testing.T) {
	d := &door{status: 200, body: "not JSON"}
	_, err := d.gate(t).Login(t.Context(), "ann", "hunter2secret", client.Device{})
	if err == nil || strings.Contains(err.Error(), "hunter2secret") {
		t.Errorf("got %v, want an error without the password", err)
	}
}
