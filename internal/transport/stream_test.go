package transport_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
)

func TestFramesSplitAtEveryOffset(t *testing.T) {
	frames := []wire.Frame{frame(1, 0), frame(2, 9), frame(3, 1)}
	var all []byte
	for _, f := range frames {
		all = wire.AppendFrame(all, f)
	}
	for _, stream := range streams {
		t.Run(stream, func(t *testing.T) {
			c, peer := pair(t, stream, transport.Options{})
			for at := 1; at < len(all); at++ {
				written := make(chan error, 1)
				go func() {
					_, err1 := peer.Write(all[:at])
					_, err2 := peer.Write(all[at:])
					written <- errors.Join(err1, err2)
				}()
				for _, f := range frames {
					want(t, c, f)
				}
				if err := <-written; err != nil {
					t.Fatal(err)
				}
				if c.Buffered() {
					t.Fatal("a frame is left over")
				}
			}
		})
	}
}

func TestByteByByte(t *testing.T) {
	for _, stream := range streams {
		t.Run(stream, func(t *testing.T) {
			c, peer := pair(t, stream, transport.Options{})
			written := make(chan error, 1)
			go func() {
				var err error
				for _, b := range wire.AppendFrame(wire.AppendFrame(nil, frame(1, 300)), frame(2, 0)) {
					_, e := peer.Write([]byte{b})
					err = errors.Join(err, e)
				}
				written <- err
			}()
			want(t, c, frame(1, 300))
			want(t, c, frame(2, 0))
			if err := <-written; err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestSizes goes past every buffer's end, with small frames between the large ones.
func TestSizes(t *testing.T) {
	sizes := []int{0, 1, 4083, 4084, 4085, 4096, 7, 16_371, 16_372, 16_373, 0, 16_384, 40_000, wire.MaxBody - 1, wire.MaxBody, 12, 70_000, 70_000, 5}
	for _, stream := range streams {
		t.Run(stream, func(t *testing.T) {
			c, peer := pair(t, stream, transport.Options{MaxBody: wire.MaxBody})
			var all []byte
			for i, n := range sizes {
				all = wire.AppendFrame(all, frame(uint32(i), n))
			}
			send(t, peer, all)
			for i, n := range sizes {
				want(t, c, frame(uint32(i), n))
			}
		})
	}
}

func TestBufferedTellsWhatIsThere(t *testing.T) {
	c, peer := pair(t, "tcp", transport.Options{})
	const n = 100
	var all []byte
	for i := range uint32(n) {
		all = wire.AppendFrame(all, frame(i, 20))
	}
	if _, err := peer.Write(append(all, all[:20]...)); err != nil {
		t.Fatal(err)
	}
	if c.Buffered() {
		t.Error("a frame is there before anything was read")
	}
	turns := 0
	for i := range uint32(n) {
		if !c.Buffered() {
			turns++
		}
		want(t, c, frame(i, 20))
	}
	if c.Buffered() {
		t.Error("half a frame counts as one")
	}
	if turns > n/4 {
		t.Errorf("%d reads for %d frames that came together", turns, n)
	}
}

func TestViolations(t *testing.T) {
	tests := []struct {
		name  string
		bytes string
		codec wire.Codec
	}{
		{"one wrong byte", "G", 0},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", 0},
		{"unknown codec", "\x4c\x07", 0},
		{"oversize JSON", "\x4c\x01\x00\x01\x00\x00\x00\x01\x00\x00\x10\x01", wire.JSON},
		{"oversize protobuf", "\x4c\x02\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff", wire.Protobuf},
	}
	for _, stream := range streams {
		for _, tt := range tests {
			t.Run(stream+"/"+tt.name, func(t *testing.T) {
				c, peer := pair(t, stream, transport.Options{})
				send(t, peer, append(wire.AppendFrame(nil, frame(1, 5)), tt.bytes...))
				want(t, c, frame(1, 5))
				_, err := c.ReadFrame()
				v, ok := errors.AsType[*wire.Violation](err)
				if !ok || v.Codec != tt.codec {
					t.Fatalf("got %v, want a violation in codec %d", err, tt.codec)
				}
			})
		}
	}
}

func TestSetMaxBody(t *testing.T) {
	c, peer := pair(t, "tcp", transport.Options{})
	send(t, peer, slices.Concat(wire.AppendFrame(nil, frame(1, 4096)), wire.AppendFrame(nil, frame(2, 100_000)), wire.AppendFrame(nil, frame(3, 11))))
	want(t, c, frame(1, 4096))
	c.SetMaxBody(wire.MaxBody)
	want(t, c, frame(2, 100_000))
	c.SetMaxBody(10)
	if _, err := c.ReadFrame(); err == nil {
		t.Error("a body over the new limit was accepted")
	}
}

func TestEndOfStream(t *testing.T) {
	for _, stream := range streams {
		for name, tt := range map[string]struct {
			rest int
			want error
		}{
			"between frames": {0, io.EOF},
			"in a header":    {3, io.ErrUnexpectedEOF},
			"in a body":      {15, io.ErrUnexpectedEOF},
		} {
			t.Run(stream+"/"+name, func(t *testing.T) {
				c, peer := pair(t, stream, transport.Options{})
				written := make(chan struct{})
				go func() {
					defer close(written)
					_, _ = peer.Write(wire.AppendFrame(nil, frame(1, 5)))
					_, _ = peer.Write(wire.AppendFrame(nil, frame(2, 5))[:tt.rest])
					_ = peer.Close()
				}()
				want(t, c, frame(1, 5))
				if _, err := c.ReadFrame(); err != tt.want { //nolint:errorlint // promised bare
					t.Errorf("got %v, want %v", err, tt.want)
				}
				<-written
			})
		}
	}
}

// TestHalfClose: a peer that has ended its side still gets its answers.
func TestHalfClose(t *testing.T) {
	c, peer := pair(t, "tcp", transport.Options{})
	send(t, peer, nil)
	if err := peer.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadFrame(); err != io.EOF { //nolint:errorlint // promised bare
		t.Fatalf("got %v, want EOF", err)
	}
	out := wire.AppendFrame(nil, frame(1, 50))
	if err := c.WriteFrames([][]byte{out}, time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(out))
	if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, out) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// TestPartialTimeout: the limit runs from a frame's first byte, whatever else comes, and ends with the
// frame.
func TestPartialTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		handle, next := handOut(t)
		serveOn(t, p, transport.ServeOptions{Handle: handle})
		peer := p.dial()
		c := next()
		c.SetReadDeadline(time.Time{})
		b := wire.AppendFrame(nil, frame(1, 100))
		start := time.Now()
		over := make(chan struct{})
		go func() {
			defer close(over)
			// A whole frame that takes 9 s from its first byte, after a silence.
			<-time.After(time.Hour)
			_, _ = peer.Write(b[:1])
			<-time.After(9 * time.Second)
			_, _ = peer.Write(b[1:])
			// Then one byte a second.
			<-time.After(time.Hour)
			for i := range b {
				if _, err := peer.Write(b[i : i+1]); err != nil {
					return
				}
				<-time.After(time.Second)
			}
		}()
		want(t, c, frame(1, 100))
		if d := time.Since(start); d != time.Hour+9*time.Second {
			t.Errorf("the first frame took %v", d)
		}
		if _, err := c.ReadFrame(); !errors.Is(err, transport.ErrPartial) {
			t.Errorf("got %v, want ErrPartial", err)
		}
		if d := time.Since(start); d != 2*time.Hour+19*time.Second {
			t.Errorf("the second frame was given up %v after the start, want 10 s after its first byte", d)
		}
		_ = peer.Close()
		<-over
	})
}

func TestPartialTimeoutOnSockets(t *testing.T) {
	for _, stream := range []string{"tcp", "tls"} {
		t.Run(stream, func(t *testing.T) {
			c, peer := pair(t, stream, transport.Options{PartialTimeout: 50 * time.Millisecond})
			send(t, peer, append(wire.AppendFrame(nil, frame(1, 5)), 'L', 1))
			want(t, c, frame(1, 5))
			if _, err := c.ReadFrame(); !errors.Is(err, transport.ErrPartial) {
				t.Errorf("got %v, want ErrPartial", err)
			}
		})
	}
}

func TestReadDeadline(t *testing.T) {
	for _, stream := range streams {
		t.Run(stream, func(t *testing.T) {
			c, peer := pair(t, stream, transport.Options{})
			failed := make(chan error, 1)
			go func() {
				_, err := c.ReadFrame()
				failed <- err
			}()
			c.SetReadDeadline(time.Now().Add(time.Hour))
			c.SetReadDeadline(time.Now().Add(-time.Second))
			if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, transport.ErrPartial) {
				t.Errorf("got %v, want a deadline", err)
			}
			// The holder's deadline counts in the middle of a frame, too.
			b := wire.AppendFrame(nil, frame(1, 5))
			c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
			send(t, peer, b[:7])
			if _, err := c.ReadFrame(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want a deadline", err)
			}
		})
	}
}

