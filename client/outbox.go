package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// inFlight is how many sends may be on their way at once, each in a
// conversation of its own: as many as the server takes from one connection in
// one turn.
const inFlight = 64

// Unsettled is a send whose outcome is not known for good yet.
type Unsettled struct {
	Conv    uint64  `json:"conv,string"`
	Key     string  `json:"key"`
	Content Content `json:"content"`
}

// send is an Unsettled on its way.
type send struct {
	Unsettled
	unknown bool // an attempt may have been stored
	flying  bool
	told    bool // nobody waits: its outcome becomes an event
	done    chan struct{}
	sent    Sent // set, like err, when done is closed
	err     error
}

// sendQueue is the sends of one conversation. Only the first is ever on its way,
// so that none can overtake another, whatever the answers are.
type sendQueue struct {
	sends []*send
	tries int         // failed attempts of the first
	wait  *time.Timer // until the first may be tried again; nil: now
}

// outbox is all sends that are not settled. The Client's mutex guards it.
type outbox struct {
	queues  map[uint64]*sendQueue
	count   int
	flying  int
	settled []Settled // not told yet
}

// Send stores a message in a conversation and returns where. It waits for a
// connection and tries again until the outcome is certain. If ctx ends first, the
// error is definite if the message never left, and it then never will; otherwise
// it is unknown, the send stays in the outbox and its outcome comes as a Settled event.
func (c *Client) Send(ctx context.Context, conv uint64, content Content) (Sent, error) {
	s, err := c.post(conv, content, false)
	if err != nil {
		return Sent{}, err
	}
	select {
	case <-s.done:
		return s.sent, s.err
	case <-ctx.Done():
		return c.abandon(ctx, s)
	case <-c.done:
		select {
		case <-s.done:
			return s.sent, s.err
		default:
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return Sent{}, &Error{Code: Unavailable, Text: "the client ended before the answer", unknown: s.unknown, cause: c.cause()}
	}
}

// Post puts a message into the outbox and returns its key. It is in the Store then. The
// outcome comes as a Settled event. An error means that it is not in the outbox.
func (c *Client) Post(conv uint64, content Content) (key string, err error) {
	s, err := c.post(conv, content, true)
	if err != nil {
		return "", err
	}
	return s.Key, nil
}

// Unsettled lists the sends that have no outcome yet, in order for each conversation.
func (c *Client) Unsettled() []Unsettled {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Unsettled, 0, c.outbox.count)
	for _, q := range c.outbox.queues {
		for _, s := range q.sends {
			list = append(list, s.Unsettled)
		}
	}
	return list
}

