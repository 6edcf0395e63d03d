//go:build unix

package transport

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// trickle is a net.Conn from which bytes come in pieces of the given lengths, over and over.
type trickle struct {
	net.Conn

	data   []byte
	pieces []byte
	next   int
}

func (c *trickle) Read(b []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := len(b)
	if len(c.pieces) > 0 {
		n = min(n, 1+int(c.pieces[c.next%len(c.pieces)]))
		c.next++
	}
	n = copy(b[:n], c.data)
	c.data = c.data[n:]
	return n, nil
}

func (*trickle) SetReadDeadline(time.Time) error { return nil }

// sockets gives both ends of a connection that can be polled. Bytes do not wait in it: what is written
// is there to read.
func sockets(tb testing.TB) (ours, theirs net.Conn) {
	tb.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	ends := make([]net.Conn, 2)
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socketpair")
		if ends[i], err = net.FileConn(f); err != nil {
			tb.Fatal(err)
		}
		_ = f.Close()
	}
	tb.Cleanup(func() {
		_ = ends[0].Close()
		_ = ends[1].Close()
	})
	return ends[0], ends[1]
}

// parseAll is what reassembly should give: the frames in data, and the error after them.
func parseAll(data []byte, maxBody int) (frames []wire.Frame, end error) {
	for {
		h, ok, err := wire.ParseHeader(data, maxBody)
		switch {
		case err != nil:
			return frames, err
		case len(data) == 0:
			return frames, io.EOF
		case !ok || len(data) < wire.HeaderLen+h.Len:
			return frames, io.ErrUnexpectedEOF
		}
		frames = append(frames, wire.Frame{Codec: h.Codec, Type: h.Type, ID: h.ID, Body: data[wire.HeaderLen : wire.HeaderLen+h.Len]})
		data = data[wire.HeaderLen+h.Len:]
	}
}

// cuts are streams and the lengths, less one, of the pieces in which they come.
func cuts() (cuts [][2][]byte) {
	one := wire.AppendFrame(nil, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SEND, ID: 1, Body: []byte("{}")})
	two := wire.AppendFrame(one, wire.Frame{Codec: wire.Protobuf, Type: clientpb.Type_SEND, ID: 2, Body: make([]byte, 120)})
	return [][2][]byte{
		{two, {0}},
		{two, {0, 255, 11, 3}},
		{slices.Repeat(one, 9), {12, 13, 14, 200}},
		{append(slices.Clip(one), "GET /"...), {5}},
		{append(slices.Clip(one), "\x4c\x02\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff"...), {}},
		{two[:100], {99}},
		{slices.Repeat(two, 3), {255}},
	}
}

// FuzzReassembly: however a stream is cut into pieces, the same frames come out of it, and the same
// end.
func FuzzReassembly(f *testing.F) {
	for _, c := range cuts() {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, data, pieces []byte) {
		reassemble(t, &trickle{data: data, pieces: pieces}, data)
	})
}

// TestReassemblyPolled is the same where a socket is polled. It is no fuzz test because what a second
// goroutine does differs from run to run, which leads a fuzzer astray.
func TestReassemblyPolled(t *testing.T) {
	for _, c := range cuts() {
		data, pieces := c[0], c[1]
		ours, theirs := sockets(t)
		go func() {
			for rest, i := data, 0; len(rest) > 0; i++ {
				n := len(rest)
				if len(pieces) > 0 {
					n = min(n, 1+int(pieces[i%len(pieces)]))
				}
				if _, err := theirs.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
			_ = theirs.Close()
		}()
		reassemble(t, ours, data)
	}
}

// reassemble reads all of c, and wants the frames and the end that data has.
func reassemble(t *testing.T, c net.Conn, data []byte) {
	t.Helper()
	const maxBody = 20_000
	wanted, end := parseAll(data, maxBody)
	s := newStream(c, c, netip.AddrPort{}, Options{MaxBody: maxBody})
	if _, pollable := c.(syscall.Conn); pollable != (s.poll != nil) {
		t.Fatalf("a %T is polled: %v", c, s.poll != nil)
	}
	for i, w := range wanted {
		got, err := s.ReadFrame()
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if got.Codec != w.Codec || got.Type != w.Type || got.ID != w.ID || string(got.Body) != string(w.Body) {
			t.Fatalf("frame %d: got %+v, want %+v", i, got, w)
		}
	}
	_, err := s.ReadFrame()
	if _, ok := errors.AsType[*wire.Violation](end); ok {
		if _, ok := errors.AsType[*wire.Violation](err); !ok {
			t.Fatalf("got %v, want %v", err, end)
		}
	} else if err != end { //nolint:errorlint // promised bare
		t.Fatalf("got %v, want %v", err, end)
	}
}

// FuzzWholeMessage: any bytes can be looked at, and only a message that is there to its end counts.
func FuzzWholeMessage(f *testing.F) {
	f.Add([]byte{0x82, 0x80, 0, 0, 0, 0})
	f.Add([]byte{0x81, 0x02, 'h', 'i'})
	f.Add(append([]byte{0x82, 0xfe, 0x00, 0x80, 0, 0, 0, 0}, make([]byte, 128)...))
	f.Add([]byte{0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if !wholeMessage(b) {
			return
		}
		if b[0]&0x80 == 0 || b[0]&0x0f != 1 && b[0]&0x0f != 2 {
			t.Errorf("% x is no whole message", b[:2])
		}
		// Without its last byte, if it fills b, it is not whole.
		for n := range slices.Backward(b) {
			if !wholeMessage(b[:n]) {
				return
			}
		}
		t.Error("nothing at all counts as a message")
	})
}

// TestMemoryFollowsBytesThatCame: a frame that declares the most and sends a little costs little.
func TestMemoryFollowsBytesThatCame(t *testing.T) {
	const conns = 50
	header := wire.AppendFrame(nil, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SEND, ID: 1, Body: make([]byte, wire.MaxBody)})
	for _, came := range []int{12, 100, 5_000, 17_000, 60_000} {
		var before, after runtime.MemStats
		total := 0
		for range conns {
			c := &trickle{data: header[:came]}
			runtime.ReadMemStats(&before)
			s := newStream(c, c, netip.AddrPort{}, Options{MaxBody: wire.MaxBody})
			_, err := s.ReadFrame()
			runtime.ReadMemStats(&after)
			if err != io.ErrUnexpectedEOF { //nolint:errorlint // promised bare
				t.Fatal(err)
			}
			total += int(after.TotalAlloc - before.TotalAlloc)
		}
		if got, limit := total/conns, 64<<10+4*came; got > limit {
			t.Errorf("%d bytes of a frame that declares %d: %d bytes allocated, want at most %d", came, wire.MaxBody, got, limit)
		}
	}
}

