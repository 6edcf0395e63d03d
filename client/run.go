package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
	dialTimeout  = 3 * time.Second  // then the next node is tried
	helloTimeout = 10 * time.Second // for the answer to HELLO
	steady       = 10 * time.Second // a line that held so long makes the next backoff short again
)

// backoff is how long to wait after tries failures: full jitter, so that clients
// that were cut off together do not come back together.
func backoff(tries int) time.Duration {
	d := maxBackoff
	if tries < 6 { // 0.5 s * 2^6 is beyond 30 s
		d = firstBackoff << tries
	}
	return time.Duration(rand.Int64N(int64(d))) //nolint:gosec // no secret
}

// EndReason says why a Client does not connect again.
type EndReason string

// The reasons.
const (
	EndUnauthorized EndReason = "unauthorized" // the login ended: log in again
	EndReplaced     EndReason = "replaced"     // this device connected elsewhere, or too many others of this user did
	EndProtocol     EndReason = "protocol"     // the server does not understand this client
)

// EndedError is why a Client ended.
type EndedError struct {
	Reason EndReason
	Text   string // for people; may be empty
}

func (e *EndedError) Error() string {
	if e.Text == "" {
		return "ended: " + string(e.Reason)
	}
	return "ended: " + string(e.Reason) + ": " + e.Text
}

// parting is how a connection ended, or why there was none, and what follows.
type parting struct {
	err     error
	end     *EndedError // not to come back
	badAuth string      // the access token that was refused
	wait    time.Duration
	welcome bool // it had been WELCOME
}

// run connects until the client is closed or told not to.
func (c *Client) run(ctx context.Context) {
	defer c.finish()
	refreshed, bad := false, "" // since the last WELCOME; the token that was refused
	for tries := 0; ; tries++ {
		began := time.Now()
		p := parting{badAuth: bad}
		if bad == "" || c.access() != bad {
			p = c.once(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if p.welcome && time.Since(began) >= steady {
			tries = 0
		}
		if p.welcome {
			refreshed = false
		}
		c.log.DebugContext(ctx, "not connected", "error", p.err)
		c.sayDown(p.err)
		if p.badAuth != "" {
			p = c.reauthorize(ctx, p, refreshed)
			bad = p.badAuth
			refreshed = refreshed || bad == ""
		}
		if p.end != nil {
			c.end(p.end)
			return
		}
		wait := p.wait
		if wait == 0 {
			wait = backoff(tries)
		}
		if !c.rest(max(wait, 0)) {
			return
		}
	}
}

// rest waits; false if the client was closed meanwhile.
func (c *Client) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.closing:
		return false
	}
}

// reauthorize asks for new tokens after the server refused p.badAuth. A second
// refusal without a WELCOME between is the end. If there are no new ones yet,
// p.badAuth stays.
func (c *Client) reauthorize(ctx context.Context, p parting, again bool) parting {
	if again {
		p.end = &EndedError{Reason: EndUnauthorized, Text: "the server refuses this login"}
		return p
	}
	err := c.refresh(ctx, p.badAuth)
	switch {
	case err == nil:
		p.badAuth, p.wait = "", -1 // at once
	case errors.Is(err, Unauthenticated):
		p.end = &EndedError{Reason: EndUnauthorized, Text: "the login has ended; log in again"}
	default:
		p.err = err
	}
	return p
}

// end notes why there will be no other connection.
func (c *Client) end(e *EndedError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = e
	}
}

// finish is the end of run.
func (c *Client) finish() {
	c.mu.Lock()
	if c.renewal != nil {
		c.renewal.Stop()
	}
	if c.ended != nil {
		c.tell(topic{kind: topicEnded}, Ended{c.ended})
	}
	c.mu.Unlock()
	close(c.done)
}

// once makes one connection and stays until it ends.
func (c *Client) once(ctx context.Context) parting {
	token := c.access()
	conn, p := c.reach(ctx, token)
	if conn == nil {
		return p
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close(0) })
	defer stop()
	welcome, p := c.greet(conn, token)
	if welcome == nil {
		_ = conn.Close(0)
		return p
	}
	beat := time.Duration(welcome.GetHeartbeatMs()) * time.Millisecond
	if beat <= 0 {
		beat = 30 * time.Second
	}
	l := newLink(conn, c.codec, beat, c.take)
	c.attach(l, welcome)
	err := l.read()
	bye := l.farewell()
	p = parting{err: err}
	if bye != nil {
		p = c.heed(bye, token)
		p.err = fmt.Errorf("the server said goodbye: %v", bye.GetReason())
	}
	p.welcome = true
	c.detach(l)
	return p
}

