package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/batch"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// Options say what the room works with. The needs come first; all of them but Peers
// must be there.
type Options struct {
	Log     Log
	People  People
	Tokens  Tokens
	Routes  Routes
	Limiter Limiter
	Status  Status
	Peers   Peers // nil: this node is the only one

	Node  string // its name, as WELCOME gives it
	Boot  string // new at each start of the process; im.NewID()
	Addrs im.NodeAddrs
	// Capacity is how many connections this node takes; beyond it newcomers are sent
	// to others. 0: as many as come.
	Capacity int
	Limits   Limits

	Heartbeat    time.Duration // how often a client must be heard; 0: 30 s
	HelloTimeout time.Duration // from the connection to HELLO, and again to WELCOME; 0: 5 s
	// CommitQueue is how many drafts may wait to be committed, beside those that are
	// being written; more are refused as OVERLOADED. 0: 4,096.
	CommitQueue int

	// Lobby bounds the connections that have not said HELLO; nil: nothing does.
	Lobby   *transport.Lobby
	Logger  *slog.Logger          // nil: nothing is logged
	Audit   *slog.Logger          // who was refused; nil: nobody hears of it
	Metrics prometheus.Registerer // nil: its own
}

// Service is the chat room of one node.
type Service struct {
	store    Log
	people   People
	tokens   Tokens
	routes   Routes
	limiter  Limiter
	status   Status
	peers    Peers
	node     string
	boot     string
	addrs    im.NodeAddrs
	capacity int
	limits   Limits

	heartbeat    time.Duration
	helloTimeout time.Duration
	sendRate     rate
	requestRate  rate
	lobby        *transport.Lobby
	log          *slog.Logger
	audit        *slog.Logger
	met          *metrics

	start     time.Time
	lastConn  atomic.Uint64
	connected atomic.Int64
	troubles  bucket // bounds the lines of trouble
	silence   *slog.Logger
	epochName atomic.Pointer[string]
	left      atomic.Bool // the lease is given up and not taken again

	appends   *batch.Batcher[im.Draft, im.Appended]
	reads     *batch.Batcher[im.ReadMark, im.Marked]
	workers   *workers
	poison    poison
	hub       hub
	hints     hints
	presence  presence
	revoked   revoked
	sightings sightings
	doors     doors

	stop  atomic.Pointer[context.CancelFunc] // ends what Start began; nil before
	loops sync.WaitGroup
}

// New makes the room. It serves once Start has returned.
func New(o Options) (*Service, error) {
	for name, need := range map[string]any{
		"Log": o.Log, "People": o.People, "Tokens": o.Tokens, "Routes": o.Routes, "Limiter": o.Limiter, "Status": o.Status,
	} {
		if need == nil {
			return nil, fmt.Errorf("chat: Options.%s is missing", name)
		}
	}
	if o.Node == "" || o.Boot == "" {
		return nil, errors.New("chat: Options.Node and Options.Boot are needed")
	}
	discard := slog.New(slog.DiscardHandler)
	v := &Service{
		store: o.Log, people: o.People, tokens: o.Tokens, routes: o.Routes, limiter: o.Limiter,
		status: o.Status, peers: o.Peers,
		node: o.Node, boot: o.Boot, addrs: o.Addrs, capacity: o.Capacity, limits: o.Limits,
		heartbeat: or(o.Heartbeat, 30*time.Second), helloTimeout: or(o.HelloTimeout, 5*time.Second),
		sendRate:    newRate(o.Limits.SendsPerSecond, o.Limits.SendBurst),
		requestRate: newRate(o.Limits.RequestsPerSecond, o.Limits.RequestBurst),
		lobby:       o.Lobby, log: or(o.Logger, discard), audit: or(o.Audit, discard),
		start: time.Now(), silence: discard, workers: newWorkers(),
	}
	var err error
	v.met, err = newMetrics(o.Metrics,
		func() int { return v.appends.Depth() },
		func() int { return v.reads.Depth() })
	if err != nil {
		return nil, err
	}
	v.appends = batch.New(batch.Options[im.Draft, im.Appended]{
		Commit: v.writeDrafts, MaxWaiting: or(o.CommitQueue, 4096), OnBatch: v.met.onBatch("append"),
	})
	v.reads = batch.New(batch.Options[im.ReadMark, im.Marked]{
		Commit: v.writeReads, OnBatch: v.met.onBatch("read"),
	})
	return v, nil
}

