package mail_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/liao-im/liao/internal/mail"
)

const (
	text = "Your code is\n\n31415926\n\n验证码。 A line that is rather long, so that it has to be broken by what quoted-printable calls a soft line break.\n.\nend"
	page = "<p>Your code is 31415926</p>"
)

func newSMTP(t *testing.T, o mail.SMTPOptions) *mail.SMTP {
	t.Helper()
	o.Host = "127.0.0.1"
	o.From = "liao <no-reply@example.org>"
	s, err := mail.NewSMTP(o)
	if err != nil {
		t.Fatalf("NewSMTP: %v", err)
	}
	return s
}

func TestSMTP(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{mail.StartTLS, mail.TLS, mail.NoTLS} {
		for _, user := range []string{"", "liao"} {
			t.Run(mode+" "+user, func(t *testing.T) {
				t.Parallel()
				k := &sink{user: user, password: "p4ssw0rd"}
				port, roots := startSink(t, k, mode)
				s := newSMTP(t, mail.SMTPOptions{Port: port, TLS: mode, User: user, Password: "p4ssw0rd", RootCAs: roots})
				if err := s.Send(t.Context(), "ada@example.org", "验证码 and more", text, page); err != nil {
					t.Fatalf("Send: %v", err)
				}
				m := <-k.got
				if m.from != "no-reply@example.org" || m.to != "ada@example.org" || m.secure != (mode != mail.NoTLS) {
					t.Errorf("envelope: got %s to %s, secure %t", m.from, m.to, m.secure)
				}
				checkMail(t, m.raw)
			})
		}
	}
}

// checkMail reads the mail as a mail program would.
func checkMail(t *testing.T, raw []byte) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("read the mail: %v", err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != "验证码 and more" {
		t.Errorf("subject: got %q, %v", subject, err)
	}
	if got := m.Header.Get("Auto-Submitted"); got != "auto-generated" {
		t.Errorf("Auto-Submitted: got %q", got)
	}
	if id := m.Header.Get("Message-Id"); !strings.HasSuffix(id, "@example.org>") {
		t.Errorf("Message-ID: got %q", id)
	}
	if _, err := m.Header.Date(); err != nil {
		t.Errorf("Date: %v", err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatalf("Content-Type: %v", err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{text, page} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatalf("next part: %v", err)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatalf("read a part: %v", err)
		}
		if got := strings.TrimRight(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n"); got != want {
			t.Errorf("part: got %q, want %q", got, want)
		}
	}
	if !bytes.Contains(raw, []byte("\r\n31415926\r\n")) {
		t.Errorf("the code is not on a line of its own in the raw mail:\n%s", raw)
	}
}

// TestSMTPFailures: an error says whether the mail may be sent again, and only says so
// if it surely was not taken.
func TestSMTPFailures(t *testing.T) {
	t.Parallel()
	status := func(code int) error { return &smtp.SMTPError{Code: code, Message: "no"} }
	for name, c := range map[string]struct {
		sink      sink
		options   mail.SMTPOptions
		mode      string // of the sink
		temporary bool
		mails     int
	}{
		"mailbox busy":          {sink{onRcpt: status(450)}, mail.SMTPOptions{}, "none", true, 0},
		"no such mailbox":       {sink{onRcpt: status(550)}, mail.SMTPOptions{}, "none", false, 0},
		"content refused now":   {sink{onData: status(451)}, mail.SMTPOptions{}, "none", true, 0},
		"content refused":       {sink{onData: status(554)}, mail.SMTPOptions{}, "none", false, 0},
		"cut after the content": {sink{hangAfter: true}, mail.SMTPOptions{}, "none", false, 1},
		"wrong password":        {sink{user: "liao", password: "p"}, mail.SMTPOptions{User: "liao", Password: "q"}, "none", false, 0},
		"no login given":        {sink{user: "liao", password: "p"}, mail.SMTPOptions{}, "none", false, 0},
		"no STARTTLS there":     {sink{}, mail.SMTPOptions{TLS: mail.StartTLS}, "none", true, 0},
		"unknown authority":     {sink{}, mail.SMTPOptions{TLS: mail.TLS}, "tls", true, 0},
		"TLS, and it is not":    {sink{}, mail.SMTPOptions{TLS: mail.TLS, Timeout: 2 * time.Second}, "none", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &c.sink
			port, _ := startSink(t, k, c.mode)
			c.options.Port = port
			if c.options.TLS == "" {
				c.options.TLS = mail.NoTLS
			}
			err := newSMTP(t, c.options).Send(t.Context(), "ada@example.org", "hello", text, page)
			wantFailure(t, err, c.temporary)
			if err != nil && c.options.Password != "" && strings.Contains(err.Error(), c.options.Password+" ") {
				t.Errorf("the error holds the password: %v", err)
			}
			if n := len(k.got); n != c.mails {
				t.Errorf("mails taken: got %d, want %d", n, c.mails)
			}
		})
	}
}

