package client

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// script is a chat service that a test plays by hand.
type script struct {
	t     *testing.T
	conns chan *peer
	mu    sync.Mutex
	dials []dial // every try to connect
	fail  func(ctx context.Context, address string) error
	epoch string
}

type dial struct {
	at      time.Time
	address string
}

func newScript(t *testing.T) *script {
	t.Helper()
	return &script{t: t, conns: make(chan *peer, 64), epoch: "e1"}
}

func (s *script) dial(ctx context.Context, address string) (transport.Conn, error) {
	s.mu.Lock()
	s.dials = append(s.dials, dial{time.Now(), address})
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		if err := fail(ctx, address); err != nil {
			return nil, err
		}
	}
	ours, theirs := newPair()
	select {
	case s.conns <- &peer{t: s.t, conn: theirs, address: address, epoch: s.epoch}:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// accept takes the next connection.
func (s *script) accept() *peer {
	s.t.Helper()
	return <-s.conns
}

// peer is the server's end of one connection.
type peer struct {
	t       *testing.T
	conn    *memConn
	address string
	epoch   string
	token   string // that HELLO gave
}

// next reads the next frame; its type and body must be those of want.
func (p *peer) next(typ wire.Type, want proto.Message) (id uint32) {
	p.t.Helper()
	f, err := p.conn.ReadFrame()
	if err != nil {
		p.t.Fatalf("wait for %v: %v", typ, err)
	}
	if f.Type != typ {
		p.t.Fatalf("the client sent %v, want %v", f.Type, typ)
	}
	if want != nil {
		if err := f.Codec.Unmarshal(f.Body, want); err != nil {
			p.t.Fatal(err)
		}
	}
	return f.ID
}

// quiet fails if the client sends anything within d.
func (p *peer) quiet(d time.Duration) {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(d))
	f, err := p.conn.ReadFrame()
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("the client sent %v (error %v), want nothing", f.Type, err)
	}
	p.conn.SetReadDeadline(time.Time{})
}

// gone waits until the client has hung up.
func (p *peer) gone() {
	p.t.Helper()
	if f, err := p.conn.ReadFrame(); !errors.Is(err, io.EOF) {
		p.t.Fatalf("got %v (error %v), want the end of the connection", f.Type, err)
	}
}

func (p *peer) send(typ wire.Type, id uint32, body proto.Message) {
	p.t.Helper()
	if err := p.try(typ, id, body); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) try(typ wire.Type, id uint32, body proto.Message) error {
	b, err := wire.FormProtobuf.Encode(nil, typ, id, body)
	if err == nil {
		err = p.conn.WriteFrames([][]byte{b}, time.Time{})
	}
	return err
}

func (p *peer) refuse(id uint32, code clientpb.Code, after time.Duration) {
	p.t.Helper()
	p.send(clientpb.Type_ERROR, id, &clientpb.Error{Code: code, Text: "no", RetryAfterMs: uint32(after.Milliseconds())})
}

func (p *peer) goaway(r clientpb.Reason, after time.Duration) {
	p.t.Helper()
	p.send(clientpb.Type_GOAWAY, 0, &clientpb.Goaway{Reason: r, Text: "bye", RetryAfterMs: uint32(after.Milliseconds())})
	p.conn.end()
}

// welcome answers HELLO.
func (p *peer) welcome() {
	p.t.Helper()
	var h clientpb.Hello
	id := p.next(clientpb.Type_HELLO, &h)
	p.token = h.GetToken()
	p.send(clientpb.Type_WELCOME, id, &clientpb.Welcome{
		User: &clientpb.User{Id: 1, Handle: "ann"}, DeviceId: "d1", Node: "n1", HeartbeatMs: 30_000, MaxBody: wire.MaxBody, Epoch: p.epoch,
	})
}

// changes answers SYNC and returns its cursor.
func (p *peer) changes(cursor string, more bool, convs ...*clientpb.Conversation) (asked string) {
	p.t.Helper()
	var s clientpb.Sync
	id := p.next(clientpb.Type_SYNC, &s)
	p.send(clientpb.Type_CHANGES, id, &clientpb.Changes{Conversations: convs, Cursor: cursor, More: more})
	return s.GetCursor()
}

// idle answers PING from now on.
func (p *peer) idle() {
	go func() {
		for {
			f, err := p.conn.ReadFrame()
			if err != nil {
				return
			}
			if f.Type == clientpb.Type_PING && p.try(clientpb.Type_PONG, f.ID, nil) != nil {
				return
			}
		}
	}()
}

// greet takes a connection through HELLO and SYNC.
func (p *peer) greet(convs ...*clientpb.Conversation) *peer {
	p.t.Helper()
	p.welcome()
	p.changes("c1", false, convs...)
	return p
}

