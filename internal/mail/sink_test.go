package mail_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// sink is an SMTP server that keeps what it takes, and refuses as it is told.
type sink struct {
	user, password string // empty: no login is asked for
	onRcpt, onData error
	hangAfter      bool // takes the mail and says nothing more

	got chan taken
}

// taken is one mail with its envelope.
type taken struct {
	from, to string
	secure   bool
	raw      []byte
}

// startSink serves on loopback in one of the ways of mail.SMTPOptions.TLS, and returns
// where, and who vouches for its certificate.
func startSink(t *testing.T, s *sink, mode string) (port int, roots *x509.CertPool) {
	t.Helper()
	s.got = make(chan taken, 10)
	cert, roots := certificate(t)
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	server := smtp.NewServer(s)
	server.Domain = "sink.test"
	server.AllowInsecureAuth = mode == "none"
	if mode == "starttls" {
		server.TLSConfig = conf
	}
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	if mode == "tls" {
		l = tls.NewListener(l, conf)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		l.Close() // the server forgets it if it had not begun to serve
		<-done
	})
	return port, roots
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, &x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}

func (s *sink) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	return &sinkSession{sink: s, conn: c, mail: taken{secure: secure}, known: s.user == ""}, nil
}

type sinkSession struct {
	sink  *sink
	conn  *smtp.Conn
	mail  taken
	known bool
}

func (s *sinkSession) AuthMechanisms() []string {
	if s.sink.user == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *sinkSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.sink.user || password != s.sink.password {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

func (s *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	s.mail.from = from
	return nil
}

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.to = to
	return s.sink.onRcpt
}

func (s *sinkSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.sink.onData != nil {
		return s.sink.onData
	}
	s.mail.raw = bytes.Clone(raw)
	s.sink.got <- s.mail
	if s.sink.hangAfter {
		s.conn.Conn().Close()
		return errors.New("the line is cut")
	}
	return nil
}

func (s *sinkSession) Reset() {}

func (s *sinkSession) Logout() error { return nil }
