package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/wire"
)

// stream is a Conn over a stream of bytes: TCP, or TLS over it.
type stream struct {
	conn   net.Conn // what frames are read from and written to
	socket net.Conn // what lies under it: conn itself, or the TCP connection under TLS
	remote netip.AddrPort
	poll   *poller // waits for bytes without a buffer; nil where that is not possible
	due    deadlines

	// reading is held inside ReadFrame. Close takes it to know that nobody reads any more.
	reading sync.Mutex
	maxBody int
	// buf holds bytes that came: buf[begin:end] has not been returned yet. It lies in loan if that is
	// lent, and otherwise belongs to this connection alone; nil if nothing waits.
	buf        []byte
	begin, end int
	loan       loan
	first      [wire.HeaderLen]byte // where a read waits, until there is something to borrow a buffer for

	vector net.Buffers // frames on their way into one system call
}

// newStream makes a Conn of conn, under which lies socket (the same, if nothing is between them).
func newStream(conn, socket net.Conn, remote netip.AddrPort, o Options) *stream {
	o = o.withDefaults()
	s := &stream{conn: conn, socket: socket, remote: remote, maxBody: o.MaxBody}
	s.due.conn, s.due.partial = conn, o.PartialTimeout
	if conn == socket {
		s.poll = newPoller(conn)
	}
	return s
}

// ReadFrame and what it waits in lie on the stack of every idle connection. Little of them does: what
// is done before and after a wait stands in functions of its own.
func (s *stream) ReadFrame() (wire.Frame, error) {
	s.reading.Lock()
	for {
		need, err := s.missing()
		if err == nil && need == 0 {
			return s.take(), nil
		}
		if err == nil {
			err = s.more(need)
		}
		if err != nil {
			s.reading.Unlock()
			return wire.Frame{}, err
		}
	}
}

// missing gives the length of the frame that buf begins with, as far as it is known, if not all of it
// is there; 0 if it is.
//
//go:noinline
func (s *stream) missing() (need int, err error) {
	h, known, err := wire.ParseHeader(s.buf[s.begin:s.end], s.maxBody)
	if need = wire.HeaderLen + h.Len; err != nil || known && s.end-s.begin >= need {
		return 0, err
	}
	return need, nil
}

// take gives the whole frame that buf begins with, and ends ReadFrame's hold of reading.
//
//go:noinline
func (s *stream) take() wire.Frame {
	h, _, _ := wire.ParseHeader(s.buf[s.begin:s.end], s.maxBody) // missing has seen that it is right
	body := s.begin + wire.HeaderLen
	s.begin = body + h.Len
	f := wire.Frame{Codec: h.Codec, Type: h.Type, ID: h.ID, Body: s.buf[body:s.begin:s.begin]}
	s.due.endFrame()
	s.reading.Unlock()
	return f
}

func (s *stream) Buffered() bool {
	need, err := s.missing()
	return err != nil || need == 0
}

// more waits until at least one more byte of a frame of need bytes is in buf.
func (s *stream) more(need int) error {
	s.settle()
	if s.end > 0 {
		s.due.beginFrame()
	}
	for {
		if !s.due.beforeWait() {
			return net.ErrClosed
		}
		var n int
		var err error
		if s.poll != nil {
			n, err = s.poll.read(s, need)
		} else {
			n, err = s.readWaiting(need)
		}
		if n > 0 {
			return nil
		}
		if err == io.EOF { //nolint:errorlint // both readers give it bare, as io.Reader demands
			if s.due.isFinished() {
				return net.ErrClosed
			}
			if s.end > 0 {
				return io.ErrUnexpectedEOF
			}
			return io.EOF
		}
		if err = s.due.explain(err); err != nil {
			return err
		}
	}
}

// settle leaves in buf only what has not been returned, at its start, and ends the loan if it can:
// what is kept while we wait is no more than what came.
func (s *stream) settle() {
	rest := s.buf[s.begin:s.end]
	if s.loan.lent() && (s.poll != nil || len(rest) == 0) {
		s.buf = append([]byte(nil), rest...)
		s.loan.giveBack()
	} else {
		copy(s.buf, rest)
	}
	if len(rest) == 0 {
		s.buf = nil
	}
	s.begin, s.end = 0, len(rest)
}

