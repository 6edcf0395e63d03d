package chat

import (
	"sync/atomic"
	"time"
)

// Limits bound what one user may do. In each field 0 means no limit.
type Limits struct {
	SendsPerSecond       int // SEND, per user over all connections at this node
	SendBurst            int // how many at once after a rest
	RequestsPerSecond    int // everything else, per user over all connections at this node
	RequestBurst         int
	OutboxBytes          int // pushes that wait to be written to one connection
	FindsPerDay          int // FIND_USERS per user
	FriendRequestsPerDay int // to people who have not answered
	ConnectionsPerUser   int // the oldest is closed for a newer one
}

// DefaultLimits are those of the contract with clients.
func DefaultLimits() Limits {
	return Limits{
		SendsPerSecond: 20, SendBurst: 60,
		RequestsPerSecond: 50, RequestBurst: 100,
		OutboxBytes: 256 << 10,
		FindsPerDay: 200, FriendRequestsPerDay: 20,
		ConnectionsPerUser: 10,
	}
}

// rate is how often something may happen. The zero rate is no limit.
type rate struct {
	every int64 // ns from one to the next
	slack int64 // ns that may be used in advance: the burst
}

func newRate(perSecond, burst int) rate {
	if perSecond <= 0 {
		return rate{}
	}
	every := int64(time.Second) / int64(perSecond)
	return rate{every: every, slack: every * int64(max(burst, 1))}
}

// bucket counts against a rate in eight bytes: it holds the instant at which
// everything used so far will have been earned. The zero bucket is full.
type bucket struct {
	earned atomic.Int64
}

// take uses one at the instant now, or says how long until one is free.
func (b *bucket) take(now int64, r rate) time.Duration {
	if r.every == 0 {
		return 0
	}
	for {
		earned := b.earned.Load()
		next := max(earned, now) + r.every
		if wait := next - now - r.slack; wait > 0 {
			return time.Duration(wait)
		}
		if b.earned.CompareAndSwap(earned, next) {
			return 0
		}
	}
}
