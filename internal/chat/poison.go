package chat

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
)

const (
	// So many drafts that made the store panic are remembered, and so long.
	poisonKept = 256
	poisonLife = 10 * 60 * 1000 // ms
)

// poison remembers drafts that made the store panic when they were written alone.
// Their senders, told that the outcome is unknown, will send them again with the
// same key: without this each time would break a batch again.
type poison struct {
	any atomic.Bool // spares everyone the lock on every good day

	mu   sync.Mutex
	kept map[poisonKey]im.Millis
}

type poisonKey struct {
	from im.UserID
	conv im.ConvID
	key  string
}

func keyOf(d im.Draft) poisonKey { return poisonKey{d.From(), d.Conv(), d.Key()} }

func (p *poison) add(d im.Draft) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := im.ToMillis(fault.Now())
	for k, at := range p.kept {
		if now-at > poisonLife {
			delete(p.kept, k)
		}
	}
	if p.kept == nil {
		p.kept = make(map[poisonKey]im.Millis)
	}
	if len(p.kept) < poisonKept {
		p.kept[keyOf(d)] = now
	}
	p.any.Store(true)
}

func (p *poison) has(d im.Draft) bool {
	if !p.any.Load() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.kept[keyOf(d)]
	return ok && im.ToMillis(fault.Now())-at <= poisonLife
}

// writeDrafts is what batch calls for the sends of many connections. No session has
// any part in it.
//
// It is Log.Append, but a panic costs only the draft that causes it: the drafts are
// then written one by one. Append is idempotent by key, so it does no harm that some
// may have been written before the panic.
func (v *Service) writeDrafts(ctx context.Context, drafts []im.Draft) ([]im.Appended, error) {
	results, err := v.tryAppend(ctx, drafts)
	if err == nil || !isPanic(err) {
		return results, err
	}
	if len(drafts) == 1 {
		v.poison.add(drafts[0])
		return []im.Appended{{Err: im.Internal}}, nil
	}
	results = make([]im.Appended, len(drafts))
	for i := range drafts {
		one, err := v.writeDrafts(ctx, drafts[i:i+1])
		if err != nil {
			results[i].Err = err
			continue
		}
		results[i] = one[0]
	}
	return results, nil
}

// panicError is a panic of the store as an error.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("append panicked: %v", e.value) }

func isPanic(err error) bool {
	_, ok := err.(*panicError) //nolint:errorlint // tryAppend returns it bare
	return ok
}

func (v *Service) tryAppend(ctx context.Context, drafts []im.Draft) (results []im.Appended, err error) {
	defer func() {
		if r := recover(); r != nil {
			v.met.panics.Inc()
			v.log.ErrorContext(ctx, "append panicked", "drafts", len(drafts), "panic", r, "stack", string(debug.Stack()))
			results, err = nil, &panicError{r}
		}
	}()
	results, err = v.store.Append(ctx, drafts)
	if err == nil && len(results) != len(drafts) {
		err = fmt.Errorf("append gave %d results for %d drafts", len(results), len(drafts))
	}
	if err != nil {
		return nil, fmt.Errorf("append %d drafts: %w", len(drafts), err)
	}
	return results, nil
}
