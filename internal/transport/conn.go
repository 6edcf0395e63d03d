package transport

import (
	"errors"
	"net/netip"
	"time"

	"github.com/liao-im/liao/internal/wire"
)

// Conn is one connection that carries whole frames. One goroutine may read while another writes; two
// may not read, nor two write, at once. SetReadDeadline and Close may be called from anywhere.
//
// After any error from ReadFrame or WriteFrames there is nothing left to do but to say why, if that is
// still possible, and to Close.
type Conn interface {
	// ReadFrame waits for one whole frame. Its Body is valid until the next ReadFrame.
	//
	// The error is io.EOF when the peer has ended its side between two frames and
	// io.ErrUnexpectedEOF within one; a *wire.Violation when the peer broke the protocol, which can
	// still be told so; ErrPartial when the rest of a frame did not come in time; one that matches
	// os.ErrDeadlineExceeded when the read deadline passed; one that matches net.ErrClosed after
	// Close; anything else when the line broke.
	ReadFrame() (wire.Frame, error)

	// Buffered says that ReadFrame would return at once, without a look at the network. Only the
	// reading goroutine may ask.
	Buffered() bool

	// WriteFrames writes encoded frames, each element exactly one, in as few system calls as it can,
	// and returns when the last byte is with the kernel. In text mode (see Text) the elements are
	// frames in the text form. It may overwrite the elements of frames, but not their bytes. A zero
	// deadline means none. After an error a frame may have been cut: write nothing more.
	WriteFrames(frames [][]byte, deadline time.Time) error

	// SetMaxBody sets the largest body in bytes that ReadFrame accepts from its next call on. Only the
	// reading goroutine may call it.
	SetMaxBody(n int)

	// SetReadDeadline sets when ReadFrame, also one that waits already, gives up. Zero means never.
	SetReadDeadline(t time.Time)

	// Text says that this is a WebSocket whose first message was text: it speaks the text form both
	// ways. It is settled once the first ReadFrame has returned.
	Text() bool

	// RemoteAddr is the peer's address. Behind a configured proxy it is what the proxy says; the port
	// is then 0 if the proxy does not say one.
	RemoteAddr() netip.AddrPort

	// Close ends the connection; a waiting ReadFrame returns. With a grace it first ends only our own
	// side and waits at most so long for the peer to take what was written and end its side, so that
	// the last frame is not lost to a reset; it blocks meanwhile. With none it hangs up at once, also
	// on a Close that waits. Further calls are harmless.
	Close(grace time.Duration) error
}

// Options are what every connection needs to know. The zero value is right for a server before HELLO.
type Options struct {
	// MaxBody is the largest body in bytes at first; 0 means wire.MaxHelloBody.
	MaxBody int
	// PartialTimeout is how long the rest of a frame may take from its first byte; 0 means 10 s.
	PartialTimeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.MaxBody <= 0 {
		o.MaxBody = wire.MaxHelloBody
	}
	if o.PartialTimeout <= 0 {
		o.PartialTimeout = 10 * time.Second
	}
	return o
}

// ErrPartial is returned by ReadFrame when a frame began and its rest did not come in time.
var ErrPartial = errors.New("the rest of a frame did not come in time")
