package chat

import (
	"context"
	"slices"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// awayTimeout bounds a push to other nodes in all, look-ups included.
const awayTimeout = 2 * time.Second

// deliverAway pushes entries to the members' connections at other nodes: the routes
// are looked up once, and each node gets what is for its users.
func (v *Service) deliverAway(posts []im.Post) {
	ctx, cancel := context.WithTimeout(context.Background(), awayTimeout)
	defer cancel()
	var users []im.UserID
	for i := range posts {
		users = append(users, posts[i].Members...)
	}
	v.pushAway(ctx, users, posts)
}

// pushAway pushes posts to users at other nodes; with no posts, RESYNC. A route that
// turns out stale is looked up again, once.
func (v *Service) pushAway(ctx context.Context, users []im.UserID, posts []im.Post) {
	slices.Sort(users)
	users = slices.Compact(users)
	for try := 0; len(users) > 0; try++ {
		routes, err := v.routes.RoutesOf(ctx, users)
		if err != nil {
			v.met.drops[dropLookup].Inc()
			v.trouble().WarnContext(ctx, "routes could not be looked up", "users", len(users), "err", err)
			v.hints.add(users...)
			return
		}
		users = nil
		for node, there := range v.byNode(routes) {
			stale, err := v.peers.Push(ctx, node, there, postsFor(posts, there))
			if err != nil {
				v.met.drops[dropPeer].Inc()
				v.trouble().WarnContext(ctx, "a node could not be reached", "peer", node, "err", err)
				v.hints.add(usersOf(there)...)
				continue
			}
			users = append(users, usersOf(stale)...)
		}
		if try > 0 && len(users) > 0 {
			v.met.drops[dropPeer].Inc()
			v.hints.add(users...)
			return
		}
	}
}

// hintAway sends RESYNC to users at other nodes.
func (v *Service) hintAway(ctx context.Context, users []im.UserID) {
	ctx, cancel := context.WithTimeout(ctx, awayTimeout)
	defer cancel()
	v.pushAway(ctx, users, nil)
}

// byNode groups the routes that are not here.
func (v *Service) byNode(routes []im.Route) map[string][]im.Route {
	var nodes map[string][]im.Route
	for _, r := range routes {
		if r.Node == v.node && r.Boot == v.boot {
			continue
		}
		if nodes == nil {
			nodes = make(map[string][]im.Route)
		}
		nodes[r.Node] = append(nodes[r.Node], r)
	}
	return nodes
}

// postsFor is what of posts is for the users of routes.
func postsFor(posts []im.Post, routes []im.Route) []im.Post {
	var out []im.Post
	for _, p := range posts {
		if slices.ContainsFunc(routes, func(r im.Route) bool { return slices.Contains(p.Members, r.User) }) {
			out = append(out, p)
		}
	}
	return out
}

func usersOf(routes []im.Route) []im.UserID {
	out := make([]im.UserID, len(routes))
	for i, r := range routes {
		out[i] = r.User
	}
	return out
}

// PushHere is the far side of Peers.Push: it hands posts, or RESYNC if there are
// none, to the connections that routes name, and returns the routes of those that
// are not here.
func (v *Service) PushHere(routes []im.Route, posts []im.Post) (stale []im.Route) {
	letters := make([]*letter, len(posts))
	for i := range posts {
		letters[i] = messageLetter(posts[i].Entry)
	}
	for _, r := range routes {
		found := v.withRoute(r, func(s *session) {
			if len(posts) == 0 {
				s.resync()
			}
			for i, l := range letters {
				if !slices.Contains(posts[i].Members, r.User) {
					continue
				}
				if f := l.frame(r.User, s.frameForm()); f != nil {
					s.push(l.kind, f, false)
				}
			}
		})
		if !found {
			stale = append(stale, r)
		}
	}
	return stale
}

// HangUpHere is the far side of Peers.HangUp: it ends a connection that a later one
// of its device replaced, if it is here.
func (v *Service) HangUpHere(r im.Route) {
	v.withRoute(r, func(s *session) { s.hangUp(byeReplaced) })
}

// hangUpRoute ends the connection of a route wherever it is, without waiting.
func (v *Service) hangUpRoute(r im.Route) {
	if r.Node == v.node && r.Boot == v.boot {
		v.HangUpHere(r)
		return
	}
	if v.peers == nil {
		return
	}
	v.background(awayTimeout, func(ctx context.Context) {
		if err := v.peers.HangUp(ctx, r); err != nil {
			// That node finds out by itself when it writes its routes again.
			v.trouble().WarnContext(ctx, "a replaced connection could not be ended", "peer", r.Node, "err", err)
		}
	})
}

// withRoute calls f for the connection that r names, and says whether it is here.
func (v *Service) withRoute(r im.Route, f func(*session)) (found bool) {
	if r.Boot != v.boot {
		return false
	}
	v.hub.each(r.User, func(s *session) {
		if s.id == r.Conn {
			found = true
			f(s)
		}
	})
	return found
}
