package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/liao-im/liao/internal/config"
	"github.com/liao-im/liao/internal/im"
)

// doors are the listeners of a server, open before anything is started: an address
// that is taken is said at once, and port 0 is settled before clients are told.
type doors struct {
	http, ops    net.Listener
	tcp, tls     net.Listener // nil: not offered
	httpTLS      *tls.Config  // nil: plain
	chatTLS      *tls.Config
	publicHTTP   string // URL without a slash at its end
	addrs        im.NodeAddrs
	outboxAtPath string // URL of the outbox, if there is one
}

// open binds what the configuration names.
func open(ctx context.Context, c *config.Config, done *stack) (*doors, error) {
	d := &doors{}
	for _, l := range []struct {
		key, addr string
		to        *net.Listener
	}{
		{"http.listen", c.HTTP.Listen, &d.http},
		{"chat.listen", c.Chat.Listen, &d.tcp},
		{"chat.tls_listen", c.Chat.TLSListen, &d.tls},
		{"ops.listen", c.Ops.Listen, &d.ops},
	} {
		if l.addr == "" {
			continue
		}
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.addr)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; is another program there? choose another address", l.key, err)
		}
		done.pushClose(l.key, ignoreClosed(ln))
		*l.to = ln
	}
	var err error
	if d.httpTLS, err = loadTLS("http.tls_cert", c.HTTP.TLSCert, c.HTTP.TLSKey); err != nil {
		return nil, err
	}
	if d.chatTLS, err = loadTLS("chat.tls_cert", c.Chat.TLSCert, c.Chat.TLSKey); err != nil {
		return nil, err
	}
	d.publish(c)
	return d, nil
}

// publish settles what clients are told: the public addresses as configured, else
// those of the listeners, which are then on loopback.
func (d *doors) publish(c *config.Config) {
	d.publicHTTP = strings.TrimSuffix(c.HTTP.PublicURL, "/")
	if d.publicHTTP == "" {
		scheme := "http"
		if d.httpTLS != nil {
			scheme = "https"
		}
		d.publicHTTP = (&url.URL{Scheme: scheme, Host: d.http.Addr().String()}).String()
	}
	d.addrs.WS = c.Chat.WSPublicURL
	if d.addrs.WS == "" {
		d.addrs.WS = "ws" + strings.TrimPrefix(d.publicHTTP, "http") + "/v1/ws"
	}
	d.addrs.TCP = public(c.Chat.PublicAddress, d.tcp)
	d.addrs.TLS = public(c.Chat.TLSPublicAddress, d.tls)
	if c.Mail.SMTPHost == "" && onLoopback(d.ops.Addr()) {
		d.outboxAtPath = "http://" + d.ops.Addr().String() + "/outbox"
	}
}

func public(configured string, ln net.Listener) string {
	if configured != "" || ln == nil {
		return configured
	}
	return ln.Addr().String()
}

func onLoopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

// ignoreClosed closes a listener that whoever served it may have closed before.
func ignoreClosed(ln net.Listener) func() error {
	return func() error {
		_ = ln.Close()
		return nil
	}
}
