package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/config"
	"github.com/liao-im/liao/internal/gate"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/ops"
	"github.com/liao-im/liao/internal/status"
	"github.com/liao-im/liao/internal/store/memstore"
	"github.com/liao-im/liao/internal/store/sqlstore"
	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/verify"
)

// System is all four services in one process.
type System struct {
	config   *config.Config
	log      *slog.Logger
	audit    *slog.Logger
	registry *prometheus.Registry
	done     stack
	doors    *doors
	broken   chan error // a listener that ended by itself

	secrets config.Secrets
	store   *sqlstore.Store
	memory  *memstore.Store
	mailer  verify.Mailer
	outbox  http.Handler // nil with an SMTP server
	verify  *verify.Service
	status  *status.Service
	chat    *chat.Service
	gate    *gate.Gate
}

// Start starts everything and returns once it serves. What it had begun when it
// failed is ended again. Logs go to std.Err.
func Start(ctx context.Context, c *config.Config, std Streams) (*System, error) {
	s := &System{config: c, registry: prometheus.NewRegistry(), broken: make(chan error, 8), memory: memstore.New(memstore.Options{})}
	for _, step := range []func(context.Context, Streams) error{
		s.openLogs, s.openData, s.openDoors, s.makeMail, s.makeRooms, s.serveOps, s.serveChat, s.serveHTTP,
	} {
		if err := step(ctx, std); err != nil {
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
			defer cancel()
			return nil, errors.Join(err, s.Stop(stopping))
		}
	}
	return s, nil
}

// Stop asks every client to come back later, answers what was asked, flushes, and
// ends everything, the last started first.
func (s *System) Stop(ctx context.Context) error { return s.done.stop(ctx) }

// Gate is the URL of the HTTP API.
func (s *System) Gate() string { return s.doors.publicHTTP }

// Addrs are the chat service's addresses.
func (s *System) Addrs() im.NodeAddrs { return s.doors.addrs }

// Ops is the URL of the operator's address.
func (s *System) Ops() string { return "http://" + s.doors.ops.Addr().String() }

func (s *System) openLogs(_ context.Context, std Streams) error {
	var err error
	if s.log, err = ops.NewLogger(std.Err, s.config.Log.Format, s.config.Log.Level); err != nil {
		return err
	}
	audit, err := ops.OpenAudit(ops.AuditOptions{File: s.config.Log.AuditFile, Stderr: std.Err, Metrics: s.registry})
	if err != nil {
		return err
	}
	s.done.pushClose("audit log", audit.Close)
	s.audit = audit.Logger()
	return nil
}

func (s *System) openData(ctx context.Context, _ Streams) error {
	var err error
	if s.secrets, err = takeData(s.config, &s.done); err != nil {
		return err
	}
	if s.store, err = openStore(ctx, s.config, s.log, s.registry); err != nil {
		return err
	}
	s.done.pushClose("store", s.store.Close)
	if err := s.store.Migrate(ctx); err != nil {
		return err
	}
	weaker, err := s.store.Warnings(ctx)
	if err != nil {
		return err
	}
	for _, w := range weaker {
		s.log.WarnContext(ctx, "acknowledged messages are less safe than promised", "setting", w)
	}
	s.beside(ctx, "pruning", s.prune)
	s.beside(ctx, "giving memory back", giveBack)
	return nil
}

// beside runs f on a goroutine of its own until the system stops.
func (s *System) beside(ctx context.Context, what string, f func(context.Context)) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f(running)
	}()
	s.done.pushClose(what, func() error {
		stop()
		<-ended
		return nil
	})
}

