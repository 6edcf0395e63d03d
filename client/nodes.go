package client

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/transport"
)

// Transport is a way to reach a chat node.
type Transport string

// The transports. The empty Transport takes the first of TLS, WS over TLS, TCP and WS that the
// node offers.
const (
	TCP Transport = "tcp"
	TLS Transport = "tls"
	WS  Transport = "ws"
)

func (t Transport) valid() bool {
	return t == "" || t == TCP || t == TLS || t == WS
}

var errNoNode = errors.New("no chat node offers a way that this client may take")

// reach connects to the node that was reached last, or else to the first of the
// gate's list that answers. No connection means that what follows is in parting.
func (c *Client) reach(ctx context.Context, token string) (transport.Conn, parting) {
	c.mu.Lock()
	node, login := c.node, c.login
	c.mu.Unlock()
	if !login.AccessExpires.IsZero() && !fault.Now().Before(login.AccessExpires) && login.Refresh != "" && c.gate != nil {
		return nil, parting{err: errors.New("the access token has expired"), badAuth: token}
	}
	if c.gate == nil {
		node = login.Chat
	}
	conn, err := c.tryNode(ctx, node)
	if conn != nil || c.gate == nil {
		return conn, parting{err: err}
	}
	list, err := c.gate.Account(token).Nodes(ctx)
	var refusal *Error
	switch {
	case errors.Is(err, Unauthenticated):
		return nil, parting{err: err, badAuth: token}
	case errors.As(err, &refusal):
		return nil, parting{err: err, wait: refusal.RetryAfter}
	}
	last := errNoNode
	for _, other := range list {
		if conn, err = c.tryNode(ctx, other); conn != nil {
			return conn, parting{}
		}
		last = err
	}
	return nil, parting{err: last}
}

// tryNode connects to one node and remembers it.
func (c *Client) tryNode(ctx context.Context, node Addrs) (transport.Conn, error) {
	last := errNoNode
	for _, address := range c.addresses(node) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		conn, err := c.dial(ctx, address)
		cancel()
		if err == nil {
			c.mu.Lock()
			c.node = node
			c.mu.Unlock()
			return conn, nil
		}
		last = err
	}
	return nil, last
}

// addresses are the ways to a node, the best first. A client that found its gate
// by TLS does not send its token in the clear to anywhere but this machine.
func (c *Client) addresses(node Addrs) []string {
	plain := func(host string) bool { return c.gate == nil || !c.gate.secure() || loopback(host) }
	var list []string
	add := func(t Transport, address string, ok bool) {
		if ok && (c.transport == "" || c.transport == t) {
			list = append(list, address)
		}
	}
	ws, err := url.Parse(node.WS)
	if err != nil {
		ws = new(url.URL)
	}
	add(TLS, "tls://"+node.TLS, node.TLS != "")
	add(WS, node.WS, ws.Scheme == "wss")
	add(TCP, "tcp://"+node.TCP, node.TCP != "" && plain(node.TCP))
	add(WS, node.WS, ws.Scheme == "ws" && plain(ws.Host))
	return list
}

// loopback reports whether host, with or without a port, is this machine.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
