package talk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/liao-im/liao/client"
)

// connect makes the client of a login, or of the one that the profile has, and
// shows from then on what happens.
func (t *talker) connect(login client.Login) error {
	c, err := client.New(client.Options{
		Gate: t.gate, Login: login, Tokens: t.store, Store: t.store,
		Transport: t.way, Codec: t.codec, Name: t.agent,
	})
	if err != nil {
		return err
	}
	over, ready := make(chan struct{}), make(chan struct{})
	t.mu.Lock()
	t.c, t.over, t.ready, t.open = c, over, ready, 0
	clear(t.people)
	clear(t.shown)
	t.mu.Unlock()
	c.Start()
	go func() {
		defer close(over)
		t.follow(c, ready)
	}()
	return nil
}

// hangUp ends the connection, if there is one, and saves what it knew.
func (t *talker) hangUp() error {
	t.mu.Lock()
	c, over := t.c, t.over
	if c == nil {
		c = t.dead
	}
	t.c, t.dead, t.open = nil, nil, 0
	t.mu.Unlock()
	if c == nil {
		return nil
	}
	err := c.Close()
	<-over
	return err
}

// follow shows what happens until the client has ended.
func (t *talker) follow(c *client.Client, ready chan struct{}) {
	isReady := func() {
		if ready != nil {
			close(ready)
			ready = nil
		}
	}
	defer isReady()
	first := true
	for e := range c.Events() {
		switch e := e.(type) {
		case client.Connected:
			t.meet(e.User)
			t.happened(kindConnected, "@"+e.User.Handle)
		case client.Disconnected:
			t.happened(kindDisconnected, "")
		case client.Synced:
			t.synced(c, first)
			first = false
			isReady()
		case client.Ended:
			t.happened(kindEnded, string(e.Err.Reason))
			t.lost(c)
			return
		case client.Forgotten:
			t.mu.Lock()
			clear(t.shown)
			t.mu.Unlock()
			t.happened(kindForgotten, "")
		case client.ContactsChanged:
			t.reload(c)
		default:
			t.smallTalk(c, e)
		}
	}
}

// smallTalk shows what happens in conversations.
func (t *talker) smallTalk(c *client.Client, e client.Event) {
	switch e := e.(type) {
	case client.Arrived:
		t.arrived(c, e)
	case client.Settled:
		if e.Err != nil {
			t.happened(kindFailed, fmt.Sprintf("%s: %s: %s", t.titleOf(e.Sent.Conv), codeOf(e.Err), oneLine(e.Content.Text)))
		} else if !t.ui.interactive() {
			t.happened(kindSent, fmt.Sprintf("%s %d: %s", t.titleOf(e.Sent.Conv), e.Sent.Seq, oneLine(e.Content.Text)))
		}
	case client.Receipt:
		if e.User != c.Me().ID && !t.ui.interactive() {
			t.happened(kindRead, fmt.Sprintf("%s %d", t.nameOf(e.User), e.Seq))
		}
	case client.Typing:
		if !t.ui.interactive() {
			t.happened(kindTyping, t.nameOf(e.User))
		}
	case client.Presence:
		kind := kindOffline
		if e.Online {
			kind = kindOnline
		}
		t.happened(kind, t.nameOf(e.User))
	}
}

// lost is the end of a login that is of no use any more.
func (t *talker) lost(c *client.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.c == c {
		t.c, t.dead, t.open = nil, c, 0
	}
}

// synced says what waits to be read.
func (t *talker) synced(c *client.Client, first bool) {
	if first {
		t.reload(c)
		for _, v := range c.Conversations() {
			if v.Kind == client.Direct {
				t.meet(v.Peer)
			}
			if v.Unread() > 0 && v.Kind != client.Inbox {
				t.happened(kindUnread, fmt.Sprintf("%s %d", t.titleOf(v.ID), v.Unread()))
			}
		}
		t.mu.Lock()
		waiting := len(t.contacts.Requests)
		t.mu.Unlock()
		if waiting > 0 {
			t.happened(kindWaiting, fmt.Sprintf("%d", waiting))
		}
	}
	t.happened(kindReady, "")
}

// reload asks for the contacts; if that fails, the next change or command does.
func (t *talker) reload(c *client.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := t.refreshContacts(ctx, c)
	var e *client.Error
	if errors.As(err, &e) && !e.Unknown() && c.Online() {
		t.fail("contacts", err)
	}
}

// arrived shows an entry that came.
func (t *talker) arrived(c *client.Client, e client.Arrived) {
	v, _ := c.Conversation(e.Conv)
	t.meet(v.Peer)
	if e.Skipped && v.Kind != client.Inbox {
		t.lookBack(c, v, e.Seq)
	}
	t.mu.Lock()
	seen := e.Seq <= t.shown[e.Conv]
	t.shown[e.Conv] = max(t.shown[e.Conv], e.Seq)
	open := t.open == e.Conv
	t.mu.Unlock()
	switch {
	case v.Kind == client.Inbox:
		t.inbox(c, e.Message)
		return
	case seen:
		return
	case e.From == c.Me().ID:
		t.mine(e.Message)
		return
	case e.From == 0:
		t.happened(kindNotice, fmt.Sprintf("%s %d: %s", t.titleOf(e.Conv), e.Seq, oneLine(e.Content.Text)))
	default:
		t.happenedAt(kindMessage, e.Message, fmt.Sprintf("%s %d: %s", t.nameOf(e.From), e.Seq, oneLine(e.Content.Text)))
	}
	if open {
		go func() { // an answer may need what this goroutine reads
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_ = c.MarkRead(ctx, e.Conv, e.Seq) // the next one says it again
		}()
	}
}

// lookBack shows unread entries that came before one but are not given as events:
// here somebody looks.
func (t *talker) lookBack(c *client.Client, v client.Conversation, before uint32) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	page, err := c.History(ctx, client.HistoryQuery{Conv: v.ID, After: v.Read, Before: before})
	if err != nil {
		return // /unread shows them
	}
	t.meet(page.Users...)
	for _, m := range page.Messages {
		t.arrived(c, client.Arrived{Message: m})
	}
}

// inbox shows what the server wrote to this user alone.
func (t *talker) inbox(c *client.Client, m client.Message) {
	var data struct {
		User struct {
			ID     uint64 `json:"id,string"`
			Handle string `json:"handle"`
			Name   string `json:"name"`
		} `json:"user"`
		Greeting string `json:"greeting"`
	}
	if len(m.Content.Data) > 0 && json.Unmarshal(m.Content.Data, &data) != nil {
		return
	}
	t.meet(client.User{ID: data.User.ID, Handle: data.User.Handle, Name: data.User.Name})
	handle := "@" + oneLine(data.User.Handle)
	switch m.Content.Kind {
	case "friend.requested":
		t.happened(kindRequest, handle+": "+oneLine(data.Greeting))
	case "friend.accepted":
		t.happened(kindFriend, handle)
	case "login.new":
		t.happened(kindLogin, oneLine(m.Content.Text))
	case "contacts.changed":
	default:
		t.happened(kindNotice, oneLine(m.Content.Text))
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = c.MarkRead(ctx, m.Conv, m.Seq) // it was shown; the next one says it again
	}()
}
