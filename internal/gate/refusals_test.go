package gate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/gate"
	"github.com/liao-im/liao/internal/im"
)

// with returns o with some fields changed; nil takes one away.
func with(o obj, change obj) obj {
	out := maps.Clone(o)
	for k, v := range change {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

func TestRefusedAccounts(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	d.do("POST", "/v1/accounts", "", accountOf("taken")).want(t, http.StatusCreated, "")
	for name, c := range map[string]struct {
		change obj
		status int
		code   string
	}{
		"no e-mail":         {obj{"email": nil}, 400, "invalid"},
		"bad e-mail":        {obj{"email": "ada at example"}, 400, "invalid"},
		"two e-mails":       {obj{"email": "a@example.org,b@example.org"}, 400, "invalid"},
		"bad handle":        {obj{"handle": "Ada"}, 400, "invalid"},
		"no name":           {obj{"name": "  "}, 400, "invalid"},
		"password of 7":     {obj{"password": "xK9#qpz"}, 400, "invalid"},
		"password of 129":   {obj{"password": strings.Repeat("é", 129)}, 400, "invalid"},
		"common password":   {obj{"password": "1q2w3e4r5t"}, 400, "invalid"},
		"common, in caps":   {obj{"password": "PassWord1"}, 400, "invalid"},
		"handle taken":      {obj{"handle": "taken"}, 409, "already_exists"},
		"wrong code":        {obj{"code": "00000000"}, 403, "forbidden"},
		"no code":           {obj{"code": nil}, 400, "invalid"},
		"handle is an int":  {obj{"handle": 5}, 400, "invalid"},
		"handle is a query": {obj{"handle": obj{"$gt": ""}}, 400, "invalid"},
		"password is null":  {obj{"password": []any{}}, 400, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			d.do("POST", "/v1/accounts", "", with(accountOf("ada"), c.change)).want(t, c.status, c.code)
		})
	}
	if n := len(d.codes.used); n != 1 {
		t.Errorf("codes used: got %d, want only that of the account that was made", n)
	}
	d.do("POST", "/v1/accounts", "", with(accountOf("ada"), obj{"password": strings.Repeat("é", 128)})).want(t, 201, "")
}

// TestCodeComesBack: what definitely did not happen must not cost the code; what may
// have happened must not give it out twice.
func TestCodeComesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails  error
		status int
		code   string
		back   bool
	}{
		"handle taken meanwhile": {im.AlreadyExists, 409, "already_exists", true},
		"address has an account": {im.Conflict, 403, "forbidden", false},
		"store overloaded":       {im.Overloaded, 503, "overloaded", true},
		"store away":             {im.Unavailable, 503, "unavailable", false},
		"unknown":                {errors.New("disk on fire"), 500, "internal", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, func(o *gate.Options) { o.Accounts = failingAccounts{o.Accounts, c.fails} })
			a := d.do("POST", "/v1/accounts", "", accountOf("ada"))
			a.want(t, c.status, c.code)
			if got := len(d.codes.returned) == 1; got != c.back {
				t.Errorf("code returned: got %t, want %t", got, c.back)
			}
			if strings.Contains(string(a.body), "fire") {
				t.Errorf("an inner error got out: %s", a.body)
			}
			if c.status == 500 && !strings.Contains(d.log.String(), "disk on fire") {
				t.Errorf("an inner error is not in the log: %s", d.log)
			}
		})
	}
}

// failingAccounts cannot create.
type failingAccounts struct {
	gate.Accounts
	err error
}

func (f failingAccounts) CreateAccount(context.Context, im.NewAccount) (im.User, error) {
	return im.User{}, f.err
}

// TestSilence: the answers that must not tell whether there is an account are the
// same to the last byte.
func TestSilence(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	_, _, id := d.signUp("ada")
	_, _, gone := d.signUp("bob")
	d.store.accounts[gone].Disabled = true
	d.store.accounts[id].PasswordHash = ""

	bodies := make(map[string]string)
	for name, login := range map[string]obj{
		"unknown handle": loginOf("nobody"),
		"unknown e-mail": loginOf("nobody@example.org"),
		"nonsense":       loginOf("no'; drop table users--"),
		"no hash":        loginOf("ada"),
		"wrong":          with(loginOf("bob"), obj{"password": "wrong"}),
		"disabled":       loginOf("bob"),
		"too long":       with(loginOf("bob"), obj{"password": strings.Repeat("x", 5000)}),
		"empty":          with(loginOf("bob"), obj{"password": ""}),
		"empty account":  loginOf(""),
	} {
		a := d.do("POST", "/v1/logins", "", login)
		a.want(t, 401, "unauthenticated")
		bodies[string(a.body)] = name
	}
	if len(bodies) != 1 {
		t.Errorf("refused logins differ: %v", bodies)
	}

	known := d.do("POST", "/v1/codes", "", obj{"email": "bob@example.org", "purpose": "reset"})
	other := d.do("POST", "/v1/codes", "", obj{"email": "eve@example.org", "purpose": "reset"})
	if diff := cmp.Diff(strings.ReplaceAll(string(known.body), "bob", "eve"), string(other.body)); diff != "" || known.status != other.status {
		t.Errorf("codes tell known from unknown (-known +unknown):\n%s", diff)
	}
	if !d.codes.asked[0].Known || d.codes.asked[1].Known {
		t.Errorf("verify was told wrong: %+v", d.codes.asked)
	}

	wrong := d.do("POST", "/v1/password-resets", "", obj{"email": "bob@example.org", "request": "r", "code": "0", "password": goodPassword})
	none := d.do("POST", "/v1/password-resets", "", obj{"email": "eve@example.org", "request": "s", "code": rightCode, "password": goodPassword})
	wrong.want(t, 403, "forbidden")
	none.want(t, 403, "forbidden")
	if diff := cmp.Diff(string(wrong.body), string(none.body)); diff != "" {
		t.Errorf("resets tell known from unknown (-wrong +unknown):\n%s", diff)
	}
}

