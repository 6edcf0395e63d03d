package bench

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// So many connections are being opened at a time: what one address may have before
	// WELCOME.
	atOnce = 64
	// So many connections leave from one address of this machine: the system has some
	// 28,000 ports for each.
	perSource = 20_000
	// So often is a connection tried before the run is given up.
	dialTries = 3
)

// crowd is many lines.
type crowd []*line

// open connects users, a line for each. Either all are connected or none.
func (b *bench) open(ctx context.Context, users []login) (crowd, error) {
	if err := allowFiles(len(users) + 100); err != nil {
		return nil, err
	}
	lines := make(crowd, len(users))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, u := range users {
		g.Go(func() (err error) {
			for try := range dialTries {
				if try > 0 {
					pause(ctx, time.Duration(try)*200*time.Millisecond)
				}
				if lines[i], err = dialLine(ctx, b.Address, sourceFor(i, b.Address), b.form, u.Token); err == nil {
					return nil
				}
			}
			return fmt.Errorf("connect user %d (connection %d of %d): %w", u.User, i+1, len(users), err)
		})
	}
	if err := g.Wait(); err != nil {
		lines.close()
		return nil, err
	}
	return lines, nil
}

// sourceFor gives the address from which the ith connection leaves; nil: the
// system's choice. Only this machine has more than one towards a server on itself.
func sourceFor(i int, address string) net.Addr {
	to, err := netip.ParseAddrPort(address)
	if n := i / perSource; n > 0 && err == nil && to.Addr().Is4() && to.Addr().IsLoopback() {
		return &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+n%254))}
	}
	return nil
}

func (c crowd) close() {
	for _, l := range c {
		if l != nil {
			_ = l.conn.Close()
		}
	}
}

// keepAlive sends PING on each line once per heartbeat, evenly spread, until ctx
// ends. A line that cannot be written to is noticed by who reads it.
func (c crowd) keepAlive(ctx context.Context) {
	if len(c) == 0 || c[0].beat <= 0 {
		return
	}
	const tick = 50 * time.Millisecond
	round := c[0].beat * 3 / 4
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	start, pinged := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		for due := int(time.Since(start).Seconds() / round.Seconds() * float64(len(c))); pinged < due; pinged++ {
			_ = c[pinged%len(c)].ping()
		}
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
