package security_test

import (
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/liao-im/liao/test/liaotest"
)

// sink is an SMTP server that really receives.
type sink struct {
	tb   testing.TB
	addr string

	mu    sync.Mutex
	mails []received
}

type received struct {
	to   string
	data string
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{tb: t}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s}, nil }))
	ln := listen(t)
	s.addr = ln.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ln)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return s
}

// env configures a server to send here.
func (s *sink) env() []string {
	host, port, _ := net.SplitHostPort(s.addr)
	return []string{"LIAO_MAIL_SMTP_HOST=" + host, "LIAO_MAIL_SMTP_PORT=" + port, "LIAO_MAIL_SMTP_TLS=none", "LIAO_MAIL_FROM=liao <liao@example.org>"}
}

// requestCode asks for a code and reads it from the mail that arrives.
func (s *sink) requestCode(srv *liaotest.Server, email, purpose string) (request, code string) {
	s.tb.Helper()
	before := len(s.to(email))
	a := srv.Call(http.MethodPost, "/v1/codes", "", object{"email": email, "purpose": purpose}).Want(s.tb, http.StatusAccepted)
	liaotest.Until(s.tb, "the mail to "+email, func() bool { return len(s.to(email)) > before })
	mails := s.to(email)
	return a.String("request"), eightDigits.FindString(text(s.tb, mails[len(mails)-1]))
}

func (s *sink) to(email string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.mails {
		if m.to == email {
			out = append(out, m.data)
		}
	}
	return out
}

// text is the plain part of a mail.
func text(tb testing.TB, data string) string {
	tb.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		tb.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		tb.Fatal(err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		raw, _ := io.ReadAll(m.Body)
		return string(raw)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err != nil {
			tb.Fatalf("no plain part in %s", data)
		}
		if !strings.HasPrefix(p.Header.Get("Content-Type"), "text/plain") {
			continue
		}
		var r io.Reader = p
		if strings.EqualFold(p.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			r = quotedprintable.NewReader(p)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			tb.Fatal(err)
		}
		return string(raw)
	}
}

type sinkSession struct {
	sink *sink
	to   []string
}

func (s *sinkSession) Reset()                                    { s.to = nil }
func (s *sinkSession) Logout() error                             { return nil }
func (s *sinkSession) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = append(s.to, to); return nil }

func (s *sinkSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	for _, to := range s.to {
		s.sink.mails = append(s.sink.mails, received{to: to, data: string(raw)})
	}
	return nil
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}
