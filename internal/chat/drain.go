package chat

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/wire/clientpb"
)

// doors knows every connection from before HELLO until it is closed, and whether
// new ones may come.
type doors struct {
	mu       sync.Mutex
	inside   map[*session]struct{}
	draining bool
	empty    chan struct{} // closed when draining and nobody is inside; nil before
}

func (d *doors) enter(s *session) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining {
		return false
	}
	if d.inside == nil {
		d.inside = make(map[*session]struct{})
	}
	d.inside[s] = struct{}{}
	return true
}

func (d *doors) leave(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inside, s)
	if d.draining && len(d.inside) == 0 {
		d.shut()
	}
}

// shut tells who waits that nobody is left. The caller holds mu.
func (d *doors) shut() {
	select {
	case <-d.empty:
	default:
		close(d.empty)
	}
}

// drain lets nobody in any more and returns who is inside, and what will be closed
// when they have left.
func (d *doors) drain() ([]*session, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.draining {
		d.draining, d.empty = true, make(chan struct{})
	}
	if len(d.inside) == 0 {
		d.shut()
	}
	all := make([]*session, 0, len(d.inside))
	for s := range d.inside {
		all = append(all, s)
	}
	return all, d.empty
}

func (d *doors) isDraining() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.draining
}

// turnsAway says whether a newcomer must go to another node, and how it is told.
func (v *Service) turnsAway() (farewell, bool) {
	if v.doors.isDraining() || v.capacity > 0 && v.connected.Load() > int64(v.capacity) {
		return v.leaving(), true
	}
	return farewell{}, false
}

// leaving is what everybody is told by a node that drains or is full. Those who come
// back are spread over the time that others need to take them in.
func (v *Service) leaving() farewell {
	spread := max(4*time.Second, time.Duration(v.connected.Load())*time.Millisecond)
	return farewell{
		reason: clientpb.Reason_DRAINING, retry: jitter(spread / 2),
		text: "this node is leaving or full; ask the gate for another",
	}
}

// Drain sends everybody away: no newcomer is let in, every connection gets
// GOAWAY(DRAINING) and is closed once what was read is answered. It returns when all
// are gone; when ctx ends first, those that are left are cut off.
func (v *Service) Drain(ctx context.Context) error {
	inside, empty := v.doors.drain()
	v.renewLease(ctx) // which says that this node drains: newcomers go elsewhere
	defer v.giveUpLease(context.WithoutCancel(ctx))
	for _, s := range inside {
		s.hangUp(v.leaving())
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	left, _ := v.doors.drain()
	for _, s := range left {
		s.out.kill()
	}
	return fmt.Errorf("drain: %d connections were cut off: %w", len(left), ctx.Err())
}

// Close ends all connections at once, if Drain has not, waits until what was read
// from them is committed or refused, and ends everything that New and Start began.
// It is called once.
func (v *Service) Close() error {
	inside, empty := v.doors.drain()
	for _, s := range inside {
		if s.out.finish(nil, false, 0) {
			v.met.ended[endKilled].Inc()
		}
		s.out.kill()
	}
	<-empty // a request ends within its timeout, a batch within its own
	if stop := v.stop.Load(); stop != nil {
		(*stop)()
	}
	v.loops.Wait()
	v.workers.close()
	ctx, cancel := context.WithTimeout(context.Background(), sightingsTimeout)
	defer cancel()
	v.storeSightings(ctx)
	appends, reads := v.appends.Close(ctx), v.reads.Close(ctx)
	if appends != nil {
		return appends
	}
	return reads
}
