package chat

import (
	"context"
	"errors"
	"time"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	// Who must come back because of us is told about this long.
	busyRetry = 2 * time.Second
	// A registry of routes that does not answer in time does not keep anybody out:
	// the route is written later, and RESYNC then covers what was missed.
	routeTimeout = time.Second
)

// greet takes the connection from its first frame to WELCOME. False: there is no
// session.
func (s *session) greet() bool {
	late := time.AfterFunc(s.v.helloTimeout, func() {
		s.breach("no HELLO within " + s.v.helloTimeout.String())
	})
	f, err := s.conn.ReadFrame()
	if !late.Stop() {
		return false // the farewell is said
	}
	if err != nil {
		s.readFailed(err)
		return false
	}
	s.v.met.in[slot(f.Type)].Inc()
	s.form.Store(uint32(wire.FormOf(f.Codec, s.conn.Text())))
	s.codec = f.Codec
	if !s.out.begin() {
		return false
	}
	defer s.out.end()
	if f.Type != clientpb.Type_HELLO {
		s.breach("the first frame must be HELLO")
		return false
	}
	if bye, ok := s.v.turnsAway(); ok {
		s.v.met.turnedAway.Inc()
		s.hangUp(bye)
		return false
	}
	admitted := false
	if err := s.v.workers.do(func() { admitted = s.admit(f) }); err != nil {
		return s.refuse(f.ID, err)
	}
	return admitted
}

// admit proves who says HELLO and makes the session one that others can find.
func (s *session) admit(f wire.Frame) bool {
	var m clientpb.Hello
	if err := f.Codec.Unmarshal(f.Body, &m); err != nil {
		if v, ok := errors.AsType[*wire.Violation](err); ok {
			s.breach(v.Detail())
			return false
		}
		return s.refuse(f.ID, tooLarge(err))
	}
	if f.ID == 0 {
		return s.refuse(0, im.Fail(im.Invalid, "HELLO needs an id above 0"))
	}
	hash, err := im.HashToken(im.AccessPrefix, m.GetToken())
	if err != nil {
		return s.refuse(f.ID, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.v.helloTimeout)
	defer cancel()
	who, err := s.v.tokens.Authenticate(ctx, hash)
	if err != nil {
		return s.refuse(f.ID, err)
	}
	epoch, err := s.v.epoch(ctx)
	if err != nil {
		return s.refuse(f.ID, err)
	}
	s.user, s.login, s.device, s.hello = who.User.ID, who.Login, who.Device.ID, who.At
	if !s.claimRoute() {
		s.hangUp(byeReplaced)
		return false
	}
	return s.join(f.ID, &clientpb.Welcome{
		User: toUser(who.User), DeviceId: s.device, Node: s.v.node,
		ServerTimeMs: int64(im.ToMillis(fault.Now())),
		HeartbeatMs:  millis(s.v.heartbeat), MaxBody: wire.MaxBody, Epoch: epoch,
	})
}

// claimRoute writes the route, before WELCOME, so that a push that starts after it
// finds this connection. False: a later connection of the device has it.
func (s *session) claimRoute() bool {
	ctx, cancel := context.WithTimeout(context.Background(), routeTimeout)
	defer cancel()
	s.claimed = true
	states, err := s.v.routes.PutRoutes(ctx, []im.Route{s.route()})
	if err != nil {
		s.v.trouble().Warn("a route was not written", "err", err)
		return true
	}
	for _, st := range states {
		if st.Lost {
			return false
		}
		if st.Replaced != nil {
			s.v.hangUpRoute(*st.Replaced)
		}
	}
	return true
}

// join says WELCOME and puts the session into the hub, as one step for whoever
// pushes.
func (s *session) join(id uint32, welcome *clientpb.Welcome) bool {
	frame, err := s.frameForm().Encode(nil, clientpb.Type_WELCOME, id, welcome)
	if err != nil {
		return s.refuse(id, err)
	}
	displaced, fresh, added := s.v.hub.add(s, s.v.limits.ConnectionsPerUser, func() { s.out.answer(frame) })
	if !added {
		s.hangUp(byeReplaced)
		return false
	}
	s.leftLobby()
	s.v.met.sessions.Inc()
	s.v.met.welcomes.Inc()
	s.v.met.out[clientpb.Type_WELCOME].Inc()
	for _, old := range displaced {
		if old.device == s.device {
			old.hangUp(byeReplaced)
		} else {
			old.hangUp(byeCrowded)
		}
	}
	s.conn.SetMaxBody(wire.MaxBody)
	if fresh {
		s.v.presence.came(s.user)
	}
	s.v.sightings.note(s.login)
	// The login may have ended while its token was being looked up, and its
	// revocation been read before the hub knew this session.
	if s.v.revoked.has(s.login) {
		s.hangUp(byeRevoked)
		return false
	}
	return true
}

// refuse answers HELLO with an error and hangs up. What is our own fault is said to
// be UNAVAILABLE: the token is not in doubt, and the client shall come back.
func (s *session) refuse(id uint32, err error) bool {
	if !isRefusal(err) {
		s.v.trouble().Warn("a hello could not be served", "err", err)
		err = im.FailAfter(im.Unavailable, "a part of the server is away; come back in a moment", jitter(busyRetry))
	}
	e := im.Explain(err)
	bye := farewell{reason: clientpb.Reason_PROTOCOL, text: e.Text}
	switch e.Code {
	case im.Unauthenticated:
		bye.reason = clientpb.Reason_UNAUTHORIZED
		s.v.audit.Warn("hello refused", "addr", s.conn.RemoteAddr().Addr().String(), "code", e.Code.String())
	case im.RateLimited, im.Overloaded, im.Unavailable:
		if e.RetryAfter == 0 {
			e = im.FailAfter(e.Code, e.Text, jitter(busyRetry))
		}
		bye.reason, bye.retry = clientpb.Reason_BUSY, e.RetryAfter
	case im.Internal, im.Invalid, im.Forbidden, im.NotFound, im.AlreadyExists, im.TooLarge, im.Unsupported, im.Conflict:
	}
	s.v.met.hellos[e.Code].Inc()
	s.fail(id, e)
	s.hangUp(bye)
	return false
}
