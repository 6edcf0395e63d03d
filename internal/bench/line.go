package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

const (
	helloTimeout = 10 * time.Second
	writeTimeout = 10 * time.Second
	readBuffer   = 512 // bytes: many connections, small frames
)

// line is one connection. One goroutine reads it; any may write.
type line struct {
	conn   net.Conn
	form   wire.Form
	r      *bufio.Reader
	header [wire.HeaderLen]byte
	body   []byte        // of the last frame
	beat   time.Duration // how long the server lets us be silent

	write  sync.Mutex
	out    []byte
	lastID uint32
	pingAt atomic.Int64 // Unix nanoseconds; 0: no PING waits for its PONG
}

// goaway is the server's own end of a connection.
type goaway struct {
	reason clientpb.Reason
	text   string
}

func (g *goaway) Error() string {
	return fmt.Sprintf("the server said GOAWAY(%v): %s", g.reason, g.text)
}

// dialLine connects, from a source address if it is not nil, and says HELLO.
func dialLine(ctx context.Context, address string, source net.Addr, form wire.Form, token string) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	conn, err := (&net.Dialer{LocalAddr: source}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	l := &line{conn: conn, form: form, r: bufio.NewReaderSize(conn, readBuffer)}
	if err := l.hello(token); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("say HELLO: %w", err)
	}
	return l, nil
}

func (l *line) hello(token string) error {
	if err := l.conn.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return err
	}
	if _, err := l.ask(clientpb.Type_HELLO, &clientpb.Hello{Token: token, Client: "liao-bench"}); err != nil {
		return err
	}
	f, err := l.read()
	if err != nil {
		return err
	}
	if err := l.wants(f, clientpb.Type_WELCOME); err != nil {
		return err
	}
	var w clientpb.Welcome
	if err := l.decode(f, &w); err != nil {
		return err
	}
	l.beat = time.Duration(w.GetHeartbeatMs()) * time.Millisecond
	return l.conn.SetReadDeadline(time.Time{})
}

// ask writes a request and returns its id.
func (l *line) ask(t wire.Type, m proto.Message) (uint32, error) {
	l.write.Lock()
	defer l.write.Unlock()
	if l.lastID++; l.lastID == 0 {
		l.lastID++
	}
	return l.lastID, l.put(t, l.lastID, m)
}

// pong answers a PING of the server.
func (l *line) pong(id uint32) error {
	l.write.Lock()
	defer l.write.Unlock()
	return l.put(clientpb.Type_PONG, id, nil)
}

// ping asks for a sign of life, whose time of arrival read notes.
func (l *line) ping() error {
	l.pingAt.Store(time.Now().UnixNano())
	_, err := l.ask(clientpb.Type_PING, nil)
	return err
}

// put writes one frame. The caller has the lock.
func (l *line) put(t wire.Type, id uint32, m proto.Message) (err error) {
	if l.out, err = l.form.Encode(l.out[:0], t, id, m); err != nil {
		return err
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err = l.conn.Write(l.out)
	return err
}

// read waits for a frame that means something; PINGs it answers itself. Its body is
// good until the next read. A GOAWAY is an error.
func (l *line) read() (wire.Frame, error) {
	for {
		f, err := l.frame()
		if err != nil {
			return f, err
		}
		switch f.Type { //nolint:exhaustive // the rest is for who reads
		case clientpb.Type_PING:
			if err := l.pong(f.ID); err != nil {
				return f, err
			}
		case clientpb.Type_GOAWAY:
			var g clientpb.Goaway
			if err := l.decode(f, &g); err != nil {
				return f, err
			}
			return f, &goaway{g.GetReason(), g.GetText()}
		default:
			return f, nil
		}
	}
}

func (l *line) frame() (wire.Frame, error) {
	if _, err := io.ReadFull(l.r, l.header[:]); err != nil {
		return wire.Frame{}, err
	}
	h, _, err := wire.ParseHeader(l.header[:], wire.MaxServerBody)
	if err != nil {
		return wire.Frame{}, err
	}
	if cap(l.body) < h.Len {
		l.body = make([]byte, h.Len)
	}
	l.body = l.body[:h.Len]
	if _, err := io.ReadFull(l.r, l.body); err != nil {
		return wire.Frame{}, err
	}
	return wire.Frame{Codec: h.Codec, Type: h.Type, ID: h.ID, Body: l.body}, nil
}

func (l *line) decode(f wire.Frame, m proto.Message) error {
	if err := f.Codec.Unmarshal(f.Body, m); err != nil {
		return fmt.Errorf("read %v: %w", f.Type, err)
	}
	return nil
}

// refusal is an answer ERROR.
type refusal struct {
	code  clientpb.Code
	text  string
	after time.Duration
}

func (r *refusal) Error() string { return fmt.Sprintf("the server answered %v: %s", r.code, r.text) }

// wants returns an error unless f is of type t.
func (l *line) wants(f wire.Frame, t wire.Type) error {
	switch f.Type { //nolint:exhaustive // all others are wrong
	case t:
		return nil
	case clientpb.Type_ERROR:
		var e clientpb.Error
		if err := l.decode(f, &e); err != nil {
			return err
		}
		return &refusal{e.GetCode(), e.GetText(), time.Duration(e.GetRetryAfterMs()) * time.Millisecond}
	}
	return fmt.Errorf("the server sent %v where %v was due", f.Type, t)
}

// closed says that an error is the end of a line that we closed ourselves.
func closed(err error) bool { return errors.Is(err, net.ErrClosed) }
