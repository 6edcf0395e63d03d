package config

import (
	"net"
	"net/url"
	"strconv"

	"github.com/go-sql-driver/mysql"
)

// check refuses what is valid key by key and unsafe, or of no use, together.
// Each refusal names the source of the key that has to change.
func check(e *Effective, found *problems) {
	c := checker{Config: &e.Config, sources: e.sources, found: found}
	c.listeners()
	c.publicAddresses()
	c.certificates()
	c.operator()
	c.database()
	c.mails()
}

type checker struct {
	*Config
	sources map[string]string
	found   *problems
}

func (c *checker) refuse(key, format string, args ...any) {
	c.found.add(c.sources[key], key, format, args...)
}

// listeners: without TLS only loopback, unless the operator says that TLS ends
// in front.
func (c *checker) listeners() {
	for _, l := range []struct{ key, address, cert, instead string }{
		{"http.listen", c.HTTP.Listen, c.HTTP.TLSCert, "give http.tls_cert and http.tls_key"},
		{"chat.listen", c.Chat.Listen, "", `use chat.tls_listen and set chat.listen to ""`},
		{"ops.listen", c.Ops.Listen, "", "keep it on loopback"},
	} {
		if l.address == "" || loopbackListener(l.address) || l.cert != "" || c.Insecure {
			continue
		}
		c.refuse(l.key, "plaintext on %s, which is not loopback: %s, or set insecure: true if TLS ends in front of liao", l.address, l.instead)
	}
	if c.HTTP.Listen == "" {
		c.refuse("http.listen", "is empty; write for example 127.0.0.1:8080")
	}
	if c.Ops.Listen == "" {
		c.refuse("ops.listen", "is empty; write for example 127.0.0.1:8099")
	}
}

// publicAddresses: what clients are told must be what they can reach.
func (c *checker) publicAddresses() {
	for _, p := range []struct{ listen, address, key, public, example string }{
		{"http.listen", c.HTTP.Listen, "http.public_url", c.HTTP.PublicURL, "https://chat.example.org"},
		{"chat.listen", c.Chat.Listen, "chat.public_address", c.Chat.PublicAddress, "chat.example.org:8090"},
		{"chat.tls_listen", c.Chat.TLSListen, "chat.tls_public_address", c.Chat.TLSPublicAddress, "chat.example.org:8091"},
	} {
		if p.address != "" && !loopbackListener(p.address) && p.public == "" {
			c.refuse(p.listen, "%s is not loopback, so clients must be told where it is: set %s, for example %s", p.address, p.key, p.example)
		}
	}
}

func (c *checker) certificates() {
	for _, p := range []struct{ certKey, cert, keyKey, key string }{
		{"http.tls_cert", c.HTTP.TLSCert, "http.tls_key", c.HTTP.TLSKey},
		{"chat.tls_cert", c.Chat.TLSCert, "chat.tls_key", c.Chat.TLSKey},
	} {
		if p.cert != "" && p.key == "" {
			c.refuse(p.certKey, "has no key; set %s too", p.keyKey)
		}
		if p.cert == "" && p.key != "" {
			c.refuse(p.keyKey, "has no certificate; set %s too", p.certKey)
		}
	}
	if c.Chat.TLSListen != "" && c.Chat.TLSCert == "" {
		c.refuse("chat.tls_listen", "needs a certificate: set chat.tls_cert and chat.tls_key")
	}
	if c.HTTP.TLSCert != "" && c.HTTP.PublicURL != "" {
		if u, err := url.Parse(c.HTTP.PublicURL); err == nil && u.Scheme == "http" {
			c.refuse("http.public_url", "begins with http, but http.listen speaks TLS; write https://%s", u.Host)
		}
	}
}

func (c *checker) operator() {
	if c.Ops.Listen == "" || loopbackListener(c.Ops.Listen) {
		return
	}
	if c.Ops.Token == "" {
		c.refuse("ops.listen", "%s is not loopback, so a token is needed: set ops.token, for example to what `openssl rand -hex 32` prints", c.Ops.Listen)
	}
	if c.Mail.SMTPHost == "" {
		c.refuse("ops.listen", "%s is not loopback, and with no SMTP server the codes of new users would be shown there: set mail.smtp_host, or listen on loopback", c.Ops.Listen)
	}
}

// database: over a network only with TLS that checks the certificate, and with
// a password worth the name.
func (c *checker) database() {
	if c.Store.Driver != "mysql" {
		if c.Store.DSN != "" {
			c.refuse("store.dsn", "is for mysql; set store.driver to mysql, or delete it: SQLite's file is in data")
		}
		return
	}
	if c.Store.DSN == "" {
		c.refuse("store.driver", "mysql needs store.dsn, for example user:password@tcp(db.example.org:3306)/liao?tls=true")
		return
	}
	dsn, err := mysql.ParseDSN(c.Store.DSN.Reveal())
	if err != nil {
		// The reason would quote the password.
		c.refuse("store.dsn", "is none that the driver reads; write user:password@tcp(host:3306)/database?tls=true")
		return
	}
	if dsn.DBName == "" {
		c.refuse("store.dsn", "names no database; write it after the slash")
	}
	if dsn.Net == "unix" {
		return
	}
	host, _, err := net.SplitHostPort(dsn.Addr)
	if err != nil {
		host = dsn.Addr
	}
	if loopback(host) {
		return
	}
	if dsn.TLSConfig != "true" {
		c.refuse("store.dsn", "%s is not loopback: add tls=true (skip-verify and preferred do not stop who sits between)", host)
	}
	if known(dsn.Passwd) {
		c.refuse("store.dsn", "%s is not loopback, and the password is empty or known to everybody: choose another", host)
	}
}

func (c *checker) mails() {
	m := c.Mail
	if m.SMTPHost == "" {
		if m.SMTPUser != "" {
			c.refuse("mail.smtp_user", "is of no use without mail.smtp_host")
		}
		if m.SMTPPassword != "" {
			c.refuse("mail.smtp_password", "is of no use without mail.smtp_host")
		}
		return
	}
	if m.From == "" {
		c.refuse("mail.smtp_host", "needs mail.from, for example liao <liao@example.org>")
	}
	if m.SMTPUser != "" && m.SMTPPassword == "" {
		c.refuse("mail.smtp_user", "needs mail.smtp_password")
	}
	if m.SMTPUser == "" && m.SMTPPassword != "" {
		c.refuse("mail.smtp_password", "needs mail.smtp_user")
	}
	if m.SMTPTLS == "none" && !loopback(m.SMTPHost) && (m.SMTPPassword != "" || !c.Insecure) {
		c.refuse("mail.smtp_tls", "would send codes and passwords in the clear to %s: write starttls or tls", net.JoinHostPort(m.SMTPHost, strconv.Itoa(m.SMTPPort)))
	}
}
