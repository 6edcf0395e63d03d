package transport

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/liao-im/liao/internal/wire"
)

// Subprotocol is what a WebSocket client may offer. One that offers none is taken too; one that offers
// only others wants to speak something else and is refused.
const Subprotocol = "liao.v1"

// WebSocketOptions say whom to let in.
type WebSocketOptions struct {
	// Handle has a connection for its whole life, in the request's own goroutine. It closes it; what
	// it leaves open is hung up on when it returns.
	Handle func(ctx context.Context, c Conn)

	Conn Options
	// Origins are the web origins whose pages may connect; see NewOrigins.
	Origins Origins
	// Proxies are believed in what X-Forwarded-For says.
	Proxies Proxies
	// Context, if set, is Handle's context. The request's own is not: it ends with the server's wish
	// to shut down, and the holder of the connection has something to say before that.
	Context context.Context //nolint:containedctx // handed on, as net/http's BaseContext would be
	// Log gets handshakes that failed, at debug level; nil: nobody does.
	Log *slog.Logger
}

// NewWebSocketHandler makes the handler that turns requests into connections. It answers 403 to a
// foreign origin and 400 to a client that speaks only other subprotocols.
func NewWebSocketHandler(o WebSocketOptions) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Context == nil {
		o.Context = context.Background()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.Origins.Allows(r) {
			http.Error(w, "this origin may not connect", http.StatusForbidden)
			return
		}
		if !offersOurs(r.Header) {
			http.Error(w, "the subprotocol is "+Subprotocol, http.StatusBadRequest)
			return
		}
		hw := &hijackWriter{ResponseWriter: w}
		ws, err := websocket.Accept(hw, r, &websocket.AcceptOptions{
			Subprotocols:       []string{Subprotocol},
			InsecureSkipVerify: true, // Origins has judged, more strictly: it does not trust Host
			CompressionMode:    websocket.CompressionDisabled,
		})
		if err != nil {
			o.Log.DebugContext(r.Context(), "websocket handshake failed", "addr", r.RemoteAddr, "err", err)
			return
		}
		socket := underTLS(hw.conn)
		tune(socket)
		// What the HTTP server set for the request does not hold for what it has become.
		_ = socket.SetDeadline(time.Time{})
		c := newWebSocketConn(ws, socket, o.Proxies.ClientAddr(r), o.Conn)
		c.incoming = hw.incoming
		defer func() { _ = c.Close(0) }()
		o.Handle(o.Context, c)
	})
}

func offersOurs(h http.Header) bool {
	offered := h.Values("Sec-WebSocket-Protocol")
	if len(offered) == 0 {
		return true
	}
	return slices.ContainsFunc(strings.Split(strings.Join(offered, ","), ","), func(s string) bool {
		return strings.TrimSpace(s) == Subprotocol
	})
}

// hijackWriter keeps what the handshake takes over: the library hides the socket, and deadlines on the
// socket are the ones that cost nothing.
type hijackWriter struct {
	http.ResponseWriter
	conn     net.Conn
	incoming *bufio.Reader
}

func (h *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over the connection: %w", err)
	}
	h.conn, h.incoming = conn, rw.Reader
	return conn, rw, nil
}

// underTLS is the socket below conn. Deadlines on it are those of conn; closing it hangs up at once,
// where closing TLS would first take its time to say so.
func underTLS(conn net.Conn) net.Conn {
	if tc, ok := conn.(*tls.Conn); ok {
		return tc.NetConn()
	}
	return conn
}

// webSocketConn is a Conn whose frames are WebSocket messages.
type webSocketConn struct {
	ws       *websocket.Conn
	socket   net.Conn // under ws, and under TLS if that is between them
	remote   netip.AddrPort
	due      deadlines
	incoming *bufio.Reader // what ws reads from, to look into; nil on the client's side

	reading sync.Mutex
	maxBody int
	kind    atomic.Int32 // the websocket.MessageType of the first message and so of all; 0 until it came
	loan    loan
}

func newWebSocketConn(ws *websocket.Conn, socket net.Conn, remote netip.AddrPort, o Options) *webSocketConn {
	o = o.withDefaults()
	c := &webSocketConn{ws: ws, socket: socket, remote: remote, maxBody: o.MaxBody}
	c.due.conn, c.due.partial = socket, o.PartialTimeout
	// The library would close with a status of its own; we count, so that we can say GOAWAY first.
	ws.SetReadLimit(-1)
	return c
}

func (c *webSocketConn) ReadFrame() (wire.Frame, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	c.loan.giveBack()
	if !c.due.beforeWait() {
		return wire.Frame{}, net.ErrClosed
	}
	//nolint:contextcheck // the socket's deadline ends the wait
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return wire.Frame{}, c.explain(err, false)
	}
	//nolint:gosec // a message type is 1 or 2
	if k := int32(kind); !c.kind.CompareAndSwap(0, k) && c.kind.Load() != k {
		return wire.Frame{}, &wire.Violation{
			Codec: wire.JSON,
			Text:  "text and binary messages may not be mixed",
		}
	}
	c.due.beginFrame()
	body, err := c.readMessage(r, kind)
	c.due.endFrame()
	if err != nil {
		return wire.Frame{}, err
	}
	if kind == websocket.MessageText {
		return wire.ParseText(body, c.maxBody)
	}
	return wire.ParseFrame(body, c.maxBody)
}

