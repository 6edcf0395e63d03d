package transport_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
)

// crowded is a listener that is out of descriptors for its first calls.
type crowded struct {
	*pipes
	failures int
	calls    int
	last     time.Time
	pauses   chan time.Duration // between the calls that failed
}

func (c *crowded) Accept() (net.Conn, error) {
	if c.calls++; c.calls > 1 && c.calls <= c.failures {
		select {
		case c.pauses <- time.Since(c.last):
		default:
		}
	}
	c.last = time.Now()
	if c.calls <= c.failures {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return c.pipes.Accept()
}

func TestServeOutlivesWantOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &crowded{pipes: newPipes(), failures: 12, pauses: make(chan time.Duration, 11)}
		handle, next := handOut(t)
		serveOn(t, ln, transport.ServeOptions{Handle: handle})
		peer := ln.dial()
		send(t, peer, wire.AppendFrame(nil, frame(1, 3)))
		want(t, next(), frame(1, 3))
		for i := range 11 {
			if got, want := <-ln.pauses, min(5*time.Millisecond<<i, time.Second); got != want {
				t.Errorf("pause %d is %v, want %v", i, got, want)
			}
		}
	})
}

func TestServeEnds(t *testing.T) {
	t.Run("while it waits for descriptors", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ln := &crowded{pipes: newPipes(), failures: 1 << 30}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := transport.Serve(ctx, ln, transport.ServeOptions{}); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("when the listener is closed under it", func(t *testing.T) {
		ln := listen(t)
		_ = ln.Close()
		if err := transport.Serve(t.Context(), ln, transport.ServeOptions{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want that the listener is closed", err)
		}
	})
	t.Run("after its connections", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPipes()
			ctx, cancel := context.WithCancel(t.Context())
			returned := false
			done := make(chan error)
			go func() {
				done <- transport.Serve(ctx, p, transport.ServeOptions{Handle: func(ctx context.Context, _ transport.Conn) {
					<-ctx.Done()
					<-time.After(time.Minute)
					returned = true
				}})
			}()
			peer := p.dial()
			cancel()
			if err := <-done; err != nil || !returned {
				t.Errorf("Serve returned %v before its connection's handler", err)
			}
			if _, err := peer.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // net.Pipe's
				t.Errorf("the connection was left open: %v", err)
			}
		})
	})
}

