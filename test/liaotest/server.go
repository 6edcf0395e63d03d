package liaotest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for something that should come at once on an
// idle machine; test machines are seldom idle.
const Patience = 30 * time.Second

var build = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("LIAO_BIN"); bin != "" {
		return filepath.Abs(bin)
	}
	dir, err := os.MkdirTemp("", "liao-bin-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "liao")
	cmd := exec.Command("go", "build", "-o", bin, "github.com/liao-im/liao/cmd/liao")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build liao: %w\n%s", err, out)
	}
	return bin, nil
})

// Binary returns the path of the liao binary: LIAO_BIN if it is set, else one that
// is built once for the test process.
func Binary(tb testing.TB) string {
	tb.Helper()
	bin, err := build()
	if err != nil {
		tb.Fatal(err)
	}
	return bin
}

// Server is one running `liao serve` with a data folder and addresses of its own.
type Server struct {
	Gate string // http://127.0.0.1:port
	Chat string // 127.0.0.1:port
	Ops  string // http://127.0.0.1:port
	Data string
	Env  []string // further environment, NAME=value
	Args []string // further arguments of liao serve

	tb  testing.TB
	cmd *exec.Cmd
	end chan struct{} // closed when the process has ended
	err error         // how it ended; valid after end
	log *lockedBuffer
}

// Options of a Server that differ from a plain `liao serve`.
type Options struct {
	Env  []string
	Args []string
	Data string // an existing data folder; empty: a fresh one
}

// Start runs liao serve on a fresh data folder and free ports, and returns once it
// is ready. It is killed when the test ends.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	s := New(tb, o)
	s.Run()
	s.WaitReady()
	return s
}

// New prepares a server without starting it.
func New(tb testing.TB, o Options) *Server {
	tb.Helper()
	if o.Data == "" {
		o.Data = filepath.Join(tb.TempDir(), "data")
	}
	return &Server{
		Gate: "http://" + freeAddr(tb), Chat: freeAddr(tb), Ops: "http://" + freeAddr(tb),
		Data: o.Data, Env: o.Env, Args: o.Args, tb: tb, log: &lockedBuffer{},
	}
}

// Run starts the process without waiting until it is ready.
func (s *Server) Run() {
	s.tb.Helper()
	args := append([]string{
		"serve", "--data", s.Data, "--http", strings.TrimPrefix(s.Gate, "http://"),
		"--chat", s.Chat, "--ops", strings.TrimPrefix(s.Ops, "http://"),
	}, s.Args...)
	// Not bound to the test's context: the test itself decides how it ends.
	cmd := exec.CommandContext(context.WithoutCancel(s.tb.Context()), Binary(s.tb), args...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	end := make(chan struct{})
	s.cmd, s.end = cmd, end
	go func() {
		s.err = cmd.Wait()
		close(end)
	}()
	s.tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-end
	})
}

// WaitReady returns once /readyz says yes.
func (s *Server) WaitReady() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(s.tb.Context(), Patience)
	defer cancel()
	Until(s.tb, "liao is ready", func() bool {
		select {
		case <-s.end:
			s.tb.Fatalf("liao ended before it was ready: %v\n%s", s.err, s.Log())
		default:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Ops+"/readyz", http.NoBody)
		if err != nil {
			s.tb.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// Kill ends the process as a crash would, and returns when it is gone.
func (s *Server) Kill() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.end
}

// Stop asks the process to end (SIGTERM) and returns its exit code and how long it took.
func (s *Server) Stop() (code int, took time.Duration) {
	s.tb.Helper()
	begin := time.Now()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.end:
	case <-time.After(Patience):
		s.tb.Fatalf("liao did not end within %v of SIGTERM\n%s", Patience, s.Log())
	}
	if exit, ok := errors.AsType[*exec.ExitError](s.err); ok {
		return exit.ExitCode(), time.Since(begin)
	}
	return 0, time.Since(begin)
}

// PID is the process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Log returns what the process has written so far, on both of its streams.
func (s *Server) Log() string { return s.log.String() }

// Liao runs another command of the binary against this server's data, such as
// `user disable`, and returns its output. A failure ends the test.
func (s *Server) Liao(args ...string) string {
	s.tb.Helper()
	out, err := s.TryLiao(args...)
	if err != nil {
		s.tb.Fatalf("liao %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// TryLiao is Liao for a command that may fail.
func (s *Server) TryLiao(args ...string) (string, error) {
	s.tb.Helper()
	cmd := exec.CommandContext(s.tb.Context(), Binary(s.tb), append(args, "--data", s.Data)...)
	cmd.Env = append(os.Environ(), s.Env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Until waits for cond, asking every few milliseconds, and ends the test if it does
// not come true in time.
func Until(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); <-tick.C {
		if cond() {
			return
		}
	}
	tb.Fatalf("waited %v for: %s", Patience, what)
}

// freeAddr returns a loopback address that nobody listens on now. Restarts need the
// same one again, so it cannot be left to the server.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	ln, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