// or is v, or fallback if v is zero.
func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Start takes this node's lease and begins what goes on beside the connections,
// until Close; what ctx bounds is Start alone.
func (v *Service) Start(ctx context.Context) error {
	if _, err := v.epoch(ctx); err != nil {
		return fmt.Errorf("start chat: %w", err)
	}
	if err := v.skipOldRevocations(ctx); err != nil {
		return fmt.Errorf("start chat: %w", err)
	}
	v.renewLease(ctx)
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	if !v.stop.CompareAndSwap(nil, &stop) {
		stop()
		return errors.New("chat: started twice")
	}
	v.every(life, leaseEvery, v.renewLease)
	v.every(life, revocationsEvery, v.readRevocations)
	v.every(life, routesEvery, v.rewriteRoutes())
	v.every(life, presenceEvery, v.tellPresence)
	v.every(life, sightingsEvery, v.storeSightings)
	v.every(life, hintEvery, v.sendHints)
	v.every(life, min(max(v.heartbeat/8, 10*time.Millisecond), time.Second), v.checkHearts)
	return nil
}

// every calls f again and again until life ends. A panic in f is caught, as one round
// that failed.
func (v *Service) every(life context.Context, d time.Duration, f func(context.Context)) {
	v.loops.Go(func() {
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-life.Done():
				return
			case <-t.C:
				v.guarded(life, f)
			}
		}
	})
}

// background runs f once; Close waits for it. Only sessions and loops call it, so that
// it never starts after Close has begun to wait.
func (v *Service) background(limit time.Duration, f func(context.Context)) {
	v.loops.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		v.guarded(ctx, f)
	})
}

func (v *Service) guarded(ctx context.Context, f func(context.Context)) {
	defer func() {
		if r := recover(); r != nil {
			v.met.panics.Inc()
			v.log.ErrorContext(ctx, "background work panicked", "panic", r)
		}
	}()
	f(ctx)
}

// Serve runs one connection on the calling goroutine until it is closed. It is what
// a listener's Handle wants; ctx ends waiting in the lobby only, since a connection
// outlives its listener until Drain.
func (v *Service) Serve(ctx context.Context, conn transport.Conn) {
	if s := v.receive(ctx, conn); s != nil {
		s.run()
		v.release(s)
	}
}

// receive lets a connection in. Nil: it was turned away, and is closed.
func (v *Service) receive(ctx context.Context, conn transport.Conn) *session {
	s := newSession(v, conn)
	if v.lobby != nil {
		leave, err := v.lobby.Enter(ctx, conn.RemoteAddr().Addr())
		if err != nil {
			s.hangUp(farewell{
				reason: clientpb.Reason_BUSY, retry: jitter(busyRetry),
				text: "too many connections from here have not said HELLO",
			})
			s.out.awaitClosed()
			return nil
		}
		s.leaveLobby = leave
	}
	if !v.doors.enter(s) {
		s.leftLobby()
		s.hangUp(v.leaving())
		s.out.awaitClosed()
		return nil
	}
	v.connected.Add(1)
	v.met.connections.Inc()
	return s
}

// release forgets a connection that is closed.
func (v *Service) release(s *session) {
	v.met.connections.Dec()
	v.connected.Add(-1)
	v.doors.leave(s)
}

// forgetSession takes s out of all that others can find it in.
func (v *Service) forgetSession(s *session) {
	s.leftLobby()
	if s.account != nil {
		v.met.sessions.Dec()
		v.sightings.note(s.login)
		if v.hub.remove(s, v.now()) {
			v.presence.went(s.user, v.now())
		}
	}
	if s.claimed {
		ctx, cancel := context.WithTimeout(context.Background(), routeTimeout)
		defer cancel()
		v.removeRoute(ctx, s)
	}
}

// now is this process's monotonic clock in nanoseconds: what is neither stored nor
// compared with another process's time. It is never 0.
func (v *Service) now() int64 { return int64(time.Since(v.start)) + 1 }

// epoch names the history that the store holds.
func (v *Service) epoch(ctx context.Context) (string, error) {
	if e := v.epochName.Load(); e != nil {
		return *e, nil
	}
	e, err := v.store.Epoch(ctx)
	if err != nil {
		return "", fmt.Errorf("read epoch: %w", err)
	}
	v.epochName.Store(&e)
	return e, nil
}

// trouble is the logger for what thousands of requests may meet at once, when a store
// is away: some lines a second say as much as all, so it gives out the one that drops
// lines when there were many.
func (v *Service) trouble() *slog.Logger {
	if v.troubles.take(v.now(), rate{every: int64(100 * time.Millisecond), slack: int64(2 * time.Second)}) > 0 {
		return v.silence
	}
	return v.log
}
