package gate

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Lives of tokens, as the contract names them.
const (
	accessLife  = time.Hour
	refreshLife = 30 * 24 * time.Hour
)

// Options say what a Gate is made of. The needs are all required; the rest may be
// left zero.
type Options struct {
	Accounts Accounts
	Profiles Profiles
	Logins   Logins
	Tries    Tries
	Limiter  Limiter
	Codes    Codes
	Nodes    Nodes
	Pushes   Pushes

	Passwords PasswordOptions
	Limits    Limits

	// TrustedProxies are whose X-Forwarded-For is believed. ExemptLoopback leaves
	// clients on this machine out of every limit by IP.
	TrustedProxies []netip.Prefix
	ExemptLoopback bool

	// AllowedOrigins are the origins (https://app.example.org) of pages on other hosts
	// that may use the gate from a browser; none by default.
	AllowedOrigins []string
	// HSTS tells browsers to come by TLS alone from now on. Set it where TLS is.
	HSTS bool

	Lang      string        // of mails to who asks for no language that we speak: "en" or "zh"
	OutboxURL string        // where mails can be read; only with no SMTP server
	AccessFor time.Duration // life of access tokens; 0: 1 h
	Version   string        // of the server, for the description
	Logger    *slog.Logger  // nil: none
	Audit     *slog.Logger  // nil: none
	Metrics   prometheus.Registerer
}

// Limits bound what one IP may do; 0 is no limit.
type Limits struct {
	RegistrationsPerHour int
	LoginsPerMinute      int
}

// Gate is the gate service. It is safe for use by many goroutines.
type Gate struct {
	accounts Accounts
	profiles Profiles
	logins   Logins
	tries    Tries
	limiter  Limiter
	codes    Codes
	nodes    Nodes
	pushes   Pushes

	passwords *passwords
	limits    Limits
	proxies   []netip.Prefix
	exempt    bool
	lang      string
	outboxURL string
	accessFor time.Duration
	log       *slog.Logger
	audit     *slog.Logger
	metrics   *metrics

	api     huma.API
	spec    []byte // the OpenAPI description
	mux     *http.ServeMux
	handler http.Handler // mux behind everything that holds for all requests
}

// New checks the options and returns a gate that is ready to serve.
func New(o Options) (*Gate, error) {
	for _, need := range []any{o.Accounts, o.Profiles, o.Logins, o.Tries, o.Limiter, o.Codes, o.Nodes, o.Pushes} {
		if need == nil {
			return nil, errors.New("gate: every need is required")
		}
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	p, err := newPasswords(o.Passwords, m)
	if err != nil {
		return nil, err
	}
	silent := slog.New(slog.DiscardHandler)
	g := &Gate{
		accounts: o.Accounts, profiles: o.Profiles, logins: o.Logins, tries: o.Tries,
		limiter: o.Limiter, codes: o.Codes, nodes: o.Nodes, pushes: o.Pushes,
		passwords: p,
		limits:    o.Limits,
		proxies:   o.TrustedProxies,
		exempt:    o.ExemptLoopback,
		lang:      cmp.Or(o.Lang, "en"),
		outboxURL: o.OutboxURL,
		accessFor: cmp.Or(max(o.AccessFor, 0), accessLife),
		log:       cmp.Or(o.Logger, silent),
		audit:     cmp.Or(o.Audit, silent),
		metrics:   m,
	}
	if err := g.describe(o.Version); err != nil {
		return nil, fmt.Errorf("describe the calls: %w", err)
	}
	origins, err := newOrigins(o.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	g.handler = g.guard(origins, o.HSTS)
	return g, nil
}

// ServeHTTP answers every path but those that somebody else has been given, such
// as /v1/ws.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }
