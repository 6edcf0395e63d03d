package chat

import (
	"sync"
	"time"

	"github.com/liao-im/liao/internal/transport"
)

const (
	// An answer is only begun while less than this waits, so that who scrolls
	// through history is slowed down by his own line and never hung up on.
	answerThreshold = 64 << 10
	// How long the session's goroutine waits for that.
	answerPatience = 30 * time.Second

	// One write takes at most this many bytes (or one frame) and frames.
	writeBytes  = 64 << 10
	writeFrames = 128
	// How long one write may take: a line of 4 KiB/s is still alive.
	writeTimeout = 16 * time.Second

	// How long a peer may take to read what was written last before we hang up.
	closeGrace = time.Second
)

// outbox is what waits to be written to one connection. Whoever puts a frame into
// it never waits: when it becomes non-empty a short-lived goroutine starts that
// writes all that has gathered, in few calls, and ends when nothing is left.
//
// It also decides when the connection is closed: once it is ending, nothing waits
// any more, and the session's goroutine is not in the middle of a request, whose
// answer may still follow a GOAWAY.
type outbox struct {
	conn  transport.Conn
	limit int // bytes of pushes that may wait; 0: no limit

	mu      sync.Mutex
	waiting []parcel
	bytes   int // of all that waits or is being written
	pushes  int // of these, bytes of pushes
	writing bool
	busy    bool
	ending  bool
	closed  bool
	room    chan struct{} // not nil while the session's goroutine waits for room
	bound   *time.Timer   // ends what finish began; nil before
	gone    chan struct{} // closed once the connection is; made when somebody waits for it
	settled bool          // the connection is closed
}

// parcel is one encoded frame.
type parcel struct {
	frame []byte
	push  bool
}

// fate is what became of a frame that was put into an outbox.
type fate uint8

const (
	taken fate = iota
	tooSlow
	underPressure
	tooLate
)

// scratches lends the arrays in which frames are handed to a write.
var scratches = sync.Pool{New: func() any { return new([writeFrames][]byte) }}

// begin says that the session's goroutine is about to serve a request; false: the
// connection is ending and what was read must not be served.
func (o *outbox) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy = !o.ending
	return o.busy
}

// end is begin's other half.
func (o *outbox) end() {
	o.mu.Lock()
	o.busy = false
	closing := o.closable()
	o.mu.Unlock()
	if closing {
		o.close()
	}
}

// answer puts in what the session's own client asked for. It is never refused for
// its size: awaitRoom was asked before the request was served.
func (o *outbox) answer(frame []byte) fate {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || o.ending && !o.busy {
		return tooLate
	}
	o.put(parcel{frame: frame})
	return taken
}

// push puts in what the client did not ask for; what is soft is left out as soon
// as anything much waits.
func (o *outbox) push(frame []byte, soft bool) fate {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ending:
		return tooLate
	case soft && o.bytes >= answerThreshold:
		return underPressure
	case o.limit > 0 && o.pushes+len(frame) > o.limit:
		return tooSlow
	}
	o.put(parcel{frame: frame, push: true})
	return taken
}

// finish puts in a last frame, if not nil, and lets the connection close as soon as
// it is written, within grace whatever the peer does; with drop what waits is thrown
// away. Only the first call counts, and says so.
func (o *outbox) finish(last []byte, drop bool, grace time.Duration) bool {
	o.mu.Lock()
	if o.ending {
		o.mu.Unlock()
		return false
	}
	o.ending = true
	if drop {
		for _, p := range o.waiting {
			o.account(p, -1)
		}
		o.waiting = nil
	}
	if last != nil {
		o.put(parcel{frame: last})
	}
	closing := o.closable()
	if !closing {
		o.bound = time.AfterFunc(grace, o.kill)
	}
	o.mu.Unlock()
	if closing {
		go o.close() // it may wait for the peer; who calls must not
	}
	return true
}

