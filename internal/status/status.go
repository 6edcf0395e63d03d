package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/im"
)

const (
	// An answer of the registry is good for so long while the registry is away.
	keepFor = 10 * time.Minute
	// When to ask again if no node lives: nodes report every 1.5 s.
	comeBack = 2 * time.Second
)

// Options says how a Service works. Only Registry has no default.
type Options struct {
	Registry Registry
	// Lease is how long a node lives after a report; 0 means 5 s, three reports.
	Lease   time.Duration
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// Service is the status service. It is safe for concurrent use and has no
// goroutines.
type Service struct {
	registry Registry
	lease    time.Duration
	log      *slog.Logger
	metrics  *metrics

	mu     sync.Mutex
	last   []im.NodeReport // what the registry said at lastAt
	lastAt time.Time
	away   bool // the registry did not answer when it was last asked
}

// New returns a Service over a registry.
func New(opts Options) *Service {
	if opts.Lease <= 0 {
		opts.Lease = 5 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		registry: opts.Registry,
		lease:    opts.Lease,
		log:      opts.Logger,
		metrics:  newMetrics(opts.Metrics),
	}
}

// Report stores what a node says of itself and renews its lease.
func (s *Service) Report(ctx context.Context, r im.NodeReport) error {
	had, err := s.registry.RenewNode(ctx, r, s.lease)
	if err != nil {
		s.metrics.failures.report.Inc()
		return fmt.Errorf("renew the lease of node %s: %w", r.Node, err)
	}
	if !had {
		s.metrics.leases.Inc()
		s.log.InfoContext(ctx, "node has a new lease", "node", r.Node, "boot", r.Boot)
	}
	return nil
}

// Leave ends a node's lease: from now on no newcomer is sent there, and its routes
// are void. A node that still has sessions to flush reports that it drains, and
// leaves when it is done.
func (s *Service) Leave(ctx context.Context, node, boot string) error {
	if err := s.registry.DropNode(ctx, node, boot); err != nil {
		s.metrics.failures.leave.Inc()
		return fmt.Errorf("end the lease of node %s: %w", node, err)
	}
	s.log.InfoContext(ctx, "node has left", "node", node, "boot", boot)
	return nil
}

// Nodes returns the addresses of the live nodes that take newcomers, in weighted
// random order by free load; full ones come last, since a report may be old. If
// there is none: im.Unavailable, with a time to come back.
func (s *Service) Nodes(ctx context.Context) ([]im.NodeAddrs, error) {
	reports, err := s.reports(ctx)
	if err != nil {
		return nil, err
	}
	nodes := spread(reports)
	if len(nodes) == 0 {
		return nil, im.FailAfter(im.Unavailable, "no chat server can be reached at the moment; try again in a few seconds", comeBack)
	}
	return nodes, nil
}

// reports asks the registry, or remembers what it said.
func (s *Service) reports(ctx context.Context) ([]im.NodeReport, error) {
	asked := time.Now()
	reports, err := s.registry.Nodes(ctx)
	if errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("list nodes: %w", err) // the asker went away, not the registry
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		if s.away {
			s.log.InfoContext(ctx, "node registry answers again")
		}
		s.away = false
		if asked.After(s.lastAt) { // answers may overtake each other
			s.last, s.lastAt = reports, asked
		}
		return reports, nil
	}

	s.metrics.failures.list.Inc()
	if !s.away {
		s.away = true
		s.log.WarnContext(ctx, "node registry does not answer", "error", err, "last_answer", s.lastAt)
	}
	if s.lastAt.IsZero() || asked.Sub(s.lastAt) > keepFor {
		return nil, fmt.Errorf("list nodes: %w: %w", unreadable(), err) // a code for the client, words for the log
	}
	s.metrics.remembered.Inc()
	return s.last, nil
}

func unreadable() *im.Error {
	return im.FailAfter(im.Unavailable, "the list of chat servers cannot be read at the moment; try again in a few seconds", comeBack)
}
