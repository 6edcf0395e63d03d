package chat

import (
	"context"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// leaseEvery leaves two renewals to fail before a lease of 5 s ends.
const leaseEvery = 1500 * time.Millisecond

// renewLease tells the status service that this node lives, and how loaded it is.
func (v *Service) renewLease(ctx context.Context) {
	if v.left.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaseEvery)
	defer cancel()
	err := v.status.Report(ctx, im.NodeReport{
		Node: v.node, Boot: v.boot, Addrs: v.addrs,
		Connections: int(v.connected.Load()), Capacity: v.capacity, Draining: v.doors.isDraining(),
	})
	if err != nil {
		v.trouble().WarnContext(ctx, "the lease was not renewed", "err", err)
	}
}

// giveUpLease ends the lease at once. It comes last: while connections are left their
// routes must count.
func (v *Service) giveUpLease(ctx context.Context) {
	v.left.Store(true)
	ctx, cancel := context.WithTimeout(ctx, leaseEvery)
	defer cancel()
	if err := v.status.Leave(ctx, v.node, v.boot); err != nil {
		v.log.WarnContext(ctx, "the node list still has this node until its lease ends", "err", err)
	}
}
