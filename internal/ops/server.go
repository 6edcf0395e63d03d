// Package ops is the operator's door: an address of its own with metrics,
// health, readiness and, when asked for, the profiler, besides the loggers that
// every room is given.
//
// It promises that
//
//   - on loopback nothing is asked of the operator, but a web page that made its
//     name point here gets nothing: the Host must be one that is known;
//   - anywhere else everything but /healthz and /readyz needs the token, and
//     these two then name what is away without saying why;
//   - /readyz answers within seconds whatever hangs, asks each need at most once
//     at a time, and never for more than one caller at once;
//   - an audit line is one line, whatever a stranger put into it.
//
// Files: server.go serves, guard.go lets in, ready.go asks the needs, log.go
// makes the log and audit.go the audit log.
package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	readTimeout = 10 * time.Second
	// Room for a profile of 30 s, which is what the profiler takes when no
	// length is named.
	writeTimeout = 90 * time.Second
	idleTimeout  = time.Minute
	maxHeader    = 16 << 10
	// How long answers in progress may take after the end.
	closeTimeout = time.Second
)

// Options are what a Server is made of.
type Options struct {
	Registry *prometheus.Registry // what /metrics shows; collectors for Go and the process are added to it
	Logger   *slog.Logger

	Version string  // shown by a metric
	Checks  []Check // what /readyz asks

	// Token opens everything but health where the listener is not on loopback.
	Token string
	// AllowedHosts are names besides localhost and the loopback addresses by
	// which a listener on loopback may be asked.
	AllowedHosts []string
	PProf        bool

	// Extra is served besides, by pattern as http.ServeMux has them. Each is
	// guarded like the rest.
	Extra map[string]http.Handler
}

// Server is the operator's door.
type Server struct {
	logger *slog.Logger
	token  string
	hosts  []string
	ready  *readiness
	mux    *http.ServeMux
}

// New makes a Server. It fails if the registry already holds one of the metrics
// that it adds.
func New(o Options) (*Server, error) {
	s := &Server{
		logger: o.Logger,
		token:  o.Token,
		hosts:  append([]string{"localhost"}, o.AllowedHosts...),
		ready:  newReadiness(o.Checks, o.Logger),
		mux:    http.NewServeMux(),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "liao_ops_build_info",
		Help:        "1, with the version that runs.",
		ConstLabels: prometheus.Labels{"version": o.Version},
	}, func() float64 { return 1 })
	for _, c := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build} {
		if err := o.Registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	s.routes(o)
	return s, nil
}

func (s *Server) routes(o Options) {
	handlers := map[string]http.Handler{
		"GET /healthz": http.HandlerFunc(serveHealth),
		"GET /readyz":  s.ready,
		"GET /metrics": promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
			ErrorLog:            slog.NewLogLogger(o.Logger.Handler(), slog.LevelError),
			ErrorHandling:       promhttp.ContinueOnError,
			MaxRequestsInFlight: 4,
			Timeout:             readTimeout,
		}),
	}
	if o.PProf {
		handlers["GET /debug/pprof/"] = http.HandlerFunc(pprof.Index)
		handlers["GET /debug/pprof/cmdline"] = http.HandlerFunc(pprof.Cmdline)
		handlers["GET /debug/pprof/profile"] = http.HandlerFunc(pprof.Profile)
		handlers["GET /debug/pprof/symbol"] = http.HandlerFunc(pprof.Symbol)
		handlers["GET /debug/pprof/trace"] = http.HandlerFunc(pprof.Trace)
	}
	maps.Copy(handlers, o.Extra)
	for pattern, handler := range handlers {
		s.mux.Handle(pattern, handler)
	}
	index := indexOf(slices.Sorted(maps.Keys(handlers)))
	s.mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, index) })
}

// indexOf lists what can be asked here, for whoever opens the bare address.
func indexOf(patterns []string) string {
	var b strings.Builder
	b.WriteString("the operator's address of liao\n\n")
	for _, pattern := range patterns {
		_, path, _ := strings.Cut(pattern, " ")
		if path == "" {
			path = pattern
		}
		fmt.Fprintf(&b, "  %s\n", path)
	}
	return b.String()
}

// serveHealth says that the process runs and answers; whether it is of use is
// readiness.
func serveHealth(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "ok\n")
}

// Serve answers on a listener until the context ends, then gives answers in
// progress a second and returns nil. It refuses a listener that is not on
// loopback if there is no token. The listener is closed when it returns.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	local := onLoopback(ln.Addr())
	if !local && s.token == "" {
		return errors.Join(fmt.Errorf("serve the operator on %s: not loopback, and no token", ln.Addr()), ln.Close())
	}
	server := &http.Server{
		Handler:           s.Handler(local),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		err := server.Shutdown(closing)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close() // somebody is taking a profile
		}
		stopped <- err
	})
	err := server.Serve(ln)
	if stop() {
		return fmt.Errorf("serve the operator: %w", err) // the listener broke
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("stop serving the operator: %w", err)
	}
	return nil
}

// Handler gives everything that Serve would serve: on loopback to known Hosts,
// elsewhere to whoever has the token.
func (s *Server) Handler(loopback bool) http.Handler {
	if loopback {
		return headers(s.knownHost(s.mux))
	}
	return headers(s.withToken(s.mux))
}

// onLoopback says whether only this machine can reach a listener.
func onLoopback(address net.Addr) bool {
	if address.Network() == "unix" {
		return true
	}
	at, err := netip.ParseAddrPort(address.String())
	return err == nil && at.Addr().Unmap().IsLoopback()
}
