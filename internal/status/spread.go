package status

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/liao-im/liao/internal/im"
)

// spread returns the addresses of the nodes that take newcomers, in an order drawn
// anew each time: a node is first, and of the rest next, with a chance in proportion
// to its free places.
func spread(reports []im.NodeReport) []im.NodeAddrs {
	type drawn struct {
		addrs im.NodeAddrs
		at    float64
	}
	order := make([]drawn, 0, len(reports))
	for _, r := range reports {
		if !r.Draining {
			order = append(order, drawn{r.Addrs, arrival(r.Capacity - r.Connections)})
		}
	}
	slices.SortFunc(order, func(a, b drawn) int { return cmp.Compare(a.at, b.at) })
	nodes := make([]im.NodeAddrs, len(order))
	for i, d := range order {
		nodes[i] = d.addrs
	}
	return nodes
}

// arrival draws when a node that has free places would be hit if each place were hit
// at random at the same rate. Sorting by it is drawing by weight without putting
// back. Full nodes come after all others, in random order.
func arrival(free int) float64 {
	if free <= 0 {
		return math.MaxFloat64 / 2 * (1 + rand.Float64()) //nolint:gosec // it spreads load and guards nothing
	}
	return rand.ExpFloat64() / float64(free) //nolint:gosec // as above
}
