package memstore

import (
	"context"
	"maps"
	"time"
)

// minSweep keeps small maps from being swept at every other write.
const minSweep = 1024

// Take counts one use of key and returns 0 if it is within n per period, else how
// long until one is free. What is allowed comes back evenly, a period's nth at a
// time: whoever used all n at once may try again after per/n. A use that must wait
// is not counted. With n 0 there is no limit.
//
// One instant per key is kept (the generic cell rate algorithm), no window.
func (s *Store) Take(_ context.Context, key string, n int, per time.Duration) (wait time.Duration, err error) {
	if n <= 0 || per <= 0 {
		return 0, nil
	}
	each := max(per/time.Duration(n), 1)

	s.limits.Lock()
	defer s.limits.Unlock()
	now := s.now()
	fresh, known := s.counts[key]
	fresh = max(fresh, now)
	if wait = fresh + each - now - per; wait > 0 {
		return wait, nil
	}
	if !known && len(s.counts) >= s.sweepAt {
		s.sweepCounts(now)
	}
	s.counts[key] = fresh + each
	return 0, nil
}

// sweepCounts makes room: it drops keys that are as if never used and, if that is
// not enough, the half or so that would be so first. The next sweep is due when
// the number has doubled, so a use costs the same however many keys there are.
func (s *Store) sweepCounts(now time.Duration) {
	maps.DeleteFunc(s.counts, func(_ string, fresh time.Duration) bool { return fresh <= now })
	if len(s.counts) >= s.maxKeys {
		mean, share := now, time.Duration(len(s.counts))
		for _, fresh := range s.counts {
			mean += (fresh-now)/share + 1 // rounded up: the mean is not below all of them
		}
		maps.DeleteFunc(s.counts, func(_ string, fresh time.Duration) bool { return fresh <= mean })
	}
	s.sweepAt = min(max(minSweep, 2*len(s.counts)), s.maxKeys)
}
