package chat

import (
	"context"
	"time"

	"github.com/liao-im/liao/internal/im"
)

const (
	// Each round writes the routes of some shards again, so that each route is
	// written every 8 s: a registry that forgot everything is whole again within 10.
	routesEvery   = 500 * time.Millisecond
	routesRounds  = 16
	routesAtOnce  = 500
	shardsInRound = hubShards / routesRounds
)

// rewriteRoutes returns what writes the routes again, some each time. Its arrays are
// kept: with many idle connections nothing else would make as much garbage.
func (v *Service) rewriteRoutes() func(context.Context) {
	round := 0
	var all []*session
	routes := make([]im.Route, 0, routesAtOnce)
	return func(ctx context.Context) {
		sessions := all[:0]
		v.hub.eachIn(round*shardsInRound, shardsInRound, func(s *session) { sessions = append(sessions, s) })
		round = (round + 1) % routesRounds
		all = sessions
		for len(sessions) > 0 {
			n := min(len(sessions), routesAtOnce)
			routes = routes[:0]
			for _, s := range sessions[:n] {
				routes = append(routes, s.route())
			}
			v.rewrite(ctx, sessions[:n], routes)
			sessions = sessions[n:]
		}
		clear(all)
	}
}

// rewrite writes the routes of sessions again and acts on what it learns: a route
// that was missing means that pushes may have passed the session by, one that is
// lost that the session is no longer its device's.
func (v *Service) rewrite(ctx context.Context, sessions []*session, routes []im.Route) {
	ctx, cancel := context.WithTimeout(ctx, routeTimeout)
	defer cancel()
	states, err := v.routes.PutRoutes(ctx, routes)
	if err != nil || len(states) != len(routes) {
		v.trouble().WarnContext(ctx, "routes were not written again", "routes", len(routes), "err", err)
		return
	}
	for i, st := range states {
		switch s := sessions[i]; {
		case st.Lost:
			s.hangUp(byeReplaced)
		case s.ended.Load() >= 0:
			v.removeRoute(ctx, s) // it may have left between the look and the write
		case st.Missing:
			s.resync()
		}
		if st.Replaced != nil {
			v.hangUpRoute(*st.Replaced)
		}
	}
}

func (v *Service) removeRoute(ctx context.Context, s *session) {
	if err := v.routes.RemoveRoute(ctx, s.route()); err != nil {
		// It ends with this boot's lease, and is found stale until then.
		v.trouble().WarnContext(ctx, "a route was not removed", "err", err)
	}
}
