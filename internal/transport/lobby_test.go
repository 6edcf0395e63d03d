package transport_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/transport"
)

var (
	anna  = netip.MustParseAddr("192.0.2.1")
	berta = netip.MustParseAddr("192.0.2.2")
)

func enter(t *testing.T, l *transport.Lobby, a netip.Addr) (leave func()) {
	t.Helper()
	leave, err := l.Enter(t.Context(), a)
	if err != nil {
		t.Fatalf("%v: %v", a, err)
	}
	return leave
}

func refused(t *testing.T, l *transport.Lobby, a netip.Addr) {
	t.Helper()
	if leave, err := l.Enter(t.Context(), a); !errors.Is(err, transport.ErrCrowded) {
		t.Errorf("%v: got %v, want ErrCrowded", a, err)
		leave()
	}
}

func TestLobbyByAddress(t *testing.T) {
	l := transport.NewLobby(transport.LobbyOptions{PerIP: 2})
	leave := enter(t, l, anna)
	enter(t, l, netip.MustParseAddr("::ffff:192.0.2.1")) // the same address, mapped
	refused(t, l, anna)
	enter(t, l, berta)
	leave()
	leave()
	enter(t, l, anna)
	refused(t, l, anna)

	enter(t, l, netip.MustParseAddr("2001:db8:0:1::1"))
	enter(t, l, netip.MustParseAddr("2001:db8:0:1:ffff::2"))
	refused(t, l, netip.MustParseAddr("2001:db8:0:1::3"))
	enter(t, l, netip.MustParseAddr("2001:db8:0:2::1"))
	if n := l.Len(); n != 6 {
		t.Errorf("%d are inside, want 6", n)
	}
}

func TestLobbyTotal(t *testing.T) {
	l := transport.NewLobby(transport.LobbyOptions{Total: 2})
	enter(t, l, anna)
	leave := enter(t, l, anna)
	refused(t, l, berta)
	leave()
	enter(t, l, berta)
}

func TestLobbyLoopback(t *testing.T) {
	for _, exempt := range []bool{true, false} {
		l := transport.NewLobby(transport.LobbyOptions{PerIP: 1, ExemptLoopback: exempt})
		for _, s := range []string{"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"} {
			a := netip.MustParseAddr(s)
			leave := enter(t, l, a)
			if exempt {
				enter(t, l, a)()
			} else {
				refused(t, l, a)
			}
			leave()
		}
		if n := l.Len(); n != 0 {
			t.Errorf("%d are left inside", n)
		}
	}
}

func TestLobbyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := transport.NewLobby(transport.LobbyOptions{PerIP: 2, Wait: 2 * time.Second})
		leave1, leave2 := enter(t, l, anna), enter(t, l, anna)
		start := time.Now()
		type result struct {
			name  string
			after time.Duration
			err   error
			leave func()
		}
		results := make(chan result, 4)
		join := func(ctx context.Context, name string) {
			go func() {
				leave, err := l.Enter(ctx, anna)
				results <- result{name, time.Since(start), err, leave}
			}()
			synctest.Wait()
		}
		join(t.Context(), "first")
		join(t.Context(), "second")
		refused(t, l, anna) // as many wait as may be inside
		enter(t, l, berta)()

		<-time.After(time.Second)
		leave2()
		r := <-results
		if r.name != "first" || r.err != nil || r.after != time.Second {
			t.Errorf("got %s after %v, %v; want the first to be let in after 1 s", r.name, r.after, r.err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		join(ctx, "third")
		cancel()
		if r := <-results; r.name != "third" || !errors.Is(r.err, context.Canceled) {
			t.Errorf("got %s, %v; want the third to be cancelled", r.name, r.err)
		}
		if r := <-results; r.name != "second" || !errors.Is(r.err, transport.ErrCrowded) || r.after != 2*time.Second {
			t.Errorf("got %s after %v, %v; want the second to be refused after 2 s", r.name, r.after, r.err)
		}
		leave1()
		r.leave()
		if n := l.Len(); n != 0 {
			t.Errorf("%d are left inside", n)
		}
	})
}

func TestNeighbourhood(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":          "192.0.2.1/32",
		"::ffff:192.0.2.1":   "192.0.2.1/32",
		"2001:db8:1:2:3::4":  "2001:db8:1:2::/64",
		"fe80::1%eth0":       "fe80::/64",
		"::1":                "::/64",
		"255.255.255.255":    "255.255.255.255/32",
		"2001:db8:1:3:ff::1": "2001:db8:1:3::/64",
	} {
		if got := transport.Neighbourhood(netip.MustParseAddr(in)); got.String() != want {
			t.Errorf("%s: got %v, want %s", in, got, want)
		}
	}
	if got := transport.Neighbourhood(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("no address: got %v", got)
	}
}
