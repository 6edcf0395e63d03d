package chat_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/memstore"
	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

var errSecret = errors.New("dial tcp: password hunter2 was refused")

// patience bounds every wait of a test; in a bubble of synctest it costs nothing.
const patience = 20 * time.Second

// rig is a room on the real transport, over pipes in memory.
type rig struct {
	t       *testing.T
	store   *ledger
	mem     *memstore.Store
	chat    *chat.Service
	metrics *prometheus.Registry
	pipes   *pipeListener
}

// newRig starts a room; change may alter its options.
func newRig(t *testing.T, change func(*chat.Options)) *rig {
	t.Helper()
	r := &rig{t: t, store: newLedger(), mem: memstore.New(memstore.Options{}), metrics: prometheus.NewRegistry(), pipes: newPipeListener()}
	o := chat.Options{
		Log: r.store, People: r.store, Tokens: r.store,
		Routes: r.mem, Limiter: r.mem, Status: leases{r.mem},
		Node: "node-1", Boot: "boot-1", Logger: slog.New(slog.DiscardHandler), Metrics: r.metrics,
	}
	if change != nil {
		change(&o)
	}
	var err error
	if r.chat, err = chat.New(o); err != nil {
		t.Fatalf("New: %v", err)
	}
	if err := r.chat.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- transport.Serve(ctx, r.pipes, transport.ServeOptions{Handle: r.chat.Serve})
	}()
	t.Cleanup(func() {
		if err := r.chat.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		cancel()
		if err := <-served; err != nil {
			t.Errorf("transport.Serve: %v", err)
		}
	})
	return r
}

// count is the value of a counter or gauge of the room, by its name and the values
// of its labels; 0 if there is none.
func (r *rig) count(name string, labels ...string) float64 {
	r.t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatalf("Gather: %v", err)
	}
	total := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if !slices.ContainsFunc(labels, func(want string) bool { return !slices.Contains(values, want) }) {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return total
}

// leases is the status service as far as a room notices it.
type leases struct{ mem *memstore.Store }

func (l leases) Report(ctx context.Context, r im.NodeReport) error {
	_, err := l.mem.RenewNode(ctx, r, 5*time.Second)
	return err
}

func (l leases) Leave(ctx context.Context, node, boot string) error {
	return l.mem.DropNode(ctx, node, boot)
}

// pipeListener gives out the far ends of pipes in memory.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// device is the other end of one connection: a client that believes nothing.
type device struct {
	t     *testing.T
	conn  net.Conn
	codec wire.Codec
	in    chan wire.Frame // closed when the line is
	stash []wire.Frame    // came while something else was awaited
	last  uint32
}

// dial connects; the device reads all that comes.
func (r *rig) dial() *device {
	r.t.Helper()
	d := r.dialDeaf()
	d.listen()
	return d
}

// dialDeaf connects a device that does not read until listen.
func (r *rig) dialDeaf() *device {
	r.t.Helper()
	near, far := net.Pipe()
	select {
	case r.pipes.conns <- far:
	case <-time.After(patience):
		r.t.Fatal("nobody accepts")
	}
	r.t.Cleanup(func() { near.Close() })
	return &device{t: r.t, conn: near, codec: wire.Protobuf}
}

