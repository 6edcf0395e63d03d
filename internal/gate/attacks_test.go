package gate_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/gate"
)

// jsonCalls are the calls that take JSON.
func jsonCalls(d *door) []gate.Operation {
	var out []gate.Operation
	for _, op := range d.gate.Operations() {
		if op.Method != "GET" && !strings.Contains(op.Path, "avatar") && !strings.Contains(op.Path, "/v1/logins/{") && op.Path != "/v1/logins/current" {
			out = append(out, op)
		}
	}
	return out
}

func TestHostileBodies(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, _, _ := d.signUp("ada")
	pad := strings.Repeat(" ", 64<<10)
	var keys strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&keys, `"k%d":1,`, i)
	}
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"empty":               {"", 400, "invalid"},
		"no object":           {`["a"]`, 400, "invalid"},
		"null":                {`null`, 400, "invalid"},
		"half":                {`{"email":"a@example.org"`, 400, "invalid"},
		"trailing":            {`{} {}`, 400, "invalid"},
		"trailing garbage":    {`{}x`, 400, "invalid"},
		"comment":             {`{/**/}`, 400, "invalid"},
		"no UTF-8":            {"{\"email\":\"\xff\"}", 400, "invalid"},
		"key twice":           {`{"email":"a@example.org","email":"b@example.org"}`, 400, "invalid"},
		"key twice in a case": {`{"password":"a","Password":"b"}`, 400, "invalid"},
		"key twice, escaped":  {`{"email":"a","\u0065mail":"b"}`, 400, "invalid"},
		"inner key twice":     {`{"device":{"a":1,"a":1}}`, 400, "invalid"},
		"arrays 17 deep":      {`{"x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, 400, "invalid"},
		"objects 17 deep":     {strings.Repeat(`{"x":`, 17) + "1" + strings.Repeat("}", 17), 400, "invalid"},
		"10,000 deep":         {`{"x":` + strings.Repeat("[", 10_000), 400, "invalid"},
		"6,000 keys":          {"{" + keys.String() + `"z":1}`, 400, "invalid"},
		"over 64 KiB":         {"{" + pad + "}", 413, "too_large"},
		"way over":            {`{"x":"` + strings.Repeat("x", 8<<20), 413, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, op := range jsonCalls(d) {
				r := request(t, op.Method, op.Path, token, c.body)
				began := time.Now()
				a := d.send(r)
				a.want(t, c.status, c.code)
				// 50 ms is the bar; the race detector and a busy machine get more.
				if took := time.Since(began); took > 500*time.Millisecond {
					t.Errorf("%s %s took %v", op.Method, op.Path, took)
				}
			}
		})
	}
}

// TestTypeConfusion puts every wrong type into every field of every call.
func TestTypeConfusion(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, _, _ := d.signUp("ada")
	bodies := map[string]obj{
		"POST /v1/codes":           {"email": "eve@example.org", "purpose": "register"},
		"POST /v1/accounts":        accountOf("eve"),
		"POST /v1/logins":          loginOf("ada"),
		"POST /v1/logins/refresh":  {"refreshToken": "x"},
		"POST /v1/password-resets": {"email": "ada@example.org", "request": "r", "code": "x", "password": goodPassword},
		"POST /v1/me/password":     {"old": "x", "new": "y"},
		"PATCH /v1/me":             {"name": "x", "bio": "y"},
		"DELETE /v1/me":            {"password": "x"},
	}
	for _, op := range jsonCalls(d) {
		good, ok := bodies[op.Method+" "+op.Path]
		if !ok {
			t.Errorf("no body for %s %s: add one", op.Method, op.Path)
		}
		for field := range good {
			for _, wrong := range []any{obj{"$gt": ""}, []any{"a"}, 7, 1e300, true} {
				if _, isObj := good[field].(obj); isObj && fmt.Sprintf("%T", wrong) == "gate_test.obj" {
					wrong = "no object"
				}
				d.do(op.Method, op.Path, token, with(good, obj{field: wrong})).want(t, 400, "invalid")
			}
		}
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, `{"email":"ada@example.org","purpose":"register"}`)
	z.Close()
	plain := `{"email":"ada@example.org","purpose":"register"}`
	for name, c := range map[string]struct {
		kind, encoding, body string
		status               int
		code                 string
	}{
		"none":          {"", "", plain, 202, ""},
		"with charset":  {"application/json; charset=utf-8", "", plain, 202, ""},
		"in capitals":   {"Application/JSON", "identity", plain, 202, ""},
		"form":          {"application/x-www-form-urlencoded", "", plain, 415, "unsupported"},
		"text":          {"text/plain", "", plain, 415, "unsupported"},
		"nonsense":      {";;;", "", plain, 415, "unsupported"},
		"vendor suffix": {"application/x+json", "", plain, 415, "unsupported"},
		"gzip":          {"application/json", "gzip", packed.String(), 415, "unsupported"},
		"gzip unsaid":   {"application/json", "", packed.String(), 400, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, "POST", "/v1/codes", "", c.body)
			r.Header.Del("Content-Type")
			if c.kind != "" {
				r.Header.Set("Content-Type", c.kind)
			}
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
			}
			d.send(r).want(t, c.status, c.code)
		})
	}
}

