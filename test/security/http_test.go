package security_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/test/liaotest"
)

// TestTypeConfusion: objects, arrays and numbers in place of texts are refused, and
// so are the operators of other databases.
func TestTypeConfusion(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	bodies := map[string][]string{
		"POST /v1/codes":           {"email", "purpose"},
		"POST /v1/accounts":        {"email", "request", "code", "handle", "name", "password"},
		"POST /v1/logins":          {"account", "password", "device"},
		"POST /v1/logins/refresh":  {"refreshToken"},
		"POST /v1/password-resets": {"email", "request", "code", "password"},
		"POST /v1/me/password":     {"old", "new"},
		"PATCH /v1/me":             {"name", "bio"},
		"DELETE /v1/me":            {"password"},
	}
	for call, fields := range bodies {
		method, path, _ := strings.Cut(call, " ")
		for _, field := range fields {
			for _, wrong := range []string{`{"$gt":""}`, `["a"]`, `5`, `true`, `{"$where":"1"}`, `[[]]`} {
				if field == "device" && strings.HasPrefix(wrong, "{") {
					continue
				}
				body := object{}
				for _, f := range fields {
					body[f] = "some text"
				}
				if _, ok := body["device"]; ok {
					body["device"] = object{"name": "d", "platform": "test"}
				}
				body[field] = rawJSON(wrong)
				a := ann.Call(method, path, body)
				if a.Status != 400 {
					t.Errorf("%s with %s = %s: %d %s, want 400", call, field, wrong, a.Status, a.Raw)
				}
			}
		}
	}
	// Injection by text is only text.
	for _, name := range []string{"' OR '1'='1", `"; DROP TABLE users; --`, "ann' --", "ann\x00", "%", "_nn"} {
		if a := s.Call(http.MethodPost, "/v1/logins", "", object{"account": name, "password": liaotest.Password, "device": object{"name": "d", "platform": "test"}}); a.Status != 401 && a.Status != 400 {
			t.Errorf("account %q: %d %s", name, a.Status, a.Raw)
		}
		if f := ann.Connect().Ask("FIND_USERS", object{"query": name}); f.Type != "ERROR" && len(f.Objects("users")) > 0 {
			t.Errorf("FIND_USERS %q finds %v", name, f.Body)
		}
	}
}

// rawJSON is JSON as it is.
type rawJSON string

// MarshalJSON returns the text itself.
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// TestBodies: large, deep, doubled, packed and endless bodies are refused quickly.
func TestBodies(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 10<<20))
	_ = z.Close()
	keys := &strings.Builder{}
	for i := range 5000 {
		fmt.Fprintf(keys, `"k%d":1,`, i)
	}
	for _, tc := range []struct {
		name   string
		header http.Header
		body   string
		want   []int
	}{
		{"over 64 KiB", nil, `{"email":"` + strings.Repeat("a", 70<<10) + `"}`, []int{413}},
		{"a million keys", nil, `{` + strings.Repeat(`"k":1,`, 1_000_000) + `"z":1}`, []int{413}},
		{"as many keys as fit", nil, `{` + keys.String() + `"email":"a@b.org","purpose":"register"}`, []int{400, 202}},
		{"a key twice", nil, `{"email":"a@example.org","email":"b@example.org","purpose":"register"}`, []int{400}},
		{"10,000 deep", nil, strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), []int{400}},
		{"20,000 arrays", nil, strings.Repeat(`[`, 20_000) + strings.Repeat("]", 20_000), []int{400}},
		{"more after the end", nil, `{"email":"a@example.org","purpose":"register"}{}`, []int{400}},
		{"not JSON", nil, "nonsense", []int{400}},
		{"nothing", nil, "", []int{400}},
		{"not UTF-8", nil, "{\"email\":\"\xff\"}", []int{400}},
		{"gzip", http.Header{"Content-Encoding": {"gzip"}}, packed.String(), []int{415, 413, 400}},
		{"XML", http.Header{"Content-Type": {"application/xml"}}, "<a/>", []int{415}},
		{"a form", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "email=a", []int{415}},
	} {
		begin := time.Now()
		a, err := liaotest.Do(t.Context(), http.MethodPost, s.Gate+"/v1/codes", tc.header, []byte(tc.body))
		if err != nil {
			// A server may close on who goes on talking after it has answered.
			t.Logf("%s: %v", tc.name, err)
			continue
		}
		ok := false
		for _, w := range tc.want {
			ok = ok || a.Status == w
		}
		if !ok {
			t.Errorf("%s: %d %s, want %v", tc.name, a.Status, a.Raw, tc.want)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s: answered after %v", tc.name, took)
		}
	}
	a, err := liaotest.Do(t.Context(), http.MethodGet, s.Gate+"/v1/openapi.json?"+strings.Repeat("a=1&", 1_000_000), nil, nil)
	if err == nil && a.Status < 400 {
		t.Errorf("a million parameters: %d", a.Status)
	}
	s.Call(http.MethodGet, "/v1/openapi.json", "", nil).Want(t, 200)
}

