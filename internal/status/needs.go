package status

import (
	"context"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// Registry keeps which chat nodes live.
type Registry interface {
	// RenewNode stores a node's report for the length of lease. had says whether its
	// lease was still there.
	RenewNode(ctx context.Context, r im.NodeReport, lease time.Duration) (had bool, err error)
	// DropNode ends a lease at once; the boot id must be the one of the report.
	DropNode(ctx context.Context, node, boot string) error
	// Nodes returns every node whose lease holds.
	Nodes(ctx context.Context) ([]im.NodeReport, error)
}
