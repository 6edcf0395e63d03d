package verify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// sendTime bounds one try of one mail.
const sendTime = 30 * time.Second

// backoff is how long a mail waits after each try that the server refused for now;
// the last is repeated while the mail is still of use.
var backoff = [...]time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// letter is a mail to be written and sent.
type letter struct {
	kind  mailKind
	to    string
	lang  string
	facts facts
	words *words
	until time.Time // of no use afterwards
	tries int
}

// queue sends letters with a few workers. A letter holds one of its places from
// reserve until it is sent or given up, so the queue is bounded by construction,
// and putting a letter back for another try never blocks.
type queue struct {
	mailer  Mailer
	log     *slog.Logger
	metrics *metrics
	places  chan struct{}
	letters chan letter
	closing chan struct{} // closed when no letter may be tried again
	done    chan struct{} // closed when the workers shall end
	workers sync.WaitGroup

	mu     sync.Mutex
	closed bool
	held   sync.WaitGroup // letters and reservations; Add only under mu while open
}

func newQueue(m Mailer, workers, size int, log *slog.Logger, mt *metrics) *queue {
	q := &queue{
		mailer:  m,
		log:     log,
		metrics: mt,
		places:  make(chan struct{}, size),
		letters: make(chan letter, size),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	for range workers {
		q.workers.Go(q.work)
	}
	return q
}

// reserve takes a place and says whether there was one. Who has one calls put or
// release.
func (q *queue) reserve() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	select {
	case q.places <- struct{}{}:
		q.held.Add(1)
		q.metrics.waiting.Inc()
		return true
	default:
		return false
	}
}

func (q *queue) release() {
	<-q.places
	q.metrics.waiting.Dec()
	q.held.Done()
}

func (q *queue) put(l letter) { q.letters <- l }

func (q *queue) work() {
	for {
		select {
		case l := <-q.letters:
			q.handle(l)
		case <-q.done:
			return
		}
	}
}

// handle sends a letter and gives its place back, or leaves it to a later try.
func (q *queue) handle(l letter) {
	if l.kind == mailNone {
		q.release()
		return
	}
	err := q.send(l)
	switch {
	case err == nil:
		q.metrics.mails.WithLabelValues(string(l.kind), "sent").Inc()
	case q.again(l, err):
		return
	default:
		q.metrics.mails.WithLabelValues(string(l.kind), "lost").Inc()
		q.log.Error("mail lost", "kind", string(l.kind), "tries", l.tries+1, "error", err)
	}
	q.release()
}

// send composes the letter and offers it once. A panic in a mailer costs that mail.
func (q *queue) send(l letter) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the mailer panicked: %v", p)
		}
	}()
	subject, plain, html, err := l.words.compose(l.kind, l.lang, l.facts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendTime)
	defer cancel()
	return q.mailer.Send(ctx, l.to, subject, plain, html)
}

// again puts a letter back behind a pause if its mail was surely not taken and
// will still be of use then.
func (q *queue) again(l letter, err error) bool {
	var t interface{ Temporary() bool }
	if !errors.As(err, &t) || !t.Temporary() {
		return false
	}
	pause := backoff[min(l.tries, len(backoff)-1)]
	if time.Now().Add(pause).After(l.until) {
		return false
	}
	select {
	case <-q.closing:
		return false
	default:
	}
	l.tries++
	q.metrics.mails.WithLabelValues(string(l.kind), "retried").Inc()
	q.log.Warn("mail not taken, trying again", "kind", string(l.kind), "tries", l.tries, "pause", pause, "error", err)
	go func() { // ends with the pause, or at once when the queue closes
		t := time.NewTimer(pause)
		defer t.Stop()
		select {
		case <-t.C:
		case <-q.closing:
		}
		q.letters <- l
	}()
	return true
}

// close gives every letter that waits one last try.
func (q *queue) close(ctx context.Context) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.closed = true
	q.mu.Unlock()
	close(q.closing)

	empty := make(chan struct{})
	go func() {
		q.held.Wait()
		close(empty)
	}()
	select {
	case <-empty:
		close(q.done)
		q.workers.Wait()
		return nil
	case <-ctx.Done():
		close(q.done)
		return fmt.Errorf("send the last mails, %d are lost: %w", len(q.places), ctx.Err())
	}
}
