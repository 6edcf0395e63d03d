package chat

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	// One turn takes at most so many frames that are in the buffer already, so that
	// a connection can be fast without being unfair; the rest waits in the socket.
	turnFrames = 64

	// A request other than SEND ends within this.
	requestTimeout = 5 * time.Second
)

// session is one connection. It belongs to the goroutine that reads it; others
// only put frames into its outbox, look at what is atomic, and hang up.
type session struct {
	v    *Service
	conn transport.Conn
	out  outbox

	form  atomic.Uint32 // wire.Form; 0 before the first frame
	heard atomic.Int64  // Service.now of the last frame
	asked atomic.Bool   // we sent a PING since
	ended atomic.Int32  // clientpb.Reason of our GOAWAY, -1 before

	leaveLobby func()     // until WELCOME; nil without a lobby
	frame      wire.Frame // that is being served; its body is the transport's

	// Set by HELLO, before the hub knows the session, and not changed after.
	id      uint64 // rising within a boot
	user    im.UserID
	login   im.LoginID
	device  string
	hello   im.Micros
	codec   wire.Codec
	claimed bool // the route was, or may have been, written
	account *account
}

// request serves one frame other than SEND and HELLO. It answers by itself; an
// error that it returns is the answer.
type request func(s *session, f wire.Frame) error

// requests is the one table of what a client may ask.
var requests = map[wire.Type]request{
	clientpb.Type_PING:           light((*session).ping),
	clientpb.Type_PONG:           light((*session).pong),
	clientpb.Type_HISTORY:        deep((*session).history),
	clientpb.Type_SYNC:           deep((*session).sync),
	clientpb.Type_READ:           light((*session).read),
	clientpb.Type_TYPING:         deep((*session).typing),
	clientpb.Type_FIND_USERS:     deep((*session).findUsers),
	clientpb.Type_REQUEST_FRIEND: deep((*session).requestFriend),
	clientpb.Type_ANSWER_FRIEND:  deep((*session).answerFriend),
	clientpb.Type_FRIENDS:        deep((*session).friends),
	clientpb.Type_REMOVE_FRIEND:  deep((*session).removeFriend),
	clientpb.Type_BLOCK:          deep((*session).block),
	clientpb.Type_UNBLOCK:        deep((*session).unblock),
	clientpb.Type_REMARK:         deep((*session).remark),
}

// Requests returns the types of all frames that a client may send, so that a test
// of who may do what can be held to have them all.
func Requests() []wire.Type {
	all := slices.Collect(maps.Keys(requests))
	all = append(all, clientpb.Type_HELLO, clientpb.Type_SEND)
	slices.Sort(all)
	return all
}

// message is what a frame's body decodes into.
type message[M any] interface {
	*M
	proto.Message
}

// light makes a request of a method that takes the decoded body and does not call
// the store itself. A heartbeat comes this way: nineteen thousand idle connections
// send 600 of them a second, so it makes next to no garbage.
func light[M any, P message[M]](serve func(*session, uint32, P) error) request {
	return func(s *session, f wire.Frame) error {
		m := P(new(M))
		if err := f.Codec.Unmarshal(f.Body, m); err != nil {
			return tooLarge(err)
		}
		return serve(s, f.ID, m)
	}
}

// deep makes a request of a method that calls the store: one of the workers does.
func deep[M any, P message[M]](serve func(*session, context.Context, uint32, P) error) request {
	return light(func(s *session, id uint32, m P) error {
		var served error
		err := s.v.workers.do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
			defer cancel()
			served = serve(s, ctx, id, m)
		})
		if err != nil {
			return err
		}
		return served
	})
}

func newSession(v *Service, conn transport.Conn) *session {
	s := &session{v: v, conn: conn, id: v.lastConn.Add(1)}
	s.out = outbox{conn: conn, limit: v.limits.OutboxBytes}
	s.heard.Store(v.now())
	s.ended.Store(-1)
	return s
}

// run serves the connection from its first frame until it is closed.
func (s *session) run() {
	defer s.leave()
	for ok := s.greet(); ok && s.next(); {
		ok = s.turn()
	}
}

// next waits for one frame. False: there will be none.
func (s *session) next() bool {
	var err error
	if s.frame, err = s.conn.ReadFrame(); err != nil {
		s.readFailed(err)
		return false
	}
	return true
}

// leave takes the session out of everything and sees the connection closed.
func (s *session) leave() {
	if r := recover(); r != nil {
		s.v.met.panics.Inc()
		s.v.log.Error("a session panicked", "user", s.user, "panic", r, "stack", string(debug.Stack()))
		s.hangUp(byeInternal)
	}
	s.v.forgetSession(s)
	s.out.finish(nil, false, closeGrace)
	s.out.awaitClosed()
}

// leftLobby gives the place in the lobby to who waits for it.
func (s *session) leftLobby() {
	if s.leaveLobby != nil {
		s.leaveLobby()
		s.leaveLobby = nil
	}
}

