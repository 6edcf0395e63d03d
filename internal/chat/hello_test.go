package chat_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

func TestWelcomeSaysAllThatAClientNeeds(t *testing.T) {
	t.Parallel()
	for _, codec := range []wire.Codec{wire.JSON, wire.Protobuf} {
		t.Run(codec.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				d := r.dial()
				d.codec = codec
				got := d.hello(r.token(1, 1))
				want := &clientpb.Welcome{
					User: &clientpb.User{Id: 1, Handle: "user", Name: "User"}, DeviceId: "device-1-1", Node: "node-1",
					ServerTimeMs: int64(im.ToMillis(fault.Now())), HeartbeatMs: 30_000, MaxBody: 131_072, Epoch: "epoch-1",
				}
				if !proto.Equal(got, want) {
					t.Errorf("got  %v\nwant %v", got, want)
				}
			})
		})
	}
}

func TestHelloRefused(t *testing.T) {
	t.Parallel()
	token, _ := im.NewToken(im.AccessPrefix)
	for name, c := range map[string]struct {
		token  string
		id     uint32
		fail   error
		code   clientpb.Code
		reason clientpb.Reason
		retry  bool
	}{
		"no token":            {id: 1, code: clientpb.Code_UNAUTHENTICATED, reason: clientpb.Reason_UNAUTHORIZED},
		"not a token":         {token: strings.Repeat("x", 3000), id: 1, code: clientpb.Code_UNAUTHENTICATED, reason: clientpb.Reason_UNAUTHORIZED},
		"unknown token":       {token: token, id: 1, code: clientpb.Code_UNAUTHENTICATED, reason: clientpb.Reason_UNAUTHORIZED},
		"id 0":                {token: token, code: clientpb.Code_INVALID, reason: clientpb.Reason_PROTOCOL},
		"store away":          {token: token, id: 1, fail: errors.New("connection refused"), code: clientpb.Code_UNAVAILABLE, reason: clientpb.Reason_BUSY, retry: true},
		"store says so":       {token: token, id: 1, fail: im.Fail(im.Unavailable, "away"), code: clientpb.Code_UNAVAILABLE, reason: clientpb.Reason_BUSY, retry: true},
		"store is too slow":   {token: token, id: 1, fail: context.DeadlineExceeded, code: clientpb.Code_UNAVAILABLE, reason: clientpb.Reason_BUSY, retry: true},
		"store overloaded":    {token: token, id: 1, fail: im.Fail(im.Overloaded, "busy"), code: clientpb.Code_OVERLOADED, reason: clientpb.Reason_BUSY, retry: true},
		"rate limited":        {token: token, id: 1, fail: im.FailAfter(im.RateLimited, "slow down", time.Second), code: clientpb.Code_RATE_LIMITED, reason: clientpb.Reason_BUSY, retry: true},
		"forbidden":           {token: token, id: 1, fail: im.Fail(im.Forbidden, "no"), code: clientpb.Code_FORBIDDEN, reason: clientpb.Reason_PROTOCOL},
		"an error of our own": {token: token, id: 1, fail: im.Internal, code: clientpb.Code_UNAVAILABLE, reason: clientpb.Reason_BUSY, retry: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				if c.fail != nil {
					r.store.onAuthenticate = func(context.Context) error { return c.fail }
				}
				d := r.dial()
				d.send(clientpb.Type_HELLO, c.id, &clientpb.Hello{Token: c.token})
				f := d.next("ERROR", func(f wire.Frame) bool { return f.Type == clientpb.Type_ERROR })
				e := wantError(t, f, c.code)
				if f.ID != c.id {
					t.Errorf("ERROR has id %d, want %d", f.ID, c.id)
				}
				if strings.Contains(e.GetText(), "connection refused") {
					t.Errorf("the client reads our own words: %q", e.GetText())
				}
				bye := d.goodbye()
				if bye.GetReason() != c.reason {
					t.Errorf("GOAWAY(%v), want %v", bye.GetReason(), c.reason)
				}
				if got := bye.GetRetryAfterMs() > 0; got != c.retry {
					t.Errorf("retryAfterMs is %d", bye.GetRetryAfterMs())
				}
			})
		})
	}
}

func TestBreachesBeforeWelcome(t *testing.T) {
	t.Parallel()
	frame := func(b ...byte) []byte { return append([]byte{0x4C}, b...) }
	for name, c := range map[string]struct {
		bytes []byte
		codec wire.Codec // of the GOAWAY
	}{
		"another protocol":         {[]byte("GET / HTTP/1.1\r\n"), wire.JSON},
		"unknown codec":            {frame(9), wire.JSON},
		"oversize, json":           {frame(1, 0, 1, 0, 0, 0, 1, 0, 0, 0x10, 1), wire.JSON},
		"oversize, protobuf":       {frame(2, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff), wire.Protobuf},
		"SEND first":               {frame(2, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0), wire.Protobuf},
		"PING first":               {frame(1, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0), wire.JSON},
		"unknown type first":       {frame(2, 0xff, 3, 0, 0, 0, 1, 0, 0, 0, 0), wire.Protobuf},
		"body that is no JSON":     {append(frame(1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3), "{[}"...), wire.JSON},
		"body that is no protobuf": {append(frame(2, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2), 0xff, 0xff), wire.Protobuf},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				d := r.dial()
				go d.write(c.bytes) // the server may stop reading before the end
				f := d.pushed(clientpb.Type_GOAWAY)
				if f.Codec != c.codec {
					t.Errorf("GOAWAY in codec %v, want %v", f.Codec, c.codec)
				}
				if g := body[clientpb.Goaway](t, f); g.GetReason() != clientpb.Reason_PROTOCOL {
					t.Errorf("GOAWAY(%v), want PROTOCOL", g.GetReason())
				}
			})
		})
	}
}

func TestHelloComesInTimeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for name, first := range map[string][]byte{"silence": nil, "half a frame": {0x4C, 2, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				start := time.Now()
				d := r.dial()
				if first != nil {
					d.write(first)
				}
				if bye := d.goodbye(); bye.GetReason() != clientpb.Reason_PROTOCOL {
					t.Errorf("GOAWAY(%v), want PROTOCOL", bye.GetReason())
				}
				if took := time.Since(start); took != 5*time.Second {
					t.Errorf("after %v, want 5 s", took)
				}
			})
		})
	}
}

func TestTheLaterConnectionOfADeviceWins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		token := r.token(1, 1)
		older := r.dial()
		older.hello(token)
		newer := r.dial()
		newer.hello(token)
		start := time.Now()
		if bye := older.goodbye(); bye.GetReason() != clientpb.Reason_REPLACED {
			t.Errorf("GOAWAY(%v), want REPLACED", bye.GetReason())
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("told after %v, want at most 2 s", took)
		}
		if f := newer.ask(clientpb.Type_PING, nil); f.Type != clientpb.Type_PONG {
			t.Errorf("the newer connection answers PING by %v", f.Type)
		}
		routes, _ := r.mem.RoutesOf(t.Context(), []im.UserID{1})
		if len(routes) != 1 || routes[0].Conn == 1 {
			t.Errorf("routes are %v, want the newer connection's alone", routes)
		}
	})
}

func TestTheOldestConnectionOfAUserGivesWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Limits = chat.DefaultLimits() })
		var all []*device
		for i := range 11 {
			all = append(all, r.join(1, i))
		}
		if bye := all[0].goodbye(); bye.GetReason() != clientpb.Reason_REPLACED {
			t.Errorf("GOAWAY(%v), want REPLACED", bye.GetReason())
		}
		for i, d := range all[1:] {
			if f := d.ask(clientpb.Type_PING, nil); f.Type != clientpb.Type_PONG {
				t.Errorf("connection %d answers PING by %v", i+1, f.Type)
			}
		}
	})
}

// A login may end between the look at its token and the moment from which others can
// find the session.
func TestALoginThatEndsDuringHello(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		token := r.token(1, 1)
		slow := slowRoutes{Routes: r.mem, wait: 900 * time.Millisecond}
		r2 := newRig(t, func(o *chat.Options) { o.Routes, o.Node, o.Boot = slow, "node-2", "boot-2" })
		r2.store.tokens = r.store.tokens
		d := r2.dial()
		go func() {
			<-time.After(100 * time.Millisecond) // the token is proven, the route not yet written
			r2.store.revoke(11)
		}()
		d.hello(token)
		if bye := d.goodbye(); bye.GetReason() != clientpb.Reason_UNAUTHORIZED {
			t.Errorf("GOAWAY(%v), want UNAUTHORIZED", bye.GetReason())
		}
	})
}

// slowRoutes takes its time to write.
type slowRoutes struct {
	chat.Routes
	wait time.Duration
}

func (s slowRoutes) PutRoutes(ctx context.Context, routes []im.Route) ([]im.RouteState, error) {
	select {
	case <-time.After(s.wait):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Routes.PutRoutes(ctx, routes)
}

func TestAFullNodeSendsNewcomersAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Capacity = 1 })
		r.join(1, 1)
		d := r.dial()
		d.send(clientpb.Type_HELLO, 1, &clientpb.Hello{Token: r.token(2, 1)})
		bye := d.goodbye()
		if bye.GetReason() != clientpb.Reason_DRAINING || bye.GetRetryAfterMs() == 0 {
			t.Errorf("got %v, want DRAINING with a time to come back", bye)
		}
	})
}

func TestTheLobbyIsLeftAtWelcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lobby := transport.NewLobby(transport.LobbyOptions{PerIP: 1, Wait: 2 * time.Second})
		r := newRig(t, func(o *chat.Options) { o.Lobby = lobby })
		first := r.dial()
		synctest.Wait()
		waits := r.dial()
		synctest.Wait()
		refused := r.dial()
		if bye := refused.goodbye(); bye.GetReason() != clientpb.Reason_BUSY || bye.GetRetryAfterMs() == 0 {
			t.Errorf("got %v, want BUSY with a time to come back", bye)
		}
		first.hello(r.token(1, 1))
		waits.hello(r.token(2, 1))
		if n := lobby.Len(); n != 0 {
			t.Errorf("%d are in the lobby after WELCOME", n)
		}
	})
}

func TestAnAbsentRegistryKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := &flakyRoutes{Routes: nil}
		r := newRig(t, func(o *chat.Options) { away.Routes = o.Routes; o.Routes = away })
		away.set(errors.New("registry is away"))
		d := r.join(1, 1)
		away.set(nil)
		start := time.Now()
		d.pushed(clientpb.Type_RESYNC) // the route was missing: pushes may have passed it by
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("RESYNC after %v, want at most 10 s", took)
		}
		routes, _ := r.mem.RoutesOf(t.Context(), []im.UserID{1})
		if len(routes) != 1 {
			t.Errorf("routes are %v, want one", routes)
		}
	})
}
