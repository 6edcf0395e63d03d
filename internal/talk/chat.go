package talk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/liao-im/liao/client"
)

const (
	sendTimeout = 15 * time.Second // how long a script waits for the outcome of a send
	openShows   = 10               // entries that /open shows if none was shown before
)

// conversationWith is the direct conversation with somebody, friend or not any more.
func (t *talker) conversationWith(ctx context.Context, arg string) (client.Conversation, error) {
	h, err := handleOf(arg)
	if err != nil {
		return client.Conversation{}, err
	}
	c := t.client()
	for range 2 {
		for _, v := range c.Conversations() {
			if v.Kind == client.Direct && v.Peer.Handle == h {
				return v, nil
			}
		}
		// A friendship that is a moment old may not have come yet.
		all, err := t.refreshContacts(ctx, c)
		if err != nil {
			return client.Conversation{}, err
		}
		for _, f := range all.Friends {
			if f.User.Handle == h {
				return client.Conversation{ID: f.Conv, Kind: client.Direct, Peer: f.User}, nil
			}
		}
	}
	return client.Conversation{}, errNotFriend
}

func cmdOpen(ctx context.Context, t *talker, args string) error {
	v, err := t.conversationWith(ctx, args)
	if err != nil {
		return err
	}
	t.meet(v.Peer)
	t.mu.Lock()
	t.open = v.ID
	shown := t.shown[v.ID]
	t.mu.Unlock()
	if v.Closed {
		t.say(fmt.Sprintf(t.words.closed, v.Peer.Handle))
	}
	from := client.HistoryQuery{Conv: v.ID, Before: v.Head + 1, Limit: openShows}
	switch {
	case v.Head == 0 || shown >= v.Head:
		return t.markRead(ctx, v)
	case shown > v.Read:
		from.After = shown
	case v.Unread() > openShows:
		from.Limit = min(v.Unread(), 200)
	}
	if err := t.showHistory(ctx, from); err != nil {
		return err
	}
	return t.markRead(ctx, v)
}

// opened is the conversation that lines go to.
func (t *talker) opened() (client.Conversation, error) {
	t.mu.Lock()
	id := t.open
	t.mu.Unlock()
	if id == 0 {
		return client.Conversation{}, errNotOpen
	}
	if v, ok := t.client().Conversation(id); ok {
		return v, nil
	}
	return client.Conversation{ID: id, Kind: client.Direct}, nil
}

func cmdSay(ctx context.Context, t *talker, args string) error {
	if t.client() == nil {
		return errNoLogin
	}
	if args == "" {
		return errUsage
	}
	v, err := t.opened()
	if err != nil {
		return err
	}
	return t.send(ctx, v.ID, args)
}

// sayTo is the line "@handle text".
func sayTo(ctx context.Context, t *talker, who, text string) error {
	v, err := t.conversationWith(ctx, who)
	if err != nil {
		return err
	}
	t.meet(v.Peer)
	return t.send(ctx, v.ID, text)
}

// send hands a person's message to the outbox, which tells only if it goes wrong,
// and waits for the outcome of a script's.
func (t *talker) send(ctx context.Context, conv uint64, text string) error {
	c := t.client()
	if t.ui.interactive() {
		if err := t.post(c, conv, text); err != nil {
			return err
		}
		if !c.Online() {
			t.say(t.words.queued)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	sent, err := c.Send(ctx, conv, client.Text(text))
	if err != nil {
		return err
	}
	t.result(kindSent, fmt.Sprintf("%s %d: %s", t.titleOf(conv), sent.Seq, oneLine(text)))
	return nil
}

// post remembers what was typed here before it can come back.
func (t *talker) post(c *client.Client, conv uint64, text string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	key, err := c.Post(conv, client.Text(text))
	if err == nil {
		t.posted[key] = true
	}
	return err
}

// typedHere reports, once, whether a message was.
func (t *talker) typedHere(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	here := t.posted[key]
	delete(t.posted, key)
	return here
}

func cmdHistory(ctx context.Context, t *talker, args string) error {
	n := 20
	if args != "" {
		var err error
		if n, err = strconv.Atoi(args); err != nil || n < 1 {
			return errUsage
		}
	}
	v, err := t.opened()
	if err != nil {
		return err
	}
	return t.showHistory(ctx, client.HistoryQuery{Conv: v.ID, Limit: min(n, 200), Before: max(v.Head, 1) + 1})
}

// showHistory shows a part of a conversation, oldest first.
func (t *talker) showHistory(ctx context.Context, q client.HistoryQuery) error {
	page, err := t.client().History(ctx, q)
	if err != nil {
		return err
	}
	t.meet(page.Users...)
	for _, m := range page.Messages {
		t.showEntry(m)
	}
	return nil
}

// showEntry shows an entry that was asked for.
func (t *talker) showEntry(m client.Message) {
	t.mu.Lock()
	t.shown[m.Conv] = max(t.shown[m.Conv], m.Seq)
	t.mu.Unlock()
	t.result(kindEntry, t.entryLine(m))
}

func cmdUnread(ctx context.Context, t *talker, _ string) error {
	c := t.client()
	list := c.Conversations()
	slices.Reverse(list) // the newest is the last to be shown
	n := 0
	for _, v := range list {
		if v.Unread() == 0 || v.Kind == client.Inbox {
			continue
		}
		n++
		t.meet(v.Peer)
		t.result(kindUnread, fmt.Sprintf("%s %d", t.titleOf(v.ID), v.Unread()))
		if err := t.showHistory(ctx, client.HistoryQuery{Conv: v.ID, After: v.Read, Before: v.Head + 1, Limit: 200}); err != nil {
			return err
		}
	}
	if n == 0 {
		t.say(t.words.allRead)
	}
	return nil
}

func cmdRead(ctx context.Context, t *talker, _ string) error {
	v, err := t.opened()
	if err != nil {
		return err
	}
	return t.markRead(ctx, v)
}

func (t *talker) markRead(ctx context.Context, v client.Conversation) error {
	if v.Head == 0 || v.Read >= v.Head {
		return nil
	}
	err := t.client().MarkRead(ctx, v.ID, v.Head)
	if errors.Is(err, client.Invalid) {
		return nil // the conversation was restored to less
	}
	return err
}

// complete is what a line could become: a command, or a handle.
func (t *talker) complete(line string) []string {
	var list []string
	if word, ok := strings.CutPrefix(line, "/"); ok && !strings.Contains(word, " ") {
		for _, c := range commands() {
			if strings.HasPrefix(c.name, word) {
				list = append(list, "/"+c.name)
			}
		}
		return list
	}
	at := strings.LastIndex(line, "@")
	if at < 0 || strings.Contains(line[at:], " ") || at > 0 && line[at-1] != ' ' {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, u := range t.people {
		if strings.HasPrefix(u.Handle, line[at+1:]) {
			list = append(list, line[:at+1]+u.Handle)
		}
	}
	slices.Sort(list)
	return list
}

// keyPressed tells the other side that this one is writing, every 3 s.
func (t *talker) keyPressed(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.c == nil || t.open == 0 || line == "" || strings.HasPrefix(line, "/") || strings.HasPrefix(line, "@") {
		return
	}
	if now := time.Now(); now.Sub(t.typedAt) >= 3*time.Second {
		t.typedAt = now
		t.c.Typing(t.open)
	}
}
