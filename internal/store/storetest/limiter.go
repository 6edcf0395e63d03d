package storetest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Limiter counts what may be done so often in a time.
type Limiter interface {
	Take(ctx context.Context, key string, n int, per time.Duration) (wait time.Duration, err error)
}

// RunLimiter holds a store to what limits rely on. Each case opens an empty store.
func RunLimiter(t *testing.T, within Within, open func(t *testing.T) Limiter) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s Limiter)
	}{
		{"n per period, then a wait", testLimit},
		{"the wait is true", testWaitIsTrue},
		{"keys are counted apart", testKeysApart},
		{"zero is no limit", testNoLimit},
		{"a whole period gives all back", testPeriodGivesBack},
		{"exactly n of many at once", testLimitAtOnce},
	} {
		t.Run(c.name, func(t *testing.T) {
			within(t, func(t *testing.T) { c.test(t, open(t)) })
		})
	}
}

// take counts a use and ends the test on an error.
func take(t *testing.T, s Limiter, key string, n int, per time.Duration) time.Duration {
	t.Helper()
	wait, err := s.Take(t.Context(), key, n, per)
	if err != nil {
		t.Fatalf("Take(%q, %d, %v): %v", key, n, per, err)
	}
	if wait < 0 || wait > per {
		t.Errorf("Take(%q, %d, %v): wait %v, want one between 0 and the period", key, n, per, wait)
	}
	return wait
}

func testLimit(t *testing.T, s Limiter) {
	for _, n := range []int{1, 2, 7, 60, 200} {
		for i := range n {
			if wait := take(t, s, string(rune('a'+n)), n, time.Hour); wait != 0 {
				t.Errorf("use %d of %d per hour must wait %v", i+1, n, wait)
			}
		}
		for range 3 {
			if wait := take(t, s, string(rune('a'+n)), n, time.Hour); wait == 0 {
				t.Errorf("more than %d per hour were allowed", n)
			}
		}
	}
}

func testWaitIsTrue(t *testing.T, s Limiter) {
	const n, per = 4, 4 * time.Second
	for range n {
		take(t, s, "key", n, per)
	}
	wait := take(t, s, "key", n, per)
	for range 50 { // refused ones make it no longer
		if again := take(t, s, "key", n, per); again == 0 || again > wait {
			t.Fatalf("wait %v after %v", again, wait)
		}
	}
	pass(wait / 2)
	if again := take(t, s, "key", n, per); again == 0 {
		t.Errorf("allowed after half of the wait of %v", wait)
	}
	pass(wait - wait/2)
	if again := take(t, s, "key", n, per); again != 0 {
		t.Errorf("must wait %v more after the whole wait of %v", again, wait)
	}
}

func testKeysApart(t *testing.T, s Limiter) {
	for _, key := range []string{"find/1", "find/2", "FIND/1", "ask/1", ""} {
		if wait := take(t, s, key, 1, time.Hour); wait != 0 {
			t.Errorf("first use of %q must wait %v", key, wait)
		}
	}
	if wait := take(t, s, "find/1", 1, time.Hour); wait == 0 {
		t.Errorf("second use of find/1 was allowed")
	}
}

func testNoLimit(t *testing.T, s Limiter) {
	for range 100 {
		if wait := take(t, s, "key", 0, time.Hour); wait != 0 {
			t.Fatalf("without a limit: must wait %v", wait)
		}
	}
	if wait := take(t, s, "key", 1, time.Hour); wait != 0 {
		t.Errorf("uses without a limit were counted: must wait %v", wait)
	}
}

func testPeriodGivesBack(t *testing.T, s Limiter) {
	const n, per = 5, time.Second
	for round := range 3 {
		for i := range n {
			if wait := take(t, s, "key", n, per); wait != 0 {
				t.Errorf("round %d: use %d of %d must wait %v", round, i+1, n, wait)
			}
		}
		pass(per)
	}
}

func testLimitAtOnce(t *testing.T, s Limiter) {
	const n, callers = 30, 100
	var (
		allowed atomic.Int64
		wg      sync.WaitGroup
	)
	for range callers {
		wg.Go(func() {
			wait, err := s.Take(t.Context(), "key", n, time.Hour)
			if err != nil {
				t.Errorf("Take: %v", err)
			} else if wait == 0 {
				allowed.Add(1)
			}
		})
	}
	wg.Wait()
	if got := allowed.Load(); got != n {
		t.Errorf("%d of %d at once were allowed, want %d", got, callers, n)
	}
}
