package client

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	writeTimeout = 10 * time.Second // a peer that takes nothing for so long is gone
	pingTimeout  = 10 * time.Second // nothing heard for so long after a PING: gone
	byeTimeout   = 6 * time.Second  // after GOAWAY answers come for 5 s, then the server closes
)

// link is one connection after WELCOME. Its reader is the goroutine that calls
// read; frames are written by a goroutine that lives while there are some.
type link struct {
	conn  transport.Conn
	codec wire.Codec
	beat  time.Duration                        // how long we may be silent
	push  func(t wire.Type, body []byte) error // what the server starts; called by the reader

	gone chan struct{} // closed when the Client has let go of it

	mu      sync.Mutex
	out     [][]byte // encoded frames that wait for the writer
	writing bool
	asked   map[uint32]func(answer)
	last    uint32 // the last request id
	ended   bool   // takes no more requests
	sentAt  time.Time
	heardAt time.Time
	pingAt  time.Time // of the PING that waits for any frame; else zero
	timer   *time.Timer
	dead    error // why we closed it ourselves
	bye     *clientpb.Goaway
}

// answer is what came back for a request: a message, or an error.
type answer struct {
	body proto.Message
	err  error
}

var (
	errSilent  = errors.New("the server was silent")
	errLeaving = errors.New("the connection takes no more requests")
)

func newLink(conn transport.Conn, codec wire.Codec, beat time.Duration, push func(wire.Type, []byte) error) *link {
	now := time.Now()
	l := &link{
		conn: conn, codec: codec, beat: beat, push: push, gone: make(chan struct{}),
		asked: make(map[uint32]func(answer)), sentAt: now, heardAt: now,
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(beat, l.tick)
	return l
}

// read takes frames until the connection ends and says why. Every request that
// has no answer by then gets errBroken.
func (l *link) read() error {
	err := l.readFrames()
	_ = l.conn.Close(0)
	l.mu.Lock()
	l.ended = true
	l.timer.Stop()
	left := l.asked
	l.asked = nil
	if l.dead != nil {
		err = l.dead
	}
	l.mu.Unlock()
	for _, done := range left {
		done(answer{err: errBroken})
	}
	return err
}

func (l *link) readFrames() error {
	for {
		f, err := l.conn.ReadFrame()
		if err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		if err := l.take(f); err != nil {
			return err
		}
	}
}

// take handles one frame. An error means that the server does not keep the contract.
func (l *link) take(f wire.Frame) error {
	l.mu.Lock()
	l.heardAt = time.Now()
	l.pingAt = time.Time{}
	done, mine := l.asked[f.ID]
	if mine && f.Type != clientpb.Type_PING {
		delete(l.asked, f.ID)
	}
	l.mu.Unlock()

	switch {
	case f.Type == clientpb.Type_PING:
		l.send(clientpb.Type_PONG, f.ID, nil)
		return nil
	case f.Type == clientpb.Type_GOAWAY:
		return l.goaway(f.Body)
	case !mine && f.ID != 0:
		return nil // an answer that nobody waits for
	case !mine:
		return l.push(f.Type, f.Body)
	}
	body, known := wire.NewBody(f.Type)
	if !known {
		done(answer{err: errBroken})
		return fmt.Errorf("an answer of unknown type %d", f.Type)
	}
	if err := l.codec.Unmarshal(f.Body, body); err != nil {
		done(answer{err: errBroken})
		return fmt.Errorf("read %v: %w", f.Type, err)
	}
	if e, failed := body.(*clientpb.Error); failed {
		done(answer{err: refused(e)})
		return nil
	}
	done(answer{body: body})
	return nil
}

func (l *link) goaway(body []byte) error {
	bye := new(clientpb.Goaway)
	if err := l.codec.Unmarshal(body, bye); err != nil {
		return fmt.Errorf("read GOAWAY: %w", err)
	}
	l.mu.Lock()
	l.bye, l.ended = bye, true
	l.mu.Unlock()
	l.conn.SetReadDeadline(time.Now().Add(byeTimeout))
	return nil
}

// farewell is the GOAWAY that came, or nil.
func (l *link) farewell() *clientpb.Goaway {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bye
}

// ask sends a request; done is called once, by the reader, with the answer or
// errBroken. An error means that nothing was sent and done will not be called.
func (l *link) ask(t wire.Type, body proto.Message, done func(answer)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return errLeaving
	}
	l.last++
	if l.last == 0 {
		l.last++ // 0 is for what needs no answer
	}
	frame, err := wire.Form(l.codec).Encode(nil, t, l.last, body)
	if err != nil {
		return &Error{Code: Invalid, Text: "the request cannot be encoded", cause: err}
	}
	if len(frame)-wire.HeaderLen > wire.MaxBody {
		return fail(TooLarge, "the request is over 128 KiB")
	}
	l.asked[l.last] = done
	l.enqueue(frame)
	return nil
}

// send sends a frame that has no answer; on a connection that ends it is lost.
func (l *link) send(t wire.Type, id uint32, body proto.Message) {
	frame, err := wire.Form(l.codec).Encode(nil, t, id, body)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enqueue(frame)
}

// enqueue hands a frame to the writer. The caller holds mu.
func (l *link) enqueue(frame []byte) {
	l.out = append(l.out, frame)
	l.sentAt = time.Now()
	if !l.writing {
		l.writing = true
		go l.write()
	}
}

func (l *link) write() {
	for {
		l.mu.Lock()
		frames := l.out
		l.out = nil
		if len(frames) == 0 {
			l.writing = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		if err := l.conn.WriteFrames(frames, time.Now().Add(writeTimeout)); err != nil {
			// A frame may have been cut, so writing stays set and nothing follows it.
			l.kill(fmt.Errorf("write frames: %w", err))
			return
		}
	}
}

// kill ends the connection from our side; read then returns err.
func (l *link) kill(err error) {
	l.mu.Lock()
	l.ended = true
	if l.dead == nil {
		l.dead = err
	}
	l.mu.Unlock()
	_ = l.conn.Close(0)
}

// tick keeps the line alive and notices when it is not.
func (l *link) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return // after GOAWAY the read deadline takes over
	}
	now := time.Now()
	if !l.pingAt.IsZero() && now.Sub(l.pingAt) >= pingTimeout {
		go l.kill(errSilent)
		return
	}
	if now.Sub(l.sentAt) >= l.beat || now.Sub(l.heardAt) >= l.beat && l.pingAt.IsZero() {
		l.ping(now)
	}
	next := min(l.beat-now.Sub(l.sentAt), l.beat-now.Sub(l.heardAt))
	if !l.pingAt.IsZero() {
		next = min(l.beat-now.Sub(l.sentAt), pingTimeout-now.Sub(l.pingAt))
	}
	l.timer.Reset(max(next, time.Millisecond))
}

// ping asks for a sign of life. The caller holds mu.
func (l *link) ping(now time.Time) {
	l.last++
	frame, err := wire.Form(l.codec).Encode(nil, clientpb.Type_PING, max(l.last, 1), nil)
	if err != nil {
		return
	}
	if l.pingAt.IsZero() {
		l.pingAt = now
	}
	l.enqueue(frame)
}
