// Package config turns a YAML file, the environment and the command line into
// one Config, or into a list of everything that is wrong with them.
//
// The sources rise in that order: a flag beats a variable, a variable beats the
// file, the file beats the default. Every key is declared once, as a field of
// Config with its tags; from there come its place in the file
// (limits.sends_per_second), its variable (LIAO_LIMITS_SENDS_PER_SECOND), its
// flag (--limits.sends_per_second), its default and its help.
//
// It promises that
//
//   - nothing is guessed: an unknown key, a value of the wrong kind and an
//     unsafe combination are refused with the place that they came from and
//     with what to write instead, all of them at once;
//   - a secret is shown by no error, no log and no listing, and is taken from
//     no command line, where every user of the machine could read it;
//   - what Effective.Write prints can be read again as a file (but for the
//     secrets, which it hides).
//
// Rooms do not import this package: app hands each of them its Options.
//
// Files: config.go declares the keys, table.go reads that declaration, file.go
// reads YAML, value.go and form.go turn text into values, load.go puts the
// sources one above the other, check.go refuses unsafe combinations,
// strength.go judges secrets, secret.go hides them, keep.go makes and keeps
// those that nobody chose.
package config

import (
	"net/netip"
	"time"
)

// Config is everything that an operator may choose. Sections and fields bear
// the names of their keys; 0 in a field of Limits means "no such limit".
type Config struct {
	Data     string `key:"data" default:"./liao-data" help:"directory of the database and of the secrets"`
	Insecure bool   `key:"insecure" default:"false" help:"allow plaintext listeners elsewhere than on loopback, because TLS ends in front of liao"`

	HTTP      HTTP      `key:"http"`
	Chat      Chat      `key:"chat"`
	Ops       Ops       `key:"ops"`
	Log       Log       `key:"log"`
	Store     Store     `key:"store"`
	Mail      Mail      `key:"mail"`
	Secrets   Secrets   `key:"secrets"`
	Passwords Passwords `key:"passwords"`
	Limits    Limits    `key:"limits"`
}

// HTTP is the gate's listener, which also carries WebSocket.
type HTTP struct {
	Listen         string         `key:"listen" flag:"http" form:"listen" default:"127.0.0.1:8080" help:"address of the HTTP API and of WebSocket"`
	PublicURL      string         `key:"public_url" form:"url http https" help:"where clients reach the HTTP API, such as https://chat.example.org; needed unless http.listen is on loopback"`
	TLSCert        string         `key:"tls_cert" help:"PEM file with the certificate chain of http.listen; empty: plain HTTP"`
	TLSKey         string         `key:"tls_key" help:"PEM file with the private key of http.tls_cert"`
	TrustedProxies []netip.Prefix `key:"trusted_proxies" help:"proxies whose X-Forwarded-For is believed, as addresses or prefixes"`
	AllowedOrigins []string       `key:"allowed_origins" form:"origin" help:"origins besides http.public_url whose pages may open a WebSocket"`
}

// Chat is the long connections.
type Chat struct {
	Listen            string         `key:"listen" flag:"chat" form:"listen" default:"127.0.0.1:8090" help:"address of frames over plain TCP; empty: none"`
	PublicAddress     string         `key:"public_address" form:"address" help:"host:port at which clients reach chat.listen; needed unless it is on loopback"`
	TLSListen         string         `key:"tls_listen" form:"listen" help:"address of frames over TLS; empty: none"`
	TLSPublicAddress  string         `key:"tls_public_address" form:"address" help:"host:port at which clients reach chat.tls_listen; needed unless it is on loopback"`
	TLSCert           string         `key:"tls_cert" help:"PEM file with the certificate chain of chat.tls_listen; empty: that of http.tls_cert"`
	TLSKey            string         `key:"tls_key" help:"PEM file with the private key of chat.tls_cert"`
	WSPublicURL       string         `key:"ws_public_url" form:"url ws wss" help:"where clients reach WebSocket; empty: http.public_url with /v1/ws"`
	Heartbeat         time.Duration  `key:"heartbeat" default:"30s" min:"1s" max:"10m" help:"silence after which a client says PING"`
	HelloTimeout      time.Duration  `key:"hello_timeout" default:"5s" min:"100ms" max:"1m" help:"time within which a new connection must say HELLO"`
	DrainTime         time.Duration  `key:"drain_time" default:"8s" min:"0s" max:"1m" help:"time that connections get to end when the server stops"`
	ProxyProtocolFrom []netip.Prefix `key:"proxy_protocol_from" help:"proxies that must begin each TCP connection with a PROXY v2 header, as addresses or prefixes"`
}

// Ops is the operator's own address.
type Ops struct {
	Listen       string   `key:"listen" flag:"ops" form:"listen" default:"127.0.0.1:8099" help:"address of metrics, health and the outbox of mails"`
	Token        Secret   `key:"token" form:"strong" help:"bearer token for ops.listen; needed unless it is on loopback"`
	PProf        bool     `key:"pprof" default:"false" help:"serve Go's profiler under /debug/pprof/"`
	AllowedHosts []string `key:"allowed_hosts" form:"host" help:"names besides localhost and 127.0.0.1 by which ops.listen may be asked"`
}

// Log is what the server says of itself.
type Log struct {
	Level     string `key:"level" one:"debug info warn error" default:"info" help:"least level that is logged"`
	Format    string `key:"format" one:"text json" default:"text" help:"form of the log on standard error"`
	AuditFile string `key:"audit_file" help:"file that the audit log is appended to; empty: standard error, each line tagged"`
}

