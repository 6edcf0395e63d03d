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
func Start(t testing.TB, o Options) *System {
	t.Helper()
	s := &System{args: append([]string{"serve", "--data", t.TempDir()}, o.Args...)}
	s.start(t, "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0")
	return s
}

// Stop ends the system as SIGTERM would; Restart starts it again.
func (s *System) Stop(t testing.TB) {
	t.Helper()
	s.stop()
}

// Restart starts the system on the same data and addresses, after ending it if it runs.
func (s *System) Restart(t testing.TB) {
	t.Helper()
	s.stop()
	host := func(u string) string { return strings.TrimPrefix(u, "http://") }
	s.start(t, host(s.Gate), s.Chat, host(s.Ops))
}

func (s *System) start(t testing.TB, gate, chat, ops string) {
	t.Helper()
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
			t.Errorf("the system ended with code %d:\n%s", code, logs)
		}
	})
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the system's log:\n%s", logs)
		}
	})
	select {
	case <-out.ready:
	case <-over:
		t.Fatalf("the system did not start:\n%s", logs)
	}
	text := out.String()
	s.Gate = find(t, text, `HTTP +(http://\S+)`)
	s.Chat = find(t, text, `Chat, TCP +(\S+)`)
	s.Ops = find(t, text, `Operator +(http://\S+)`)
	s.Outbox = find(t, text, `Mails +(http://\S+)`)
}

func find(t testing.TB, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("the banner says nothing like %s:\n%s", pattern, text)
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
func (s *System) Code(t testing.TB, email string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Outbox+"?to="+url.QueryEscape(email), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var mails []struct{ To, Text string }
		err = json.NewDecoder(res.Body).Decode(&mails)
		if closed := res.Body.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		for _, m := range mails {
			if code := regexp.MustCompile(`\b\d{8}\b`).FindString(m.Text); m.To == email && code != "" {
				return code
			}
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("no code came to %s", email)
		}
	}
}

// GateClient is the gate, for a client.
func (s *System) GateClient(t testing.TB) *client.Gate {
	t.Helper()
	g, err := client.NewGate(client.GateOptions{URL: s.Gate})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// SignUp makes an account with this handle and logs it in once.
func (s *System) SignUp(t testing.TB, handle string) client.Login {
	t.Helper()
	g := s.GateClient(t)
	email := handle + "@example.org"
	asked, err := g.RequestCode(t.Context(), email, client.Register)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.CreateAccount(t.Context(), client.NewAccount{
		Email: email, Request: asked.Request, Code: s.Code(t, email),
		Handle: handle, Name: strings.ToUpper(handle[:1]) + handle[1:], Password: Password,
	}); err != nil {
		t.Fatal(err)
	}
	return s.LogIn(t, handle)
}

// LogIn logs an account in on a new device.
func (s *System) LogIn(t testing.TB, handle string) client.Login {
	t.Helper()
	l, err := s.GateClient(t).Login(t.Context(), handle, Password, client.Device{Name: "test", Platform: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Connect connects a login; o says what is special about the client.
func (s *System) Connect(t testing.TB, l client.Login, o client.Options) *client.Client {
	t.Helper()
	o.Gate, o.Login = s.GateClient(t), l
	c, err := client.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Synced(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// Befriend makes two users friends and returns their conversation.
func Befriend(t testing.TB, a, b *client.Client) uint64 {
	t.Helper()
	if err := a.RequestFriend(t.Context(), b.Me().ID, "", ""); err != nil {
		t.Fatal(err)
	}
	conv, err := b.AnswerFriend(t.Context(), a.Me().ID, true, "")
	if err != nil {
		t.Fatal(err)
	}
	return conv
}
