package client

import (
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// pulls is what is to be asked of the server: what moved, and entries of
// conversations that have gaps. The Client's mutex guards it. One goroutine asks
// for one thing after the other, while there is any.
type pulls struct {
	running bool
	sync    bool
	convs   []*conv
}

// want has the entries above v.high fetched. The caller holds mu.
func (c *Client) want(v *conv) {
	if !v.wanted {
		v.wanted = true
		c.pull.convs = append(c.pull.convs, v)
		c.startPull()
	}
}

// wantSync asks what moved; if that is being asked already, once more after it.
// The caller holds mu.
func (c *Client) wantSync() {
	c.pull.sync = true
	c.startPull()
}

// startPull needs mu to be held.
func (c *Client) startPull() {
	if c.link != nil && !c.pull.running && !c.closed && (c.pull.sync || len(c.pull.convs) > 0) {
		c.pull.running = true
		c.work.Go(c.pullAll)
	}
}

// pullAll asks until nothing is wanted or the line is down; what is left then
// waits for the next line.
func (c *Client) pullAll() {
	for tries := 0; ; {
		c.mu.Lock()
		l := c.link
		if l == nil || c.closed || (!c.pull.sync && len(c.pull.convs) == 0) {
			c.pull.running = false
			c.mu.Unlock()
			return
		}
		var err error
		if c.pull.sync {
			c.pull.sync = false
			c.mu.Unlock()
			err = c.pullChanges(l)
		} else {
			v := c.pull.convs[0]
			c.pull.convs = c.pull.convs[1:]
			v.wanted = false
			c.mu.Unlock()
			err = c.pullEntries(l, v)
		}
		if err == nil {
			tries = 0
			continue
		}
		c.pause(l, after(err, tries))
		tries++
	}
}

// after is how long to wait after the given failed try.
func after(err error, tries int) time.Duration {
	var e *Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return jitter(e.RetryAfter, 0.1)
	}
	return backoff(tries)
}

// pause waits, but not beyond the end of the line or of the client.
func (c *Client) pause(l *link, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.gone:
	case <-c.closing:
	}
}

// pullChanges asks what moved, page after page.
func (c *Client) pullChanges(l *link) error {
	for more := true; more; {
		c.mu.Lock()
		cursor := c.cursor
		c.mu.Unlock()
		err := l.request(clientpb.Type_SYNC, &clientpb.Sync{Cursor: cursor}, func(a answer) error {
			page, ok := a.body.(*clientpb.Changes)
			if a.err == nil && !ok {
				a.err = errNonsense
			}
			if a.err == nil {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.takeChanges(page)
				more = page.GetMore()
			}
			return a.err
		})
		if err != nil {
			c.mu.Lock()
			c.pull.sync = true
			c.mu.Unlock()
			return err
		}
	}
	return nil
}

// takeChanges takes one page of a run. The caller holds mu.
func (c *Client) takeChanges(p *clientpb.Changes) {
	if p.GetReset_() && c.cursor != "" {
		c.forget()
	}
	for _, one := range p.GetConversations() {
		c.changed(toConversation(one), c.first)
	}
	c.cursor = p.GetCursor()
	c.unsaved(nil)
	if !p.GetMore() {
		c.first = false
		if !c.pull.sync {
			c.synced()
		}
	}
}

// synced notes that a run is complete and none is wanted after it. The caller holds mu.
func (c *Client) synced() {
	c.tell(topic{kind: topicSynced}, Synced{})
	if !c.fresh {
		c.fresh = true
		close(c.freshly)
	}
}

// pullEntries fetches what comes above the entries that are held of v.
func (c *Client) pullEntries(l *link, v *conv) error {
	c.mu.Lock()
	id, high := v.info.ID, v.high
	skip := !c.known(v) || !v.held || (v.behind && len(v.ready) > 0)
	c.mu.Unlock()
	if skip {
		return nil
	}
	return l.request(clientpb.Type_HISTORY, &clientpb.History{Conv: id, After: high, Limit: maxGap}, func(a answer) error {
		page, ok := a.body.(*clientpb.Page)
		if a.err == nil && !ok {
			a.err = errNonsense
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case !c.known(v):
		case errors.Is(a.err, NotFound) || errors.Is(a.err, Forbidden):
			// Nothing can be had of it any more; SYNC will say what became of it.
			v.early = nil
		case a.err != nil:
			c.want(v)
			return a.err
		case v.high == high: // else a push made a new tail meanwhile
			c.fill(v, toPage(page))
		}
		return nil
	})
}

// errNonsense is an answer of a type that does not answer the question.
var errNonsense = &Error{Code: Internal, Text: "the server's answer is not what was expected", unknown: true}

// request asks, has the reader call take with the answer, so that it takes effect
// in its place among what the server sent, and returns what take does. The answer
// always comes: at the latest when the line ends.
func (l *link) request(t wire.Type, body proto.Message, take func(answer) error) error {
	got := make(chan error, 1)
	if err := l.ask(t, body, func(a answer) { got <- take(a) }); err != nil {
		return errors.Join(err, take(answer{err: err}))
	}
	return <-got
}
