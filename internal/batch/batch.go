// Package batch turns many small calls into few large ones: group commit.
//
// The goroutines of many callers meet in [Batcher.Do], which blocks until a
// batch that holds the caller's items was written. While one batch is being
// written the next one gathers, so a batch is as large as the load makes it:
// there is no timer, and a call that comes alone is written alone, at once.
//
// Promises:
//   - The items of one call stay together, in order, in one batch, and get one
//     result each. Calls enter batches in the order in which they came.
//   - What waits is bounded: a call beyond the bound gets [ErrFull] at once, and
//     nothing of it was or will be written.
//   - From the moment a call is accepted no caller's context touches it. Every
//     batch has a deadline of its own.
//   - An error or a panic of a batch is told to that batch's callers only; the
//     next batch is written as if nothing had happened.
//
// Files: batch.go (the callers' side), commit.go (the side that writes).
package batch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var (
	// ErrFull says that too much waits already. Nothing of the call was written.
	ErrFull = errors.New("batch: queue is full")
	// ErrClosed says that Close was called before. Nothing of the call was written.
	ErrClosed = errors.New("batch: closed")
)

// Options says how a [Batcher] works. Only Commit has no default.
type Options[I, O any] struct {
	// Commit writes one batch and returns as many results as it was given items, in
	// their order. It must return soon after ctx ends, and may keep results but not
	// items, whose array the next batch uses. It is called by Committers goroutines.
	Commit func(ctx context.Context, items []I) ([]O, error)

	// Max is how many items a batch holds at most; 0 means 256. A single call with
	// more of them gets a batch of its own.
	Max int
	// MaxWaiting is how many items may wait, beside those that are being written;
	// 0 means 16 times Max. A single call with more of them is taken if nothing waits.
	MaxWaiting int
	// Committers is how many batches may be written at the same time; 0 means 1.
	// With more than one, calls that overlap may be written in either order.
	Committers int
	// Timeout is how long a batch may take; 0 means 5 s.
	Timeout time.Duration

	// OnBatch, if set, hears of every batch whose Commit returned, before the callers
	// do: how many items it had, and how long Commit took. It must be fast.
	OnBatch func(size int, took time.Duration)
}

// Batcher is where callers meet. It owns goroutines: Close ends them.
type Batcher[I, O any] struct {
	opts Options[I, O]
	pool sync.Pool // of *call[I, O]
	done chan struct{}

	mu         sync.Mutex
	work       sync.Cond // something waits, or closed
	head, tail *call[I, O]
	waiting    int // items in the queue
	idle       int // committers that wait for work
	live       int // committers that have not ended
	closed     bool
}

// call is one Do on its way. It is reused, its channel with it.
type call[I, O any] struct {
	items   []I
	results []O
	err     error
	settled chan struct{} // capacity 1: settling never blocks
	next    *call[I, O]
}

// New returns a Batcher whose committers run until [Batcher.Close].
func New[I, O any](opts Options[I, O]) *Batcher[I, O] {
	if opts.Commit == nil {
		panic("batch: Options.Commit is missing") //nolint:forbidigo // a mistake in our own wiring
	}
	if opts.Max <= 0 {
		opts.Max = 256
	}
	if opts.MaxWaiting <= 0 {
		opts.MaxWaiting = 16 * opts.Max
	}
	if opts.Committers <= 0 {
		opts.Committers = 1
	}
	if opts.Timeout <= 0 {
		opts.Timeout = 5 * time.Second
	}
	b := &Batcher[I, O]{opts: opts, done: make(chan struct{}), live: opts.Committers}
	b.work.L = &b.mu
	b.pool.New = func() any { return &call[I, O]{settled: make(chan struct{}, 1)} }
	for range opts.Committers {
		go b.run()
	}
	return b
}

// Do blocks until items are written and returns one result for each, in order.
// [ErrFull] and [ErrClosed] are definite: nothing was written. After any other
// error nothing is known of any item, as after a lost answer. The results may be
// kept; items may be used again once Do has returned.
func (b *Batcher[I, O]) Do(items []I) ([]O, error) {
	if len(items) == 0 {
		return nil, nil
	}
	c := b.pool.Get().(*call[I, O]) //nolint:forcetypeassert // the pool holds nothing else
	c.items = items
	if err := b.enqueue(c); err != nil {
		c.items = nil
		b.pool.Put(c)
		return nil, err
	}
	<-c.settled
	results, err := c.results, c.err
	c.items, c.results, c.err = nil, nil, nil
	b.pool.Put(c)
	return results, err
}

// enqueue puts c behind what waits, if there is room.
func (b *Batcher[I, O]) enqueue(c *call[I, O]) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	if b.waiting > 0 && b.waiting+len(c.items) > b.opts.MaxWaiting {
		return ErrFull
	}
	if b.tail == nil {
		b.head = c
	} else {
		b.tail.next = c
	}
	b.tail = c
	b.waiting += len(c.items)
	if b.idle > 0 {
		b.work.Signal()
	}
	return nil
}

// Depth returns how many items wait, beside those that are being written.
func (b *Batcher[I, O]) Depth() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting
}

// Close refuses new calls and returns once all accepted ones are settled, or with
// an error when ctx ends; they are settled even then. It may be called again.
func (b *Batcher[I, O]) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.work.Broadcast()
	b.mu.Unlock()
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("drain batches: %w", ctx.Err())
	}
}
