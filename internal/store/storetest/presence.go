package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

// Presence is a store of what may be lost and is then made again: which nodes live
// and where devices are connected. Its suites are apart from Run's.
type Presence interface {
	RenewNode(ctx context.Context, r im.NodeReport, lease time.Duration) (had bool, err error)
	DropNode(ctx context.Context, node, boot string) error
	Nodes(ctx context.Context) ([]im.NodeReport, error)
	PutRoutes(ctx context.Context, routes []im.Route) ([]im.RouteState, error)
	RemoveRoute(ctx context.Context, r im.Route) error
	RoutesOf(ctx context.Context, users []im.UserID) ([]im.Route, error)
}

// Within runs a case of a suite that waits for time to pass. A store inside this
// process runs in the made time of synctest.Test; one with a server outside takes
// [Outside], and real seconds.
type Within func(t *testing.T, f func(t *testing.T))

// Outside runs a case in real time.
func Outside(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	f(t)
}

// leaseFor is short, because some stores run the suite in real time, and long
// enough that a slow machine does not lose it between two calls.
const leaseFor = 2 * time.Second

// node is a chat node as the suites see it: it writes to the store, and what the
// store refuses ends the test.
type node struct {
	t    *testing.T
	s    Presence
	name string
	boot string
}

// startNode gives a node its first lease.
func startNode(t *testing.T, s Presence, name, boot string) node {
	t.Helper()
	n := node{t, s, name, boot}
	n.renew()
	return n
}

// renew writes the node's report and returns whether its lease was still there.
func (n node) renew() bool {
	n.t.Helper()
	had, err := n.s.RenewNode(n.t.Context(), im.NodeReport{Node: n.name, Boot: n.boot, Capacity: 100}, leaseFor)
	if err != nil {
		n.t.Fatalf("RenewNode(%s, %s): %v", n.name, n.boot, err)
	}
	return had
}

func (n node) drop() {
	n.t.Helper()
	if err := n.s.DropNode(n.t.Context(), n.name, n.boot); err != nil {
		n.t.Fatalf("DropNode(%s, %s): %v", n.name, n.boot, err)
	}
}

// route is a connection at this node.
func (n node) route(user im.UserID, device string, hello im.Micros, conn uint64) im.Route {
	return im.Route{User: user, Device: device, Node: n.name, Boot: n.boot, Conn: conn, Hello: hello}
}

// put writes one route and compares what became of it.
func (n node) put(r im.Route, want im.RouteState) {
	n.t.Helper()
	got, err := n.s.PutRoutes(n.t.Context(), []im.Route{r})
	if err != nil {
		n.t.Fatalf("PutRoutes(%+v): %v", r, err)
	}
	if diff := cmp.Diff([]im.RouteState{want}, got); diff != "" {
		n.t.Errorf("PutRoutes(%+v) (-want +got):\n%s", r, diff)
	}
}

func (n node) remove(r im.Route) {
	n.t.Helper()
	if err := n.s.RemoveRoute(n.t.Context(), r); err != nil {
		n.t.Fatalf("RemoveRoute(%+v): %v", r, err)
	}
}

// wantRoutes compares the live routes of users with want, in any order.
func wantRoutes(t *testing.T, s Presence, users []im.UserID, want ...im.Route) {
	t.Helper()
	got, err := s.RoutesOf(t.Context(), users)
	if err != nil {
		t.Fatalf("RoutesOf(%v): %v", users, err)
	}
	byDevice := func(a, b im.Route) int {
		if a.User != b.User {
			return int(a.User) - int(b.User)
		}
		return slices.Compare([]byte(a.Device), []byte(b.Device))
	}
	slices.SortFunc(got, byDevice)
	slices.SortFunc(want, byDevice)
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("RoutesOf(%v) (-want +got):\n%s", users, diff)
	}
}

// pass lets time go by.
func pass(d time.Duration) { <-time.After(d) }
