package transport_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// patience is how long a test waits for what must happen; no result depends on its length.
const patience = 20 * time.Second

// serve runs a server whose connections go to handle, and gives its address. Its end is the test's.
func serve(tb testing.TB, o transport.ServeOptions) string {
	tb.Helper()
	ln := listen(tb)
	serveOn(tb, ln, o)
	return ln.Addr().String()
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	ln, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return ln
}

// dialTCP gives a bare connection.
func dialTCP(tb testing.TB, addr string) net.Conn {
	tb.Helper()
	c, err := new(net.Dialer).DialContext(tb.Context(), "tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

func dialTLS(tb testing.TB, addr string, config *tls.Config) (net.Conn, error) {
	tb.Helper()
	return (&tls.Dialer{Config: config}).DialContext(tb.Context(), "tcp", addr)
}

func serveOn(tb testing.TB, ln net.Listener, o transport.ServeOptions) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- transport.Serve(ctx, ln, o) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Serve: %v", err)
		}
	})
}

// handOut is a Handle that gives every connection to the test and keeps it until the server ends.
func handOut(tb testing.TB) (handle func(context.Context, transport.Conn), next func() transport.Conn) {
	tb.Helper()
	conns := make(chan transport.Conn, 1)
	handle = func(ctx context.Context, c transport.Conn) {
		select {
		case conns <- c:
			<-ctx.Done()
		case <-ctx.Done():
		}
	}
	return handle, func() transport.Conn {
		tb.Helper()
		select {
		case c := <-conns:
			c.SetReadDeadline(time.Now().Add(patience))
			tb.Cleanup(func() { _ = c.Close(0) })
			return c
		case <-time.After(patience):
			tb.Fatal("no connection came")
			return nil
		}
	}
}

// pipes is a listener whose connections are in-memory pipes: one without a descriptor to poll, whose
// time is synctest's.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.done)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// streams are the ways in which bytes reach a server.
var streams = []string{"tcp", "tls", "pipe"}

// pair gives both ends of a connection: the server's, and the raw bytes of its peer.
func pair(tb testing.TB, stream string, o transport.Options) (server transport.Conn, peer net.Conn) {
	tb.Helper()
	handle, next := handOut(tb)
	so := transport.ServeOptions{Handle: handle, Conn: o}
	switch stream {
	case "pipe":
		p := newPipes()
		serveOn(tb, p, so)
		peer = p.dial()
	case "tls":
		cert, pool := certificate(tb)
		so.TLS = transport.ServerTLS(&tls.Config{Certificates: []tls.Certificate{cert}})
		c, err := dialTLS(tb, serve(tb, so), &tls.Config{RootCAs: pool})
		if err != nil {
			tb.Fatal(err)
		}
		peer = c
	case "tcp":
		peer = dialTCP(tb, serve(tb, so))
	}
	tb.Cleanup(func() { _ = peer.Close() })
	return next(), peer
}

// certificate makes one for 127.0.0.1 that vouches for itself.
func certificate(tb testing.TB) (tls.Certificate, *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// frame makes a frame whose body has size bytes that differ from place to place and from id to id.
func frame(id uint32, size int) wire.Frame {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(uint32(i)*7 + id)
	}
	return wire.Frame{Codec: wire.Protobuf, Type: clientpb.Type_SEND, ID: id, Body: body}
}

// send writes bytes as the peer, and does not wait until they are read.
func send(tb testing.TB, peer net.Conn, b []byte) {
	tb.Helper()
	sent := make(chan error, 1)
	go func() {
		_, err := peer.Write(b)
		sent <- err
	}()
	tb.Cleanup(func() {
		_ = peer.Close()
		if err := <-sent; err != nil && !tb.Failed() {
			tb.Logf("the peer's write: %v", err)
		}
	})
}

// want reads one frame and compares it.
func want(tb testing.TB, c transport.Conn, w wire.Frame) {
	tb.Helper()
	f, err := c.ReadFrame()
	if err != nil {
		tb.Fatalf("frame %d of %d bytes: %v", w.ID, len(w.Body), err)
	}
	if f.Codec != w.Codec || f.Type != w.Type || f.ID != w.ID || string(f.Body) != string(w.Body) {
		tb.Fatalf("got frame %v %v %d with %d bytes, want %v %v %d with %d bytes",
			f.Codec, f.Type, f.ID, len(f.Body), w.Codec, w.Type, w.ID, len(w.Body))
	}
}

// webServer serves WebSockets and gives the URL to dial.
func webServer(tb testing.TB, o transport.WebSocketOptions) string {
	tb.Helper()
	srv := httptest.NewServer(transport.NewWebSocketHandler(o))
	tb.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "http", "ws", 1)
}

func dial(tb testing.TB, o transport.DialOptions) transport.Conn {
	tb.Helper()
	c, err := transport.Dial(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close(0) })
	c.SetReadDeadline(time.Now().Add(patience))
	return c
}