func (c *Client) post(conv uint64, content Content, told bool) (*send, error) {
	if content.Kind == "" {
		content.Kind = "text"
	}
	if _, err := fromContent(content); err != nil {
		return nil, &Error{Code: Invalid, Text: "content.data must be a JSON object", cause: err}
	}
	s := &send{Unsettled: Unsettled{Conv: conv, Key: newKey(), Content: content}, told: told, done: make(chan struct{})}

	// The order of the store must be that of the queue.
	c.posting.Lock()
	defer c.posting.Unlock()
	c.mu.Lock()
	full := c.outbox.count+len(c.outbox.settled) >= c.maxUnsettled
	over := c.closed || c.ended != nil
	c.mu.Unlock()
	switch {
	case over:
		return nil, errClosed
	case full:
		return nil, fail(Overloaded, "too many sends wait for their outcome")
	}
	if c.store != nil {
		if err := c.store.PutSend(s.Unsettled); err != nil {
			return nil, &Error{Code: Unavailable, Text: "the send cannot be kept", cause: err}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outbox.add(s)
	c.pump()
	return s, nil
}

func (o *outbox) add(s *send) {
	q := o.queues[s.Conv]
	if q == nil {
		q = &sendQueue{}
		o.queues[s.Conv] = q
	}
	q.sends = append(q.sends, s)
	o.count++
}

// remove takes s out.
func (o *outbox) remove(s *send) {
	q := o.queues[s.Conv]
	i := slices.Index(q.sends, s)
	q.sends = slices.Delete(q.sends, i, i+1)
	o.count--
	if i == 0 { // what waited was s
		if q.wait != nil {
			q.wait.Stop()
			q.wait = nil
		}
		q.tries = 0
	}
	if len(q.sends) == 0 {
		delete(o.queues, s.Conv)
	}
}

// pump sends whatever may be on its way and is not. The caller holds mu.
func (c *Client) pump() {
	if c.link == nil || c.closed {
		return
	}
	for _, q := range c.outbox.queues {
		if c.outbox.flying >= inFlight {
			return
		}
		if q.wait == nil && !q.sends[0].flying && !c.fly(q.sends[0]) {
			return
		}
	}
}

// fly puts one send on its way; false if the line takes nothing more. The caller holds mu.
func (c *Client) fly(s *send) bool {
	l := c.link
	content, err := fromContent(s.Content)
	if err == nil {
		err = l.ask(clientpb.Type_SEND, &clientpb.Send{Conv: s.Conv, Key: s.Key, Content: content},
			func(a answer) { c.landed(s, a) })
	}
	if errors.Is(err, errLeaving) {
		return false
	}
	s.flying = true
	c.outbox.flying++
	if err != nil {
		// It cannot be put on the wire and never could: settle it from another goroutine,
		// as the reader would.
		c.work.Go(func() { c.landed(s, answer{err: err}) })
	}
	return true
}

// landed takes the outcome of one attempt.
func (c *Client) landed(s *send, a answer) {
	sent, ok := a.body.(*clientpb.Sent)
	if a.err == nil && !ok {
		a.err = errNonsense
	}
	c.mu.Lock()
	s.unknown = s.unknown || Unknown(a.err)
	over := a.err == nil || settles(a.err, s.unknown)
	c.mu.Unlock()
	if over && c.store != nil {
		if err := c.store.DropSend(s.Conv, s.Key); err != nil {
			// It is sent once more after a restart, and answered as now.
			c.log.Warn("a settled send stays in the store", "error", err)
		}
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	s.flying = false
	c.outbox.flying--
	if !over {
		c.retry(s, a.err)
		c.pump()
		return
	}
	c.outbox.remove(s)
	s.err = a.err
	s.sent = Sent{Conv: s.Conv, Key: s.Key}
	if a.err == nil {
		s.sent = Sent{Conv: s.Conv, Key: s.Key, Seq: sent.GetSeq(), At: instant(sent.GetAtMs()), Again: sent.GetAgain()}
		c.stored(s)
	}
	if s.told {
		c.settle(s)
	}
	close(s.done)
	c.pump()
}

// settles reports whether this answer is the last word on a send. Once an attempt
// may have been stored, only what the server judges after it has looked the key up counts.
func settles(err error, unknown bool) bool {
	for _, c := range []Code{Forbidden, NotFound, Invalid, TooLarge, Unsupported} {
		if errors.Is(err, c) {
			return true
		}
	}
	return !unknown && !errors.Is(err, RateLimited) && !errors.Is(err, Overloaded)
}

// retry has s tried again after a time. The caller holds mu.
func (c *Client) retry(s *send, err error) {
	if errors.Is(err, errBroken) {
		return // the next line sends it at once
	}
	q := c.outbox.queues[s.Conv]
	q.wait = time.AfterFunc(after(err, q.tries), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		q.wait = nil
		c.pump()
	})
	q.tries++
}

// stored makes what was sent an entry of its conversation. The caller holds mu.
func (c *Client) stored(s *send) {
	v := c.convs[s.Conv]
	if v == nil || (s.sent.Again && !v.held) {
		c.wantSync()
		return
	}
	if !s.sent.Again { // else the original may have said something else
		c.arrive(v, Message{
			Conv: s.Conv, Seq: s.sent.Seq, From: c.me.ID, Key: s.Key, At: s.sent.At, Content: s.Content,
		})
	} else if s.sent.Seq > v.high {
		c.want(v)
	}
	c.readUpTo(v, s.sent.Seq)
}

// settle makes an outcome an event. The caller holds mu.
func (c *Client) settle(s *send) {
	c.outbox.settled = append(c.outbox.settled, Settled{Sent: s.sent, Content: s.Content, Err: s.err})
	c.tell(topic{kind: topicSettled}, nil)
}

// nextSettled is the next outcome to be told. The caller holds mu.
func (c *Client) nextSettled() Event {
	if len(c.outbox.settled) == 0 {
		return nil
	}
	next := c.outbox.settled[0]
	c.outbox.settled = c.outbox.settled[1:]
	if len(c.outbox.settled) > 0 {
		c.tell(topic{kind: topicSettled}, nil)
	}
	return next
}

// abandon ends the wait for s: it is taken back if it never left.
func (c *Client) abandon(ctx context.Context, s *send) (Sent, error) {
	c.mu.Lock()
	select {
	case <-s.done:
		c.mu.Unlock()
		return s.sent, s.err
	default:
	}
	if s.flying || s.unknown {
		s.told = true
		c.mu.Unlock()
		return Sent{}, unanswered(ctx)
	}
	c.outbox.remove(s)
	c.pump()
	c.mu.Unlock()
	if c.store != nil {
		if err := c.store.DropSend(s.Conv, s.Key); err != nil {
			return Sent{}, &Error{Code: Unavailable, Text: "the send cannot be taken back", unknown: true, cause: err}
		}
	}
	return Sent{}, notSent(ctx)
}

// newKey is a UUIDv7 without its hyphens: keys that are made later are greater,
// which databases like.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	ms := uint64(fault.Now().UnixMilli())
	binary.BigEndian.PutUint16(b[0:], uint16(ms>>32)) //nolint:gosec // 48 bits of milliseconds, in two parts
	binary.BigEndian.PutUint32(b[2:], uint32(ms))     //nolint:gosec // the lower part
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return hex.EncodeToString(b[:])
}
