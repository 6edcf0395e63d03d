package storetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/liao-im/liao/internal/im"
)

// RunRoutes holds a store to what nodes rely on when they look for a user's
// devices. Each case opens an empty store.
func RunRoutes(t *testing.T, within Within, open func(t *testing.T) Presence) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s Presence)
	}{
		{"write, look up, remove", testRouteLife},
		{"later hello wins", testLaterHelloWins},
		{"equal hellos are told apart", testEqualHellos},
		{"remove compares the connection", testRemoveComparesConnection},
		{"a lease that ends voids routes", testLeaseVoidsRoutes},
		{"a dropped node's routes are void", testDropVoidsRoutes},
		{"a new boot voids the old one's routes", testBootVoidsRoutes},
		{"a void route does not resist", testVoidRouteYields},
		{"a route before its lease", testRouteBeforeLease},
		{"many at once", testManyRoutesAtOnce},
		{"one stays of a race", testRouteRace},
	} {
		t.Run(c.name, func(t *testing.T) {
			within(t, func(t *testing.T) { c.test(t, open(t)) })
		})
	}
}

func testRouteLife(t *testing.T, s Presence) {
	n := startNode(t, s, "a", "boot-a")
	phone, web := n.route(1, "phone", 10, 1), n.route(1, "web", 11, 2)
	other := n.route(2, "phone", 12, 3)
	wantRoutes(t, s, []im.UserID{1, 2, 3})
	n.put(phone, im.RouteState{Missing: true})
	n.put(web, im.RouteState{Missing: true})
	n.put(other, im.RouteState{Missing: true})
	wantRoutes(t, s, []im.UserID{1, 2, 3}, phone, web, other)
	wantRoutes(t, s, []im.UserID{2}, other)
	wantRoutes(t, s, []im.UserID{3})
	wantRoutes(t, s, nil)
	n.put(phone, im.RouteState{}) // written again, and it was there
	n.remove(phone)
	n.remove(phone)
	wantRoutes(t, s, []im.UserID{1, 2}, web, other)
	n.put(phone, im.RouteState{Missing: true})
	n.remove(web)
	n.remove(phone)
	wantRoutes(t, s, []im.UserID{1})
}

func testLaterHelloWins(t *testing.T, s Presence) {
	a, b := startNode(t, s, "a", "boot-a"), startNode(t, s, "b", "boot-b")
	first, second := a.route(1, "phone", 10, 7), b.route(1, "phone", 20, 3)
	a.put(first, im.RouteState{Missing: true})
	b.put(second, im.RouteState{Missing: true, Replaced: &first})
	wantRoutes(t, s, []im.UserID{1}, second)
	a.put(first, im.RouteState{Lost: true}) // written again by a node that does not know yet
	wantRoutes(t, s, []im.UserID{1}, second)
	b.put(second, im.RouteState{})
	third := b.route(1, "phone", 30, 4) // the same node again
	b.put(third, im.RouteState{Missing: true, Replaced: &second})
	wantRoutes(t, s, []im.UserID{1}, third)
}

func testEqualHellos(t *testing.T, s Presence) {
	a, b := startNode(t, s, "a", "boot-a"), startNode(t, s, "b", "boot-b")
	low, high, far := a.route(1, "phone", 10, 1), a.route(1, "phone", 10, 2), b.route(1, "phone", 10, 1)
	a.put(high, im.RouteState{Missing: true})
	a.put(low, im.RouteState{Lost: true})
	b.put(far, im.RouteState{Missing: true, Replaced: &high})
	a.put(high, im.RouteState{Lost: true})
	wantRoutes(t, s, []im.UserID{1}, far)
}

func testRemoveComparesConnection(t *testing.T, s Presence) {
	a, b := startNode(t, s, "a", "boot-a"), startNode(t, s, "b", "boot-b")
	old, now := a.route(1, "phone", 10, 1), b.route(1, "phone", 20, 1)
	a.put(old, im.RouteState{Missing: true})
	b.put(now, im.RouteState{Missing: true, Replaced: &old})
	a.remove(old) // its session ends late
	wantRoutes(t, s, []im.UserID{1}, now)
	wrong := now
	wrong.Conn++
	b.remove(wrong)
	wrong = now
	wrong.Boot = "boot-c"
	b.remove(wrong)
	wantRoutes(t, s, []im.UserID{1}, now)
	b.remove(now)
	wantRoutes(t, s, []im.UserID{1})
}

func testLeaseVoidsRoutes(t *testing.T, s Presence) {
	a, b := startNode(t, s, "a", "boot-a"), startNode(t, s, "b", "boot-b")
	lost, kept := a.route(1, "phone", 10, 1), b.route(1, "web", 10, 2)
	a.put(lost, im.RouteState{Missing: true})
	b.put(kept, im.RouteState{Missing: true})
	for range 3 {
		pass(leaseFor / 2)
		b.renew()
	}
	wantRoutes(t, s, []im.UserID{1}, kept)
	if a.renew() {
		t.Errorf("RenewNode says that the lease was there %v after it ended", leaseFor/2)
	}
	wantRoutes(t, s, []im.UserID{1}, kept)    // nobody may take for granted what was void
	a.put(lost, im.RouteState{Missing: true}) // so that its session gets a RESYNC
	wantRoutes(t, s, []im.UserID{1}, lost, kept)
	a.put(lost, im.RouteState{})
}