// dialTCP connects over a real socket.
func (r *rig) dialTCP() *net.TCPConn {
	r.t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(r.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatalf("listen: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- transport.Serve(ctx, ln, transport.ServeOptions{Handle: r.chat.Serve}) }()
	var dialer net.Dialer
	conn, err := dialer.DialContext(r.t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		r.t.Fatalf("dial: %v", err)
	}
	r.t.Cleanup(func() {
		conn.Close()
		cancel()
		<-served
	})
	return conn.(*net.TCPConn)
}

func (d *device) listen() {
	d.in = make(chan wire.Frame, 4096)
	go func() {
		defer close(d.in)
		for {
			f, err := readFrame(d.conn)
			if err != nil {
				return
			}
			d.in <- f
		}
	}()
}

func readFrame(r io.Reader) (wire.Frame, error) {
	head := make([]byte, wire.HeaderLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return wire.Frame{}, err
	}
	n := binary.BigEndian.Uint32(head[8:])
	if n > wire.MaxServerBody {
		return wire.Frame{}, fmt.Errorf("a body of %d bytes", n)
	}
	b := make([]byte, wire.HeaderLen+int(n))
	copy(b, head)
	if _, err := io.ReadFull(r, b[wire.HeaderLen:]); err != nil {
		return wire.Frame{}, err
	}
	return wire.ParseFrame(b, wire.MaxServerBody)
}

// write sends bytes as they are; a line that the server has closed is no failure.
func (d *device) write(b []byte) {
	d.t.Helper()
	if _, err := d.conn.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		d.t.Errorf("write: %v", err)
	}
}

// frame is one whole frame in the device's codec.
func (d *device) frame(t wire.Type, id uint32, m proto.Message) []byte {
	d.t.Helper()
	b, err := wire.FormOf(d.codec, false).Encode(nil, t, id, m)
	if err != nil {
		d.t.Fatalf("encode %v: %v", t, err)
	}
	return b
}

func (d *device) send(t wire.Type, id uint32, m proto.Message) {
	d.t.Helper()
	d.write(d.frame(t, id, m))
}

// next returns the next frame for which want is true, and keeps the others.
func (d *device) next(what string, want func(wire.Frame) bool) wire.Frame {
	d.t.Helper()
	for i, f := range d.stash {
		if want(f) {
			d.stash = append(d.stash[:i:i], d.stash[i+1:]...)
			return f
		}
	}
	timeout := time.After(patience)
	for {
		select {
		case f, ok := <-d.in:
			if !ok {
				d.t.Fatalf("the line was closed before %s; kept: %v", what, d.stash)
			}
			if want(f) {
				return f
			}
			d.stash = append(d.stash, f)
		case <-timeout:
			d.t.Fatalf("no %s came; kept: %v", what, d.stash)
		}
	}
}

// ask sends a request and returns its answer.
func (d *device) ask(t wire.Type, m proto.Message) wire.Frame {
	d.t.Helper()
	d.last++
	id := d.last
	d.send(t, id, m)
	return d.next(fmt.Sprintf("answer to %v", t), func(f wire.Frame) bool { return f.ID == id })
}

// pushed returns the next frame of a type that the server started.
func (d *device) pushed(t wire.Type) wire.Frame {
	d.t.Helper()
	return d.next(t.String(), func(f wire.Frame) bool { return f.Type == t && f.ID == 0 })
}

// rest is all that came and was not awaited. Inside a bubble, call synctest.Wait first.
func (d *device) rest() []wire.Frame {
	for {
		select {
		case f, ok := <-d.in:
			if ok {
				d.stash = append(d.stash, f)
				continue
			}
		default:
		}
		out := d.stash
		d.stash = nil
		return out
	}
}

// restOf is how many frames of a type came and were not awaited.
func (d *device) restOf(t wire.Type) int {
	n := 0
	for _, f := range d.rest() {
		if f.Type == t {
			n++
		}
	}
	return n
}

// goodbye waits until the line is closed and returns the GOAWAY before.
func (d *device) goodbye() *clientpb.Goaway {
	d.t.Helper()
	f := d.pushed(clientpb.Type_GOAWAY)
	g := body[clientpb.Goaway](d.t, f)
	timeout := time.After(patience)
	for {
		select {
		case f, ok := <-d.in:
			if !ok {
				return g
			}
			d.stash = append(d.stash, f)
		case <-timeout:
			d.t.Fatalf("the line stayed open after GOAWAY(%v)", g.GetReason())
		}
	}
}

// body decodes a frame's body.
func body[M any, P interface {
	*M
	proto.Message
}](t *testing.T, f wire.Frame) P {
	t.Helper()
	m := P(new(M))
	if err := f.Codec.Unmarshal(f.Body, m); err != nil {
		t.Fatalf("decode %v: %v", f.Type, err)
	}
	return m
}

// hello says HELLO and wants WELCOME.
func (d *device) hello(token string) *clientpb.Welcome {
	d.t.Helper()
	f := d.ask(clientpb.Type_HELLO, &clientpb.Hello{Token: token, Client: "test"})
	if f.Type != clientpb.Type_WELCOME {
		d.t.Fatalf("HELLO was answered by %v %v", f.Type, f.Body)
	}
	return body[clientpb.Welcome](d.t, f)
}

// join connects a device of a user whose login has the user's number times 10 plus
// the device's.
func (r *rig) join(user im.UserID, device int) *device {
	r.t.Helper()
	d := r.dial()
	d.hello(r.token(user, device))
	return d
}

func (r *rig) token(user im.UserID, device int) string {
	return r.store.login(user, im.LoginID(int(user)*10+device), fmt.Sprintf("device-%d-%d", user, device))
}

// text is a SEND of a text.
func text(conv im.ConvID, key, s string) *clientpb.Send {
	return &clientpb.Send{Conv: uint64(conv), Key: key, Content: &clientpb.Content{Kind: im.KindText, Text: s}}
}

// wantError fails the test unless f is an ERROR of this code.
func wantError(t *testing.T, f wire.Frame, code clientpb.Code) *clientpb.Error {
	t.Helper()
	if f.Type != clientpb.Type_ERROR {
		t.Fatalf("got %v, want ERROR(%v)", f.Type, code)
	}
	e := body[clientpb.Error](t, f)
	if e.GetCode() != code {
		t.Errorf("got ERROR(%v: %s), want %v", e.GetCode(), e.GetText(), code)
	}
	if e.GetText() == "" {
		t.Errorf("ERROR(%v) has no text", code)
	}
	return e
}
