package client

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/wire"
)

// memConn is one end of a connection in memory, so that time can be made up.
type memConn struct {
	in, out chan wire.Frame
	over    chan struct{} // closed by either end
	end     func()

	mu       sync.Mutex
	deadline time.Time
	changed  chan struct{}
}

func newPair() (a, b *memConn) {
	x, y, over := make(chan wire.Frame, 4096), make(chan wire.Frame, 4096), make(chan struct{})
	end := sync.OnceFunc(func() { close(over) })
	a = &memConn{in: x, out: y, over: over, end: end, changed: make(chan struct{})}
	b = &memConn{in: y, out: x, over: over, end: end, changed: make(chan struct{})}
	return a, b
}

func (m *memConn) ReadFrame() (wire.Frame, error) {
	for {
		select {
		case f := <-m.in: // what came before the end counts
			return f, nil
		default:
		}
		m.mu.Lock()
		deadline, changed := m.deadline, m.changed
		m.mu.Unlock()
		var due <-chan time.Time
		if !deadline.IsZero() {
			due = time.After(time.Until(deadline))
		}
		select {
		case f := <-m.in:
			return f, nil
		case <-m.over:
			if len(m.in) > 0 {
				continue
			}
			return wire.Frame{}, io.EOF
		case <-due:
			return wire.Frame{}, os.ErrDeadlineExceeded
		case <-changed:
		}
	}
}

func (m *memConn) WriteFrames(frames [][]byte, _ time.Time) error {
	for _, b := range frames {
		f, err := wire.ParseFrame(b, wire.MaxServerBody)
		if err != nil {
			return err
		}
		select {
		case <-m.over:
			return net.ErrClosed
		case m.out <- f:
		}
	}
	return nil
}

func (m *memConn) SetReadDeadline(t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deadline = t
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memConn) Buffered() bool             { return len(m.in) > 0 }
func (m *memConn) SetMaxBody(int)             {}
func (m *memConn) Text() bool                 { return false }
func (m *memConn) RemoteAddr() netip.AddrPort { return netip.AddrPort{} }

func (m *memConn) Close(time.Duration) error {
	m.end()
	return nil
}

// gateDoor answers the gate's calls without a network.
type gateDoor struct {
	mu    sync.Mutex
	calls []string // method, path and the last four characters of what proved the caller
	on    map[string]func(body map[string]any) (status int, answer any)
}

func (g *gateDoor) RoundTrip(r *http.Request) (*http.Response, error) {
	var body map[string]any
	if r.Body != nil {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, r.Method+" "+r.URL.Path)
	answer, ok := g.on[r.Method+" "+r.URL.Path]
	if !ok {
		return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
	}
	status, v := answer(body)
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if status >= 400 {
		h.Set("Content-Type", "application/problem+json")
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: h,
		Body: io.NopCloser(strings.NewReader(string(b))), Request: r,
	}, nil
}

func (g *gateDoor) count(call string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, c := range g.calls {
		if c == call {
			n++
		}
	}
	return n
}

func (g *gateDoor) gate(t *testing.T) *Gate {
	t.Helper()
	gate, err := NewGate(GateOptions{URL: "http://gate.example", HTTP: &http.Client{Transport: g}})
	if err != nil {
		t.Fatal(err)
	}
	return gate
}