func testDropVoidsRoutes(t *testing.T, s Presence) {
	a := startNode(t, s, "a", "boot-a")
	r := a.route(1, "phone", 10, 1)
	a.put(r, im.RouteState{Missing: true})
	a.drop()
	wantRoutes(t, s, []im.UserID{1})
}

func testBootVoidsRoutes(t *testing.T, s Presence) {
	before := startNode(t, s, "a", "boot-1")
	r := before.route(1, "phone", 10, 1)
	before.put(r, im.RouteState{Missing: true})
	after := startNode(t, s, "a", "boot-2")
	wantRoutes(t, s, []im.UserID{1})
	r = after.route(1, "phone", 20, 1)
	after.put(r, im.RouteState{Missing: true})
	before.drop() // says its farewell late
	wantRoutes(t, s, []im.UserID{1}, r)
}

func testVoidRouteYields(t *testing.T, s Presence) {
	a, b := startNode(t, s, "a", "boot-a"), startNode(t, s, "b", "boot-b")
	// The database's clock may have been ahead when the dead node's route was written.
	a.put(a.route(1, "phone", 1_000, 9), im.RouteState{Missing: true})
	a.drop()
	r := b.route(1, "phone", 20, 1)
	b.put(r, im.RouteState{Missing: true})
	wantRoutes(t, s, []im.UserID{1}, r)
}

func testRouteBeforeLease(t *testing.T, s Presence) {
	a := node{t, s, "a", "boot-a"}
	r := a.route(1, "phone", 10, 1)
	a.put(r, im.RouteState{Missing: true})
	wantRoutes(t, s, []im.UserID{1})
	if a.renew() {
		t.Errorf("RenewNode says that a lease was there before the first")
	}
	wantRoutes(t, s, []im.UserID{1}, r)
	a.put(r, im.RouteState{Missing: true}) // for as long as there was no lease
	a.put(r, im.RouteState{})
}

func testManyRoutesAtOnce(t *testing.T, s Presence) {
	const users, devices = 1_000, 3
	a := startNode(t, s, "a", "boot-a")
	var (
		ids  []im.UserID
		want []im.Route
	)
	for u := range im.UserID(users) {
		ids = append(ids, u+1)
		for d := range devices {
			want = append(want, a.route(u+1, fmt.Sprintf("device %d", d), 10, uint64(len(want)+1)))
		}
	}
	for round, missing := range []bool{true, false, false} {
		states, err := s.PutRoutes(t.Context(), want)
		if err != nil || len(states) != len(want) {
			t.Fatalf("PutRoutes of %d: %d states, %v", len(want), len(states), err)
		}
		for i, st := range states {
			if st != (im.RouteState{Missing: missing}) {
				t.Fatalf("round %d: route %d: %+v, want missing %v", round, i, st, missing)
			}
		}
	}
	wantRoutes(t, s, ids, want...)
	states, err := s.PutRoutes(t.Context(), nil)
	if err != nil || len(states) != 0 {
		t.Errorf("PutRoutes of none: %v, %v", states, err)
	}
}

// testRouteRace has one device connect everywhere at once, each node writing its
// route again and again: the latest HELLO is the one that stays, and every other
// connection is told, by its own write or through the node that displaced it.
func testRouteRace(t *testing.T, s Presence) {
	const nodes, conns = 4, 25
	var (
		mu    sync.Mutex
		ended = make(map[im.Route]bool)
		wg    sync.WaitGroup
	)
	latest := im.Route{}
	for i := range nodes {
		n := startNode(t, s, fmt.Sprintf("node %d", i), fmt.Sprintf("boot %d", i))
		for k := range conns {
			r := n.route(1, "phone", im.Micros(100+(k*37+i*11)%50), uint64(k+1))
			if latest.User == 0 || r.Supersedes(latest) {
				latest = r
			}
			wg.Go(func() {
				for range 5 {
					states, err := s.PutRoutes(t.Context(), []im.Route{r})
					if err != nil {
						t.Errorf("PutRoutes: %v", err)
						return
					}
					mu.Lock()
					if states[0].Lost {
						ended[r] = true
					}
					if old := states[0].Replaced; old != nil {
						ended[*old] = true
					}
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	wantRoutes(t, s, []im.UserID{1}, latest)
	if got, want := len(ended), nodes*conns-1; got != want || ended[latest] {
		t.Errorf("%d connections were told to end (the latest: %v), want %d (not the latest)", got, ended[latest], want)
	}
}
