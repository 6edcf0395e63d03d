package chat_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/store/memstore"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// flakyRoutes fails while it is told to.
type flakyRoutes struct {
	chat.Routes
	mu  sync.Mutex
	err error
}

func (f *flakyRoutes) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *flakyRoutes) now() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *flakyRoutes) PutRoutes(ctx context.Context, routes []im.Route) ([]im.RouteState, error) {
	if err := f.now(); err != nil {
		return nil, err
	}
	return f.Routes.PutRoutes(ctx, routes)
}

func (f *flakyRoutes) RoutesOf(ctx context.Context, users []im.UserID) ([]im.Route, error) {
	if err := f.now(); err != nil {
		return nil, err
	}
	return f.Routes.RoutesOf(ctx, users)
}

func TestARegistryThatForgotIsWholeWithinTenSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		forgetful := &flakyRoutes{}
		r := newRig(t, func(o *chat.Options) { forgetful.Routes = o.Routes; o.Routes = forgetful })
		var all []*device
		for u := range im.UserID(40) {
			all = append(all, r.join(u+1, 1))
		}
		empty := memstore.New(memstore.Options{})
		if err := (leases{empty}).Report(t.Context(), im.NodeReport{Node: "node-1", Boot: "boot-1"}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		forgetful.mu.Lock()
		forgetful.Routes = empty
		forgetful.mu.Unlock()
		for _, d := range all {
			d.pushed(clientpb.Type_RESYNC)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("the last RESYNC came after %v, want at most 10 s", took)
		}
	})
}

func TestARouteIsRemovedWithItsConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		d := r.join(1, 1)
		d.conn.Close()
		synctest.Wait()
		routes, err := r.mem.RoutesOf(t.Context(), []im.UserID{1})
		if err != nil || len(routes) != 0 {
			t.Errorf("routes are %v, %v; want none", routes, err)
		}
	})
}

// twoNodes are two rooms that share all stores and reach each other.
func twoNodes(t *testing.T) (a, b *rig, toB *line) {
	t.Helper()
	shared, store := memstore.New(memstore.Options{}), newLedger()
	toA, toB := &line{}, &line{}
	node := func(name string, peers *line) *rig {
		r := newRig(t, func(o *chat.Options) {
			o.Log, o.People, o.Tokens = store, store, store
			o.Routes, o.Limiter, o.Status = shared, shared, leases{shared}
			o.Node, o.Boot, o.Peers = name, "boot-of-"+name, peers
		})
		r.store, r.mem = store, shared
		return r
	}
	a, b = node("node-a", toB), node("node-b", toA)
	toB.far, toA.far = b.chat, a.chat
	return a, b, toB
}

// line is another node, without a network between.
type line struct {
	far *chat.Service
	mu  sync.Mutex
	err error
	// lose makes the far side forget a push, as a broken stream does.
	pushes int
}

func (l *line) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *line) Push(_ context.Context, _ string, routes []im.Route, posts []im.Post) ([]im.Route, error) {
	l.mu.Lock()
	l.pushes++
	err := l.err
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return l.far.PushHere(routes, posts), nil
}

func (l *line) HangUp(_ context.Context, r im.Route) error {
	l.far.HangUpHere(r)
	return nil
}

func TestAPushCrossesNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := twoNodes(t)
		a.store.converse(5, im.Direct, 1, 2)
		sender, own, peer := a.join(1, 1), b.join(1, 2), b.join(2, 1)
		sender.ask(clientpb.Type_SEND, text(5, "key-00001", "hello"))
		if m := body[clientpb.Message](t, peer.pushed(clientpb.Type_MESSAGE)); m.GetSeq() != 1 || m.GetKey() != "" {
			t.Errorf("the peer got %v", m)
		}
		if m := body[clientpb.Message](t, own.pushed(clientpb.Type_MESSAGE)); m.GetKey() != "key-00001" {
			t.Errorf("the own device got %v", m)
		}
		synctest.Wait()
		if n := sender.restOf(clientpb.Type_MESSAGE); n != 0 {
			t.Errorf("the sender got %d messages", n)
		}
	})
}

func TestALostPushBecomesAResync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b, toB := twoNodes(t)
		a.store.converse(5, im.Direct, 1, 2)
		sender, peer := a.join(1, 1), b.join(2, 1)
		toB.set(errors.New("the stream broke"))
		sender.ask(clientpb.Type_SEND, text(5, "key-00001", "hello"))
		<-time.After(3 * time.Second)
		toB.set(nil)
		peer.pushed(clientpb.Type_RESYNC)
		if n := peer.restOf(clientpb.Type_MESSAGE); n != 0 {
			t.Errorf("the peer got %d messages over a broken stream", n)
		}
	})
}

func TestADeviceMovesToAnotherNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b, _ := twoNodes(t)
		token := a.token(1, 1)
		older, newer := a.dial(), b.dial()
		older.hello(token)
		<-time.After(time.Millisecond)
		newer.hello(token)
		start := time.Now()
		if bye := older.goodbye(); bye.GetReason() != clientpb.Reason_REPLACED {
			t.Errorf("GOAWAY(%v), want REPLACED", bye.GetReason())
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("told after %v, want at most 2 s", took)
		}
	})
}

func TestAStaleRouteIsSaidToBeStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		r.join(1, 1)
		routes, _ := r.mem.RoutesOf(t.Context(), []im.UserID{1})
		gone, restarted := routes[0], routes[0]
		gone.Conn += 100
		restarted.Boot = "boot-0"
		stale := r.chat.PushHere([]im.Route{routes[0], gone, restarted}, nil)
		if len(stale) != 2 || stale[0] != gone || stale[1] != restarted {
			t.Errorf("stale are %v, want %v", stale, []im.Route{gone, restarted})
		}
	})
}
