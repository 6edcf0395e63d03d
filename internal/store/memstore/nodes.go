package memstore

import (
	"context"
	"maps"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// lease is a node's last report, and until when it holds.
type lease struct {
	report im.NodeReport
	until  time.Duration
	id     uint64 // from 1, the same as long as the node renews it in time
}

// RenewNode stores a node's report for the length of lease. A new boot of the same
// node takes its place: what the old one wrote is void. The answer is whether
// this boot's lease was still there.
func (s *Store) RenewNode(_ context.Context, r im.NodeReport, length time.Duration) (had bool, err error) {
	s.presence.Lock()
	defer s.presence.Unlock()
	now := s.now()
	maps.DeleteFunc(s.leases, func(_ string, l lease) bool { return l.until <= now })
	id := s.leaseOf(r.Node, r.Boot, now)
	if had = id != 0; !had {
		s.lastLease++
		id = s.lastLease
	}
	s.leases[r.Node] = lease{report: r, until: now + length, id: id}
	return had, nil
}

// DropNode ends the lease of this boot of the node; another boot's stays.
func (s *Store) DropNode(_ context.Context, node, boot string) error {
	s.presence.Lock()
	defer s.presence.Unlock()
	if s.leases[node].report.Boot == boot {
		delete(s.leases, node)
	}
	return nil
}

// Nodes returns every node whose lease holds, in any order.
func (s *Store) Nodes(context.Context) ([]im.NodeReport, error) {
	s.presence.RLock()
	defer s.presence.RUnlock()
	now := s.now()
	nodes := make([]im.NodeReport, 0, len(s.leases))
	for _, l := range s.leases {
		if l.until > now {
			nodes = append(nodes, l.report)
		}
	}
	return nodes, nil
}

// leaseOf returns the id of the lease that this boot of the node holds, else 0. The
// caller has the lock.
func (s *Store) leaseOf(node, boot string, now time.Duration) uint64 {
	if l, ok := s.leases[node]; ok && l.until > now && l.report.Boot == boot {
		return l.id
	}
	return 0
}
