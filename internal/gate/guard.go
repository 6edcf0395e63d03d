package gate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/liao-im/liao/internal/im"
)

// maxQuery is how long a query may be. No call has one.
const maxQuery = 2 << 10

// origins are the pages on other hosts that may use the gate from a browser.
type origins struct {
	allowed []string
	protect *http.CrossOriginProtection
}

func newOrigins(allowed []string) (*origins, error) {
	o := &origins{allowed: allowed, protect: http.NewCrossOriginProtection()}
	for _, s := range allowed {
		if u, err := url.Parse(s); err != nil || u.Host == "" {
			return nil, fmt.Errorf("gate: the origin %q is not like https://app.example.org", s)
		}
		if err := o.protect.AddTrustedOrigin(s); err != nil {
			return nil, fmt.Errorf("gate: the origin %q: %w", s, err)
		}
	}
	return o, nil
}

// guard is what holds for every request, before its path is looked at: headers that
// keep browsers from doing more than asked, no foreign pages, no path in disguise,
// and a panic that costs one request.
func (g *Gate) guard(o *origins, hsts bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer g.survive(w, r)
		secure(w.Header(), hsts)
		if o.answer(w, r) {
			return
		}
		if err := o.protect.Check(r); err != nil {
			g.audit.WarnContext(r.Context(), "access denied, foreign origin", "origin", r.Header.Get("Origin"), "ip", g.clientOf(r).addr)
			writeProblem(w, problemOf(im.Fail(im.Forbidden, "a page of another origin may not do this")))
			return
		}
		if len(r.URL.RawQuery) > maxQuery {
			writeProblem(w, problemOf(im.Fail(im.Invalid, "the query is too long; no call has one")))
			return
		}
		if disguised(r) {
			writeProblem(w, problemOf(im.NotFound))
			return
		}
		g.route(w, r)
	})
}

// route hands the request to its call; what the mux itself refuses becomes a problem.
func (g *Gate) route(w http.ResponseWriter, r *http.Request) {
	h, pattern := g.mux.Handler(r)
	if pattern != "" {
		g.mux.ServeHTTP(w, r)
		return
	}
	verdict := &bareWriter{header: make(http.Header)}
	h.ServeHTTP(verdict, r)
	if verdict.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", verdict.header.Get("Allow"))
		writeProblem(w, notAllowed())
		return
	}
	writeProblem(w, problemOf(im.Fail(im.NotFound, "there is nothing at this path; /v1/openapi.json lists what there is")))
}

// disguised says whether a path is written in another way than the one in which
// calls are known. None of ours has a character that needs escaping.
func disguised(r *http.Request) bool {
	return r.URL.RawPath != "" || path.Clean("/"+r.URL.Path) != r.URL.Path || strings.ContainsAny(r.URL.Path, "%\\;")
}

// survive ends a request that panicked, and only that.
func (g *Gate) survive(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) //nolint:forbidigo // the server's own way to cut a connection
	}
	if r.Context().Err() != nil {
		return // the client went away while we wrote
	}
	g.metrics.panics.Inc()
	g.log.ErrorContext(r.Context(), "request panicked", "method", r.Method, "panic", p, "stack", string(debug.Stack()))
	writeProblem(w, problemOf(im.Internal))
}

// secure sets what every answer carries; a call may say otherwise for its own.
func secure(h http.Header, hsts bool) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if hsts {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// answer tells browsers what an allowed origin may do, and says whether the request
// was only the question.
func (o *origins) answer(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	if len(o.allowed) == 0 {
		return false
	}
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(o.allowed, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// bareWriter takes the verdict of a handler whose words are not wanted.
type bareWriter struct {
	header http.Header
	status int
}

func (b *bareWriter) Header() http.Header { return b.header }

func (b *bareWriter) Write(p []byte) (int, error) { return len(p), nil }

func (b *bareWriter) WriteHeader(status int) { b.status = status }
