package chat

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	presenceEvery   = time.Second
	presenceTimeout = 2 * time.Second
	// A user is off line after so long without any connection: a phone that changes
	// its network did not leave.
	presenceLinger = 30 * time.Second
	// So many users are told of in one round; the others wait, up to a bound.
	presenceAtOnce = 1_000
	presenceKept   = 10_000
)

// presence gathers who came and went, to be told by the second.
type presence struct {
	mu   sync.Mutex
	in   []im.UserID
	out  []departure // in the order of time
	lost int         // arrivals that nobody was told of
}

type departure struct {
	user im.UserID
	at   int64 // Service.now
}

// came says that a user who was off line has a connection here.
func (p *presence) came(u im.UserID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.in) >= presenceKept {
		p.lost++
		return
	}
	p.in = append(p.in, u)
}

// went says that a user's last connection here is gone. It is never dropped: the
// user's account is kept in the hub until it is dealt with.
func (p *presence) went(u im.UserID, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, departure{u, now})
}

// take returns what is due: who came, and who went at or before then.
func (p *presence) take(then int64) (came, went []im.UserID, lost int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(p.in), presenceAtOnce)
	came = slices.Clone(p.in[:n])
	if p.in = p.in[n:]; len(p.in) == 0 {
		p.in = nil
	}
	for len(p.out) > 0 && p.out[0].at <= then {
		went = append(went, p.out[0].user)
		p.out = p.out[1:]
	}
	if len(p.out) == 0 {
		p.out = nil
	}
	lost, p.lost = p.lost, 0
	return came, went, lost
}

// tellPresence tells the friends of who came and of who is gone for good.
func (v *Service) tellPresence(ctx context.Context) {
	then := v.now() - int64(presenceLinger)
	came, left, lost := v.presence.take(then)
	v.met.drops[dropQueue].Add(float64(lost))
	gone := left[:0]
	for _, u := range left {
		if v.hub.forget(u, then) {
			gone = append(gone, u)
		}
	}
	if len(came)+len(gone) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, presenceTimeout)
	defer cancel()
	gone = v.offLineEverywhere(ctx, gone)
	friends, err := v.people.PresenceFriends(ctx, slices.Concat(came, gone))
	if err != nil {
		v.met.drops[dropLookup].Add(float64(len(came) + len(gone)))
		v.trouble().WarnContext(ctx, "presence was not told", "users", len(came)+len(gone), "err", err)
		return
	}
	now := int64(im.ToMillis(fault.Now()))
	for _, u := range came {
		v.tellFriends(friends[u], &clientpb.Presence{User: uint64(u), Online: true, LastSeenMs: now})
	}
	for _, u := range gone {
		seen := now - presenceLinger.Milliseconds()
		v.tellFriends(friends[u], &clientpb.Presence{User: uint64(u), LastSeenMs: seen})
	}
}

func (v *Service) tellFriends(friends []im.UserID, p *clientpb.Presence) {
	l := &letter{kind: clientpb.Type_PRESENCE, soft: true, body: p}
	for _, f := range friends {
		v.post(l, f, nil)
	}
}

// offLineEverywhere leaves out who is still connected to another node. If that
// cannot be found out nobody is said to be off line.
func (v *Service) offLineEverywhere(ctx context.Context, gone []im.UserID) []im.UserID {
	if len(gone) == 0 {
		return nil
	}
	routes, err := v.routes.RoutesOf(ctx, gone)
	if err != nil {
		v.met.drops[dropLookup].Add(float64(len(gone)))
		v.trouble().WarnContext(ctx, "who left could not be looked up", "users", len(gone), "err", err)
		return nil
	}
	online := make(map[im.UserID]struct{}, len(routes))
	for _, r := range routes {
		online[r.User] = struct{}{}
	}
	return slices.DeleteFunc(gone, func(u im.UserID) bool { _, ok := online[u]; return ok })
}