func TestTriesAndLimits(t *testing.T) {
	t.Parallel()
	t.Run("wrong passwords", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t)
		d.signUp("ada")
		for range 5 {
			d.do("POST", "/v1/logins", "", with(loginOf("ada"), obj{"password": "wrong"})).want(t, 401, "unauthenticated")
		}
		for _, spelling := range []string{"ada", " ADA "} {
			a := d.do("POST", "/v1/logins", "", loginOf(spelling))
			a.want(t, 429, "rate_limited")
			if got := a.header.Get("Retry-After"); got != "90" {
				t.Errorf("Retry-After: got %q, want 90", got)
			}
		}
		// The owner has another way in, and it opens this one again.
		d.do("POST", "/v1/password-resets", "", obj{"email": "ada@example.org", "request": "r", "code": rightCode, "password": goodPassword}).want(t, 204, "")
		d.do("POST", "/v1/logins", "", loginOf("ada")).want(t, 201, "")
	})
	t.Run("a right password clears", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t)
		d.signUp("ada")
		for range 7 {
			d.do("POST", "/v1/logins", "", with(loginOf("ada"), obj{"password": "wrong"})).want(t, 401, "unauthenticated")
			d.do("POST", "/v1/logins", "", loginOf("ada")).want(t, 201, "")
		}
	})
	t.Run("a stolen token is no way around", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t)
		token, _, _ := d.signUp("ada")
		for range 5 {
			d.do("DELETE", "/v1/me", token, obj{"password": "wrong"}).want(t, 403, "forbidden")
		}
		d.do("POST", "/v1/me/password", token, obj{"old": goodPassword, "new": "another good one"}).want(t, 429, "rate_limited")
	})
	t.Run("logins by IP", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, func(o *gate.Options) { o.Limits.LoginsPerMinute = 3 })
		for i := range 3 {
			d.do("POST", "/v1/logins", "", loginOf(fmt.Sprintf("nobody%d", i))).want(t, 401, "unauthenticated")
		}
		d.do("POST", "/v1/logins", "", loginOf("nobody4")).want(t, 429, "rate_limited")
	})
	t.Run("registrations by IP", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, func(o *gate.Options) { o.Limits.RegistrationsPerHour = 2 })
		made := 0
		for i := range 10 {
			a := d.do("POST", "/v1/accounts", "", accountOf(fmt.Sprintf("user%d", i)))
			if a.status == 201 {
				made++
				continue
			}
			a.want(t, 429, "rate_limited")
		}
		if made != 2 {
			t.Errorf("accounts made: got %d, want 2", made)
		}
		// What a person mistypes does not count.
		d.do("POST", "/v1/accounts", "", with(accountOf("ada"), obj{"handle": "A"})).want(t, 400, "invalid")
	})
}

// TestBroken: when a need is away, nothing is allowed, and nothing of it gets out.
func TestBroken(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]error{"unknown": errors.New("dial tcp 10.1.2.3: secret detail"), "deadline": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t)
			token, refresh, _ := d.signUp("ada")
			d.store.broken = broken
			for _, r := range []*http.Request{
				request(t, "POST", "/v1/codes", "", obj{"email": "eve@example.org", "purpose": "register"}),
				request(t, "POST", "/v1/accounts", "", accountOf("eve")),
				request(t, "POST", "/v1/logins", "", loginOf("ada")),
				request(t, "POST", "/v1/logins/refresh", "", obj{"refreshToken": refresh}),
				request(t, "GET", "/v1/me", token, nil),
				request(t, "GET", "/v1/logins", token, nil),
				request(t, "DELETE", "/v1/me", token, obj{"password": goodPassword}),
			} {
				a := d.send(r)
				if name == "unknown" {
					a.want(t, 500, "internal")
				} else {
					a.want(t, 503, "unavailable")
				}
				if strings.Contains(string(a.body), "secret") {
					t.Errorf("%s %s: an inner error got out: %s", r.Method, r.URL, a.body)
				}
			}
		})
	}
}

