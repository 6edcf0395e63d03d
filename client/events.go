package client

import (
	"slices"
	"time"
)

// Event is something that happened: one of the types below.
type Event interface{ event() }

// Connected says that the line to a chat node stands. What was missed follows.
type Connected struct {
	User     User
	DeviceID string
	Node     string
}

// Disconnected says that the line is down, or could not be made; the client goes on trying.
type Disconnected struct{ Err error }

// Synced says that everything which changed while the line was down is known.
// The presence of friends is not: ask Friends.
type Synced struct{}

// Ended says that the client will not connect again; it is the last event.
type Ended struct{ Err *EndedError }

// Forgotten says that the server was restored from a backup, so that its
// conversations are not what they were: drop all that you hold of them. Sends
// that were not settled stay in the outbox.
type Forgotten struct{}

// Arrived is an entry of a conversation, in the order of their numbers and each
// once. Skipped says that the entries right before this one are not given: drop
// what you hold below it, and ask History when somebody looks.
type Arrived struct {
	Message
	Skipped bool
}

// Settled is the outcome of a send that nobody waits for in Send: Err is nil and
// Sent says where it was stored, or Err is a definite refusal.
type Settled struct {
	Sent    Sent // Conv and Key are set in any case
	Content Content
	Err     error
}

// ConversationChanged says that a conversation is new or that its title, members,
// rights or read state are not what they were. New entries are told by Arrived alone.
type ConversationChanged struct{ Conversation }

// ContactsChanged says that friends, requests or blocks changed: ask Friends.
type ContactsChanged struct{}

// Receipt says how far a member has read: the other one of a direct conversation,
// or this user on another device.
type Receipt struct {
	Conv uint64
	User uint64
	Seq  uint32
}

// Typing says that a member is writing.
type Typing struct {
	Conv uint64
	User uint64
}

// Presence says that a friend came or went.
type Presence struct {
	User     uint64
	Online   bool
	LastSeen time.Time // zero: not known
}

func (Connected) event()           {}
func (Disconnected) event()        {}
func (Synced) event()              {}
func (Ended) event()               {}
func (Forgotten) event()           {}
func (Arrived) event()             {}
func (Settled) event()             {}
func (ConversationChanged) event() {}
func (ContactsChanged) event()     {}
func (Receipt) event()             {}
func (Typing) event()              {}
func (Presence) event()            {}

// topic is what something is to be told about. Of each topic there is at most
// one in the queue, which bounds it by the number of conversations and friends.
type topic struct {
	kind topicKind
	conv uint64
	user uint64
}

type topicKind uint8

const (
	topicState topicKind = iota
	topicSynced
	topicForgotten
	topicEntries // makes one Arrived after the other
	topicConversation
	topicContacts
	topicSettled
	topicReceipt
	topicTyping
	topicPresence
	topicEnded // always the last
)

// maxTyping bounds the topics that may be dropped.
const maxTyping = 64

// news is what the application has not been told yet. The Client's mutex guards it.
type news struct {
	out     chan Event
	queue   []topic
	queued  map[topic]Event // with the event, where it is not made when it is read
	typing  int
	running bool // handOut is at work
	open    bool // somebody reads
	shut    bool // out is closed
}

// Events is the stream of what happens. The channel is closed after Ended, or by
// Close. There is one; several readers share it. Nothing but Typing is lost on a
// slow reader; a Client whose events nobody reads keeps its bounded state.
func (c *Client) Events() <-chan Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.news.open = true
	c.deliver()
	return c.news.out
}

// tell queues a topic; e may be nil for topics whose event is made when it is
// read; a later event of a topic takes the place of the one that waits. The caller holds mu.
func (c *Client) tell(t topic, e Event) {
	if _, waits := c.news.queued[t]; waits {
		c.news.queued[t] = e
		return
	}
	if t.kind == topicTyping {
		if c.news.typing == maxTyping {
			return
		}
		c.news.typing++
	}
	c.news.queued[t] = e
	c.news.queue = append(c.news.queue, t)
	c.deliver()
}

// unsay takes topics of these kinds out of the queue. The caller holds mu.
func (c *Client) unsay(kinds ...topicKind) {
	c.news.queue = slices.DeleteFunc(c.news.queue, func(t topic) bool {
		if !slices.Contains(kinds, t.kind) {
			return false
		}
		delete(c.news.queued, t)
		if t.kind == topicTyping {
			c.news.typing--
		}
		return true
	})
}

// deliver starts the goroutine that hands events out, if there are any and
// somebody reads. The caller holds mu.
func (c *Client) deliver() {
	if c.news.open && !c.news.running && !c.news.shut && len(c.news.queue) > 0 && !c.closed {
		c.news.running = true
		c.work.Go(c.handOut)
	}
}

func (c *Client) handOut() {
	for {
		c.mu.Lock()
		e, given := c.nextEvent()
		if e == nil {
			c.news.running = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		select {
		case c.news.out <- e:
		case <-c.closing:
			c.mu.Lock()
			c.news.running = false
			c.mu.Unlock()
			return
		}
		c.mu.Lock()
		if given != nil {
			given()
		}
		if _, last := e.(Ended); last {
			c.shutEvents()
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
	}
}

// shutEvents closes the stream. The caller holds mu, and handOut is not waiting.
func (c *Client) shutEvents() {
	if !c.news.shut {
		c.news.shut = true
		close(c.news.out)
	}
}

// nextEvent takes the next event from the queue; nil if there is none. If given
// is not nil it is called with mu held once the application has it. The caller holds mu.
func (c *Client) nextEvent() (e Event, given func()) {
	for len(c.news.queue) > 0 {
		t := c.news.queue[0]
		c.news.queue = c.news.queue[1:]
		if t.kind == topicEnded && len(c.news.queue) > 0 {
			c.news.queue = append(c.news.queue, t)
			continue
		}
		e := c.news.queued[t]
		delete(c.news.queued, t)
		//nolint:exhaustive // the others carry their event.
		switch t.kind {
		case topicEntries:
			if v := c.convs[t.conv]; v != nil {
				if e, given := c.nextEntry(v); e != nil {
					return e, given
				}
			}
			continue
		case topicConversation:
			if v := c.convs[t.conv]; v != nil {
				return ConversationChanged{v.info}, nil
			}
			continue
		case topicSettled:
			if e := c.nextSettled(); e != nil {
				return e, nil
			}
			continue
		case topicTyping:
			c.news.typing--
		}
		return e, nil
	}
	c.news.queue = nil
	return nil, nil
}