func TestCloseEndsReading(t *testing.T) {
	for _, stream := range streams {
		for _, grace := range []time.Duration{0, time.Second} {
			t.Run(stream+"/"+grace.String(), func(t *testing.T) {
				c, peer := pair(t, stream, transport.Options{})
				failed := make(chan error, 1)
				go func() {
					_, err := c.ReadFrame()
					failed <- err
				}()
				go func() { // a peer that leaves when it is told to
					_, _ = io.Copy(io.Discard, peer)
					_ = peer.Close()
				}()
				if err := c.Close(grace); err != nil {
					t.Error(err)
				}
				if err := <-failed; !errors.Is(err, net.ErrClosed) {
					t.Errorf("the waiting read got %v", err)
				}
				if _, err := c.ReadFrame(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("the next read got %v", err)
				}
				if err := c.Close(grace); err != nil {
					t.Errorf("second Close: %v", err)
				}
				c.SetReadDeadline(time.Now().Add(time.Hour))
			})
		}
	}
}

// TestLastFrameArrives: what was written before Close reaches a peer that was busy sending, although
// the bytes that it sent were not read. A close without grace would lose it to a reset.
func TestLastFrameArrives(t *testing.T) {
	for _, stream := range []string{"tcp", "tls"} {
		t.Run(stream, func(t *testing.T) {
			c, peer := pair(t, stream, transport.Options{})
			if _, err := peer.Write(slices.Repeat([]byte("garbage!"), 5_000)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.ReadFrame(); err == nil {
				t.Fatal("garbage is no frame")
			}
			last := wire.AppendFrame(nil, frame(9, 60))
			if err := c.WriteFrames([][]byte{last}, time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			closed := make(chan error, 1)
			go func() { closed <- c.Close(patience) }()
			// The peer goes on sending, and reads late.
			if _, err := peer.Write(slices.Repeat([]byte("more"), 1_000)); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(peer)
			if err != nil || !bytes.Equal(got, last) {
				t.Errorf("got %d bytes, %v; want the last frame and EOF", len(got), err)
			}
			_ = peer.Close()
			if err := <-closed; err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// TestGraceEnds: a peer that never hangs up cannot hold us longer than the grace.
func TestGraceEnds(t *testing.T) {
	for name, flood := range map[string]bool{"silent": false, "flooding": true} {
		t.Run(name, func(t *testing.T) {
			c, peer := pair(t, "tcp", transport.Options{})
			if flood {
				send(t, peer, make([]byte, 64<<20))
			}
			start := time.Now()
			if err := c.Close(50 * time.Millisecond); err != nil {
				t.Error(err)
			}
			if d := time.Since(start); d > patience/2 {
				t.Errorf("Close took %v", d)
			}
		})
	}
}

func TestWriteFrames(t *testing.T) {
	tests := map[string][]int{
		"none":             {},
		"one":              {10},
		"one large":        {200_000},
		"several small":    {0, 1, 2, 100, 5},
		"exactly a chunk":  {16_384 - 24, 0},
		"small and large":  {10, 60_000, 10, 10, 16_384 - 12, 10},
		"many":             slices.Repeat([]int{100}, 1_500),
		"two of the limit": {wire.MaxServerBody, wire.MaxServerBody},
	}
	for _, stream := range streams {
		for name, sizes := range tests {
			t.Run(stream+"/"+name, func(t *testing.T) {
				c, peer := pair(t, stream, transport.Options{})
				var frames [][]byte
				for i, n := range sizes {
					frames = append(frames, wire.AppendFrame(nil, frame(uint32(i), n)))
				}
				all := bytes.Join(frames, nil)
				done := make(chan error, 1)
				go func() { done <- c.WriteFrames(frames, time.Now().Add(patience)) }()
				got := make([]byte, len(all))
				if _, err := io.ReadFull(peer, got); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, all) {
					t.Error("other bytes came than were written")
				}
			})
		}
	}
}

// TestSlowReaderDoesNotHoldTheWriter: the deadline ends a write that the peer does not take.
func TestSlowReaderDoesNotHoldTheWriter(t *testing.T) {
	for _, stream := range streams {
		t.Run(stream, func(t *testing.T) {
			c, _ := pair(t, stream, transport.Options{})
			b := wire.AppendFrame(nil, frame(1, wire.MaxServerBody))
			var err error
			for range 100 { // more than the kernel keeps
				if err = c.WriteFrames([][]byte{b, b}, time.Now().Add(50*time.Millisecond)); err != nil {
					break
				}
			}
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want a deadline", err)
			}
		})
	}
}