// TestTokens: nothing but the very token, in its place, is a login.
func TestTokens(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, refresh, _ := d.signUp("ada")
	headers := map[string]string{
		"none": "", "empty": "Bearer ", "scheme alone": "Bearer", "basic": "Basic " + token, "bare": token,
		"refresh token": "Bearer " + refresh, "short": "Bearer " + token[:len(token)-1], "long": "Bearer " + token + "A",
		"twice": "Bearer " + token + "," + token, "no prefix": "Bearer " + strings.TrimPrefix(token, "liao_at_"),
		"upper": "Bearer " + strings.ToUpper(token), "10 KiB": "Bearer liao_at_" + strings.Repeat("A", 10<<10),
		"null": "Bearer null", "wildcard": "Bearer *", "zero byte": "Bearer " + token + "\x00",
	}
	for i := len("liao_at_"); i < len(token); i++ {
		flipped := []byte(token)
		flipped[i] ^= 1
		headers[fmt.Sprintf("flip %d", i)] = "Bearer " + string(flipped)
	}
	for _, op := range d.gate.Operations() {
		if !op.NeedsLogin {
			continue
		}
		path := strings.NewReplacer("{id}", "1").Replace(op.Path)
		for name, h := range headers {
			r := request(t, op.Method, path+"?access_token="+token, "", `{"password":"x"}`)
			r.AddCookie(&http.Cookie{Name: "access_token", Value: token})
			if h != "" {
				r.Header.Set("Authorization", h)
			}
			if a := d.send(r); a.status != http.StatusUnauthorized {
				t.Errorf("%s %s with %s: got %d, want 401", op.Method, path, name, a.status)
			}
		}
		r := request(t, op.Method, path, "", nil)
		r.Header.Add("Authorization", "Bearer "+token)
		r.Header.Add("Authorization", "Bearer "+token)
		d.send(r).want(t, 401, "unauthenticated")
	}
	d.do("GET", "/v1/me", token, nil).want(t, 200, "")
}

// TestPathsInDisguise: a protected call answers at its own path alone.
func TestPathsInDisguise(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, _, _ := d.signUp("ada")
	for _, path := range []string{
		"/v1//me", "/v1/./me", "/v1/x/../me", "//v1/me", "/v1/me/", "/v1/%6de", "/v1/me%2f", "/v1/%2e%2e/v1/me", "/v1/me;x=1",
		"/V1/me", "/v1/me%00", "/v1/me%20", "/v1/%u002e/me", "/v1\\me", "/v1/logins/%63urrent", "/.",
	} {
		r := request(t, "GET", "/", token, nil)
		if err := setPath(r, path); err != nil {
			continue // the server itself would answer 400
		}
		if a := d.send(r); a.status != http.StatusNotFound || a.fields["code"] != "not_found" {
			t.Errorf("GET %s: got %d %.80s, want 404", path, a.status, a.body)
		}
	}
}

func setPath(r *http.Request, path string) error {
	u, err := url.Parse("http://example.test" + path)
	if err != nil {
		return err
	}
	r.URL = u
	return nil
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	d.do("GET", "/v2/me", "", nil).want(t, 404, "not_found")
	d.do("GET", "/v1/admin", "", nil).want(t, 404, "not_found")
	a := d.do("PUT", "/v1/logins", "", obj{})
	a.want(t, 405, "unsupported")
	if got := a.header.Get("Allow"); !strings.Contains(got, "POST") {
		t.Errorf("Allow: got %q", got)
	}
	d.do("GET", "/v1/me?"+strings.Repeat("a=1&", 100_000), "", nil).want(t, 400, "invalid")
	d.do("OPTIONS", "/v1/me", "", nil).want(t, 405, "unsupported")
	token, _, _ := d.signUp("ada")
	for _, bad := range []string{"0", "-1", "x", "9007199254740992", "18446744073709551616", "1e3"} {
		d.do("DELETE", "/v1/logins/"+bad, token, nil).want(t, 404, "not_found")
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	d := openDoor(t, func(o *gate.Options) { o.HSTS = true })
	for _, path := range []string{"/", "/v1/me", "/v1/openapi.json", "/nothing"} {
		h := d.do("GET", path, "", nil).header
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Strict-Transport-Security": "max-age=31536000", "Access-Control-Allow-Origin": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s of %s: got %q, want %q", name, path, got, want)
			}
		}
		if got := h.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") || strings.Contains(got, "unsafe") {
			t.Errorf("policy of %s: got %q", path, got)
		}
	}
}

func TestForeignPages(t *testing.T) {
	t.Parallel()
	d := openDoor(t, func(o *gate.Options) { o.AllowedOrigins = []string{"https://app.example.org"} })
	for name, c := range map[string]struct {
		origin, site string
		status       int
		allowed      string
	}{
		"no browser":     {"", "", 202, ""},
		"own page":       {"http://example.com", "same-origin", 202, ""},
		"allowed":        {"https://app.example.org", "cross-site", 202, "https://app.example.org"},
		"foreign":        {"https://evil.example", "cross-site", 403, ""},
		"null":           {"null", "cross-site", 403, ""},
		"suffix":         {"https://evil-app.example.org", "cross-site", 403, ""},
		"subdomain":      {"https://x.app.example.org", "same-site", 403, ""},
		"other port":     {"https://app.example.org:8443", "cross-site", 403, ""},
		"other scheme":   {"http://app.example.org", "cross-site", 403, ""},
		"no fetch words": {"https://evil.example", "", 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, "POST", "/v1/codes", "", obj{"email": "ada@example.org", "purpose": "register"})
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			a := d.send(r)
			if a.status != c.status || a.header.Get("Access-Control-Allow-Origin") != c.allowed {
				t.Errorf("got %d, allowed %q", a.status, a.header.Get("Access-Control-Allow-Origin"))
			}
		})
	}
	ask := request(t, "OPTIONS", "/v1/me", "", nil)
	ask.Header.Set("Origin", "https://app.example.org")
	ask.Header.Set("Access-Control-Request-Method", "PATCH")
	if a := d.send(ask); a.status != 204 || !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "PATCH") {
		t.Errorf("preflight: got %d %v", a.status, a.header)
	}
}

func TestClientIP(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		exempt    bool
		want      string
	}{
		"direct IPv4":                {"192.0.2.7:99", nil, true, "192.0.2.7"},
		"IPv6 is its /64":            {"[2001:db8:1:2:3:4:5:6]:99", nil, true, "2001:db8:1:2::/64"},
		"IPv4 in IPv6":               {"[::ffff:192.0.2.7]:99", nil, true, "192.0.2.7"},
		"zone is dropped":            {"[fe80::1%eth0]:99", nil, true, "fe80::/64"},
		"loopback is exempt":         {"127.0.0.1:99", nil, true, ""},
		"IPv6 loopback too":          {"[::1]:99", nil, true, ""},
		"loopback by choice":         {"127.0.0.1:99", nil, false, "127.0.0.1"},
		"forwarded by a stranger":    {"192.0.2.7:99", []string{"198.51.100.1"}, true, "192.0.2.7"},
		"unknown proxy on loopback":  {"127.0.0.1:99", []string{"198.51.100.1"}, true, "127.0.0.1"},
		"proxy":                      {"10.0.0.1:99", []string{"198.51.100.1"}, true, "198.51.100.1"},
		"what clients invent":        {"10.0.0.1:99", []string{"1.1.1.1, 198.51.100.1"}, true, "198.51.100.1"},
		"claims to be loopback":      {"10.0.0.1:99", []string{"127.0.0.1"}, true, "127.0.0.1"},
		"two proxies":                {"10.0.0.1:99", []string{"1.1.1.1, 198.51.100.1, 10.0.0.2"}, true, "198.51.100.1"},
		"two headers":                {"10.0.0.1:99", []string{"1.1.1.1", "198.51.100.1"}, true, "198.51.100.1"},
		"nonsense stays the proxy's": {"10.0.0.1:99", []string{"198.51.100.1, nonsense"}, true, "10.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, func(o *gate.Options) {
				o.ExemptLoopback = c.exempt
				o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			})
			r := request(t, "POST", "/v1/codes", "", obj{"email": "ada@example.org", "purpose": "register"})
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.forwarded
			d.send(r).want(t, 202, "")
			if got := d.codes.asked[0].IP; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestNoSecretsInLogs: passwords, codes and tokens of every call, right and wrong, are
