package transport_test

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
)

// residentSize is the memory of this process in bytes that is in RAM.
func residentSize(tb testing.TB) int {
	tb.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Skip("this system does not say how much memory a process has: ", err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		tb.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// idle opens n connections that have carried one frame each way and are silent now. The peers are bare
// sockets of the same process, without goroutines.
func idle(tb testing.TB, n int) {
	tb.Helper()
	var answered sync.WaitGroup
	answered.Add(n)
	addr := serve(tb, transport.ServeOptions{Handle: func(ctx context.Context, c transport.Conn) {
		stop := context.AfterFunc(ctx, func() { _ = c.Close(0) })
		defer stop()
		first := true
		for {
			f, err := c.ReadFrame()
			if err != nil {
				return
			}
			if c.WriteFrames([][]byte{wire.AppendFrame(nil, f)}, time.Now().Add(patience)) != nil {
				return
			}
			if first {
				answered.Done()
			}
			first = false
			c.SetReadDeadline(time.Now().Add(time.Hour))
		}
	}})
	peers := make([]net.Conn, n)
	tb.Cleanup(func() {
		for _, p := range peers {
			_ = p.Close()
		}
	})
	b := wire.AppendFrame(nil, frame(1, 50))
	for i := range peers {
		// Several of our own addresses, so that the ports suffice.
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%100))}}
		p, err := d.DialContext(tb.Context(), "tcp", addr)
		if err != nil {
			tb.Fatal(err)
		}
		peers[i] = p
		if _, err := p.Write(b); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.ReadFull(p, make([]byte, len(b))); err != nil {
			tb.Fatal(err)
		}
	}
	answered.Wait()
}

// TestIdleConnections: a silent connection is one goroutine, and its memory is small. The limit leaves
// room for the peers' sockets and the race detector, and none for a read buffer.
func TestIdleConnections(t *testing.T) {
	const n, limit = 400, 10 << 10
	goroutines := runtime.NumGoroutine()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	idle(t, n)
	runtime.GC()
	runtime.GC() // the first empties the pools, the second frees what was in them
	runtime.ReadMemStats(&after)
	// One for Serve and one for its stop.
	if got := runtime.NumGoroutine() - goroutines; got < n || got > n+2 {
		t.Errorf("%d goroutines for %d connections", got, n)
	}
	used := int(after.HeapInuse+after.StackInuse) - int(before.HeapInuse+before.StackInuse)
	if got := used / n; got > limit {
		t.Errorf("%d bytes of memory a connection, want at most %d", got, limit)
	}
}

// BenchmarkIdleConnections gives the resident memory of an idle connection, the peer's bare socket in
// the same process included. N is the number of connections, each of two descriptors: run it with
// -benchtime=9000x or as the limit of open files allows.
func BenchmarkIdleConnections(b *testing.B) {
	runtime.GC()
	before := residentSize(b)
	goroutines := runtime.NumGoroutine()
	idle(b, b.N)
	runtime.GC()
	runtime.GC()
	b.ReportMetric(float64(residentSize(b)-before)/float64(b.N), "RSS-B/conn")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(b.N), "goroutines/conn")
}

// BenchmarkEcho is one frame there and back over TCP.
func BenchmarkEcho(b *testing.B) {
	addr := serve(b, transport.ServeOptions{Handle: func(ctx context.Context, c transport.Conn) {
		stop := context.AfterFunc(ctx, func() { _ = c.Close(0) })
		defer stop()
		out := make([]byte, 0, 256)
		frames := make([][]byte, 1)
		for {
			f, err := c.ReadFrame()
			if err != nil {
				return
			}
			frames[0] = wire.AppendFrame(out, f)
			if c.WriteFrames(frames, time.Now().Add(patience)) != nil {
				return
			}
		}
	}})
	c, err := transport.Dial(b.Context(), transport.DialOptions{Address: "tcp://" + addr})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close(0) }()
	out := wire.AppendFrame(nil, frame(1, 100))
	frames := make([][]byte, 1)
	b.ReportAllocs()
	for b.Loop() {
		frames[0] = out
		if err := c.WriteFrames(frames, time.Now().Add(patience)); err != nil {
			b.Fatal(err)
		}
		if _, err := c.ReadFrame(); err != nil {
			b.Fatal(err)
		}
	}
}