// resume answers SYNC and takes one SEND, in whichever order they come.
func (p *peer) resume(cursor string, send *clientpb.Send, convs ...*clientpb.Conversation) (asked string, id uint32) {
	p.t.Helper()
	for range 2 {
		f, err := p.conn.ReadFrame()
		if err != nil {
			p.t.Fatal(err)
		}
		var s clientpb.Sync
		switch {
		case f.Type == clientpb.Type_SYNC && f.Codec.Unmarshal(f.Body, &s) == nil:
			asked = s.GetCursor()
			p.send(clientpb.Type_CHANGES, f.ID, &clientpb.Changes{Conversations: convs, Cursor: cursor})
		case f.Type == clientpb.Type_SEND && f.Codec.Unmarshal(f.Body, send) == nil:
			id = f.ID
		default:
			p.t.Fatalf("the client sent %v, want SYNC and SEND", f.Type)
		}
	}
	return asked, id
}

func (p *peer) push(seqs ...uint32) {
	p.t.Helper()
	for _, seq := range seqs {
		p.send(clientpb.Type_MESSAGE, 0, entry(seq))
	}
}

// page answers HISTORY with entries from its after on, up to head, and returns the question.
func (p *peer) page(head uint32) *clientpb.History {
	p.t.Helper()
	var h clientpb.History
	id := p.next(clientpb.Type_HISTORY, &h)
	page := &clientpb.Page{Conv: h.GetConv(), Head: head}
	for seq := h.GetAfter() + 1; seq <= head; seq++ {
		if len(page.GetMessages()) == int(h.GetLimit()) {
			page.More = true
			break
		}
		page.Messages = append(page.Messages, entry(seq))
	}
	p.send(clientpb.Type_PAGE, id, page)
	return &h
}

const theConv = 7

func entry(seq uint32) *clientpb.Message {
	return &clientpb.Message{
		Conv: theConv, Seq: seq, From: 2, AtMs: 1000 + int64(seq),
		Content: &clientpb.Content{Kind: "text", Text: "m"},
	}
}

func direct(head uint32) *clientpb.Conversation {
	c := &clientpb.Conversation{
		Id: theConv, Kind: "direct", Peer: &clientpb.User{Id: 2, Handle: "bob"}, Head: head, UpdatedMs: 1000 + int64(head),
	}
	if head > 0 {
		c.Last = entry(head)
	}
	return c
}

func conversation(id uint64) *clientpb.Conversation {
	return &clientpb.Conversation{Id: id, Kind: "direct", Peer: &clientpb.User{Id: id}, Head: 1, Last: &clientpb.Message{
		Conv: id, Seq: 1, Content: &clientpb.Content{Kind: "text", Text: "m"},
	}}
}

// seedLogin is a login that never expires and cannot be refreshed.
func seedLogin() Login {
	return Login{Tokens: Tokens{Access: "at1"}, User: User{ID: 1}, Chat: Addrs{TCP: "a:1"}}
}

// open makes a client whose connections the script plays, and starts it.
func (s *script) open(o Options) *Client {
	s.t.Helper()
	if o.Login.Access == "" && o.Tokens == nil {
		o.Login = seedLogin()
	}
	o.Logger = slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	c.dial = s.dial
	s.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			s.t.Error(err)
		}
	})
	c.Start()
	return c
}

// play runs a test in a bubble of time.
func play(t *testing.T, f func(t *testing.T, s *script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newScript(t)) })
}

// await reads events until one of type E comes.
func await[E Event](t *testing.T, c *Client) E {
	t.Helper()
	for e := range c.Events() {
		if e, ok := e.(E); ok {
			return e
		}
	}
	var none E
	t.Fatalf("the events ended without a %T", none)
	return none
}

// arrived reads the numbers of the next n entries; those after a hole are negative.
func arrived(t *testing.T, c *Client, n int) []int {
	t.Helper()
	var seqs []int
	for len(seqs) < n {
		a := await[Arrived](t, c)
		seq := int(a.Seq)
		if a.Skipped {
			seq = -seq
		}
		seqs = append(seqs, seq)
	}
	return seqs
}

// noMore fails if an entry is given within d.
func noMore(t *testing.T, c *Client, d time.Duration) {
	t.Helper()
	end := time.After(d)
	for {
		select {
		case e := <-c.Events():
			if a, ok := e.(Arrived); ok {
				t.Fatalf("entry %d was given, want none", a.Seq)
			}
		case <-end:
			return
		}
	}
}

func count(from, to int) []int {
	var list []int
	for i := from; i <= to; i++ {
		list = append(list, i)
	}
	return list
}