// greet says HELLO and waits for WELCOME; nil if it was refused.
func (c *Client) greet(conn transport.Conn, token string) (*clientpb.Welcome, parting) {
	conn.SetMaxBody(wire.MaxServerBody)
	conn.SetReadDeadline(time.Now().Add(helloTimeout))
	hello, err := wire.Form(c.codec).Encode(nil, clientpb.Type_HELLO, 1, &clientpb.Hello{Token: token, Client: c.name})
	if err != nil {
		return nil, parting{err: err, end: &EndedError{Reason: EndProtocol, Text: "HELLO cannot be encoded"}}
	}
	if err := conn.WriteFrames([][]byte{hello}, time.Now().Add(writeTimeout)); err != nil {
		return nil, parting{err: fmt.Errorf("say HELLO: %w", err)}
	}
	var why *Error
	for {
		f, err := conn.ReadFrame()
		if err != nil {
			if why != nil {
				return nil, c.refusal(why, token)
			}
			return nil, parting{err: fmt.Errorf("wait for WELCOME: %w", err)}
		}
		body, known := wire.NewBody(f.Type)
		if !known {
			continue
		}
		if err := f.Codec.Unmarshal(f.Body, body); err != nil {
			return nil, parting{err: fmt.Errorf("wait for WELCOME: %w", err)}
		}
		switch m := body.(type) {
		case *clientpb.Welcome:
			conn.SetReadDeadline(time.Time{})
			return m, parting{}
		case *clientpb.Error:
			why = refused(m)
		case *clientpb.Goaway:
			p := c.heed(m, token)
			p.err = fmt.Errorf("HELLO was refused: %v", m.GetReason())
			return nil, p
		}
	}
}

// refusal is what follows if HELLO was refused and the GOAWAY after it was lost.
func (c *Client) refusal(e *Error, token string) parting {
	g := &clientpb.Goaway{Reason: clientpb.Reason_PROTOCOL, Text: e.Text}
	g.RetryAfterMs = uint32(e.RetryAfter.Milliseconds()) //nolint:gosec // it came as a uint32
	for code, reason := range map[Code]clientpb.Reason{
		Unauthenticated: clientpb.Reason_UNAUTHORIZED, RateLimited: clientpb.Reason_BUSY,
		Overloaded: clientpb.Reason_BUSY, Unavailable: clientpb.Reason_BUSY, Internal: clientpb.Reason_BUSY,
	} {
		if e.Code == code {
			g.Reason = reason
		}
	}
	p := c.heed(g, token)
	p.err = e
	return p
}

// heed is what a GOAWAY asks for.
func (c *Client) heed(g *clientpb.Goaway, token string) parting {
	p := parting{wait: time.Duration(g.GetRetryAfterMs()) * time.Millisecond}
	switch g.GetReason() {
	case clientpb.Reason_PROTOCOL:
		p.end = &EndedError{Reason: EndProtocol, Text: g.GetText()}
	case clientpb.Reason_REPLACED:
		p.end = &EndedError{Reason: EndReplaced, Text: g.GetText()}
	case clientpb.Reason_UNAUTHORIZED:
		p.badAuth = token
	case clientpb.Reason_DRAINING:
		c.mu.Lock()
		c.node = Addrs{}
		c.mu.Unlock()
	case clientpb.Reason_REASON_UNSPECIFIED, clientpb.Reason_IDLE, clientpb.Reason_SLOW, clientpb.Reason_BUSY:
	}
	return p
}

// attach makes l the line.
func (c *Client) attach(l *link, w *clientpb.Welcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch != w.GetEpoch() {
		if c.epoch != "" {
			c.forget()
		}
		c.epoch = w.GetEpoch()
		c.unsaved(nil)
	}
	c.me = toUser(w.GetUser())
	c.link, c.down = l, false
	close(c.up)
	c.tell(topic{kind: topicState}, Connected{User: c.me, DeviceID: w.GetDeviceId(), Node: w.GetNode()})
	c.wantSync()
	c.pump()
}

// detach says that l is the line no more.
func (c *Client) detach(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == l {
		c.link = nil
		c.up = make(chan struct{})
	}
	close(l.gone)
}

// sayDown tells that there is no line, unless that was told already.
func (c *Client) sayDown(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.down {
		c.down = true
		c.tell(topic{kind: topicState}, Disconnected{Err: err})
	}
}
