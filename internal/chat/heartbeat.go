package chat

import (
	"context"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// checkHearts looks at all sessions: who was silent for somewhat more than a
// heartbeat gets a PING, who was silent for 2.5 is hung up on. One walk over all of
// them costs less than a timer in each, and works the same on every transport.
func (v *Service) checkHearts(context.Context) {
	now, beat := v.now(), int64(v.heartbeat)
	v.hub.eachIn(0, hubShards, func(s *session) {
		switch silent := now - s.heard.Load(); {
		case silent > beat*5/2:
			s.hangUp(byeIdle)
		case silent > beat*5/4 && s.asked.CompareAndSwap(false, true):
			frame, err := s.frameForm().Encode(nil, clientpb.Type_PING, 0, nil)
			if err == nil { // an empty body always can be encoded
				s.push(clientpb.Type_PING, frame, true)
			}
		}
	})
}
