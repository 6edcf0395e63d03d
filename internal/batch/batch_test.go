package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liao-im/liao/internal/batch"
)

// item knows where it came from: the nth item of a caller's kth call.
type item struct{ caller, call, nth int }

// ledger is a Commit that remembers its batches and gives every item back.
type ledger struct {
	mu      sync.Mutex
	batches [][]item
}

func (l *ledger) commit(_ context.Context, items []item) ([]item, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, slices.Clone(items))
	return slices.Clone(items), nil
}

// gate is a Commit of which every batch waits until the test lets it pass.
type gate struct {
	entered chan []int
	leave   chan struct{}
}

func newGate() *gate { return &gate{entered: make(chan []int, 100), leave: make(chan struct{})} }

func (g *gate) commit(_ context.Context, items []int) ([]int, error) {
	g.entered <- slices.Clone(items)
	<-g.leave
	return slices.Clone(items), nil
}

func closeNow[I, O any](t *testing.T, b *batch.Batcher[I, O]) {
	t.Helper()
	if err := b.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestItemsOfACallStayTogetherAndInOrder(t *testing.T) {
	t.Parallel()
	const callers, calls, most = 50, 40, 16
	var l ledger
	b := batch.New(batch.Options[item, item]{Commit: l.commit, Max: most})
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for k := range calls {
				items := make([]item, 1+(caller+k)%5)
				for n := range items {
					items[n] = item{caller, k, n}
				}
				got, err := b.Do(items)
				if err != nil {
					t.Errorf("Do: %v", err)
				}
				if diff := cmp.Diff(items, got, cmp.AllowUnexported(item{})); diff != "" {
					t.Errorf("results are not those of the call (-want +got):\n%s", diff)
				}
			}
		})
	}
	wg.Wait()
	closeNow(t, b)

	last := make(map[int]item)
	for _, items := range l.batches {
		if len(items) > most {
			t.Errorf("a batch has %d items, want at most %d", len(items), most)
		}
		for i, it := range items {
			want := item{it.caller, last[it.caller].call, last[it.caller].nth + 1}
			if it.nth == 0 {
				if before, ok := last[it.caller]; ok {
					want = item{it.caller, before.call + 1, 0}
				} else {
					want = item{it.caller, 0, 0}
				}
			} else if i == 0 || items[i-1] != (item{it.caller, it.call, it.nth - 1}) {
				t.Fatalf("item %v was written apart from the one before it", it)
			}
			if it != want {
				t.Fatalf("caller %d: %v was written, want %v", it.caller, it, want)
			}
			last[it.caller] = it
		}
	}
}

func TestNextBatchGathersWhileOneIsWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		b := batch.New(batch.Options[int, int]{Commit: g.commit, Max: 8})
		var wg sync.WaitGroup
		do := func(items ...int) {
			wg.Go(func() {
				if got, err := b.Do(items); err != nil || !slices.Equal(got, items) {
					t.Errorf("Do(%v) = %v, %v", items, got, err)
				}
			})
			synctest.Wait()
		}
		do(1) // alone: nothing else was there
		for i := 2; i <= 7; i++ {
			do(i)
		}
		do(8, 9, 10) // does not fit behind the six
		do(11)
		if got := b.Depth(); got != 10 {
			t.Errorf("Depth() = %d, want 10", got)
		}
		close(g.leave)
		wg.Wait()
		close(g.entered)
		var got [][]int
		for items := range g.entered {
			got = append(got, items)
		}
		want := [][]int{{1}, {2, 3, 4, 5, 6, 7}, {8, 9, 10, 11}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		if got := b.Depth(); got != 0 {
			t.Errorf("Depth() = %d at rest, want 0", got)
		}
		closeNow(t, b)
	})
}

// panicking is a Commit that panics with v.
func panicking(v any) func([]int) ([]int, error) {
	return func([]int) ([]int, error) { panic(v) } //nolint:forbidigo // what is tested
}

func TestABadBatchFailsAlone(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("disk is full")
	cases := []struct {
		name   string
		commit func([]int) ([]int, error)
		check  func(error) bool
	}{
		{"error", func([]int) ([]int, error) { return nil, errDisk }, func(err error) bool { return errors.Is(err, errDisk) }},
		{"error beside results", func(in []int) ([]int, error) { return in, errDisk }, func(err error) bool { return errors.Is(err, errDisk) }},
		{"panic", panicking("out of range"), func(err error) bool {
			var p *batch.PanicError
			return errors.As(err, &p) && p.Value == "out of range" && len(p.Stack) > 0 &&
				err.Error() == "batch: commit panicked: out of range"
		}},
		{"panic with an error", panicking(errDisk), func(err error) bool { return errors.Is(err, errDisk) }},
		{"too few results", func(in []int) ([]int, error) { return in[1:], nil }, func(err error) bool { return err != nil }},
		{"too many results", func(in []int) ([]int, error) { return append(in, 0), nil }, func(err error) bool { return err != nil }},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := batch.New(batch.Options[int, int]{Commit: func(_ context.Context, in []int) ([]int, error) {
				if in[0] < 0 {
					return tc.commit(slices.Clone(in))
				}
				return slices.Clone(in), nil
			}})
			for round := range 3 {
				if got, err := b.Do([]int{-1, -2}); !tc.check(err) || got != nil {
					t.Errorf("round %d: bad batch: got %v, %v", round, got, err)
				}
				if got, err := b.Do([]int{3, 4}); err != nil || !slices.Equal(got, []int{3, 4}) {
					t.Errorf("round %d: good batch: got %v, %v", round, got, err)
				}
			}
			closeNow(t, b)
		})
	}
}

func TestEveryCallerOfABadBatchIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		errLost := errors.New("connection lost")
		b := batch.New(batch.Options[int, int]{Commit: func(ctx context.Context, in []int) ([]int, error) {
			out, err := g.commit(ctx, in)
			if len(in) > 1 {
				err = errLost
			}
			return out, err
		}})
		errs := make(chan error, 4)
		for i := range 4 {
			go func() {
				_, err := b.Do([]int{i})
				errs <- err
			}()
			synctest.Wait() // the first is being written while the others gather
		}
		close(g.leave)
		told := 0
		for range 4 {
			if errors.Is(<-errs, errLost) {
				told++
			}
		}
		if told != 3 {
			t.Errorf("%d callers were told of the loss, want 3", told)
		}
		closeNow(t, b)
	})
}

func TestFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		b := batch.New(batch.Options[int, int]{Commit: g.commit, Max: 2, MaxWaiting: 4})
		var wg sync.WaitGroup
		accepted := func(items ...int) {
			t.Helper()
			wg.Go(func() {
				if _, err := b.Do(items); err != nil {
					t.Errorf("Do(%v): %v", items, err)
				}
			})
			synctest.Wait()
		}
		refused := func(items ...int) {
			t.Helper()
			if _, err := b.Do(items); !errors.Is(err, batch.ErrFull) {
				t.Errorf("Do(%v) with %d waiting: got %v, want ErrFull", items, b.Depth(), err)
			}
		}
		accepted(1)
		accepted(2, 3, 4) // over Max: a batch of its own
		refused(5, 6)
		accepted(7)
		refused(8)
		g.leave <- struct{}{} // 1 is written
		synctest.Wait()
		accepted(9, 10, 11)
		refused(12)
		close(g.leave)
		wg.Wait()
		accepted(1, 2, 3, 4, 5, 6) // over MaxWaiting, but nothing waits
		wg.Wait()
		close(g.entered)
		var got [][]int
		for items := range g.entered {
			got = append(got, items)
		}
		want := [][]int{{1}, {2, 3, 4}, {7}, {9, 10, 11}, {1, 2, 3, 4, 5, 6}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		closeNow(t, b)
	})
}

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		b := batch.New(batch.Options[int, int]{Commit: g.commit, Committers: 2})
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				if got, err := b.Do([]int{i}); err != nil || !slices.Equal(got, []int{i}) {
					t.Errorf("Do = %v, %v after Close, want it drained", got, err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close while a batch is stuck: got %v, want a deadline", err)
		}
		if _, err := b.Do([]int{9}); !errors.Is(err, batch.ErrClosed) {
			t.Errorf("Do after Close: got %v, want ErrClosed", err)
		}
		close(g.leave)
		wg.Wait()
		closeNow(t, b)
		closeNow(t, b)
		if _, err := b.Do([]int{9}); !errors.Is(err, batch.ErrClosed) {
			t.Errorf("Do after Close: got %v, want ErrClosed", err)
		}
	})
}

func TestEveryBatchHasItsOwnDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := batch.New(batch.Options[int, int]{Commit: func(ctx context.Context, _ []int) ([]int, error) {
			<-ctx.Done()
			return nil, fmt.Errorf("write: %w", ctx.Err())
		}})
		for range 2 {
			start := time.Now()
			_, err := b.Do([]int{1})
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Second {
				t.Errorf("a stuck batch ended after %v with %v, want a deadline after 5s", took, err)
			}
		}
		closeNow(t, b)
	})
}

func TestCommittersWriteAtTheSameTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		b := batch.New(batch.Options[int, int]{Commit: g.commit, Committers: 3, Max: 1})
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				if _, err := b.Do([]int{i}); err != nil {
					t.Errorf("Do: %v", err)
				}
			})
		}
		synctest.Wait()
		if got := len(g.entered); got != 3 {
			t.Errorf("%d batches are being written, want 3", got)
		}
		close(g.leave)
		wg.Wait()
		closeNow(t, b)
	})
}

func TestOnBatchHearsBeforeTheCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type heard struct {
			Size int
			Took time.Duration
		}
		var got []heard // written by the committer before the caller goes on
		b := batch.New(batch.Options[int, int]{
			Commit: func(_ context.Context, in []int) ([]int, error) {
				<-time.After(time.Duration(in[0]) * time.Millisecond)
				return slices.Clone(in), nil
			},
			OnBatch: func(size int, took time.Duration) { got = append(got, heard{size, took}) },
		})
		var want []heard
		for _, items := range [][]int{{7}, {3, 4}} {
			if _, err := b.Do(items); err != nil {
				t.Errorf("Do: %v", err)
			}
			want = append(want, heard{len(items), time.Duration(items[0]) * time.Millisecond})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("OnBatch (-want +got):\n%s", diff)
			}
		}
		closeNow(t, b)
	})
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	var l ledger
	b := batch.New(batch.Options[item, item]{Commit: l.commit})
	if got, err := b.Do(nil); got != nil || err != nil {
		t.Errorf("Do(nil) = %v, %v, want nothing", got, err)
	}
	closeNow(t, b)
	if len(l.batches) != 0 {
		t.Errorf("an empty call was written")
	}
}
