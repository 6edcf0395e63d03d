// Package memstore keeps, in the memory of one process, what may be lost at any
// moment and is then made again: where devices are connected, which chat nodes
// live, and how often something was done. With one process nothing else is
// needed; many nodes keep the same in Redis, under the same rules.
//
// Promises:
//   - A route counts only while the lease holds under which its node wrote it. So
//     when a node dies its routes are void at once, without a scan; and a node whose
//     lease ended while it lived is told that its routes were missing.
//   - Of two routes of one device the one that supersedes the other stays,
//     whichever is written last.
//   - Nothing grows without bound: void routes and idle counters are swept as new
//     ones come, and beyond Options.MaxKeys counters are forgotten, those first
//     that have the least to wait.
//
// Nothing here blocks or fails; contexts and errors are there for the stores that
// talk to a server.
//
// Files: store.go, nodes.go (leases), routes.go, limiter.go.
package memstore

import (
	"sync"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// Options says how a Store works; the zero value is good.
type Options struct {
	// MaxKeys is how many keys are counted at most; 0 means 262,144, some 30 MB.
	MaxKeys int
}

// Store is all three kinds of state. It is safe for concurrent use.
type Store struct {
	maxKeys int
	start   time.Time // instants are durations since it, on the monotonic clock

	presence  sync.RWMutex
	leases    map[string]lease // by node
	lastLease uint64           // how many leases there were
	routes    map[im.UserID][]route
	sweepIn   int // writes of routes until the next sweep

	limits  sync.Mutex
	counts  map[string]time.Duration // when a key will be as if never used
	sweepAt int                      // how many keys make the next sweep
}

// New returns an empty Store.
func New(opts Options) *Store {
	if opts.MaxKeys <= 0 {
		opts.MaxKeys = 262_144
	}
	return &Store{
		maxKeys: opts.MaxKeys,
		start:   time.Now(),
		leases:  make(map[string]lease),
		routes:  make(map[im.UserID][]route),
		sweepIn: minSweep,
		counts:  make(map[string]time.Duration),
		sweepAt: min(minSweep, opts.MaxKeys),
	}
}

// now is the time since the store was made.
func (s *Store) now() time.Duration { return time.Since(s.start) }
