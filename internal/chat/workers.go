package chat

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// workersMost is about what a store answers at a time, so that nobody waits here who
// would not wait there.
const workersMost = 32

// workersWait is how long a call waits for a worker. If all of them hang in a store
// that does not answer, further calls are refused before anything was done.
const workersWait = 2 * time.Second

// workers are a few goroutines that call the store for the sessions. A store's calls
// go deep, and a goroutine keeps the stack that its deepest call needed until the
// garbage collector has halved it several times: nineteen thousand sessions that
// have once said HELLO would hold 9 KiB of it each. So the deep stacks belong to
// these few, and those of the sessions stay small.
//
// It is a call and no stage: who asks waits for the answer.
type workers struct {
	jobs chan *job // unbuffered: a worker that is free takes it
	stop chan struct{}

	mu      sync.Mutex
	started int
	live    sync.WaitGroup
}

// job is one call.
type job struct {
	f     func()
	panic *stackedPanic
	done  chan struct{} // capacity 1
}

// stackedPanic is what f panicked with, to be raised again where f was asked for.
type stackedPanic struct {
	value any
	stack []byte
}

func (p *stackedPanic) String() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }

func newWorkers() *workers {
	return &workers{jobs: make(chan *job), stop: make(chan struct{})}
}

// do calls f on one of the workers and returns when f has; it panics if f did. With
// im.Overloaded f was not called. It must not be called after close, nor by f.
func (w *workers) do(f func()) error {
	j := &job{f: f, done: make(chan struct{}, 1)}
	select {
	case w.jobs <- j:
	default:
		if !w.start(j) && !w.await(j) {
			return im.FailAfter(im.Overloaded, "the server is busy; try again in a moment", jitter(overloadRetry))
		}
	}
	<-j.done
	if j.panic != nil {
		panic(j.panic) //nolint:forbidigo // not ours: it goes on where it would have gone
	}
	return nil
}

// await waits for a worker to take a job.
func (w *workers) await(j *job) bool {
	timer := time.NewTimer(workersWait)
	defer timer.Stop()
	select {
	case w.jobs <- j:
		return true
	case <-timer.C:
		return false
	}
}

// start begins a further worker with its first job, unless there are enough.
func (w *workers) start(j *job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.started == workersMost {
		return false
	}
	w.started++
	w.live.Go(func() {
		for {
			j.run()
			select {
			case j = <-w.jobs:
			case <-w.stop:
				return
			}
		}
	})
	return true
}

func (j *job) run() {
	defer func() {
		if r := recover(); r != nil {
			j.panic = &stackedPanic{r, debug.Stack()}
		}
		j.done <- struct{}{}
	}()
	j.f()
}

// close ends the workers once each has done what it does.
func (w *workers) close() {
	close(w.stop)
	w.live.Wait()
}