// prune removes what is past its time, now and then.
func (s *System) prune(ctx context.Context) {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		if err := s.store.Prune(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "old rows were not removed", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *System) openDoors(ctx context.Context, _ Streams) (err error) {
	s.doors, err = open(ctx, s.config, &s.done)
	return err
}

func (s *System) makeRooms(ctx context.Context, _ Streams) error {
	var err error
	if s.verify, err = verify.New(s.verifyOptions()); err != nil {
		return err
	}
	s.done.push("verify", s.verify.Close)
	s.status = status.New(status.Options{Registry: s.memory, Logger: s.log, Metrics: s.registry})
	options, err := s.chatOptions()
	if err != nil {
		return err
	}
	if s.chat, err = chat.New(options); err != nil {
		return err
	}
	s.gate, err = gate.New(s.gateOptions())
	return err
}

// serveChat takes connections over TCP and TLS. At the end the listeners are closed
// first, then the connections are drained; the operator can watch it.
func (s *System) serveChat(ctx context.Context, _ Streams) error {
	if err := s.chat.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	s.done.pushClose("chat", s.chat.Close)
	s.done.push("drain", func(ctx context.Context) error {
		draining, cancel := context.WithTimeout(ctx, s.config.Chat.DrainTime)
		defer cancel()
		if err := s.chat.Drain(draining); err != nil {
			s.log.WarnContext(ctx, "not everybody left in time", "err", err)
		}
		return nil
	})
	accepting, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.done.pushClose("accepting", func() error {
		stop()
		return nil
	})
	o := transport.ServeOptions{Handle: s.chat.Serve, Proxies: s.config.Chat.ProxyProtocolFrom, HandshakeTimeout: s.config.Chat.HelloTimeout, Log: s.log}
	if s.doors.tcp != nil {
		s.serve("chat.listen", func() error { return transport.Serve(accepting, s.doors.tcp, o) })
	}
	if s.doors.tls != nil {
		o.TLS = s.doors.chatTLS
		s.serve("chat.tls_listen", func() error { return transport.Serve(accepting, s.doors.tls, o) })
	}
	return nil
}

func (s *System) serveHTTP(_ context.Context, _ Streams) error {
	origins, err := transport.NewOrigins(append([]string{s.doors.publicHTTP}, s.config.HTTP.AllowedOrigins...))
	if err != nil {
		return fmt.Errorf("http.allowed_origins: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.gate)
	mux.Handle("/v1/ws", transport.NewWebSocketHandler(transport.WebSocketOptions{
		Handle: s.chat.Serve, Origins: origins, Proxies: s.config.HTTP.TrustedProxies, Log: s.log,
	}))
	server := gate.NewServer(mux, s.log)
	server.TLSConfig = s.doors.httpTLS
	s.serve("http.listen", func() error {
		var err error
		if server.TLSConfig != nil {
			err = server.ServeTLS(s.doors.http, "", "")
		} else {
			err = server.Serve(s.doors.http)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	s.done.push("http", func(ctx context.Context) error {
		finishing, cancel := context.WithTimeout(ctx, httpFinish)
		defer cancel()
		err := server.Shutdown(finishing)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		return err
	})
	return nil
}

func (s *System) serveOps(ctx context.Context, _ Streams) error {
	extra := map[string]http.Handler{}
	if s.doors.outboxAtPath != "" {
		extra["GET /outbox"] = s.outbox
	}
	server, err := ops.New(ops.Options{
		Registry: s.registry, Logger: s.log, Version: Version, Checks: s.checks(),
		Token: s.config.Ops.Token.Reveal(), AllowedHosts: s.config.Ops.AllowedHosts, PProf: s.config.Ops.PProf, Extra: extra,
	})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	s.serve("ops.listen", func() error {
		defer close(ended)
		return server.Serve(serving, s.doors.ops)
	})
	s.done.pushClose("ops", func() error {
		stop()
		<-ended
		return nil
	})
	return nil
}

// serve runs a listener on a goroutine of its own and notes if it breaks.
func (s *System) serve(what string, run func() error) {
	go func() {
		if err := run(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.broken <- fmt.Errorf("%s: %w", what, err)
		}
	}()
}

// httpFinish is how long HTTP answers that are under way may take at the end.
const httpFinish = time.Second

// nodeName is how this process is called where nodes are told apart.
func nodeName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "liao"
	}
	return name
}