// nowhere in the logs.
func TestNoSecretsInLogs(t *testing.T) {
	t.Parallel()
	d := openDoor(t)
	token, refresh, _ := d.signUp("ada")
	secrets := []string{goodPassword, rightCode, token, refresh, "canary-password", "canary-code", "liao_at_canary"}
	d.do("POST", "/v1/logins", "", with(loginOf("ada"), obj{"password": "canary-password"}))
	d.do("POST", "/v1/accounts", "", with(accountOf("eve"), obj{"code": "canary-code"}))
	d.do("POST", "/v1/logins/refresh", "", obj{"refreshToken": refresh})
	d.do("POST", "/v1/logins/refresh", "", obj{"refreshToken": refresh})
	d.do("GET", "/v1/me", "liao_at_canary", nil)
	d.do("GET", "/v1/me?access_token="+token, "", nil)
	d.do("POST", "/v1/codes", "", `{"email":"canary-password`)
	d.store.broken = http.ErrServerClosed
	d.do("GET", "/v1/me", token, nil)
	for _, s := range secrets {
		if strings.Contains(d.log.String(), s) {
			t.Errorf("the log holds %q:\n%s", s, d.log)
		}
	}
	if !strings.Contains(d.log.String(), "login refused") {
		t.Errorf("the log holds no refused login:\n%s", d.log)
	}
}

// TestServer checks what only a real server can show: the timeouts are set, and HTTP/2
// is not spoken.
func TestServer(t *testing.T) {
	t.Parallel()
	s := gate.NewServer(openDoor(t).gate, nil)
	if s.ReadHeaderTimeout == 0 || s.ReadTimeout == 0 || s.WriteTimeout == 0 || s.IdleTimeout == 0 || s.MaxHeaderBytes > 16<<10 || s.Protocols.HTTP2() {
		t.Errorf("server: got %+v", s)
	}
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = s
	ts.Start()
	t.Cleanup(ts.Close)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ts.URL+"/v1/me?"+strings.Repeat("a=1&", 1_000_000), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := ts.Client().Do(r)
	if err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a million query parameters: got %d", res.StatusCode)
		}
	} // else the server hung up on us, which is as well
}

func TestOperations(t *testing.T) {
	t.Parallel()
	var got []string
	for _, op := range openDoor(t).gate.Operations() {
		got = append(got, fmt.Sprintf("%s %s %t", op.Method, op.Path, op.NeedsLogin))
	}
	want := []string{
		"POST /v1/accounts false", "GET /v1/avatars/{sha256} false", "POST /v1/codes false", "GET /v1/logins true", "POST /v1/logins false",
		"DELETE /v1/logins/current true", "POST /v1/logins/refresh false", "DELETE /v1/logins/{id} true",
		"DELETE /v1/me true", "GET /v1/me true", "PATCH /v1/me true", "DELETE /v1/me/avatar true", "PUT /v1/me/avatar true",
		"POST /v1/me/password true", "GET /v1/nodes true", "GET /v1/openapi.json false", "POST /v1/password-resets false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("operations:\n got %v\nwant %v", got, want)
	}
}
