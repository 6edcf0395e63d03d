package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/im"
)

// RunRegistry holds a store to what the status service relies on. Each case
// opens an empty store.
func RunRegistry(t *testing.T, within Within, open func(t *testing.T) Presence) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s Presence)
	}{
		{"what was reported is listed", testReports},
		{"a lease holds for its length", testLeaseLength},
		{"a new boot takes the node's place", testNewBoot},
		{"drop", testDrop},
	} {
		t.Run(c.name, func(t *testing.T) {
			within(t, func(t *testing.T) { c.test(t, open(t)) })
		})
	}
}

// wantNodes compares the nodes that the store lists with want, in any order.
func wantNodes(t *testing.T, s Presence, want ...im.NodeReport) {
	t.Helper()
	got, err := s.Nodes(t.Context())
	if err != nil {
		t.Fatalf("Nodes: %v", err)
	}
	slices.SortFunc(got, func(a, b im.NodeReport) int { return strings.Compare(a.Node, b.Node) })
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Nodes (-want +got):\n%s", diff)
	}
}

// wantHad renews a node's lease and compares whether it was there.
func wantHad(t *testing.T, s Presence, r im.NodeReport, want bool) {
	t.Helper()
	had, err := s.RenewNode(t.Context(), r, leaseFor)
	if err != nil {
		t.Fatalf("RenewNode(%+v): %v", r, err)
	}
	if had != want {
		t.Errorf("RenewNode(%s, %s): the lease was there: %v, want %v", r.Node, r.Boot, had, want)
	}
}

func testReports(t *testing.T, s Presence) {
	wantNodes(t, s)
	a := im.NodeReport{
		Node: "a", Boot: "boot-a", Connections: 3, Capacity: 1_000,
		Addrs: im.NodeAddrs{TCP: "192.0.2.1:8090", TLS: "chat.example.org:8091", WS: "wss://chat.example.org/v1/ws"},
	}
	b := im.NodeReport{Node: "b", Boot: "boot-b", Capacity: 5, Draining: true}
	wantHad(t, s, a, false)
	wantHad(t, s, b, false)
	wantNodes(t, s, a, b)
	a.Connections, a.Draining = 4, true
	wantHad(t, s, a, true)
	wantNodes(t, s, a, b)
}

func testLeaseLength(t *testing.T, s Presence) {
	a := im.NodeReport{Node: "a", Boot: "boot-a"}
	b := im.NodeReport{Node: "b", Boot: "boot-b"}
	wantHad(t, s, a, false)
	wantHad(t, s, b, false)
	pass(leaseFor * 3 / 4)
	wantHad(t, s, a, true)
	wantNodes(t, s, a, b)
	pass(leaseFor / 2)
	wantNodes(t, s, a)
	wantHad(t, s, b, false)
	wantNodes(t, s, a, b)
	pass(leaseFor + leaseFor/10)
	wantNodes(t, s)
	wantHad(t, s, a, false)
	pass(time.Millisecond)
	wantNodes(t, s, a)
}

func testNewBoot(t *testing.T, s Presence) {
	before := im.NodeReport{Node: "a", Boot: "boot-1", Connections: 9}
	after := im.NodeReport{Node: "a", Boot: "boot-2"}
	wantHad(t, s, before, false)
	wantHad(t, s, after, false)
	wantNodes(t, s, after)
	wantHad(t, s, after, true)
}

func testDrop(t *testing.T, s Presence) {
	drop := func(node, boot string) {
		t.Helper()
		if err := s.DropNode(t.Context(), node, boot); err != nil {
			t.Fatalf("DropNode(%s, %s): %v", node, boot, err)
		}
	}
	a := im.NodeReport{Node: "a", Boot: "boot-a"}
	wantHad(t, s, a, false)
	drop("a", "boot-0") // an earlier boot says its farewell late
	drop("b", "boot-a")
	wantNodes(t, s, a)
	drop("a", "boot-a")
	drop("a", "boot-a")
	wantNodes(t, s)
	wantHad(t, s, a, false)
	wantNodes(t, s, a)
}