// TestPaths: no spelling of a path gets round the login.
func TestPaths(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	addr := strings.TrimPrefix(s.Gate, "http://")
	protected := []string{"/v1/me", "/v1/logins", "/v1/nodes", "/v1/me/avatar", "/v1/me/password"}
	changes := []func(p string) string{
		func(p string) string { return p + "/" },
		func(p string) string { return "/" + p },
		func(p string) string { return "//" + p },
		func(p string) string { return p + "//" },
		func(p string) string { return p + "/." },
		func(p string) string { return p + "/.." + p },
		func(p string) string { return "/v1/openapi.json/.." + strings.TrimPrefix(p, "/v1") },
		func(p string) string { return "/v1/openapi.json/../.." + p },
		func(p string) string { return strings.Replace(p, "/v1", "/v1/%2e%2e/v1", 1) },
		func(p string) string { return strings.Replace(p, "/v1/", "/v1/%2e/", 1) },
		func(p string) string { return strings.Replace(p, "/v1/", "/v1%2f", 1) },
		func(p string) string { return strings.Replace(p, "/v1/", "/v1/%u002e%u002e/v1/", 1) },
		func(p string) string { return p + ";a=b" },
		func(p string) string { return p + "%00" },
		func(p string) string { return p + "%20" },
		func(p string) string { return p + "#x" },
		func(p string) string { return p + "?x=/v1/openapi.json" },
		func(p string) string { return strings.ToUpper(p) },
		func(p string) string { return strings.Replace(p, "v1", "%76%31", 1) },
		func(p string) string { return strings.TrimPrefix(p, "/") },
		func(p string) string { return strings.Replace(p, "/v1/", "/v1\\", 1) },
		func(p string) string { return "http://" + addr + p },
		func(p string) string { return "http://evil.example" + p },
		func(p string) string { return "*" },
	}
	n := 0
	for _, p := range protected {
		for _, first := range changes {
			for _, second := range changes {
				n++
				if status := raw(t, addr, http.MethodGet, second(first(p))); status >= 200 && status < 300 {
					// The public pages are no leak; a protected call answered is.
					if got := second(first(p)); !strings.Contains(got, "openapi.json") && got != "/" {
						t.Errorf("GET %s without a token: %d", got, status)
					}
				}
			}
		}
	}
	t.Logf("%d paths", n)
}

// raw sends a request line as it is and returns the status, 0 if there was none.
func raw(t *testing.T, addr, method, path string) int {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(liaotest.Patience))
	_, _ = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, path, addr)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// upgrade opens a WebSocket by hand and returns its status and, if it is 101, the
// connection.
func upgrade(t *testing.T, s *liaotest.Server, header http.Header) (int, io.ReadWriteCloser) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.Gate+"/v1/ws", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header.Clone()
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	req.Header.Set("Sec-WebSocket-Version", "13")
	req.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		_ = resp.Body.Close()
		return resp.StatusCode, nil
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatal("an upgraded connection cannot be written to")
	}
	t.Cleanup(func() { _ = conn.Close() })
	return resp.StatusCode, conn
}

