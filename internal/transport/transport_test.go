package transport_test

import (
	"context"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// patience is how long a test waits for what must happen; none depends on its length.
const patience = 10 * time.Second

// serve runs a server whose connections go to handle, and gives its address. It waits for the server's
// end before the test ends.
func serve(t *testing.T, o transport.ServeOptions) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- transport.Serve(ctx, ln, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// echo answers every frame with itself until the connection ends, as PONG.
func echo(_ context.Context, c transport.Conn) {
	defer func() { _ = c.Close(time.Second) }()
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return
		}
		c.SetMaxBody(wire.MaxBody)
		var b []byte
		if c.Text() {
			b, err = wire.AppendText(nil, f.Type, f.ID, &clientpb.Hello{Token: string(f.Body)})
		} else {
			b = wire.AppendFrame(nil, f)
		}
		if err != nil || c.WriteFrames([][]byte{b}, time.Now().Add(patience)) != nil {
			return
		}
	}
}

func dial(t *testing.T, o transport.DialOptions) transport.Conn {
	t.Helper()
	c, err := transport.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(0) })
	c.SetReadDeadline(time.Now().Add(patience))
	return c
}

func TestEchoTCP(t *testing.T) {
	addr := serve(t, transport.ServeOptions{Handle: echo})
	c := dial(t, transport.DialOptions{Address: "tcp://" + addr})
	roundTrips(t, c)
}

func TestEchoWebSocket(t *testing.T) {
	srv := httptest.NewServer(transport.NewWebSocketHandler(transport.WebSocketOptions{Handle: echo}))
	defer srv.Close()
	c := dial(t, transport.DialOptions{Address: strings.Replace(srv.URL, "http", "ws", 1)})
	roundTrips(t, c)
}

func roundTrips(t *testing.T, c transport.Conn) {
	t.Helper()
	for i, size := range []int{0, 1, 100, 4096, 5000, 40_000, wire.MaxBody, 3} {
		in := wire.Frame{Codec: wire.Protobuf, Type: clientpb.Type_PING, ID: uint32(i), Body: []byte(strings.Repeat("x", size))}
		b := wire.AppendFrame(nil, in)
		if err := c.WriteFrames([][]byte{b}, time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		f, err := c.ReadFrame()
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		if f.ID != in.ID || string(f.Body) != string(in.Body) {
			t.Fatalf("size %d: got id %d and %d bytes", size, f.ID, len(f.Body))
		}
	}
}

