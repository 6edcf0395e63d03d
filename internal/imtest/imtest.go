// Package imtest runs a whole system inside a test: all four services on the
// embedded default, in this process, on ports of their own, with everything on
// loopback and in a temporary directory. People sign up in it as anybody would:
// by a code from the outbox.
//
// Use it where several rooms together are the subject; a room's own tests need
// less. What must hold over a crash of the process is tested on the binary, in
// the test folder.
package imtest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/liao-im/liao/client"
	"github.com/liao-im/liao/internal/app"
)

// Password is everybody's.
const Password = "correct horse battery staple"

// Options say what is special about a system. The zero value is the default.
type Options struct {
	Args []string // of liao serve, besides the addresses and the data
}

// System is a running system.
type System struct {
	Gate   string // URL
	Chat   string // host:port of the TCP listener
	Ops    string // URL
	Outbox string // URL of the mails

	args []string
	stop func()
}

// Start starts a system that ends with the test.
func Start(tb testing.TB, o Options) *System {
	tb.Helper()
	s := &System{args: append([]string{"serve", "--data", tb.TempDir()}, o.Args...)}
	s.start(tb, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0")
	return s
}

// Stop ends the system as SIGTERM would; Restart starts it again.
func (s *System) Stop(tb testing.TB) {
	tb.Helper()
	s.stop()
}

// Restart starts the system on the same data and addresses, after ending it if it runs.
func (s *System) Restart(tb testing.TB) {
	tb.Helper()
	s.stop()
	host := func(u string) string { return strings.TrimPrefix(u, "http://") }
	s.start(tb, host(s.Gate), s.Chat, host(s.Ops))
}

func (s *System) start(tb testing.TB, gate, chat, ops string) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &banner{ready: make(chan struct{})}
	over := make(chan struct{})
	logs := &banner{}
	code := 0
	go func() {
		defer close(over)
		args := append(append([]string(nil), s.args...), "--http", gate, "--chat", chat, "--ops", ops)
		code = app.Main(ctx, app.Streams{In: strings.NewReader(""), Out: out, Err: logs}, args)
	}()
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-over
		if code != 0 {
			tb.Errorf("the system ended with code %d:\n%s", code, logs)
		}
	})
	tb.Cleanup(func() {
		s.stop()
		if tb.Failed() {
			tb.Logf("the system's log:\n%s", logs)
		}
	})
	select {
	case <-out.ready:
	case <-over:
		tb.Fatalf("the system did not start:\n%s", logs)
	}
	text := out.String()
	s.Gate = find(tb, text, `HTTP +(http://\S+)`)
	s.Chat = find(tb, text, `Chat, TCP +(\S+)`)
	s.Ops = find(tb, text, `Operator +(http://\S+)`)
	s.Outbox = find(tb, text, `Mails +(http://\S+)`)
}

func find(tb testing.TB, text, pattern string) string {
	tb.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		tb.Fatalf("the banner says nothing like %s:\n%s", pattern, text)
	}
	return m[1]
}

// banner keeps what is written and knows when the banner is complete.
type banner struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{} // nil: nobody waits
	said  bool
}

func (b *banner) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.text.Write(p)
	if b.ready != nil && !b.said && strings.Contains(b.text.String(), "Next,") {
		b.said = true
		close(b.ready)
	}
	return n, err
}

func (b *banner) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Code is the newest code that was mailed to an address. It waits for the mail.
func (s *System) Code(tb testing.TB, email string) string {
	tb.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, s.Outbox+"?to="+url.QueryEscape(email), nil)
		if err != nil {
			tb.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			tb.Fatal(err)
		}
		var mails []struct{ To, Text string }
		err = json.NewDecoder(res.Body).Decode(&mails)
		if closed := res.Body.Close(); err != nil || closed != nil {
			tb.Fatal(err, closed)
		}
		for _, m := range mails {
			if code := regexp.MustCompile(`\b\d{8}\b`).FindString(m.Text); m.To == email && code != "" {
				return code
			}
		}
		select {
		case <-tick.C:
		case <-tb.Context().Done():
			tb.Fatalf("no code came to %s", email)
		}
	}
}

// GateClient is the gate, for a client.
func (s *System) GateClient(tb testing.TB) *client.Gate {
	tb.Helper()
	g, err := client.NewGate(client.GateOptions{URL: s.Gate})
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// SignUp makes an account with this handle and logs it in once.
func (s *System) SignUp(tb testing.TB, handle string) client.Login {
	tb.Helper()
	g := s.GateClient(tb)
	email := handle + "@example.org"
	asked, err := g.RequestCode(tb.Context(), email, client.Register)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := g.CreateAccount(tb.Context(), client.NewAccount{
		Email: email, Request: asked.Request, Code: s.Code(tb, email),
		Handle: handle, Name: strings.ToUpper(handle[:1]) + handle[1:], Password: Password,
	}); err != nil {
		tb.Fatal(err)
	}
	return s.LogIn(tb, handle)
}

// LogIn logs an account in on a new device.
func (s *System) LogIn(tb testing.TB, handle string) client.Login {
	tb.Helper()
	l, err := s.GateClient(tb).Login(tb.Context(), handle, Password, client.Device{Name: "test", Platform: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// Connect connects a login; o says what is special about the client.
func (s *System) Connect(tb testing.TB, l client.Login, o client.Options) *client.Client {
	tb.Helper()
	o.Gate, o.Login = s.GateClient(tb), l
	c, err := client.Open(tb.Context(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := c.Synced(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return c
}

// Befriend makes two users friends and returns their conversation, which both
// clients then know: every entry from here on is given to them.
func Befriend(tb testing.TB, a, b *client.Client) uint64 {
	tb.Helper()
	if err := a.RequestFriend(tb.Context(), b.Me().ID, "", ""); err != nil {
		tb.Fatal(err)
	}
	conv, err := b.AnswerFriend(tb.Context(), a.Me().ID, true, "")
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range []*client.Client{a, b} {
		await(tb, func() bool {
			info, ok := c.Conversation(conv)
			return ok && info.Head > 0
		})
	}
	return conv
}

// patience is how long a test waits for what should come at once.
const patience = 30 * time.Second

// await asks every few milliseconds until cond holds.
func await(tb testing.TB, cond func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatalf("a client does not know the conversation after %v", patience)
		}
	}
}
