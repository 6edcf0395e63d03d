package bench_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// server answers frames as a chat node would, but for the faults that a test asks
// for: what the benchmark must notice.
type server struct {
	t    *testing.T
	addr string

	mu    sync.Mutex
	lines map[string]*peer // by token
	logs  map[uint64][]*clientpb.Message
	keys  map[string]uint32 // conv/key -> seq
	sends int

	fault func(n int) fault // for the nth SEND of all, from 1
	hello func(token string) *clientpb.Error
}

// fault is what goes wrong with one SEND.
type fault struct {
	refuse  clientpb.Code // the answer, before anything is stored
	unknown bool          // UNAVAILABLE is the answer, though it was stored
	forget  bool          // acknowledged, but neither stored nor pushed
	push    int           // how often it is pushed more (or, if negative, less) than once
	hangUp  bool          // GOAWAY instead of an answer
	oldSeq  bool          // a seq that was given before
}

// peer is a connection of the server.
type peer struct {
	conn  net.Conn
	codec wire.Codec
	mu    sync.Mutex
}

func (p *peer) put(t *testing.T, kind wire.Type, id uint32, m proto.Message) {
	t.Helper()
	b, err := wire.Form(p.codec).Encode(nil, kind, id, m)
	if err != nil {
		t.Errorf("encode %v: %v", kind, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.conn.Write(b) // the benchmark may have gone
}

func startServer(t *testing.T) *server {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		t: t, addr: ln.Addr().String(),
		lines: make(map[string]*peer), logs: make(map[uint64][]*clientpb.Message), keys: make(map[string]uint32),
		fault: func(int) fault { return fault{} },
		hello: func(string) *clientpb.Error { return nil },
	}
	var conns sync.WaitGroup
	t.Cleanup(func() {
		_ = ln.Close()
		conns.Wait()
	})
	conns.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.serve(conn) })
		}
	})
	return s
}

// tokens writes a file of n users. The first and second are friends in conversation
// 1, the third and fourth in conversation 2, and so on.
func (s *server) tokens(n int) string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "tokens")
	f, err := os.Create(file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for i := range n {
		user := i + 1
		line := map[string]any{
			"user": strconv.Itoa(user), "handle": fmt.Sprint("user", user), "device": fmt.Sprint("device", user),
			"token": token(user), "peer": (i ^ 1) + 1, "conv": strconv.Itoa(i/2 + 1),
		}
		if err := json.NewEncoder(f).Encode(line); err != nil {
			s.t.Fatal(err)
		}
	}
	return file
}

func token(user int) string { return fmt.Sprint("token-", user) }

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	p := &peer{conn: conn}
	r := bufio.NewReader(conn)
	user := 0
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		if p.codec == 0 {
			p.codec = f.Codec
		} else if p.codec != f.Codec {
			s.t.Errorf("the benchmark went from %v to %v", p.codec, f.Codec)
		}
		m, known := wire.NewBody(f.Type)
		if !known {
			s.t.Errorf("the benchmark sent type %d", f.Type)
			return
		}
		if err := f.Codec.Unmarshal(f.Body, m); err != nil {
			s.t.Errorf("the benchmark sent a %v that does not parse: %v", f.Type, err)
			return
		}
		switch m := m.(type) {
		case *clientpb.Hello:
			if e := s.hello(m.GetToken()); e != nil {
				p.put(s.t, clientpb.Type_ERROR, f.ID, e)
				return
			}
			if _, err := fmt.Sscanf(m.GetToken(), "token-%d", &user); err != nil {
				s.t.Errorf("HELLO with token %q", m.GetToken())
				return
			}
			s.mu.Lock()
			s.lines[m.GetToken()] = p
			s.mu.Unlock()
			p.put(s.t, clientpb.Type_WELCOME, f.ID, &clientpb.Welcome{HeartbeatMs: 100, MaxBody: wire.MaxBody})
			p.put(s.t, clientpb.Type_PING, 0, nil)
		case *clientpb.Send:
			if !s.send(p, user, f.ID, m) {
				return
			}
		case *clientpb.History:
			s.mu.Lock()
			page := &clientpb.Page{Conv: m.GetConv()}
			for _, e := range s.logs[m.GetConv()] {
				if e.GetSeq() > m.GetAfter() && len(page.GetMessages()) < int(m.GetLimit()) {
					page.Messages = append(page.Messages, e)
				}
			}
			s.mu.Unlock()
			p.put(s.t, clientpb.Type_PAGE, f.ID, page)
		default:
			if f.Type == clientpb.Type_PING {
				p.put(s.t, clientpb.Type_PONG, f.ID, nil)
			} else if f.Type != clientpb.Type_PONG {
				s.t.Errorf("the benchmark sent %v", f.Type)
			}
		}
	}
}

// send answers a SEND and says whether the connection lives on.
func (s *server) send(p *peer, user int, id uint32, m *clientpb.Send) bool {
	s.mu.Lock()
	s.sends++
	f := s.fault(s.sends)
	to := s.lines[token(((user-1)^1)+1)]
	key := fmt.Sprint(m.GetConv(), "/", m.GetKey())
	seq, again := s.keys[key]
	if f.hangUp || f.refuse != 0 {
		s.mu.Unlock()
		if f.hangUp {
			p.put(s.t, clientpb.Type_GOAWAY, 0, &clientpb.Goaway{Reason: clientpb.Reason_SLOW, Text: "too slow"})
			return false
		}
		p.put(s.t, clientpb.Type_ERROR, id, &clientpb.Error{Code: f.refuse, Text: "not now", RetryAfterMs: 1})
		return true
	}
	if !again {
		seq = uint32(len(s.logs[m.GetConv()]) + 1)
		if f.oldSeq {
			seq--
		}
		e := &clientpb.Message{Conv: m.GetConv(), Seq: seq, From: uint64(user), Content: m.GetContent()}
		if f.forget {
			e, f.push = &clientpb.Message{Seq: seq}, -1
		}
		s.logs[m.GetConv()] = append(s.logs[m.GetConv()], e)
		s.keys[key] = seq
	}
	s.mu.Unlock()
	if f.unknown {
		p.put(s.t, clientpb.Type_ERROR, id, &clientpb.Error{Code: clientpb.Code_UNAVAILABLE, RetryAfterMs: 1})
		return true
	}
	p.put(s.t, clientpb.Type_SENT, id, &clientpb.Sent{Conv: m.GetConv(), Key: m.GetKey(), Seq: seq, Again: again})
	for range 1 + f.push {
		if to != nil {
			to.put(s.t, clientpb.Type_MESSAGE, 0, &clientpb.Message{Conv: m.GetConv(), Seq: seq, From: uint64(user), Content: m.GetContent()})
		}
	}
	return true
}

func readFrame(r io.Reader) (wire.Frame, error) {
	b := make([]byte, wire.HeaderLen)
	if _, err := io.ReadFull(r, b); err != nil {
		return wire.Frame{}, err
	}
	h, _, err := wire.ParseHeader(b, wire.MaxBody)
	if err != nil {
		return wire.Frame{}, err
	}
	body := make([]byte, h.Len)
	if _, err := io.ReadFull(r, body); err != nil {
		return wire.Frame{}, err
	}
	return wire.Frame{Codec: h.Codec, Type: h.Type, ID: h.ID, Body: body}, nil
}
