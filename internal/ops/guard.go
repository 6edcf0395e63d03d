package ops

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// headers puts on every answer what keeps a browser from making more of it than
// it is, or from lending it to another page.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// knownHost lets in who asked for this machine by its own name. A page whose
// name was pointed at 127.0.0.1 after it was loaded asks for that name.
func (s *Server) knownHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostname(r.Host)
		address, err := netip.ParseAddr(host)
		known := slices.ContainsFunc(s.hosts, func(name string) bool { return strings.EqualFold(name, host) })
		if !known && (err != nil || !address.Unmap().IsLoopback()) {
			writeProblem(w, http.StatusMisdirectedRequest, "unknown_host",
				"This is the operator's address; ask for it as localhost, or name the host in ops.allowed_hosts.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withToken lets in who has the token, and lets anybody ask for health.
func (s *Server) withToken(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(s.token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(token))
		// Hashes, because a comparison of texts gives their length away.
		trusted := s.token != "" && strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1
		switch {
		case trusted:
			next.ServeHTTP(w, r)
		case r.URL.Path == "/healthz" || r.URL.Path == "/readyz":
			next.ServeHTTP(w, asStranger(r))
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="liao operator"`)
			writeProblem(w, http.StatusUnauthorized, "unauthenticated", "The operator's address needs its token: Authorization: Bearer ...")
		}
	})
}

// hostname gives a Host header's host, without port and brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// writeProblem answers with an RFC 9457 problem.
func writeProblem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"title": http.StatusText(status), "status": status, "code": code, "detail": detail,
	})
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
