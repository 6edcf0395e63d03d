package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// webPair gives both ends of a WebSocket: ours, and the library's as the peer.
func webPair(t *testing.T, o transport.Options) (server transport.Conn, peer *websocket.Conn) {
	t.Helper()
	handle, next := handOut(t)
	ctx, cancel := context.WithCancel(t.Context())
	url := webServer(t, transport.WebSocketOptions{Handle: handle, Conn: o, Context: ctx})
	t.Cleanup(cancel)
	//nolint:bodyclose // a successful handshake has no body
	peer, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{Subprotocols: []string{transport.Subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.CloseNow() })
	if got := peer.Subprotocol(); got != transport.Subprotocol {
		t.Errorf("got subprotocol %q", got)
	}
	return next(), peer
}

func sendMessage(t *testing.T, peer *websocket.Conn, kind websocket.MessageType, b []byte) {
	t.Helper()
	if err := peer.Write(t.Context(), kind, b); err != nil {
		t.Fatal(err)
	}
}

func TestWebSocketBinary(t *testing.T) {
	c, peer := webPair(t, transport.Options{MaxBody: wire.MaxBody})
	for i, n := range []int{0, 1, 100, 4083, 4084, 4085, 10_000, wire.MaxBody, 5} {
		sendMessage(t, peer, websocket.MessageBinary, wire.AppendFrame(nil, frame(uint32(i), n)))
		want(t, c, frame(uint32(i), n))
	}
	if c.Text() {
		t.Error("it says that it speaks text")
	}
	out := [][]byte{wire.AppendFrame(nil, frame(1, 3)), wire.AppendFrame(nil, frame(2, 30_000))}
	if err := c.WriteFrames([][]byte{out[0], out[1]}, time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	peer.SetReadLimit(-1)
	for _, w := range out {
		kind, got, err := peer.Read(t.Context())
		if err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, w) {
			t.Fatalf("got a message of kind %v with %d bytes, %v", kind, len(got), err)
		}
	}
}

func TestWebSocketText(t *testing.T) {
	c, peer := webPair(t, transport.Options{})
	sendMessage(t, peer, websocket.MessageText, []byte(`{"type":"SEND","id":7,"body":{"conv":"5"}}`))
	want(t, c, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SEND, ID: 7, Body: []byte(`{"conv":"5"}`)})
	if !c.Text() {
		t.Error("it says that it does not speak text")
	}
	out := []byte(`{"type":"OK","id":7,"body":{}}`)
	if err := c.WriteFrames([][]byte{out}, time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if kind, got, err := peer.Read(t.Context()); err != nil || kind != websocket.MessageText || !bytes.Equal(got, out) {
		t.Errorf("got a message of kind %v, %q, %v", kind, got, err)
	}
}

func TestDialText(t *testing.T) {
	handle, next := handOut(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	url := webServer(t, transport.WebSocketOptions{Handle: handle, Context: ctx})
	c := dial(t, transport.DialOptions{Address: url, Text: true})
	if err := c.WriteFrames([][]byte{[]byte(`{"type":"PING","id":1}`)}, time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	s := next()
	want(t, s, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_PING, ID: 1})
	if !s.Text() || !c.Text() {
		t.Error("the text form is not what both ends speak")
	}
	cancel()
}

func TestWebSocketViolations(t *testing.T) {
	const limit = 100
	one := wire.AppendFrame(nil, frame(1, 5))
	big := wire.AppendFrame(nil, frame(1, limit+1))
	text, binary := websocket.MessageText, websocket.MessageBinary
	type message struct {
		kind websocket.MessageType
		body []byte
	}
	tests := []struct {
		name  string
		good  int // messages that are read before
		sent  []message
		codec wire.Codec
	}{
		{"two frames in a message", 0, []message{{binary, append(slices.Clip(one), one...)}}, wire.Protobuf},
		{"half a frame", 0, []message{{binary, one[:14]}}, wire.Protobuf},
		{"an empty message", 0, []message{{binary, nil}}, 0},
		{"garbage", 0, []message{{binary, []byte("hello")}}, 0},
		{"oversize", 0, []message{{binary, big}}, wire.Protobuf},
		{"oversize without a frame", 0, []message{{binary, make([]byte, 1<<16)}}, 0},
		{"text that is no frame", 0, []message{{text, []byte("hello")}}, wire.JSON},
		{"oversize text", 0, []message{{text, bytes.Repeat([]byte(" "), wire.MaxText(limit)+1)}}, wire.JSON},
		{"binary after text", 1, []message{{text, []byte(`{"type":"PING","id":1}`)}, {binary, one}}, wire.JSON},
		{"text after binary", 1, []message{{binary, one}, {text, []byte(`{"type":"PING","id":1}`)}}, wire.JSON},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, peer := webPair(t, transport.Options{MaxBody: limit})
			for _, m := range tt.sent {
				sendMessage(t, peer, m.kind, m.body)
			}
			for range tt.good {
				if _, err := c.ReadFrame(); err != nil {
					t.Fatal(err)
				}
			}
			_, err := c.ReadFrame()
			v, ok := errors.AsType[*wire.Violation](err)
			if !ok || v.Codec != tt.codec {
				t.Fatalf("got %v, want a violation in codec %d", err, tt.codec)
			}
			// It can still be told so.
			last := []byte("the last message")
			if err := c.WriteFrames([][]byte{last}, time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			go func() { _ = c.Close(patience) }()
			if _, got, err := peer.Read(t.Context()); err != nil || !bytes.Equal(got, last) {
				t.Errorf("the peer got %q, %v", got, err)
			}
			if _, _, err := peer.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("got %v, want the closing handshake", err)
			}
		})
	}
}

