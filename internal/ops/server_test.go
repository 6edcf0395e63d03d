package ops_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/ops"
)

const token = "tok-5f1d0a9c7be64832a06f9d1e4c7b8a33"

// newServer makes a server with a page of somebody else's.
func newServer(t *testing.T, change func(*ops.Options)) *ops.Server {
	t.Helper()
	o := ops.Options{
		Registry: prometheus.NewRegistry(),
		Logger:   slog.New(slog.DiscardHandler),
		Version:  "1.2.3",
		Token:    token,
		Extra: map[string]http.Handler{"GET /outbox": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "[]")
		})},
	}
	if change != nil {
		change(&o)
	}
	s, err := ops.New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}

// ask sends one request with these headers, as pairs; Host among them.
func ask(t *testing.T, h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Host = "127.0.0.1:8099"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhatIsServed(t *testing.T) {
	t.Parallel()
	h := newServer(t, nil).Handler(true)
	for _, test := range []struct {
		path   string
		status int
		want   string
	}{
		{"/", http.StatusOK, "/metrics"},
		{"/healthz", http.StatusOK, "ok"},
		{"/readyz", http.StatusOK, "ready"},
		{"/metrics", http.StatusOK, `liao_ops_build_info{version="1.2.3"} 1`},
		{"/metrics", http.StatusOK, "go_goroutines"},
		{"/metrics", http.StatusOK, "process_resident_memory_bytes"},
		{"/outbox", http.StatusOK, "[]"},
		{"/debug/pprof/", http.StatusNotFound, ""},
		{"/debug/pprof/cmdline", http.StatusNotFound, ""},
		{"/nothing", http.StatusNotFound, ""},
	} {
		w := ask(t, h, test.path)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("GET %s = %d %.200q, want %d with %q", test.path, w.Code, w.Body.String(), test.status, test.want)
		}
		if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("GET %s: X-Content-Type-Options %q, want nosniff", test.path, got)
		}
	}
}

func TestProfilerOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	h := newServer(t, func(o *ops.Options) { o.PProf = true }).Handler(true)
	if w := ask(t, h, "/debug/pprof/goroutine?debug=1"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "goroutine profile") {
		t.Errorf("GET goroutine profile = %d %.100q, want 200", w.Code, w.Body.String())
	}
}

// A page that was loaded from evil.example and then made that name point to
// 127.0.0.1 asks with its own name.
func TestLoopbackChecksHost(t *testing.T) {
	t.Parallel()
	h := newServer(t, func(o *ops.Options) { o.AllowedHosts = []string{"ops.example.org"} }).Handler(true)
	for _, test := range []struct {
		host   string
		status int
	}{
		{"localhost", http.StatusOK},
		{"LOCALHOST:8099", http.StatusOK},
		{"127.0.0.1", http.StatusOK},
		{"127.0.0.1:8099", http.StatusOK},
		{"[::1]:8099", http.StatusOK},
		{"[::1]", http.StatusOK},
		{"ops.example.org:8099", http.StatusOK},
		{"evil.example", http.StatusMisdirectedRequest},
		{"evil.example:8099", http.StatusMisdirectedRequest},
		{"localhost.evil.example", http.StatusMisdirectedRequest},
		{"127.0.0.1.evil.example", http.StatusMisdirectedRequest},
		{"192.0.2.1:8099", http.StatusMisdirectedRequest},
		{"0.0.0.0:8099", http.StatusMisdirectedRequest},
		{"", http.StatusMisdirectedRequest},
	} {
		for _, path := range []string{"/metrics", "/healthz", "/readyz", "/outbox", "/"} {
			w := ask(t, h, path, "Host", test.host)
			if w.Code != test.status {
				t.Errorf("GET %s, Host %q = %d, want %d", path, test.host, w.Code, test.status)
			}
			if w.Code != http.StatusOK && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("GET %s, Host %q: no problem but %q", path, test.host, w.Header().Get("Content-Type"))
			}
		}
	}
}