func wantFailure(t *testing.T, err error, temporary bool) {
	t.Helper()
	if err == nil {
		t.Fatal("Send: got no error")
	}
	var f interface{ Temporary() bool }
	if got := errors.As(err, &f) && f.Temporary(); got != temporary {
		t.Errorf("temporary: got %t, want %t, of %v", got, temporary, err)
	}
}

func TestSMTPServerAway(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	wantFailure(t, newSMTP(t, mail.SMTPOptions{Port: port, TLS: mail.NoTLS}).Send(t.Context(), "ada@example.org", "s", "t", ""), true)
}

// TestSMTPSilentServer: a server that says nothing holds nobody longer than told.
func TestSMTPSilentServer(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	for name, send := range map[string]func() error{
		"timeout": func() error {
			return newSMTP(t, mail.SMTPOptions{Port: port, TLS: mail.NoTLS, Timeout: 100 * time.Millisecond}).Send(t.Context(), "ada@example.org", "s", "t", "")
		},
		"caller gives up": func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			return newSMTP(t, mail.SMTPOptions{Port: port, TLS: mail.NoTLS}).Send(ctx, "ada@example.org", "s", "t", "")
		},
	} {
		began := time.Now()
		wantFailure(t, send(), true)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

func TestSMTPOptions(t *testing.T) {
	t.Parallel()
	good := mail.SMTPOptions{Host: "mail.example.org", From: "no-reply@example.org"}
	if _, err := mail.NewSMTP(good); err != nil {
		t.Fatalf("good options: %v", err)
	}
	for name, change := range map[string]func(*mail.SMTPOptions){
		"no host":                func(o *mail.SMTPOptions) { o.Host = "" },
		"no sender":              func(o *mail.SMTPOptions) { o.From = "" },
		"sender with a header":   func(o *mail.SMTPOptions) { o.From = "a@example.org\r\nBcc: b@example.org" },
		"unknown TLS":            func(o *mail.SMTPOptions) { o.TLS = "maybe" },
		"password in the clear":  func(o *mail.SMTPOptions) { o.TLS, o.User = mail.NoTLS, "u" },
		"two senders":            func(o *mail.SMTPOptions) { o.From = "a@example.org, b@example.org" },
		"sender without a place": func(o *mail.SMTPOptions) { o.From = "liao" },
	} {
		o := good
		change(&o)
		if _, err := mail.NewSMTP(o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// hostile are recipients and subjects that try to be more than they should.
func hostile() []struct{ to, subject string } {
	return []struct{ to, subject string }{
		{"ada@example.org\r\nBcc: eve@example.org", "s"},
		{"ada@example.org, eve@example.org", "s"},
		{"ada@example.org>\r\nRCPT TO:<eve@example.org", "s"},
		{"Ada <ada@example.org>", "s"},
		{"", "s"},
		{"ada", "s"},
		{"ada@example.org", "s\r\nBcc: eve@example.org"},
		{"ada@example.org", "s\n\nbody"},
		{"ada@example.org", "s\x00"},
	}
}

func TestNoInjection(t *testing.T) {
	t.Parallel()
	k := &sink{}
	port, _ := startSink(t, k, "none")
	s := newSMTP(t, mail.SMTPOptions{Port: port, TLS: mail.NoTLS})
	for _, h := range hostile() {
		if err := s.Send(t.Context(), h.to, h.subject, "text", ""); err == nil {
			t.Errorf("to %q, subject %q: got no error", h.to, h.subject)
		}
	}
	if len(k.got) != 0 {
		t.Errorf("%d mails were taken", len(k.got))
	}
}