// TestWaitingHoldsNoBuffer looks at what a polled connection keeps while it waits: nothing between
// frames, and within one as much as came.
func TestWaitingHoldsNoBuffer(t *testing.T) {
	ours, theirs := sockets(t)
	s := newStream(ours, ours, netip.AddrPort{}, Options{MaxBody: wire.MaxBody})
	b := wire.AppendFrame(nil, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SEND, ID: 1, Body: make([]byte, 300)})
	for name, tt := range map[string]struct {
		sent []byte
		keep int
	}{
		"between frames": {b, 0},
		"in a frame":     {append(slices.Clip(b), b[:40]...), 40},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := theirs.Write(tt.sent); err != nil {
				t.Fatal(err)
			}
			if _, err := s.ReadFrame(); err != nil {
				t.Fatal(err)
			}
			if !s.loan.lent() {
				t.Error("the frame's bytes are in no borrowed buffer")
			}
			s.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if _, err := s.ReadFrame(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("got %v, want a deadline", err)
			}
			if s.loan.lent() || s.end != tt.keep || cap(s.buf) > 2*tt.keep {
				t.Errorf("it keeps %d bytes in %d, lent %v; want %d", s.end, cap(s.buf), s.loan.lent(), tt.keep)
			}
			s.SetReadDeadline(time.Time{})
			s.buf, s.end = nil, 0
			s.due.endFrame()
		})
	}
}

// TestRestAtTheEndOfABuffer: what is missing of a frame that fills a buffer comes alone, and with more
// behind it.
func TestRestAtTheEndOfABuffer(t *testing.T) {
	next := wire.AppendFrame(nil, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SEND, ID: 2, Body: []byte("next")})
	for _, size := range []int{chunkLen - 1, chunkLen, chunkLen + 1, smallLen} {
		body := make([]byte, size-wire.HeaderLen)
		for i := range body {
			body[i] = byte(i * 7)
		}
		b := wire.AppendFrame(nil, wire.Frame{Codec: wire.JSON, Type: clientpb.Type_SEND, ID: 1, Body: body})
		for missing := 1; missing < 15; missing++ {
			ours, theirs := sockets(t)
			s := newStream(ours, ours, netip.AddrPort{}, Options{MaxBody: wire.MaxBody})
			for _, piece := range [][]byte{b[:len(b)-missing], append(slices.Clip(b[len(b)-missing:]), next...)} {
				if _, err := theirs.Write(piece); err != nil {
					t.Fatal(err)
				}
				if len(piece) > 100 {
					s.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
					if _, err := s.ReadFrame(); !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatalf("got %v, want a deadline", err)
					}
					s.SetReadDeadline(time.Time{})
				}
			}
			for id, want := range []string{string(body), "next"} {
				f, err := s.ReadFrame()
				if err != nil || f.ID != uint32(id+1) || string(f.Body) != want {
					t.Fatalf("size %d, %d missing: got frame %d of %d bytes, %v", size, missing, f.ID, len(f.Body), err)
				}
			}
		}
	}
}

// TestReadFrameMakesNoGarbage: a frame that comes whole costs no allocation.
func TestReadFrameMakesNoGarbage(t *testing.T) {
	ours, theirs := sockets(t)
	s := newStream(ours, ours, netip.AddrPort{}, Options{})
	b := wire.AppendFrame(nil, wire.Frame{Codec: wire.Protobuf, Type: clientpb.Type_SEND, ID: 1, Body: make([]byte, 100)})
	allocs := testing.AllocsPerRun(500, func() {
		if _, err := theirs.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadFrame(); err != nil {
			t.Fatal(err)
		}
	})
	if allocs >= 1 {
		t.Errorf("%v allocations a frame, want none", allocs)
	}
}
