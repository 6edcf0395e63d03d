package chat

import (
	"slices"
	"sync"

	"github.com/liao-im/liao/internal/im"
)

// hubShards is a power of two, large enough that pushes of many goroutines seldom
// meet at one lock.
const hubShards = 64

// hub knows which sessions of which users are at this node.
type hub struct {
	shards [hubShards]shard
}

type shard struct {
	mu       sync.RWMutex
	accounts map[im.UserID]*account
}

// account is what this node keeps of a user with a connection here, and for a
// while after the last one: so limits do not start anew with every connection.
type account struct {
	user     im.UserID
	sends    bucket
	requests bucket

	// Guarded by the shard's mu.
	sessions []*session // in the order in which they came
	left     int64      // Service.now when the last one went; 0: there are some

	typing struct {
		mu   sync.Mutex
		last map[im.ConvID]int64 // Service.now of the last TYPING passed on
	}
}

func (h *hub) shard(u im.UserID) *shard { return &h.shards[u%hubShards] }

// add makes s one of its user's sessions, which pushes find from now on; it calls
// welcome before any push can. An earlier connection of the same device, and the
// oldest beyond limit (0: none), are taken out and returned, to be hung up on. If
// a later connection of the device is here already, s is not added. That
// nothing was known of the user before is fresh.
func (h *hub) add(s *session, limit int, welcome func()) (displaced []*session, fresh, added bool) {
	sh := h.shard(s.user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := sh.accounts[s.user]
	if a == nil {
		fresh = true
		a = &account{user: s.user}
		if sh.accounts == nil {
			sh.accounts = make(map[im.UserID]*account)
		}
		sh.accounts[s.user] = a
	}
	if i := slices.IndexFunc(a.sessions, func(o *session) bool { return o.device == s.device }); i >= 0 {
		if a.sessions[i].route().Supersedes(s.route()) {
			return nil, false, false
		}
		displaced = append(displaced, a.sessions[i])
		a.sessions = slices.Delete(a.sessions, i, i+1)
	}
	for limit > 0 && len(a.sessions) >= limit {
		displaced = append(displaced, a.sessions[0])
		a.sessions = slices.Delete(a.sessions, 0, 1)
	}
	a.sessions = append(a.sessions, s)
	a.left = 0
	s.account = a
	welcome()
	return displaced, fresh, true
}

// remove takes s out if it is still in, and says whether it was the user's last one.
func (h *hub) remove(s *session, now int64) (last bool) {
	sh := h.shard(s.user)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := s.account
	if a == nil {
		return false
	}
	i := slices.Index(a.sessions, s)
	if i < 0 {
		return false
	}
	a.sessions = slices.Delete(a.sessions, i, i+1)
	if len(a.sessions) > 0 {
		return false
	}
	a.left = now
	return true
}

// forget drops an account whose last session went at or before then, and says
// whether there was one.
func (h *hub) forget(u im.UserID, then int64) bool {
	sh := h.shard(u)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	a := sh.accounts[u]
	if a == nil || len(a.sessions) > 0 || a.left > then {
		return false
	}
	delete(sh.accounts, u)
	return true
}

// known says whether the user has a connection here or had one a moment ago.
func (h *hub) known(u im.UserID) bool {
	sh := h.shard(u)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.accounts[u] != nil
}

// each calls f for every session of a user; f must neither wait nor use the hub.
func (h *hub) each(u im.UserID, f func(*session)) {
	sh := h.shard(u)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if a := sh.accounts[u]; a != nil {
		for _, s := range a.sessions {
			f(s)
		}
	}
}

// eachIn calls f for every session of the shards from first on, up to n of them; f
// must neither wait nor use the hub.
func (h *hub) eachIn(first, n int, f func(*session)) {
	for i := first; i < first+n && i < hubShards; i++ {
		sh := &h.shards[i]
		sh.mu.RLock()
		for _, a := range sh.accounts {
			for _, s := range a.sessions {
				f(s)
			}
		}
		sh.mu.RUnlock()
	}
}