// readMessage reads to the end of a message or the first byte that is wrong.
func (c *webSocketConn) readMessage(r io.Reader, kind websocket.MessageType) ([]byte, error) {
	limit := wire.HeaderLen + c.maxBody
	if kind == websocket.MessageText {
		limit = wire.MaxText(c.maxBody)
	}
	c.loan = borrowSmall()
	b := c.loan.bytes()
	n := 0
	for {
		if n == len(b) { // full: double what came
			grown := make([]byte, min(2*n, limit+1))
			copy(grown, b)
			c.loan.giveBack()
			b = grown
		}
		k, err := r.Read(b[n:])
		n += k
		if kind == websocket.MessageBinary {
			if _, _, v := wire.ParseHeader(b[:n], c.maxBody); v != nil {
				return nil, v
			}
		}
		switch {
		case n > limit:
			return nil, &wire.Violation{
				Codec: wire.JSON,
				Text:  fmt.Sprintf("the message is over the limit of %d bytes", limit),
			}
		case err == io.EOF: //nolint:errorlint // io.Reader's end is bare
			return b[:n:n], nil
		case err != nil:
			if err = c.explain(err, true); err == nil {
				err = ErrPartial
			}
			return nil, err
		}
	}
}

// explain turns what the library reports into what Conn promises.
func (c *webSocketConn) explain(err error, within bool) error {
	if websocket.CloseStatus(err) != -1 && !within {
		return io.EOF
	}
	switch { // the library wraps what Conn promises bare
	case errors.Is(err, io.ErrUnexpectedEOF), within && errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	case errors.Is(err, io.EOF):
		err = io.EOF
	}
	if why := c.due.explain(err); why != nil {
		return why
	}
	// A deadline moved just as it passed. The library cannot read on in the middle of something.
	return fmt.Errorf("read frame: %w", err)
}

// Buffered looks for one whole unfragmented message among the bytes that came with the last.
func (c *webSocketConn) Buffered() bool {
	if c.incoming == nil {
		return false
	}
	b, err := c.incoming.Peek(c.incoming.Buffered())
	return err == nil && wholeMessage(b)
}

// wholeMessage reads as much of RFC 6455's frame layout as it takes to see whether a text or binary
// message is there from its first to its last byte.
func wholeMessage(b []byte) bool {
	const (
		fin, masked = 0x80, 0x80
		maskLen     = 4
		longer      = 126 // two more bytes of length; 127, eight, is more than any buffer here
	)
	if len(b) < 2 || b[0] != fin|byte(websocket.MessageText) && b[0] != fin|byte(websocket.MessageBinary) {
		return false
	}
	head, n := 2, int(b[1]&^masked)
	switch {
	case n > longer:
		return false
	case n == longer:
		if len(b) < 4 {
			return false
		}
		head, n = 4, int(b[2])<<8|int(b[3])
	}
	if b[1]&masked != 0 {
		head += maskLen
	}
	return len(b) >= head+n
}

func (c *webSocketConn) WriteFrames(frames [][]byte, deadline time.Time) error {
	if err := c.socket.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("set write deadline: %w", err)
	}
	kind := websocket.MessageBinary
	if c.Text() {
		kind = websocket.MessageText
	}
	for _, f := range frames {
		//nolint:contextcheck // the socket's deadline ends the write
		if err := c.ws.Write(context.Background(), kind, f); err != nil {
			return fmt.Errorf("write frames: %w", err)
		}
	}
	// The library answers pings whenever they come, which must not fail on a deadline that is over.
	if err := c.socket.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("clear write deadline: %w", err)
	}
	return nil
}

func (c *webSocketConn) SetMaxBody(n int)            { c.maxBody = n }
func (c *webSocketConn) SetReadDeadline(t time.Time) { c.due.setHolder(t) }
func (c *webSocketConn) Text() bool                  { return c.kind.Load() == int32(websocket.MessageText) }
func (c *webSocketConn) RemoteAddr() netip.AddrPort  { return c.remote }

func (c *webSocketConn) Close(grace time.Duration) error {
	first := c.due.finish()
	if grace <= 0 {
		_ = c.socket.Close() // first, so that nothing below can wait
		_ = c.ws.CloseNow()
		return nil
	}
	if !first {
		return nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	c.loan.giveBack()
	hangUp := time.AfterFunc(grace, func() { _ = c.socket.Close() })
	defer hangUp.Stop()
	until := time.Now().Add(grace)
	_ = c.socket.SetDeadline(until)
	// The closing handshake reads to the peer's end of it, so no reset can eat what we wrote. How far
	// it got does not matter: the connection is closed in any case.
	_ = c.ws.Close(websocket.StatusNormalClosure, "")
	return nil
}
