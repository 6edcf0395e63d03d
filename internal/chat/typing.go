package chat

import (
	"context"
	"time"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	typingEvery = 3 * time.Second
	// A person types into few conversations at once.
	typingKept = 16
)

// typing tells the other members on line. It is never answered, and what is wrong
// with it passes in silence.
func (s *session) typing(ctx context.Context, _ uint32, m *clientpb.Typing) error {
	conv, err := checkConv(m.GetConv())
	if err != nil {
		return err
	}
	if !s.account.mayType(conv, s.v.now()) {
		return nil
	}
	audience, err := s.v.store.Audience(ctx, s.user, conv)
	if err != nil {
		return err //nolint:wrapcheck // nobody is told
	}
	l := &letter{kind: clientpb.Type_TYPING, soft: true, body: &clientpb.Typing{Conv: m.GetConv(), User: uint64(s.user)}}
	for _, u := range audience {
		if u != s.user {
			s.v.post(l, u, nil)
		}
	}
	return nil
}

// mayType says whether a TYPING in conv is passed on now, and if so counts it.
func (a *account) mayType(conv im.ConvID, now int64) bool {
	a.typing.mu.Lock()
	defer a.typing.mu.Unlock()
	if last, ok := a.typing.last[conv]; ok && now-last < int64(typingEvery) {
		return false
	}
	for c, last := range a.typing.last {
		if now-last >= int64(typingEvery) {
			delete(a.typing.last, c)
		}
	}
	if len(a.typing.last) >= typingKept {
		return false
	}
	if a.typing.last == nil {
		a.typing.last = make(map[im.ConvID]int64)
	}
	a.typing.last[conv] = now
	return true
}
