package chat

import (
	"context"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
)

const (
	sightingsEvery   = 5 * time.Second
	sightingsTimeout = 5 * time.Second
	// What is beyond waits for nothing: it is dropped, and the next one says the same.
	sightingsKept = 50_000
	// A login that stays connected is seen again so often.
	sightingsAgain = 10 * time.Minute
)

// sightings gathers when logins were last in use, to be stored in few writes.
type sightings struct {
	mu     sync.Mutex
	logins map[im.LoginID]im.Millis
	walked int64 // Service.now when all sessions were noted
}

// note says that a login is in use now.
func (g *sightings) note(login im.LoginID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.logins == nil {
		g.logins = make(map[im.LoginID]im.Millis)
	}
	if len(g.logins) < sightingsKept {
		g.logins[login] = im.ToMillis(fault.Now())
	}
}

func (g *sightings) take() []im.Sighting {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]im.Sighting, 0, len(g.logins))
	for l, at := range g.logins {
		out = append(out, im.Sighting{Login: l, At: at})
	}
	g.logins = nil
	return out
}

// due says, every so often, that all sessions shall be noted.
func (g *sightings) due(now int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now-g.walked < int64(sightingsAgain) {
		return false
	}
	g.walked = now
	return true
}

// storeSightings writes what has gathered. What cannot be written is dropped: it is
// said again when the session ends.
func (v *Service) storeSightings(ctx context.Context) {
	if v.sightings.due(v.now()) {
		v.hub.eachIn(0, hubShards, func(s *session) { v.sightings.note(s.login) })
	}
	seen := v.sightings.take()
	if len(seen) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sightingsTimeout)
	defer cancel()
	if err := v.tokens.Seen(ctx, seen); err != nil {
		v.met.drops[dropQueue].Add(float64(len(seen)))
		v.trouble().WarnContext(ctx, "sightings were not stored", "logins", len(seen), "err", err)
	}
}
