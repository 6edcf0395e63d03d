package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// route is a route and the lease under which it was written. 0: there was none, and
// the route counts under the next that its boot gets.
type route struct {
	im.Route
	lease uint64
}

// PutRoutes writes routes, each if it supersedes the live one that is there.
//
// A state is Missing whenever this very connection's route was not there, or did
// not count at some time since it was last written: pushes may have missed it.
func (s *Store) PutRoutes(_ context.Context, routes []im.Route) ([]im.RouteState, error) {
	s.presence.Lock()
	defer s.presence.Unlock()
	now := s.now()
	s.sweepRoutes(len(routes), now)
	states := make([]im.RouteState, len(routes))
	for i, r := range routes {
		states[i] = s.put(r, now)
	}
	return states, nil
}

// put writes one route.
func (s *Store) put(r im.Route, now time.Duration) im.RouteState {
	next := route{r, s.leaseOf(r.Node, r.Boot, now)}
	devices := s.routes[r.User]
	i := slices.IndexFunc(devices, func(o route) bool { return o.Device == r.Device })
	if i < 0 {
		s.routes[r.User] = append(devices, next)
		return im.RouteState{Missing: true}
	}
	old := devices[i]
	switch {
	case !s.live(old, now):
		devices[i] = next
		return im.RouteState{Missing: true}
	case sameConn(old.Route, r):
		devices[i] = next
		return im.RouteState{Missing: old.lease == 0}
	case r.Supersedes(old.Route):
		devices[i] = next
		replaced := old.Route
		return im.RouteState{Missing: true, Replaced: &replaced}
	}
	return im.RouteState{Lost: true}
}

// RemoveRoute removes a route if it is still this connection's.
func (s *Store) RemoveRoute(_ context.Context, r im.Route) error {
	s.presence.Lock()
	defer s.presence.Unlock()
	s.dropRoutes(r.User, func(o route) bool { return o.Device == r.Device && sameConn(o.Route, r) })
	return nil
}

// RoutesOf returns the routes of users whose node's lease holds, in any order.
func (s *Store) RoutesOf(_ context.Context, users []im.UserID) ([]im.Route, error) {
	s.presence.RLock()
	defer s.presence.RUnlock()
	now := s.now()
	live := make([]im.Route, 0, len(users))
	for _, user := range users {
		for _, r := range s.routes[user] {
			if s.live(r, now) {
				live = append(live, r.Route)
			}
		}
	}
	return live, nil
}

// live says whether a route counts.
func (s *Store) live(r route, now time.Duration) bool {
	lease := s.leaseOf(r.Node, r.Boot, now)
	return lease != 0 && (r.lease == lease || r.lease == 0)
}

// sweepRoutes drops void routes once as many were written as users were left by
// the last sweep: so a write costs the same however many there are.
func (s *Store) sweepRoutes(writes int, now time.Duration) {
	if s.sweepIn -= writes; s.sweepIn >= 0 {
		return
	}
	for user := range s.routes {
		s.dropRoutes(user, func(o route) bool { return !s.live(o, now) })
	}
	s.sweepIn = max(minSweep, len(s.routes))
}

// dropRoutes drops a user's routes for which void is true.
func (s *Store) dropRoutes(user im.UserID, void func(route) bool) {
	devices := slices.DeleteFunc(s.routes[user], void)
	if len(devices) == 0 {
		delete(s.routes, user)
		return
	}
	s.routes[user] = devices
}

// sameConn says whether two routes of a device are of one connection.
func sameConn(a, b im.Route) bool { return a.Node == b.Node && a.Boot == b.Boot && a.Conn == b.Conn }
