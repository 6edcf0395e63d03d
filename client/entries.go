package client

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	maxGap   = 200                    // more missing entries than this are not fetched unasked
	holdBack = 300 * time.Millisecond // how long an early entry waits for the ones before it, jittered

	// What waits for a slow reader of Events: entries of one conversation, and
	// bytes of all. What finds no room is fetched later. One entry of each
	// conversation always finds some.
	maxReady   = 200
	maxWaiting = 8 << 20
)

// conv is what the client knows of one conversation. The Client's mutex guards it.
type conv struct {
	info Conversation

	// held says that high means something: the number up to which every entry
	// was given, waits in ready, or was left out for good.
	held  bool
	high  uint32
	given uint32 // what the application has; high - given entries wait
	ready []Arrived
	hole  bool // the entry right above high is not the next that can be had

	early  map[uint32]Message // entries above a gap
	hold   *time.Timer        // runs while early is not empty
	behind bool               // entries above high found no room
	wanted bool               // waits to be fetched
}

// Conversations lists what is known, the last to change first.
func (c *Client) Conversations() []Conversation {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Conversation, 0, len(c.convs))
	for v := range maps.Values(c.convs) {
		list = append(list, v.info)
	}
	slices.SortFunc(list, func(a, b Conversation) int {
		if d := b.Updated.Compare(a.Updated); d != 0 {
			return d
		}
		return cmp.Compare(b.ID, a.ID)
	})
	return list
}

// Conversation is one of Conversations; ok is false if it is not known (yet).
func (c *Client) Conversation(id uint64) (info Conversation, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.convs[id]; v != nil {
		return v.info, true
	}
	return Conversation{}, false
}

// arrive takes an entry that was pushed, or stored for a send of ours. The caller holds mu.
func (c *Client) arrive(v *conv, m Message) {
	v.see(m)
	switch {
	case v.held && (m.Seq <= v.high || v.behind):
		return
	case !v.held || m.Seq-v.high-1 > maxGap:
		c.newTail(v, m)
	case m.Seq == v.high+1:
		c.admit(v, m)
	default:
		c.early(v, m)
		return
	}
	c.absorb(v)
}

// see keeps the newest entry in the conversation's description.
func (v *conv) see(m Message) {
	if m.Seq >= v.info.Head {
		v.info.Head, v.info.Last, v.info.Updated = m.Seq, &m, m.At
	}
}

// newTail drops what is held and starts anew at m: what lies below may have been
// changed by entries that we do not fetch. The caller holds mu.
func (c *Client) newTail(v *conv, m Message) {
	c.dropReady(v)
	v.held, v.high, v.hole = true, m.Seq-1, m.Seq > 1
	maps.DeleteFunc(v.early, func(seq uint32, _ Message) bool { return seq <= m.Seq })
	c.admit(v, m)
}

// admit makes m the next entry to be given, if there is room. The caller holds mu.
func (c *Client) admit(v *conv, m Message) bool {
	size := weight(m)
	if len(v.ready) > 0 && (len(v.ready) >= maxReady || c.waiting+size > maxWaiting) {
		v.behind = true
		return false
	}
	v.ready = append(v.ready, Arrived{Message: m, Skipped: v.hole})
	v.high, v.hole = m.Seq, false
	c.waiting += size
	c.unsaved(v)
	c.tell(topic{kind: topicEntries, conv: v.info.ID}, nil)
	if v.info.Kind == Inbox && changesContacts(m.Content.Kind) {
		c.tell(topic{kind: topicContacts}, ContactsChanged{})
	}
	return true
}

func changesContacts(kind string) bool {
	return kind == "contacts.changed" || strings.HasPrefix(kind, "friend.")
}

// weight is about how many bytes an entry takes.
func weight(m Message) int { return 200 + len(m.Content.Text) + len(m.Content.Data) }

func (c *Client) dropReady(v *conv) {
	for _, e := range v.ready {
		c.waiting -= weight(e.Message)
	}
	v.ready, v.behind = nil, false
}

// absorb admits the early entries that now come next. The caller holds mu.
func (c *Client) absorb(v *conv) {
	for {
		m, ok := v.early[v.high+1]
		if !ok || !c.admit(v, m) {
			break
		}
		delete(v.early, m.Seq)
	}
	maps.DeleteFunc(v.early, func(seq uint32, _ Message) bool { return seq <= v.high || v.behind })
	if len(v.early) == 0 {
		v.early = nil
		if v.hold != nil {
			v.hold.Stop()
			v.hold = nil
		}
	}
}

