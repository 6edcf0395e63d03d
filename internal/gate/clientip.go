package gate

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// client is who asks, as far as the network tells.
type client struct {
	addr  string // the whole address, for the audit log
	limit string // what limits by IP count; empty: exempt
}

// clientOf finds out who asks. Limits count an IPv4 address or an IPv6 /64, which is
// what one subscriber gets.
//
// X-Forwarded-For is read from the right, and only as far as configured proxies
// vouch for it: everything to the left of the first other address is the client's
// own invention. Loopback is exempt only if nothing was forwarded: a proxy on this
// machine that nobody configured must not switch the limits off.
func (g *Gate) clientOf(r *http.Request) client {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return client{addr: "unknown", limit: "unknown"}
	}
	ip := peer.Addr().Unmap().WithZone("")
	forwarded := r.Header.Values("X-Forwarded-For")
	for _, hop := range slices.Backward(strings.Split(strings.Join(forwarded, ","), ",")) {
		if !g.isProxy(ip) {
			break
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		ip = next.Unmap().WithZone("")
	}
	if ip.IsLoopback() && g.exempt && len(forwarded) == 0 && r.Header.Get("Forwarded") == "" {
		return client{addr: ip.String()}
	}
	return client{addr: ip.String(), limit: ipKey(ip)}
}

func (g *Gate) isProxy(ip netip.Addr) bool {
	return slices.ContainsFunc(g.proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func ipKey(ip netip.Addr) string {
	if ip.Is4() {
		return ip.String()
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return p.String()
}

// limitIP counts one use of what by the caller's IP.
func (g *Gate) limitIP(ctx context.Context, what string, n int, per time.Duration) error {
	c := callerOf(ctx)
	if c.limit == "" || n <= 0 {
		return nil
	}
	wait, err := g.limiter.Take(ctx, what+":"+c.limit, n, per)
	if err != nil {
		return err
	}
	if wait > 0 {
		g.metrics.limited.WithLabelValues(what).Inc()
		g.audit.WarnContext(ctx, "limit reached", "limit", what, "ip", c.addr)
		return im.FailAfter(im.RateLimited, "too many requests from your network; try again later", wait)
	}
	return nil
}
