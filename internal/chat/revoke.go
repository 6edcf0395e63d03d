package chat

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/im"
)

const (
	revocationsEvery = 500 * time.Millisecond
	// A revocation is remembered for longer than a HELLO may take, and than the store
	// goes on giving it.
	revocationsKept = time.Minute
)

// revoked remembers the logins that ended lately.
type revoked struct {
	mu     sync.Mutex
	after  uint64 // the greatest id read
	rows   map[uint64]struct{}
	logins map[im.LoginID]int64 // Service.now of when it was read
	order  []revokedRow         // oldest first
}

type revokedRow struct {
	id    uint64
	login im.LoginID
	at    int64
}

// note remembers rows and returns the logins among them that are new.
func (r *revoked) note(rows []im.Revocation, now int64) map[im.LoginID]struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rows == nil {
		r.rows, r.logins = make(map[uint64]struct{}), make(map[im.LoginID]int64)
	}
	var fresh map[im.LoginID]struct{}
	for _, row := range rows {
		r.after = max(r.after, row.ID)
		if _, known := r.rows[row.ID]; known {
			continue
		}
		if fresh == nil {
			fresh = make(map[im.LoginID]struct{})
		}
		fresh[row.Login] = struct{}{}
		r.rows[row.ID] = struct{}{}
		r.logins[row.Login] = now
		r.order = append(r.order, revokedRow{row.ID, row.Login, now})
	}
	for len(r.order) > 0 && now-r.order[0].at > int64(revocationsKept) {
		old := r.order[0]
		r.order = r.order[1:]
		delete(r.rows, old.id)
		if r.logins[old.login] == old.at {
			delete(r.logins, old.login)
		}
	}
	return fresh
}

func (r *revoked) has(login im.LoginID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.logins[login]
	return ok
}

func (r *revoked) last() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.after
}

// skipOldRevocations learns which revocations there were before this node had any
// session.
func (v *Service) skipOldRevocations(ctx context.Context) error {
	rows, err := v.tokens.Revocations(ctx, 0)
	if err != nil {
		return fmt.Errorf("read revocations: %w", err)
	}
	v.revoked.note(rows, v.now())
	return nil
}

// readRevocations hangs up on the sessions whose login has ended.
func (v *Service) readRevocations(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	rows, err := v.tokens.Revocations(ctx, v.revoked.last())
	if err != nil {
		v.trouble().WarnContext(ctx, "revocations could not be read", "err", err)
		return
	}
	ended := v.revoked.note(rows, v.now())
	if len(ended) == 0 {
		return
	}
	v.hub.eachIn(0, hubShards, func(s *session) {
		if _, ok := ended[s.login]; ok {
			s.hangUp(byeRevoked)
		}
	})
}