// grow makes room in a buffer of our own for some of a frame of need bytes: never more than what came,
// doubled, so that a declared length alone costs nothing.
func (s *stream) grow(need int) {
	if s.end < len(s.buf) {
		return
	}
	grown := make([]byte, min(need, max(2*s.end, smallLen)))
	copy(grown, s.buf[:s.end])
	s.buf = grown
	s.loan.giveBack()
}

// readWaiting reads where waiting and reading are one: TLS, and systems without a poller. A silent
// connection waits in first, which is part of it.
func (s *stream) readWaiting(need int) (int, error) {
	if s.end == 0 {
		n, err := s.conn.Read(s.first[:])
		if n > 0 {
			s.loan = borrowSmall()
			s.buf = s.loan.bytes()
			s.end = copy(s.buf, s.first[:n])
			return n, nil
		}
		return 0, err
	}
	if need > len(s.buf) {
		s.grow(need)
	}
	n, err := s.conn.Read(s.buf[s.end:])
	s.end += n
	return n, err
}

func (s *stream) WriteFrames(frames [][]byte, deadline time.Time) error {
	if err := s.conn.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	if len(frames) == 1 {
		return wrapWrite(s.conn.Write(frames[0]))
	}
	total := 0
	for _, f := range frames {
		total += len(f)
	}
	// A few small frames are cheaper to copy than to hand over as a vector, for which the kernel's
	// descriptor would also keep an array as long as the connection lives. TLS can only copy.
	if total > chunkLen && s.conn == s.socket {
		s.vector = frames
		_, err := s.vector.WriteTo(s.conn)
		s.vector = nil
		return wrapWrite(0, err)
	}
	l := borrowLarge()
	defer l.giveBack()
	b := l.bytes()[:0]
	for _, f := range frames {
		if len(b)+len(f) > chunkLen && len(b) > 0 {
			if err := wrapWrite(s.conn.Write(b)); err != nil {
				return err
			}
			b = b[:0]
		}
		if len(f) > chunkLen {
			if err := wrapWrite(s.conn.Write(f)); err != nil {
				return err
			}
			continue
		}
		b = append(b, f...)
	}
	if len(b) == 0 {
		return nil
	}
	return wrapWrite(s.conn.Write(b))
}

func wrapWrite(_ int, err error) error {
	if err != nil {
		return fmt.Errorf("write frames: %w", err)
	}
	return nil
}

func (s *stream) SetMaxBody(n int)            { s.maxBody = n }
func (s *stream) SetReadDeadline(t time.Time) { s.due.setHolder(t) }
func (s *stream) Text() bool                  { return false }
func (s *stream) RemoteAddr() netip.AddrPort  { return s.remote }

func (s *stream) Close(grace time.Duration) error {
	first := s.due.finish()
	if grace <= 0 {
		return s.hangUp()
	}
	if !first {
		return nil
	}
	until := time.Now().Add(grace)
	_ = s.conn.SetWriteDeadline(until)
	// Unread bytes in our receive buffer would turn the close into a reset, and that would throw away
	// what the peer has not read yet. So: end our side, then read to the end of theirs.
	ended := endSide(s.conn) && (s.conn == s.socket || endSide(s.socket))
	s.reading.Lock()
	defer s.reading.Unlock()
	s.loan.giveBack()
	s.buf, s.begin, s.end = nil, 0, 0
	if ended {
		_ = s.socket.SetReadDeadline(until)
		discard(s.socket)
	}
	return s.hangUp()
}

func (s *stream) hangUp() error {
	if err := s.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close connection: %w", err)
	}
	return nil
}

// endSide tells the peer that nothing more will come. False means that this cannot be told, or that
// nobody is there to hear it.
func endSide(c net.Conn) bool {
	half, ok := c.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}

// discard reads to the end, the deadline, or more than an honest peer can have on its way.
func discard(r io.Reader) {
	const enough = 1 << 20 // bytes
	l := borrowSmall()
	defer l.giveBack()
	for total := 0; total < enough; {
		n, err := r.Read(l.bytes())
		if total += n; err != nil {
			return
		}
	}
}