// Store is where everything durable is kept.
type Store struct {
	Driver string `key:"driver" one:"sqlite mysql" default:"sqlite" help:"sqlite: a file in data; mysql: MariaDB 10.6 or MySQL 8, or later"`
	DSN    Secret `key:"dsn" help:"user:password@tcp(host:3306)/liao?tls=true, for mysql"`
	Pool   int    `key:"pool" default:"32" min:"2" max:"10000" help:"most connections to a mysql database at once; sqlite needs no more than a few"`
}

// Mail is how codes and notices are sent. With no SMTPHost they go to the log
// and to the outbox at the operator's address instead.
type Mail struct {
	SMTPHost     string `key:"smtp_host" form:"host" help:"SMTP server; empty: mails go to the log and to the outbox at ops.listen"`
	SMTPPort     int    `key:"smtp_port" default:"587" min:"1" max:"65535" help:"port of the SMTP server"`
	SMTPUser     string `key:"smtp_user" help:"user at the SMTP server; empty: none"`
	SMTPPassword Secret `key:"smtp_password" help:"password at the SMTP server"`
	SMTPTLS      string `key:"smtp_tls" one:"starttls tls none" default:"starttls" help:"starttls: encrypted after STARTTLS, and no mail to a server without it; tls: encrypted from the first byte; none: plaintext, for a server on this machine"`
	From         string `key:"from" form:"mailbox" help:"sender of every mail, such as liao <liao@example.org>"`
	Language     string `key:"language" one:"en zh" default:"en" help:"language of mails to people whose own is not known"`
}

// Secrets are the server's own keys. What is not given is made at first start
// and kept: see EnsureSecrets.
type Secrets struct {
	CodeKey Secret `key:"code_key" form:"strong" help:"key under which e-mail codes are stored; empty: from DATA/secrets.yaml"`
	Pepper  Secret `key:"pepper" form:"strong" help:"key mixed into password hashes, kept outside the database; empty: from DATA/secrets.yaml"`
}

// Passwords are the parameters of argon2id for new hashes; older hashes keep
// their own until their owner logs in. The least of each is OWASP's floor.
type Passwords struct {
	MemoryKiB int `key:"memory_kib" default:"19456" min:"19456" max:"4194304" help:"memory of one password hash, in KiB"`
	Time      int `key:"time" default:"2" min:"2" max:"64" help:"passes of one password hash"`
	Threads   int `key:"threads" default:"1" min:"1" max:"64" help:"threads of one password hash"`
}

// Limits are what one user, one address or one e-mail address may do. An IP is
// an IPv4 address or an IPv6 /64.
type Limits struct {
	SendsPerSecond       int           `key:"sends_per_second" default:"20" min:"0" help:"messages a second and user; 0: no limit"`
	SendBurst            int           `key:"send_burst" default:"60" min:"1" help:"messages that a user may send at once before sends_per_second counts"`
	RequestsPerSecond    int           `key:"requests_per_second" default:"50" min:"0" help:"other requests a second and user; 0: no limit"`
	RequestBurst         int           `key:"request_burst" default:"100" min:"1" help:"other requests at once before requests_per_second counts"`
	OutboxBytes          int           `key:"outbox_bytes" unit:"bytes" default:"256 KiB" min:"0" help:"pushes that may wait for a slow connection before it is closed; 0: no limit"`
	FindsPerDay          int           `key:"finds_per_day" default:"200" min:"0" help:"searches for people a day and user; 0: no limit"`
	FriendRequestsPerDay int           `key:"friend_requests_per_day" default:"20" min:"0" help:"friend requests a day and user to people who have not answered; 0: no limit"`
	ConnectionsPerUser   int           `key:"connections_per_user" default:"10" min:"0" help:"connections of one user, the oldest is closed; 0: no limit"`
	Connections          int           `key:"connections" default:"0" min:"0" help:"connections of this process; 0: as many as its file limit allows"`
	Handshakes           int           `key:"handshakes" default:"4096" min:"0" help:"connections of this process that have not yet said HELLO; 0: no limit"`
	HandshakesPerIP      int           `key:"handshakes_per_ip" default:"64" min:"0" help:"connections of one IP that have not yet said HELLO; 0: no limit"`
	HandshakeWait        time.Duration `key:"handshake_wait" default:"2s" min:"0s" max:"1m" help:"time that a connection beyond handshakes_per_ip waits before it is closed"`
	CodesPerHourIP       int           `key:"codes_per_hour_ip" default:"100" min:"0" help:"e-mail codes an hour and IP; 0: no limit"`
	RegistrationsPerHour int           `key:"registrations_per_hour_ip" default:"60" min:"0" help:"new accounts an hour and IP; 0: no limit"`
	LoginsPerMinuteIP    int           `key:"logins_per_minute_ip" default:"30" min:"0" help:"attempts to log in a minute and IP; 0: no limit"`
	CodesPerMinuteEmail  int           `key:"codes_per_minute_email" default:"1" min:"0" help:"codes a minute and e-mail address; 0: no limit"`
	CodesPerHourEmail    int           `key:"codes_per_hour_email" default:"5" min:"0" help:"codes an hour and e-mail address; 0: no limit"`
	CodesPerDayEmail     int           `key:"codes_per_day_email" default:"10" min:"0" help:"codes a day and e-mail address; 0: no limit"`
	OpenCodesPerEmail    int           `key:"open_codes_per_email" default:"3" min:"0" help:"codes of one e-mail address that are open at once; 0: no limit"`
	ExemptLoopback       bool          `key:"exempt_loopback" default:"true" help:"limits per IP do not count loopback"`
}