func TestServeTLS(t *testing.T) {
	cert, pool := certificate(t)
	handle, next := handOut(t)
	addr := serve(t, transport.ServeOptions{
		Handle: handle, HandshakeTimeout: 100 * time.Millisecond,
		TLS: transport.ServerTLS(&tls.Config{Certificates: []tls.Certificate{cert}}),
	})
	tests := []struct {
		name    string
		config  *tls.Config
		refused bool
	}{
		{"1.3", &tls.Config{}, false},
		{"1.2 with forward secrecy and an AEAD", &tls.Config{MaxVersion: tls.VersionTLS12}, false},
		{"1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, true},
		{"1.2 with CBC", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.RootCAs = pool
			peer, err := dialTLS(t, addr, tt.config)
			if tt.refused {
				if err == nil {
					t.Error("the handshake succeeded")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			send(t, peer, wire.AppendFrame(nil, frame(1, 3)))
			want(t, next(), frame(1, 3))
		})
	}
	t.Run("half a handshake", func(t *testing.T) {
		peer := dialTCP(t, addr)
		if _, err := io.Copy(io.Discard, peer); err != nil {
			t.Errorf("got %v, want to be hung up on", err)
		}
	})
}

func TestServeBehindProxy(t *testing.T) {
	header := func(b ...byte) []byte {
		h := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11"), 0, 0)
		binary.BigEndian.PutUint16(h[14:], uint16(len(b)))
		return append(h, b...)
	}
	client := header(192, 0, 2, 7, 127, 0, 0, 1, 0x30, 0x39, 0, 80)
	tests := []struct {
		name    string
		proxies transport.Proxies
		sent    []byte
		want    string // the address; empty: hung up on; "own": the socket's
		broken  bool   // the frame does not come through
	}{
		{"a proxy", transport.Proxies{netip.MustParsePrefix("127.0.0.0/8")}, client, "192.0.2.7:12345", false},
		{"a proxy's health check", transport.Proxies{netip.MustParsePrefix("127.0.0.0/8")}, []byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"), "own", false},
		{"a proxy without a header", transport.Proxies{netip.MustParsePrefix("127.0.0.0/8")}, nil, "", false},
		{"a stranger with a header", transport.Proxies{netip.MustParsePrefix("192.0.2.0/24")}, client, "own", true},
		{"nobody with a header", nil, client, "own", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handle, next := handOut(t)
			addr := serve(t, transport.ServeOptions{Handle: handle, Proxies: tt.proxies, HandshakeTimeout: time.Second})
			peer := dialTCP(t, addr)
			if _, err := peer.Write(append(tt.sent, wire.AppendFrame(nil, frame(1, 3))...)); err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if n, _ := io.Copy(io.Discard, peer); n != 0 {
					t.Errorf("got %d bytes, want to be hung up on", n)
				}
				return
			}
			c := next()
			if tt.want == "own" {
				tt.want = peer.LocalAddr().String()
			}
			if got := c.RemoteAddr(); got.String() != tt.want {
				t.Errorf("got address %v, want %s", got, tt.want)
			}
			if !tt.broken {
				want(t, c, frame(1, 3))
			} else if _, err := c.ReadFrame(); err == nil {
				t.Error("the header was taken for a frame")
			}
		})
	}
}

func TestDial(t *testing.T) {
	cert, pool := certificate(t)
	echo := func(_ context.Context, c transport.Conn) {
		c.SetMaxBody(wire.MaxBody)
		f, err := c.ReadFrame()
		if err == nil {
			_ = c.WriteFrames([][]byte{wire.AppendFrame(nil, f)}, time.Time{})
		}
		_ = c.Close(patience)
	}
	plain := serve(t, transport.ServeOptions{Handle: echo})
	secure := serve(t, transport.ServeOptions{Handle: echo, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	web := webServer(t, transport.WebSocketOptions{Handle: echo})
	secureWeb := httptest.NewUnstartedServer(transport.NewWebSocketHandler(transport.WebSocketOptions{Handle: echo}))
	secureWeb.TLS = transport.ServerTLS(&tls.Config{Certificates: []tls.Certificate{cert}})
	secureWeb.StartTLS()
	t.Cleanup(secureWeb.Close)
	trust := &tls.Config{RootCAs: pool}
	for name, o := range map[string]transport.DialOptions{
		"tcp": {Address: "tcp://" + plain},
		"tls": {Address: "tls://" + secure, TLS: trust},
		"ws":  {Address: web + "/v1/ws"},
		"wss": {Address: strings.Replace(secureWeb.URL, "https", "wss", 1), TLS: trust},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, o)
			if c.RemoteAddr().Addr() != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("the other end is %v", c.RemoteAddr())
			}
			f := frame(1, 100_000)
			if err := c.WriteFrames([][]byte{wire.AppendFrame(nil, f)}, time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			want(t, c, f)
			if _, err := c.ReadFrame(); err != io.EOF { //nolint:errorlint // promised bare
				t.Errorf("got %v, want EOF", err)
			}
		})
	}
	for name, o := range map[string]transport.DialOptions{
		"no scheme":          {Address: plain},
		"another scheme":     {Address: "udp://" + plain},
		"no address":         {},
		"no URL":             {Address: "tcp://%"},
		"text without web":   {Address: "tcp://" + plain, Text: true},
		"nobody trusts them": {Address: "tls://" + secure},
		"not a web server":   {Address: "wss://" + secure, TLS: trust},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := transport.Dial(t.Context(), o)
			if err == nil {
				_ = c.Close(0)
				t.Error("it was dialled")
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, a := range []string{"tcp://" + plain, "tls://" + secure, web} {
			if _, err := transport.Dial(ctx, transport.DialOptions{Address: a}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", a, err)
			}
		}
	})
}
