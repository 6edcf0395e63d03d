package chat

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	tidyEvery = 2 * time.Second
	// So many new sessions leave enough behind to be worth a collection.
	tidyCrowd = 1_000
)

// tidyUp returns what gives memory back to the system once a crowd has said HELLO.
//
// A thousand HELLOs leave behind garbage and grown stacks worth more than the
// sessions themselves, and an idle process has no reason of its own to collect them:
// the next collection comes when as much again was used, or after minutes. So when a
// crowd has come and nobody came since the last look, one collection is made.
func (v *Service) tidyUp() func(context.Context) {
	var tidied, last uint64 // connections by then
	return func(context.Context) {
		came := v.lastConn.Load()
		if quiet := came == last; quiet && came-tidied >= tidyCrowd {
			debug.FreeOSMemory()
			tidied = came
		}
		last = came
	}
}