// turn serves the frame that next has read and those that are in the buffer behind it:
// sends that follow each other together, other requests one at a time, all in their
// order. False: the connection ends.
func (s *session) turn() bool {
	if !s.out.begin() {
		return false
	}
	defer s.endTurn()
	var sends []send
	for n := 1; ; n++ {
		f := s.frame
		s.v.met.in[slot(f.Type)].Inc()
		if !s.out.awaitRoom() {
			s.hangUp(byeSlow)
			return false
		}
		s.heard.Store(s.v.now())
		s.asked.Store(false)
		var ok bool
		if f.Type == clientpb.Type_SEND && f.ID != 0 && f.Codec == s.codec {
			sends, ok = s.take(sends, f)
		} else {
			s.commit(sends)
			sends = nil
			ok = s.answerTo(f)
		}
		more := ok && n < turnFrames && s.ended.Load() < 0 && s.conn.Buffered()
		if !more || !s.next() {
			s.commit(sends) // also after a breach: what came before it was right
			return ok && !more
		}
	}
}

// endTurn lets go of the frame, whose body lies in a borrowed buffer.
func (s *session) endTurn() {
	s.frame = wire.Frame{}
	s.out.end()
}

// answerTo serves one frame that is not a SEND to be committed. False: it was a
// breach of the protocol, and said so.
func (s *session) answerTo(f wire.Frame) bool {
	if f.Codec != s.codec {
		s.breach("a frame in another codec than HELLO's")
		return false
	}
	if f.Type == clientpb.Type_HELLO {
		s.breach("a second HELLO")
		return false
	}
	err := s.serveOne(f)
	if v, ok := errors.AsType[*wire.Violation](err); ok {
		s.breach(v.Detail())
		return false
	}
	if err != nil && f.Type != clientpb.Type_TYPING && f.Type != clientpb.Type_PONG {
		e := s.explain(err, f.Type)
		s.v.met.failed[e.Code].Inc()
		s.fail(f.ID, e)
	}
	return true
}

func (s *session) serveOne(f wire.Frame) error {
	unanswered := f.Type == clientpb.Type_TYPING || f.Type == clientpb.Type_PONG
	if f.ID == 0 && !unanswered {
		return im.Fail(im.Invalid, "this frame needs an id above 0, which the answer will bear")
	}
	if wait := s.account.requests.take(s.v.now(), s.v.requestRate); wait > 0 {
		return im.FailAfter(im.RateLimited, "too many requests; slow down", wait)
	}
	serve := requests[f.Type]
	if serve == nil {
		return im.Fail(im.Unsupported, "this server does not know this type of frame, or does not take it from clients")
	}
	return serve(s, f)
}

// explain is im.Explain, and logs what is our own fault: its words are for
// operators alone.
func (s *session) explain(err error, t wire.Type) *im.Error {
	if !isRefusal(err) {
		s.v.trouble().Warn("a request failed", "type", t.String(), "user", s.user, "err", err)
	}
	return im.Explain(err)
}

// answer puts a frame into the outbox that the client asked for under id.
func (s *session) answer(id uint32, t wire.Type, body proto.Message) error {
	frame, err := s.frameForm().Encode(nil, t, id, body)
	if err != nil {
		return err
	}
	if s.out.answer(frame) == taken {
		s.v.met.out[slot(t)].Inc()
	}
	return nil
}

// fail answers with an error.
func (s *session) fail(id uint32, e *im.Error) {
	if err := s.answer(id, clientpb.Type_ERROR, wireError(e)); err != nil {
		s.v.trouble().Warn("an error could not be encoded", "err", err)
	}
}

// push puts a frame into the outbox that the client did not ask for.
func (s *session) push(t wire.Type, frame []byte, soft bool) {
	switch s.out.push(frame, soft) {
	case taken:
		s.v.met.pushes.Inc()
		s.v.met.out[slot(t)].Inc()
	case tooLate:
		s.v.met.drops[dropEnding].Inc()
	case underPressure:
		s.v.met.drops[dropPressure].Inc()
	case tooSlow:
		s.v.met.drops[dropSlow].Inc()
		s.hangUp(byeSlow)
	}
}

// frameForm is how frames to this client are encoded; JSON as long as nothing was
// heard of it.
func (s *session) frameForm() wire.Form {
	if f := wire.Form(s.form.Load()); f != 0 { //nolint:gosec // only Forms are stored
		return f
	}
	return wire.FormJSON
}

// route is this connection as other nodes may know it.
func (s *session) route() im.Route {
	return im.Route{
		User: s.user, Device: s.device, Node: s.v.node, Boot: s.v.boot, Conn: s.id, Hello: s.hello,
	}
}

func (s *session) ping(id uint32, _ *emptypb.Empty) error {
	return s.answer(id, clientpb.Type_PONG, nil)
}

// pong needs no more than to have been heard.
func (s *session) pong(uint32, *emptypb.Empty) error { return nil }
