package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ServeOptions say what to do with accepted connections.
type ServeOptions struct {
	// Handle has a connection for its whole life, in the connection's own goroutine. It closes it;
	// what it leaves open is hung up on when it returns.
	Handle func(ctx context.Context, c Conn)

	Conn Options
	// TLS, if set, is spoken on every connection; see ServerTLS.
	TLS *tls.Config
	// Proxies must begin each connection with a PROXY v2 header; nobody else may.
	Proxies Proxies
	// HandshakeTimeout bounds the PROXY header and the TLS handshake together; 0 means 5 s.
	HandshakeTimeout time.Duration
	// Log gets trouble with accepting, and at debug level handshakes that failed; nil: nobody does.
	Log *slog.Logger
}

// Serve accepts connections from ln until ctx is done, and closes ln. When the process or the machine
// is out of descriptors it waits and goes on. It returns when every Handle has returned, with nil
// unless ln failed for good; Handle's context is ctx.
func Serve(ctx context.Context, ln net.Listener, o ServeOptions) error {
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	var conns sync.WaitGroup
	defer conns.Wait()

	var pause time.Duration
	for {
		raw, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			conns.Go(func() { o.handle(ctx, raw) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept: %w", err)
		default:
			// Out of descriptors or of memory, or a peer that was gone at once: nothing that closing
			// the door would make better.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			o.Log.WarnContext(ctx, "accept failed, trying again", "pause", pause, "err", err)
			if !wait(ctx, pause) {
				return nil
			}
		}
	}
}

// wait is false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// handle is on the stack as long as the connection lives. So it has next to nothing on it, and greet is
// not part of it: an idle connection's stack is the smallest there is, 2 KiB, if its holder is careful.
func (o *ServeOptions) handle(ctx context.Context, raw net.Conn) {
	if c := o.greet(ctx, raw); c != nil {
		o.Handle(ctx, c)
	}
	_ = raw.Close()
}

// greet gives nil for a connection that came to nothing.
//
//go:noinline
func (o *ServeOptions) greet(ctx context.Context, raw net.Conn) Conn {
	c, err := o.open(ctx, raw)
	if err != nil {
		o.Log.DebugContext(ctx, "handshake failed", "addr", raw.RemoteAddr().String(), "err", err)
		return nil
	}
	return c
}

// open does what comes before the first frame.
func (o *ServeOptions) open(ctx context.Context, raw net.Conn) (*stream, error) {
	tune(raw)
	remote := addrOf(raw)
	proxied := o.Proxies.Contains(remote.Addr())
	if !proxied && o.TLS == nil {
		return newStream(raw, raw, remote, o.Conn), nil
	}
	if err := raw.SetDeadline(time.Now().Add(o.HandshakeTimeout)); err != nil {
		return nil, fmt.Errorf("set handshake deadline: %w", err)
	}
	if proxied {
		addr, ok, err := readProxy(raw)
		if err != nil {
			return nil, err
		}
		if ok {
			remote = addr
		}
	}
	conn := raw
	if o.TLS != nil {
		tc := tls.Server(raw, o.TLS)
		if err := tc.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("shake hands: %w", err)
		}
		conn = tc
	}
	if err := raw.SetDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("clear handshake deadline: %w", err)
	}
	return newStream(conn, raw, remote, o.Conn), nil
}

// addrOf is the peer's address, or the zero one for a conn that is not on a network.
func addrOf(c net.Conn) netip.AddrPort {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return unmap(a.AddrPort())
	}
	return netip.AddrPort{}
}

// ServerTLS is base with what liao asks of TLS: 1.3, or 1.2 with forward secrecy and an AEAD.
func ServerTLS(base *tls.Config) *tls.Config {
	c := base.Clone()
	c.MinVersion = tls.VersionTLS12
	c.CipherSuites = []uint16{ // of 1.2; those of 1.3 are not a choice
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	return c
}

// Limits of a line whose other end does not answer any more.
const (
	// The idle time is longer than a heartbeat: a live client never costs the kernel's probes, which would
	// wake a phone's radio.
	keepIdle     = 2 * time.Minute
	keepInterval = 15 * time.Second
	keepCount    = 4
	// How long written bytes may go without the peer's kernel acknowledging them.
	ackTimeout = 30 * time.Second
)

// tune sets what a long-lived connection wants of TCP. A failure leaves the kernel's defaults, which
// only notice a dead line later.
func tune(c net.Conn) {
	tc, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	_ = tc.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: keepIdle, Interval: keepInterval, Count: keepCount,
	})
	setAckTimeout(tc, ackTimeout)
}
