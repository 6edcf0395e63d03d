package app

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"
)

const (
	// How often the number of goroutines, one for each connection, is looked at.
	calmEvery = 5 * time.Second
	// The least wave of connections that leaves enough behind to be worth a collection,
	// some 10 MB.
	waveLeast = 1000
)

// giveBack returns to the system what a wave of connections has left behind: garbage
// of its logins, and stacks that were deep for a moment. The runtime would do so by
// itself only minutes later, since connections that are silent make no garbage and
// so no collection. It costs one collection for each wave, once it is over.
func giveBack(ctx context.Context) {
	tick := time.NewTicker(calmEvery)
	defer tick.Stop()
	var w wave
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if w.over(runtime.NumGoroutine()) {
				debug.FreeOSMemory()
			}
		}
	}
}

// wave watches a number for when it comes to rest at another height.
type wave struct {
	settled int // where it rested when over was last true
	before  int // what it was at the last look
}

// over takes the number as it is now and says whether it has moved far since it last
// rested, and rests again.
func (w *wave) over(now int) bool {
	rests := distance(now, w.before) <= max(waveLeast/20, now/50)
	w.before = now
	if !rests || distance(now, w.settled) < waveLeast {
		return false
	}
	w.settled = now
	return true
}

func distance(a, b int) int { return max(a-b, b-a) }