func TestElsewhereNeedsToken(t *testing.T) {
	t.Parallel()
	h := newServer(t, func(o *ops.Options) { o.PProf = true }).Handler(false)
	for _, path := range []string{"/metrics", "/outbox", "/", "/debug/pprof/", "/nothing", "//metrics", "/healthz/../metrics", "/healthz/x", "/HEALTHZ"} {
		for _, header := range []string{"", "Bearer", "Bearer ", "Bearer x", "Bearer " + token + "x", "Bearer " + token[1:], "Basic " + token, token} {
			if w := ask(t, h, path, "Authorization", header); w.Code != http.StatusUnauthorized {
				t.Errorf("GET %s with %q = %d, want 401", path, header, w.Code)
			}
		}
	}
	for _, path := range []string{"/metrics", "/outbox"} {
		if w := ask(t, h, path, "Authorization", "Bearer "+token, "Host", "10.0.0.9:8099"); w.Code != http.StatusOK {
			t.Errorf("GET %s with the token = %d, want 200", path, w.Code)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if w := ask(t, h, path); w.Code != http.StatusOK {
			t.Errorf("GET %s without a token = %d, want 200", path, w.Code)
		}
	}
}

func TestNoTokenNeverMatches(t *testing.T) {
	t.Parallel()
	h := newServer(t, func(o *ops.Options) { o.Token = "" }).Handler(false)
	for _, header := range []string{"", "Bearer", "Bearer "} {
		if w := ask(t, h, "/metrics", "Authorization", header); w.Code != http.StatusUnauthorized {
			t.Errorf("GET /metrics with %q = %d, want 401", header, w.Code)
		}
	}
}

func TestServeRefusesToBeOpen(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(o *ops.Options) { o.Token = "" })
	ln := &address{tcp: net.TCPAddr{IP: net.IPv4zero, Port: 8099}}
	if err := s.Serve(t.Context(), ln); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Errorf("Serve on %s without a token = %v, want a refusal", ln.Addr(), err)
	}
	if !ln.closed {
		t.Error("the listener was left open")
	}
}

// address is a listener that has an address and nothing else.
type address struct {
	net.Listener
	tcp    net.TCPAddr
	closed bool
}

func (a *address) Addr() net.Addr { return &a.tcp }
func (a *address) Close() error   { a.closed = true; return nil }

func TestServeUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- newServer(t, nil).Serve(ctx, ln) }()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ln.Addr().String()+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("GET /healthz: %v", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("GET /healthz = %d, want 200", answer.StatusCode)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
	if _, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String()); err == nil {
		t.Error("the listener is still open")
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	fine := ops.Check{Name: "database", Run: func(context.Context) error { return nil }}
	weak := ops.Check{Name: "flush", Run: func(context.Context) error { return ops.Warning("synchronous is NORMAL") }}
	gone := ops.Check{Name: "mail", Run: func(context.Context) error { return net.ErrClosed }}
	for _, test := range []struct {
		name   string
		checks []ops.Check
		status int
		text   string
	}{
		{"nothing needed", nil, http.StatusOK, "ready\n"},
		{"all there", []ops.Check{fine}, http.StatusOK, "ready\n  database: ok (0 ms)\n"},
		{"weaker than it should be", []ops.Check{fine, weak}, http.StatusOK, "ready\n  database: ok (0 ms)\n  flush: warning: synchronous is NORMAL (0 ms)\n"},
		{"one away", []ops.Check{gone, fine}, http.StatusServiceUnavailable, "not ready\n  mail: away: use of closed network connection (0 ms)\n  database: ok (0 ms)\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newServer(t, func(o *ops.Options) { o.Checks = test.checks }).Handler(true)
				w := ask(t, h, "/readyz")
				if w.Code != test.status {
					t.Errorf("status %d, want %d", w.Code, test.status)
				}
				if diff := cmp.Diff(test.text, w.Body.String()); diff != "" {
					t.Errorf("text (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestReadinessAsJSON(t *testing.T) {
	t.Parallel()
	checks := []ops.Check{
		{Name: "mail", Run: func(context.Context) error { return net.ErrClosed }},
		{Name: "flush", Run: func(context.Context) error { return ops.Warning("weak") }},
	}
	server := newServer(t, func(o *ops.Options) { o.Checks = checks })
	type answer struct {
		Ready bool
		Needs []struct {
			Name, Error, Warning string
			OK                   bool
		}
	}
	for _, test := range []struct {
		name      string
		loopback  bool
		headers   []string
		errorText string
		warning   string
	}{
		{"on loopback", true, nil, "use of closed network connection", "weak"},
		{"elsewhere with the token", false, []string{"Authorization", "Bearer " + token}, "use of closed network connection", "weak"},
		{"elsewhere without", false, nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := ask(t, server.Handler(test.loopback), "/readyz", append(test.headers, "Accept", "application/json")...)
			var got answer
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("read %q: %v", w.Body.String(), err)
			}
			if w.Code != http.StatusServiceUnavailable || got.Ready || len(got.Needs) != 2 || got.Needs[0].Name != "mail" || got.Needs[0].OK || !got.Needs[1].OK {
				t.Fatalf("answer %d %+v, want 503 with mail away and flush there", w.Code, got)
			}
			if got.Needs[0].Error != test.errorText || got.Needs[1].Warning != test.warning {
				t.Errorf("reasons %q and %q, want %q and %q", got.Needs[0].Error, got.Needs[1].Warning, test.errorText, test.warning)
			}
		})
	}
}

// A need that hangs is named in time, and is not asked again while it hangs.
func TestHangingNeed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var asked atomic.Int32
		h := newServer(t, func(o *ops.Options) {
			o.Checks = []ops.Check{{Name: "disk", Run: func(context.Context) error {
				asked.Add(1)
				<-release
				return nil
			}}}
		}).Handler(true)
		start := time.Now()
		w := ask(t, h, "/readyz")
		if took := time.Since(start); w.Code != http.StatusServiceUnavailable || took > 2*time.Second {
			t.Errorf("answer %d after %v, want 503 within 2s", w.Code, took)
		}
		if !strings.Contains(w.Body.String(), "disk: away: no answer within 2s") {
			t.Errorf("answer %q does not name the disk", w.Body.String())
		}
		<-time.After(time.Second)
		if w := ask(t, h, "/readyz"); !strings.Contains(w.Body.String(), "has not answered an earlier question") || asked.Load() != 1 {
			t.Errorf("answer %q after %d questions, want that the first is still open", w.Body.String(), asked.Load())
		}
		close(release)
		synctest.Wait()
		<-time.After(time.Second)
		if w := ask(t, h, "/readyz"); w.Code != http.StatusOK {
			t.Errorf("answer %d %q after the need is back, want 200", w.Code, w.Body.String())
		}
	})
}

// Many who ask at once cost one question.
func TestOneQuestionForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		h := newServer(t, func(o *ops.Options) {
			o.Checks = []ops.Check{{Name: "database", Run: func(context.Context) error {
				asked.Add(1)
				<-time.After(100 * time.Millisecond)
				return nil
			}}}
		}).Handler(true)
		for range 50 {
			go ask(t, h, "/readyz")
		}
		<-time.After(200 * time.Millisecond)
		synctest.Wait()
		if got := asked.Load(); got != 1 {
			t.Errorf("the need was asked %d times, want once", got)
		}
	})
}

func TestNeedsComingAndGoingAreLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var state error
		h := newServer(t, func(o *ops.Options) {
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			o.Checks = []ops.Check{{Name: "database", Run: func(context.Context) error { return state }}}
		}).Handler(true)
		for _, state = range []error{nil, net.ErrClosed, net.ErrClosed, nil, nil} {
			ask(t, h, "/readyz")
			<-time.After(time.Second)
		}
		if away, back := strings.Count(log.String(), "need is away"), strings.Count(log.String(), "need is back"); away != 1 || back != 1 {
			t.Errorf("away logged %d times and back %d times, want once each:\n%s", away, back, log.String())
		}
	})
}