// TestOrigins: pages of others cannot open a WebSocket, whatever their name.
func TestOrigins(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{Env: []string{"LIAO_HTTP_ALLOWED_ORIGINS=https://app.example.org"}})
	own := s.Gate
	for origin, want := range map[string]int{
		"":                                101,
		own:                               101,
		"https://app.example.org":         101,
		"null":                            403,
		"https://evil.example":            403,
		"https://evil-app.example.org":    403,
		"https://app.example.org.evil.io": 403,
		"https://sub.app.example.org":     403,
		"http://app.example.org":          403,
		"https://app.example.org:444":     403,
		"https://app.example.org@evil.io": 403,
		own + "0":                         403,
		strings.Replace(own, "http://", "https://", 1): 403,
		"file://": 403,
	} {
		header := http.Header{"Sec-Websocket-Protocol": {"liao.v1"}}
		if origin != "" {
			header.Set("Origin", origin)
		}
		if got, _ := upgrade(t, s, header); got != want {
			t.Errorf("Origin %q: %d, want %d", origin, got, want)
		}
	}
	// Compression is not spoken, whatever is offered.
	req := http.Header{"Sec-Websocket-Protocol": {"liao.v1"}, "Sec-Websocket-Extensions": {"permessage-deflate"}}
	if status, _ := upgrade(t, s, req); status != 101 {
		t.Errorf("an offer of compression: %d, want 101 without it", status)
	}
}

// TestFragments: a message that never ends is closed before it costs anything.
func TestFragments(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	before := rss(t, s)
	_, conn := upgrade(t, s, http.Header{"Sec-Websocket-Protocol": {"liao.v1"}})
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_, _ = io.Copy(io.Discard, conn)
	}()
	fragment := func(op byte, payload []byte) []byte {
		b := []byte{op, 0x80 | byte(len(payload)), 0, 0, 0, 0} // a mask of zeros
		return append(b, payload...)
	}
	first := fragment(0x02, []byte{0x4c})
	rest := bytes.Repeat(fragment(0x00, []byte{0x4c}), 1000)
	_, err := conn.Write(first)
	for i := 0; err == nil && i < 1000; i++ {
		_, err = conn.Write(rest)
	}
	select {
	case <-closed:
	case <-time.After(liaotest.Patience):
		t.Fatal("a million fragments and the connection is still open")
	}
	if grown := rss(t, s) - before; grown > 16<<20 {
		t.Errorf("fragments grew the server by %d MiB", grown>>20)
	}
}

// TestTextWebSocket: what a person types into a browser's console works.
func TestTextWebSocket(t *testing.T) {
	s := liaotest.Start(t, liaotest.Options{})
	ann := s.SignUp("ann")
	_, conn := upgrade(t, s, http.Header{"Sec-Websocket-Protocol": {"liao.v1"}})
	send := func(text string) {
		b := []byte{0x81}
		if len(text) < 126 {
			b = append(b, 0x80|byte(len(text)))
		} else {
			b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(len(text)))
		}
		b = append(b, 0, 0, 0, 0)
		if _, err := conn.Write(append(b, text...)); err != nil {
			t.Fatal(err)
		}
	}
	r := bufio.NewReader(conn)
	receive := func() string {
		var h [2]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			t.Fatal(err)
		}
		n := int(h[1])
		if n == 126 {
			var l [2]byte
			if _, err := io.ReadFull(r, l[:]); err != nil {
				t.Fatal(err)
			}
			n = int(binary.BigEndian.Uint16(l[:]))
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(r, body); err != nil {
			t.Fatal(err)
		}
		if h[0] != 0x81 {
			t.Fatalf("message of kind %x: %q, want text", h[0], body)
		}
		return string(body)
	}
	send(`{"type":"HELLO","id":1,"body":{"token":"` + ann.Access + `"}}`)
	if got := receive(); !strings.Contains(got, `"WELCOME"`) || !strings.Contains(got, ann.ID) {
		t.Fatalf("HELLO as text: %s", got)
	}
	send(`{"type":"SYNC","id":2,"body":{}}`)
	for {
		if got := receive(); strings.Contains(got, `"CHANGES"`) {
			break
		}
	}
	send(`{"type":"NONSENSE","id":3}`)
	if got := receive(); !strings.Contains(got, "UNSUPPORTED") {
		t.Errorf("an unknown type: %s", got)
	}
}
