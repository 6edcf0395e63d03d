package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// Ways of TLS to an SMTP server.
const (
	StartTLS = "starttls" // required: a server without it gets no mail
	TLS      = "tls"      // from the first byte
	NoTLS    = "none"     // for a server on this machine
)

// sendTime bounds one Send if SMTPOptions say nothing: most servers answer in a
// second; RFC 5321 lets a busy one take minutes, which a person who waits for a
// code does not.
const sendTime = 30 * time.Second

// SMTPOptions say how to reach an SMTP server.
type SMTPOptions struct {
	Host string
	From string // "name@example.org" or "Name <name@example.org>"

	Port      int            // 0: 587 for starttls, 465 for tls, 25 for none
	TLS       string         // StartTLS, TLS or NoTLS; empty: StartTLS
	User      string         // empty: no login
	Password  string         // of User
	HelloName string         // how we name ourselves; empty: the host's name
	Timeout   time.Duration  // of one Send; 0: 30 s
	RootCAs   *x509.CertPool // whom to trust; nil: whom the system trusts
}

// SMTP sends mail through one SMTP server, one connection per mail. It may be used
// by many goroutines.
type SMTP struct {
	o    SMTPOptions
	from *netmail.Address
}

// NewSMTP checks the options; it does not connect. A user is refused together with
// NoTLS unless the host is this machine: the password would cross a network.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	if o.Host == "" {
		return nil, errors.New("mail: the SMTP server's host is missing")
	}
	from, err := netmail.ParseAddress(o.From)
	if err != nil || oneLine(o.From) != nil {
		return nil, fmt.Errorf("mail: the sender %q is not an address such as liao <no-reply@example.org>", o.From)
	}
	ports := map[string]int{StartTLS: 587, TLS: 465, NoTLS: 25}
	if o.TLS == "" {
		o.TLS = StartTLS
	}
	port, known := ports[o.TLS]
	if !known {
		return nil, fmt.Errorf("mail: TLS is %q, and must be one of starttls, tls, none", o.TLS)
	}
	if o.TLS == NoTLS && o.User != "" && !onThisMachine(o.Host) {
		return nil, errors.New("mail: a password is not sent without TLS to another machine; use starttls or tls")
	}
	if o.Port == 0 {
		o.Port = port
	}
	if o.Timeout <= 0 {
		o.Timeout = sendTime
	}
	if o.HelloName == "" {
		o.HelloName = helloName()
	}
	return &SMTP{o: o, from: from}, nil
}

// Send hands one mail to the server and returns once it has taken it. The part
// in HTML may be empty.
func (s *SMTP) Send(ctx context.Context, to, subject, text, html string) error {
	m, err := s.compose(to, subject, text, html)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()

	// The library forgets the connection after an error and does not look at ctx while
	// it talks: so the connection is held here, and closed when time or work is over.
	hangUp := func() {}
	defer func() { hangUp() }()
	c, err := s.client(func(conn net.Conn) {
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		hangUp = func() { stop(); conn.Close() }
	})
	if err != nil {
		return fmt.Errorf("prepare the SMTP client: %w", err)
	}
	session, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return dialFailure(fmt.Errorf("connect to the SMTP server: %w", err))
	}
	if err := c.SendWithSMTPClient(session, m); err != nil && !m.IsDelivered() {
		return sendFailure(fmt.Errorf("send the mail: %w", err))
	}
	// The mail is taken; how the server says goodbye changes nothing.
	_ = c.CloseWithSMTPClient(session)
	return nil
}

// compose builds the mail, and refuses what would not stay in its place.
func (s *SMTP) compose(to, subject, text, html string) (*gomail.Msg, error) {
	rcpt, err := oneAddress(to)
	if err != nil {
		return nil, err
	}
	if err := oneLine(subject); err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(s.from)
	m.ToMailAddress(rcpt)
	m.Subject(subject)
	m.SetDate()
	m.SetMessageIDWithValue(messageID(s.from.Address))
	// RFC 3834: nobody's holiday notice shall answer.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(gomail.TypeTextPlain, text)
	if html != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, html)
	}
	return m, nil
}

// client makes the library's client, which tells opened of its connection.
func (s *SMTP) client(opened func(net.Conn)) (*gomail.Client, error) {
	conf := &tls.Config{ServerName: s.o.Host, RootCAs: s.o.RootCAs, MinVersion: tls.VersionTLS12}
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if s.o.TLS != TLS {
			opened(c)
			return c, nil
		}
		t := tls.Client(c, conf)
		opened(t)
		return t, t.HandshakeContext(ctx)
	}
	opts := []gomail.Option{
		gomail.WithPort(s.o.Port), gomail.WithTimeout(s.o.Timeout), gomail.WithHELO(s.o.HelloName),
		gomail.WithTLSConfig(conf), gomail.WithDialContextFunc(dial), gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	switch s.o.TLS {
	case TLS:
		opts = append(opts, gomail.WithSSL())
	case NoTLS:
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.o.User != "" {
		opts = append(opts, gomail.WithUsername(s.o.User), gomail.WithPassword(s.o.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	return gomail.NewClient(s.o.Host, opts...)
}

// oneAddress returns the address, unless it is anything but one bare address.
func oneAddress(s string) (*netmail.Address, error) {
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Address != s || oneLine(s) != nil {
		return nil, errors.New("mail: the recipient is not one bare address")
	}
	return a, nil
}

// oneLine refuses line breaks and other control characters.
func oneLine(s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("mail: control characters do not belong into a header")
	}
	return nil
}

func messageID(from string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	_, domain, _ := strings.Cut(from, "@")
	return hex.EncodeToString(b[:]) + "@" + domain
}

func helloName() string {
	if name, err := os.Hostname(); err == nil && name != "" && oneLine(name) == nil {
		return name
	}
	return "localhost"
}

func onThisMachine(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