func TestNoChatNode(t *testing.T) {
	t.Parallel()
	d := openDoor(t, func(o *gate.Options) { o.Nodes = nodeList{} })
	token, _, _ := d.signUp("ada")
	a := d.do("POST", "/v1/logins", "", loginOf("ada"))
	a.want(t, 201, "")
	if diff := cmp.Diff(map[string]any{}, a.fields["chat"]); diff != "" {
		t.Errorf("chat of a login without nodes (-want +got):\n%s", diff)
	}
	d.do("GET", "/v1/nodes", token, nil).want(t, 503, "unavailable")
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*gate.Options){
		"a need is missing": func(o *gate.Options) { o.Tries = nil },
		"too little memory": func(o *gate.Options) { o.Passwords.MemoryKiB = 1024 },
		"too few passes":    func(o *gate.Options) { o.Passwords.Time = 1 },
		"short pepper":      func(o *gate.Options) { o.Passwords.Peppers = [][]byte{[]byte("salt")} },
		"no origin":         func(o *gate.Options) { o.AllowedOrigins = []string{"example.org"} },
		"origin with path":  func(o *gate.Options) { o.AllowedOrigins = []string{"https://example.org/app"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			o := gate.Options{
				Accounts: m, Profiles: m, Logins: m, Tries: m, Limiter: m,
				Codes: &openCodes{}, Nodes: nodeList{}, Pushes: &pushLog{},
			}
			if _, err := gate.New(o); err != nil {
				t.Fatalf("New before the change: %v", err)
			}
			change(&o)
			if _, err := gate.New(o); err == nil {
				t.Error("New: got no error")
			}
		})
	}
}

func TestOutboxAddress(t *testing.T) {
	t.Parallel()
	d := openDoor(t, func(o *gate.Options) { o.OutboxURL = "http://127.0.0.1:8099/outbox" })
	a := d.do("POST", "/v1/codes", "", obj{"email": "ada@example.org", "purpose": "register"})
	if a.fields["outbox"] != "http://127.0.0.1:8099/outbox" {
		t.Errorf("outbox: got %v", a.fields["outbox"])
	}
}

func TestLanguageOfMails(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	r := request(t, "POST", "/v1/codes", "", obj{"email": "ada@example.org", "purpose": "register"})
	r.Header.Set("Accept-Language", "fr, zh-Hans-CN;q=0.9, en;q=0.5")
	d.send(r).want(t, 202, "")
	if got := d.codes.asked[0].Lang; got != "zh" {
		t.Errorf("language: got %q, want zh", got)
	}
}

// TestClientGone: a client that hangs up while its account is made leaves no account
// half made and no code spent for nothing.
func TestClientGone(t *testing.T) {
	t.Parallel()
	var d *door
	ctx, hangUp := context.WithCancel(t.Context())
	d = openDoor(t, func(o *gate.Options) { o.Accounts = watchedAccounts{o.Accounts, hangUp} })
	d.send(request(t, "POST", "/v1/accounts", "", accountOf("ada")).WithContext(ctx)).want(t, 201, "")
	if taken, _ := d.store.HandleTaken(t.Context(), "ada"); !taken {
		t.Error("the account was not made")
	}
}

// watchedAccounts has its client hang up just before an account is made.
type watchedAccounts struct {
	gate.Accounts
	hangUp func()
}

func (w watchedAccounts) CreateAccount(ctx context.Context, n im.NewAccount) (im.User, error) {
	w.hangUp()
	if ctx.Err() != nil {
		return im.User{}, ctx.Err()
	}
	if _, bounded := ctx.Deadline(); !bounded {
		return im.User{}, errors.New("a call to the store without a deadline")
	}
	return w.Accounts.CreateAccount(ctx, n)
}

// BenchmarkRefusedLogin shows that a login costs the same whether or not there is
// such an account: compare its lines.
func BenchmarkRefusedLogin(b *testing.B) {
	for _, name := range []string{"ada", "nobody"} {
		b.Run(map[string]string{"ada": "wrong password", "nobody": "unknown account"}[name], func(b *testing.B) {
			store := newMemory()
			if _, err := store.CreateAccount(b.Context(), im.NewAccount{Email: "ada@example.org", Handle: "ada", Name: "Ada", PasswordHash: goodHash}); err != nil {
				b.Fatal(err)
			}
			g, err := gate.New(gate.Options{
				Accounts: store, Profiles: store, Logins: store, Tries: store, Limiter: store,
				Codes: &openCodes{}, Nodes: nodeList{}, Pushes: &pushLog{},
			})
			if err != nil {
				b.Fatal(err)
			}
			body := `{"account":"` + name + `","password":"wrong","device":{"name":"x","platform":"y"}}`
			for b.Loop() {
				clear(store.tries)
				w := httptest.NewRecorder()
				g.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/logins", strings.NewReader(body)))
				if w.Code != http.StatusUnauthorized {
					b.Fatalf("status: got %d, want 401", w.Code)
				}
			}
		})
	}
}
