package chat

import (
	"context"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	// Hints wait this long, so that many losses become one RESYNC.
	hintEvery = time.Second
	// Beyond so many users everybody gets a hint.
	hintsKept = 10_000
)

// hints gathers whose pushes may have been lost. A push that a gap in the numbers
// does not show (the last message was the lost one) would else go unseen until the
// next one.
type hints struct {
	mu    sync.Mutex
	users map[im.UserID]struct{}
	all   bool
}

func (h *hints) add(users ...im.UserID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users == nil {
		h.users = make(map[im.UserID]struct{})
	}
	for _, u := range users {
		if len(h.users) >= hintsKept {
			h.all = true
			return
		}
		h.users[u] = struct{}{}
	}
}

func (h *hints) take() (users []im.UserID, all bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for u := range h.users {
		users = append(users, u)
	}
	all = h.all
	h.users, h.all = nil, false
	return users, all
}

// sendHints tells those who may have missed something to ask SYNC.
func (v *Service) sendHints(ctx context.Context) {
	users, all := v.hints.take()
	if all {
		v.hub.eachIn(0, hubShards, (*session).resync)
		return
	}
	for _, u := range users {
		v.hub.each(u, (*session).resync)
	}
	if v.peers != nil && len(users) > 0 {
		v.hintAway(ctx, users)
	}
}

// resync asks one client to SYNC.
func (s *session) resync() {
	frame, err := s.frameForm().Encode(nil, clientpb.Type_RESYNC, 0, nil)
	if err != nil {
		return // an empty body always can be encoded
	}
	s.v.met.hints.Inc()
	s.push(clientpb.Type_RESYNC, frame, false)
}
