package chat

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// farewell is why and how a connection is ended by us.
type farewell struct {
	reason clientpb.Reason
	text   string
	retry  time.Duration // jittered already; 0: no advice
}

// What is said more than once.
var (
	byeReplaced = farewell{reason: clientpb.Reason_REPLACED, text: "this device connected again"}
	byeCrowded  = farewell{reason: clientpb.Reason_REPLACED, text: "this user has too many newer connections"}
	byeSlow     = farewell{reason: clientpb.Reason_SLOW, text: "you do not read fast enough; reconnect and sync"}
	byeIdle     = farewell{reason: clientpb.Reason_IDLE, text: "nothing was heard for 2.5 heartbeats"}
	byeRevoked  = farewell{reason: clientpb.Reason_UNAUTHORIZED, text: "this login has ended"}
	byeInternal = farewell{reason: clientpb.Reason_REASON_UNSPECIFIED, text: "something went wrong on the server"}
)

// grace is how long the answers to what was read, and the GOAWAY itself, may take
// before the line is cut.
func (f farewell) grace() time.Duration {
	switch f.reason {
	case clientpb.Reason_UNAUTHORIZED:
		return 250 * time.Millisecond // a revoked login's connections close within 1 s in all
	case clientpb.Reason_REPLACED, clientpb.Reason_SLOW, clientpb.Reason_IDLE:
		return 1500 * time.Millisecond
	case clientpb.Reason_REASON_UNSPECIFIED, clientpb.Reason_PROTOCOL, clientpb.Reason_DRAINING, clientpb.Reason_BUSY:
	}
	return 5 * time.Second
}

// hangUp says GOAWAY and closes the connection once the answer to what was read is
// written. It never waits, and may be called from anywhere, with the hub's locks
// held too; only the first call counts.
func (s *session) hangUp(f farewell) {
	frame, err := s.frameForm().Encode(nil, clientpb.Type_GOAWAY, 0, &clientpb.Goaway{
		Reason: f.reason, Text: f.text, RetryAfterMs: millis(f.retry),
	})
	if err != nil {
		frame = nil // a text of ours always can be encoded; without it the line still closes
	}
	if s.out.finish(frame, f.reason == clientpb.Reason_SLOW, f.grace()) {
		s.ended.Store(int32(f.reason))
		s.v.met.ended[f.reason].Inc()
		s.v.met.out[clientpb.Type_GOAWAY].Inc()
	}
}

// breach hangs up on who broke the protocol.
func (s *session) breach(text string) {
	s.hangUp(farewell{reason: clientpb.Reason_PROTOCOL, text: text})
}

// readFailed ends the session for what ReadFrame said.
func (s *session) readFailed(err error) {
	var v *wire.Violation
	end := endBroken
	switch {
	case errors.As(err, &v):
		if v.Codec != 0 && s.form.Load() == 0 {
			s.form.Store(uint32(wire.FormOf(v.Codec, s.conn.Text())))
		}
		s.breach(v.Detail())
		return
	case errors.Is(err, transport.ErrPartial):
		s.breach("the rest of a frame did not come within 10 s")
		return
	case errors.Is(err, io.EOF):
		end = endClosed
	case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
	}
	// What is still to be written may yet arrive at a peer that has only ended its
	// own side.
	if s.out.finish(nil, false, closeGrace) {
		s.v.met.ended[end].Inc()
	}
}

// jitter is d, more or less by up to a half, so that many who were told the same
// do not come back at the same moment.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d+1) //nolint:gosec // spreads load, hides nothing
}