// rawWeb opens a WebSocket by hand and gives the bytes under it.
func rawWeb(t *testing.T, url string) net.Conn {
	t.Helper()
	host := strings.TrimPrefix(url, "ws://")
	peer := dialTCP(t, host)
	if _, err := io.WriteString(peer, "GET /v1/ws HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 0, 512)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		var b [1]byte
		if _, err := io.ReadFull(peer, b[:]); err != nil {
			t.Fatalf("%v after %q", err, head)
		}
		head = append(head, b[0])
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) || bytes.Contains(head, []byte("Extensions")) {
		t.Fatalf("got %q", head)
	}
	return peer
}

func rawPair(t *testing.T, o transport.Options) (server transport.Conn, peer net.Conn) {
	t.Helper()
	handle, next := handOut(t)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	peer = rawWeb(t, webServer(t, transport.WebSocketOptions{Handle: handle, Conn: o, Context: ctx}))
	return next(), peer
}

// piece is a WebSocket frame with a mask of zeros, which leaves its payload readable.
func piece(first byte, payload string) []byte {
	return append([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

const (
	final, binaryPiece, morePiece, pingPiece = 0x80, 0x02, 0x00, 0x09
)

// TestFragmentFlood: pieces of one byte that never end are cut off at the size of a message, and such
// that hold nothing when the time for a message is over.
func TestFragmentFlood(t *testing.T) {
	t.Run("one byte each", func(t *testing.T) {
		c, peer := rawPair(t, transport.Options{MaxBody: 500})
		head := wire.AppendFrame(nil, frame(1, 500))[:wire.HeaderLen]
		flood := piece(binaryPiece, string(head))
		for range 100_000 {
			flood = append(flood, piece(morePiece, "x")...)
		}
		send(t, peer, flood)
		if _, err := c.ReadFrame(); !errors.As(err, new(*wire.Violation)) {
			t.Errorf("got %v, want a violation", err)
		}
	})
	t.Run("nothing each", func(t *testing.T) {
		c, peer := rawPair(t, transport.Options{PartialTimeout: 50 * time.Millisecond})
		go func() {
			b := piece(binaryPiece, "L")
			for {
				if _, err := peer.Write(b); err != nil {
					return
				}
				b = bytes.Repeat(piece(morePiece, ""), 1_000)
			}
		}()
		if _, err := c.ReadFrame(); !errors.Is(err, transport.ErrPartial) {
			t.Errorf("got %v, want ErrPartial", err)
		}
	})
	t.Run("a silent rest", func(t *testing.T) {
		c, peer := rawPair(t, transport.Options{PartialTimeout: 50 * time.Millisecond})
		send(t, peer, append(piece(final|binaryPiece, "\x4c\x02")[:1], 0xff, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x4c))
		if _, err := c.ReadFrame(); !errors.Is(err, transport.ErrPartial) {
			t.Errorf("got %v, want ErrPartial", err)
		}
	})
}

// TestFragments: a frame in pieces, with a ping between them, is one frame; and frames that came
// together are known to be there.
func TestFragments(t *testing.T) {
	c, peer := rawPair(t, transport.Options{})
	b := string(wire.AppendFrame(nil, frame(1, 20)))
	all := piece(binaryPiece, b[:5])
	all = append(all, piece(final|pingPiece, "are you there?")...)
	all = append(all, piece(morePiece, b[5:])...)
	all = append(all, piece(final|morePiece, "")...)
	all = append(all, piece(final|binaryPiece, string(wire.AppendFrame(nil, frame(2, 30))))...)
	all = append(all, piece(final|binaryPiece, b)[:20]...)
	if _, err := peer.Write(all); err != nil {
		t.Fatal(err)
	}
	want(t, c, frame(1, 20))
	if !c.Buffered() {
		t.Error("the second frame is not seen")
	}
	want(t, c, frame(2, 30))
	if c.Buffered() {
		t.Error("half a message counts as one")
	}
	pong := make([]byte, 2+len("are you there?"))
	if _, err := io.ReadFull(peer, pong); err != nil || string(pong) != "\x8a\x0eare you there?" {
		t.Errorf("got %q, %v; want the ping's answer", pong, err)
	}
}

func TestWebSocketEnds(t *testing.T) {
	t.Run("by a close", func(t *testing.T) {
		c, peer := webPair(t, transport.Options{})
		go func() { _ = peer.Close(websocket.StatusGoingAway, "") }()
		if _, err := c.ReadFrame(); err != io.EOF { //nolint:errorlint // promised bare
			t.Errorf("got %v, want EOF", err)
		}
	})
	t.Run("by hanging up", func(t *testing.T) {
		c, peer := rawPair(t, transport.Options{})
		_ = peer.Close()
		if _, err := c.ReadFrame(); err != io.EOF { //nolint:errorlint // promised bare
			t.Errorf("got %v, want EOF", err)
		}
	})
	t.Run("by hanging up in a message", func(t *testing.T) {
		c, peer := rawPair(t, transport.Options{})
		if _, err := peer.Write(piece(final|binaryPiece, "\x4c\x01")[:7]); err != nil {
			t.Fatal(err)
		}
		_ = peer.Close()
		if _, err := c.ReadFrame(); err != io.ErrUnexpectedEOF { //nolint:errorlint // promised bare
			t.Errorf("got %v, want an unexpected EOF", err)
		}
	})
	t.Run("by a deadline", func(t *testing.T) {
		c, _ := rawPair(t, transport.Options{})
		failed := make(chan error, 1)
		go func() {
			_, err := c.ReadFrame()
			failed <- err
		}()
		c.SetReadDeadline(time.Now())
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
	})
	for _, grace := range []time.Duration{0, 50 * time.Millisecond} {
		t.Run("by our Close with grace "+grace.String(), func(t *testing.T) {
			c, _ := rawPair(t, transport.Options{}) // a peer that does not answer
			failed := make(chan error, 1)
			go func() {
				_, err := c.ReadFrame()
				failed <- err
			}()
			start := time.Now()
			if err := c.Close(grace); err != nil {
				t.Error(err)
			}
			if err := <-failed; !errors.Is(err, net.ErrClosed) {
				t.Errorf("the waiting read got %v", err)
			}
			if d := time.Since(start); d > patience/4 {
				t.Errorf("Close took %v", d)
			}
			if err := c.Close(grace); err != nil {
				t.Errorf("second Close: %v", err)
			}
		})
	}
	t.Run("by a peer that does not read", func(t *testing.T) {
		c, _ := rawPair(t, transport.Options{})
		b := wire.AppendFrame(nil, frame(1, wire.MaxServerBody))
		var err error
		for range 100 {
			if err = c.WriteFrames([][]byte{b}, time.Now().Add(50*time.Millisecond)); err != nil {
				break
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
	})
}

func TestWebSocketBehindProxy(t *testing.T) {
	for name, proxies := range map[string]transport.Proxies{"trusted": {netip.MustParsePrefix("127.0.0.1/32")}, "not trusted": nil} {
		t.Run(name, func(t *testing.T) {
			addrs := make(chan netip.AddrPort, 1)
			url := webServer(t, transport.WebSocketOptions{
				Handle:  func(_ context.Context, c transport.Conn) { addrs <- c.RemoteAddr() },
				Proxies: proxies,
			})
			dial(t, transport.DialOptions{Address: url, Header: http.Header{"X-Forwarded-For": {"203.0.113.1, 192.0.2.7"}}})
			want := netip.MustParseAddr("127.0.0.1")
			if proxies != nil {
				want = netip.MustParseAddr("192.0.2.7")
			}
			if got := <-addrs; got.Addr() != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