// kill hangs up at once.
func (o *outbox) kill() {
	o.mu.Lock()
	first := !o.closed
	o.ending, o.closed = true, true
	o.waiting = nil
	o.mu.Unlock()
	_ = o.conn.Close(0)
	if first {
		o.settle()
	}
}

// awaitRoom waits until less than an answer's threshold waits. False: the peer did
// not read for too long.
func (o *outbox) awaitRoom() bool {
	o.mu.Lock()
	if o.bytes < answerThreshold || o.closed {
		o.mu.Unlock()
		return true
	}
	room, gone := make(chan struct{}), o.closing()
	o.room = room
	o.mu.Unlock()
	timer := time.NewTimer(answerPatience)
	defer timer.Stop()
	select {
	case <-room:
	case <-gone:
	case <-timer.C:
		return false
	}
	return true
}

// put appends a parcel and sees to it that somebody writes it. The caller holds mu.
func (o *outbox) put(p parcel) {
	o.account(p, 1)
	o.waiting = append(o.waiting, p)
	if !o.writing {
		o.writing = true
		go o.write()
	}
}

func (o *outbox) account(p parcel, sign int) {
	o.bytes += sign * len(p.frame)
	if p.push {
		o.pushes += sign * len(p.frame)
	}
}

// write is the short-lived goroutine.
func (o *outbox) write() {
	scratch := scratches.Get().(*[writeFrames][]byte) //nolint:forcetypeassert // New's type
	o.mu.Lock()
	for len(o.waiting) > 0 && !o.closed {
		n, size, pushes := o.gather(scratch)
		o.mu.Unlock()
		err := o.conn.WriteFrames(scratch[:n], time.Now().Add(writeTimeout))
		clear(scratch[:n])
		o.mu.Lock()
		o.bytes -= size
		o.pushes -= pushes
		if o.room != nil && o.bytes < answerThreshold {
			close(o.room)
			o.room = nil
		}
		if err != nil {
			// A frame may have been cut: nothing more can be said on this line.
			o.mu.Unlock()
			scratches.Put(scratch)
			o.kill()
			return
		}
	}
	o.writing = false
	if cap(o.waiting) > 2 { // an idle connection keeps next to nothing
		o.waiting = nil
	}
	closing := o.closable()
	o.mu.Unlock()
	scratches.Put(scratch)
	if closing {
		o.close()
	}
}

// gather takes what one write may hold. The caller holds mu.
func (o *outbox) gather(into *[writeFrames][]byte) (n, size, pushes int) {
	for n < len(o.waiting) && n < writeFrames && (n == 0 || size+len(o.waiting[n].frame) <= writeBytes) {
		p := o.waiting[n]
		into[n] = p.frame
		size += len(p.frame)
		if p.push {
			pushes += len(p.frame)
		}
		n++
	}
	rest := copy(o.waiting, o.waiting[n:])
	clear(o.waiting[rest:])
	o.waiting = o.waiting[:rest]
	return n, size, pushes
}

// closable says whether it is time to close, once. The caller holds mu.
func (o *outbox) closable() bool {
	if !o.ending || o.busy || o.writing || o.closed {
		return false
	}
	o.closed = true
	return true
}

// close ends the connection so that what was written last arrives. Only who was
// told so by closable calls it.
func (o *outbox) close() {
	_ = o.conn.Close(closeGrace)
	o.settle()
}

// settle says that the connection is closed.
func (o *outbox) settle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settled = true
	if o.bound != nil {
		o.bound.Stop()
	}
	if o.gone != nil {
		close(o.gone)
	}
}

// closing returns what settle closes. The caller holds mu.
func (o *outbox) closing() <-chan struct{} {
	if o.gone == nil {
		o.gone = make(chan struct{})
		if o.settled {
			close(o.gone)
		}
	}
	return o.gone
}

// awaitClosed waits until the connection is closed.
func (o *outbox) awaitClosed() {
	o.mu.Lock()
	gone := o.closing()
	o.mu.Unlock()
	<-gone
}
