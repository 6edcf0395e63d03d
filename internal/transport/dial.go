package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"

	"github.com/liao-im/liao/internal/wire"
)

// DialOptions say how to reach a chat node.
type DialOptions struct {
	// Address is tcp://host:port, tls://host:port, or a WebSocket's URL, ws:// or wss://.
	Address string
	// TLS is for tls:// and wss://; nil means the system's certificates and the address's host name.
	TLS *tls.Config
	// Conn's zero MaxBody means wire.MaxServerBody here.
	Conn Options
	// Text makes a WebSocket speak the text form.
	Text bool
	// Header is sent with a WebSocket's handshake.
	Header http.Header
}

// Dial connects to a chat node. The context bounds connecting alone.
func Dial(ctx context.Context, o DialOptions) (Conn, error) {
	u, err := url.Parse(o.Address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if o.Conn.MaxBody <= 0 {
		o.Conn.MaxBody = wire.MaxServerBody
	}
	if o.Text && u.Scheme != "ws" && u.Scheme != "wss" {
		return nil, fmt.Errorf("dial %s: only a WebSocket has a text form", o.Address)
	}
	var c Conn
	switch u.Scheme {
	case "tcp", "tls":
		c, err = dialStream(ctx, u, o)
	case "ws", "wss":
		c, err = dialWebSocket(ctx, u, o)
	default:
		err = errors.New("the address begins with tcp://, tls://, ws:// or wss://")
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", o.Address, err)
	}
	return c, nil
}

func dialStream(ctx context.Context, u *url.URL, o DialOptions) (Conn, error) {
	raw, err := dialTCP(ctx, u.Host)
	if err != nil {
		return nil, err
	}
	conn := raw
	if u.Scheme == "tls" {
		if conn, err = clientTLS(ctx, raw, u.Hostname(), o.TLS); err != nil {
			return nil, err
		}
	}
	return newStream(conn, raw, addrOf(raw), o.Conn), nil
}

func dialTCP(ctx context.Context, host string) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	tune(raw)
	return raw, nil
}

// clientTLS closes raw if the handshake fails.
func clientTLS(ctx context.Context, raw net.Conn, name string, base *tls.Config) (net.Conn, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		config = base.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = name
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("shake hands: %w", err)
	}
	return conn, nil
}

// dialWebSocket makes the connection itself, so that it holds the socket on which deadlines are set.
func dialWebSocket(ctx context.Context, u *url.URL, o DialOptions) (Conn, error) {
	var raw net.Conn
	once := &http.Transport{
		DialContext: func(ctx context.Context, _, host string) (_ net.Conn, err error) {
			raw, err = dialTCP(ctx, host)
			return raw, err
		},
		DialTLSContext: func(ctx context.Context, _, host string) (net.Conn, error) {
			conn, err := dialTCP(ctx, host)
			if err != nil {
				return nil, err
			}
			raw, err = clientTLS(ctx, conn, u.Hostname(), o.TLS)
			return raw, err
		},
	}
	ws, answer, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{
		HTTPClient:      &http.Client{Transport: once},
		HTTPHeader:      o.Header,
		Subprotocols:    []string{Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if answer != nil && answer.Body != nil {
			_ = answer.Body.Close()
		}
		once.CloseIdleConnections()
		return nil, err
	}
	socket := underTLS(raw)
	_ = socket.SetDeadline(time.Time{})
	c := newWebSocketConn(ws, socket, addrOf(socket), o.Conn)
	kind := websocket.MessageBinary
	if o.Text {
		kind = websocket.MessageText
	}
	c.kind.Store(int32(kind))
	return c, nil
}