// early keeps m for a moment: pushes overtake each other. The caller holds mu.
func (c *Client) early(v *conv, m Message) {
	if v.early == nil {
		v.early = make(map[uint32]Message)
	}
	v.early[m.Seq] = m // at most maxGap of them: the next is a new tail
	if v.hold == nil {
		v.hold = time.AfterFunc(jitter(holdBack, 0.25), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.known(v) && len(v.early) > 0 {
				c.want(v)
			}
		})
	}
}

// known reports whether v is still what is known of its conversation. The caller holds mu.
func (c *Client) known(v *conv) bool { return c.convs[v.info.ID] == v }

// jitter spreads d by the fraction f to both sides.
func jitter(d time.Duration, f float64) time.Duration {
	return time.Duration(float64(d) * (1 + f*(2*rand.Float64()-1))) //nolint:gosec // no secret
}

// fill takes a page that was asked with after = high. The caller holds mu.
func (c *Client) fill(v *conv, p Page) {
	v.behind = false
	for _, m := range p.Messages {
		v.see(m)
		if m.Seq <= v.high {
			continue
		}
		if m.Seq > v.high+1 {
			v.hole = true // entries that this user may not see
		}
		if !c.admit(v, m) {
			return // fetched again when there is room
		}
	}
	if !p.More && v.high < p.Head {
		v.high, v.hole = p.Head, true
	}
	c.absorb(v)
	if p.More || len(v.early) > 0 {
		c.want(v)
	}
}

// changed takes a conversation as SYNC gave it; first says that this is what was
// there when the client saw this account for the first time. The caller holds mu.
func (c *Client) changed(info Conversation, first bool) {
	v := c.convs[info.ID]
	if v == nil {
		v = &conv{}
		c.convs[info.ID] = v
	}
	old := v.info
	v.info = info
	if old.Head > info.Head && !info.Left { // a push was faster
		v.info.Head, v.info.Last, v.info.Updated = old.Head, old.Last, old.Updated
	}
	v.info.Read, v.info.PeerRead = max(old.Read, info.Read), max(old.PeerRead, info.PeerRead)
	c.unsaved(v)
	if old.ID == 0 || differs(old, v.info) {
		c.tell(topic{kind: topicConversation, conv: info.ID}, nil)
	}
	switch {
	case first && !v.held:
		v.held, v.high, v.given = true, info.Head, info.Head
	case v.held && info.Head <= v.high || v.behind:
	case info.Last != nil && (!v.held || info.Head == v.high+1 || info.Head-v.high-1 > maxGap):
		c.arrive(v, *info.Last)
	case v.held:
		c.want(v)
	}
}

func differs(a, b Conversation) bool {
	return a.Title != b.Title || a.Peer != b.Peer || a.Read != b.Read || a.PeerRead != b.PeerRead ||
		a.Left != b.Left || a.Closed != b.Closed || a.Members != b.Members
}

// nextEntry is the next entry of v to be given. The caller holds mu.
func (c *Client) nextEntry(v *conv) (e Event, given func()) {
	if len(v.ready) == 0 {
		return nil, nil
	}
	next := v.ready[0]
	v.ready = v.ready[1:]
	if len(v.ready) > 0 {
		c.tell(topic{kind: topicEntries, conv: v.info.ID}, nil)
	}
	return next, func() {
		c.waiting -= weight(next.Message)
		if !c.known(v) {
			return
		}
		v.given = next.Seq
		c.unsaved(v)
		if len(v.ready) == 0 && v.behind {
			c.want(v)
		}
	}
}

// readUpTo moves a read watermark of the own user. The caller holds mu.
func (c *Client) readUpTo(v *conv, seq uint32) {
	if seq > v.info.Read {
		v.info.Read = seq
		c.unsaved(v)
		c.tell(topic{kind: topicConversation, conv: v.info.ID}, nil)
	}
}

// forget drops everything that belongs to another life of the server. The caller holds mu.
func (c *Client) forget() {
	for _, v := range c.convs {
		if v.hold != nil {
			v.hold.Stop()
		}
		c.dropReady(v)
	}
	clear(c.convs)
	c.cursor, c.first = "", true
	c.saving.reset = true
	clear(c.saving.convs)
	c.pull.convs = nil
	c.unsay(topicEntries, topicConversation, topicReceipt, topicTyping)
	c.tell(topic{kind: topicForgotten}, Forgotten{})
}
