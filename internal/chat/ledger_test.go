package chat_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/liao-im/liao/internal/fault"
	"github.com/liao-im/liao/internal/im"
)

// ledger is a store in a few maps, for tests of what the room does with any store.
// What it does wrong, and when, tests say through its hooks.
type ledger struct {
	mu      sync.Mutex
	tokens  map[im.TokenHash]im.Session
	revoked []im.Revocation
	seen    map[im.LoginID]im.Millis
	convs   map[im.ConvID]*conv
	friends map[im.UserID][]im.UserID
	epoch   string
	finds   int

	// onAppend is called before anything is written; its error fails the batch.
	onAppend func(ctx context.Context, drafts []im.Draft) error
	// onAuthenticate, onHistory and onFriends take the place of the method.
	onAuthenticate func(ctx context.Context) error
	onHistory      func(q im.HistoryQuery) (im.HistoryPage, error)
	onChanges      func(q im.ChangesQuery) (im.ChangesPage, error)
	onFriends      func(q im.FriendsQuery) (im.FriendsPage, error)
	onPresence     func() error
	// posts are what every change of contacts returns.
	posts []im.Post
	asks  []im.FriendAsk
	// batches are the sizes of all appends.
	batches []int
}

type conv struct {
	members []im.UserID
	kind    im.Kind
	closed  bool
	entries []im.Entry
	keys    map[string]im.Seq
	read    map[im.UserID]im.Seq
}

func newLedger() *ledger {
	return &ledger{
		tokens: make(map[im.TokenHash]im.Session), seen: make(map[im.LoginID]im.Millis),
		convs: make(map[im.ConvID]*conv), friends: make(map[im.UserID][]im.UserID), epoch: "epoch-1",
	}
}

func (l *ledger) login(user im.UserID, login im.LoginID, device string) (token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	token, hash := im.NewToken(im.AccessPrefix)
	l.tokens[hash] = im.Session{User: im.User{ID: user, Handle: "user", Name: "User"}, Login: login, Device: im.Device{ID: device}}
	return token
}

func (l *ledger) converse(id im.ConvID, kind im.Kind, members ...im.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.convs[id] = &conv{members: members, kind: kind, keys: make(map[string]im.Seq), read: make(map[im.UserID]im.Seq)}
}

func (l *ledger) revoke(login im.LoginID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked = append(l.revoked, im.Revocation{ID: uint64(len(l.revoked) + 1), Login: login})
	maps.DeleteFunc(l.tokens, func(_ im.TokenHash, s im.Session) bool { return s.Login == login })
}

func (l *ledger) Authenticate(ctx context.Context, hash im.TokenHash) (im.Session, error) {
	if l.onAuthenticate != nil {
		if err := l.onAuthenticate(ctx); err != nil {
			return im.Session{}, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.tokens[hash]
	if !ok {
		return im.Session{}, im.Unauthenticated
	}
	s.At = micros()
	return s, nil
}

func (l *ledger) Revocations(_ context.Context, after uint64) ([]im.Revocation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []im.Revocation
	for _, r := range l.revoked {
		if r.ID+5 > after { // late rows come again
			out = append(out, r)
		}
	}
	return out, nil
}

func (l *ledger) Seen(_ context.Context, s []im.Sighting) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range s {
		l.seen[one.Login] = one.At
	}
	return nil
}

func (l *ledger) lastSeen(login im.LoginID) im.Millis {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[login]
}

func (l *ledger) Append(ctx context.Context, drafts []im.Draft) ([]im.Appended, error) {
	if l.onAppend != nil {
		if err := l.onAppend(ctx, drafts); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, len(drafts))
	out := make([]im.Appended, len(drafts))
	for i, d := range drafts {
		out[i] = l.append(d)
	}
	return out, nil
}

func (l *ledger) append(d im.Draft) im.Appended {
	c := l.convs[d.Conv()]
	if c == nil {
		return im.Appended{Err: im.Fail(im.NotFound, "there is no such conversation")}
	}
	key := d.Key()
	if seq, ok := c.keys[key]; ok {
		return im.Appended{Again: true, Post: im.Post{Entry: c.entries[seq-1], Members: c.members}}
	}
	member := slices.Contains(c.members, d.From())
	facts := im.SendFacts{EverMember: member, Member: member, MaySend: !c.closed, Kind: c.kind, Head: im.Seq(len(c.entries))}
	if err := im.JudgeSend(facts, d); err != nil {
		return im.Appended{Err: err}
	}
	e := im.Entry{
		Conv: d.Conv(), Seq: facts.Head + 1, From: d.From(), Key: key, At: im.ToMillis(fault.Now()), Content: d.Content(),
	}
	c.entries = append(c.entries, e)
	c.keys[key] = e.Seq
	return im.Appended{Post: im.Post{Entry: e, Members: c.members}}
}

func (l *ledger) History(_ context.Context, q im.HistoryQuery) (im.HistoryPage, error) {
	if l.onHistory != nil {
		return l.onHistory(q)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.convs[q.Conv]
	if c == nil || !slices.Contains(c.members, q.User) {
		return im.HistoryPage{}, im.NotFound
	}
	var in []im.Entry
	for _, e := range c.entries {
		if e.Seq > q.After && (q.Before == 0 || e.Seq < q.Before) {
			in = append(in, e)
		}
	}
	page := im.HistoryPage{Head: im.Seq(len(c.entries)), More: len(in) > q.Limit}
	switch {
	case !page.More:
		page.Entries = in
	case q.Before == 0:
		page.Entries = in[:q.Limit]
	default:
		page.Entries = in[len(in)-q.Limit:]
	}
	for _, u := range c.members {
		page.Users = append(page.Users, im.User{ID: u})
	}
	return page, nil
}

func (l *ledger) Changes(_ context.Context, q im.ChangesQuery) (im.ChangesPage, error) {
	if l.onChanges != nil {
		return l.onChanges(q)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	page := im.ChangesPage{Now: micros()}
	for id, c := range l.convs {
		if slices.Contains(c.members, q.User) {
			page.Conversations = append(page.Conversations, im.Conversation{ID: id, Kind: c.kind, Head: im.Seq(len(c.entries))})
		}
	}
	return page, nil
}

func (l *ledger) MarkRead(_ context.Context, marks []im.ReadMark) ([]im.Marked, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]im.Marked, len(marks))
	for i, m := range marks {
		c := l.convs[m.Conv]
		switch {
		case c == nil || !slices.Contains(c.members, m.User):
			out[i].Err = im.NotFound
		case int(m.Seq) > len(c.entries):
			out[i].Err = im.Fail(im.Invalid, "seq is above the conversation's head")
		default:
			out[i].Moved = m.Seq > c.read[m.User]
			c.read[m.User] = max(m.Seq, c.read[m.User])
			out[i].Seq = c.read[m.User]
			if c.kind == im.Direct {
				out[i].Peer = c.other(m.User)
			}
		}
	}
	return out, nil
}

func (c *conv) other(u im.UserID) im.UserID {
	for _, m := range c.members {
		if m != u {
			return m
		}
	}
	return 0
}

func (l *ledger) Audience(_ context.Context, user im.UserID, id im.ConvID) ([]im.UserID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.convs[id]
	switch {
	case c == nil || !slices.Contains(c.members, user):
		return nil, im.NotFound
	case c.closed:
		return nil, nil
	}
	return c.members, nil
}

func (l *ledger) Epoch(context.Context) (string, error) { return l.epoch, nil }

func (l *ledger) FindUsers(_ context.Context, _ im.UserID, query string, limit int) ([]im.User, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finds++
	return []im.User{{ID: 7, Handle: query, Name: "Found"}}[:min(1, limit)], nil
}

func (l *ledger) RequestFriend(_ context.Context, a im.FriendAsk) ([]im.Post, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asks = append(l.asks, a)
	_, err := im.JudgeAsk(im.AskFacts{Self: a.From == a.To, Exists: true})
	return l.posts, err
}

func (l *ledger) AnswerFriend(_ context.Context, a im.FriendAnswer) (im.ConvID, []im.Post, error) {
	if a.From == 404 {
		return 0, nil, im.Fail(im.NotFound, "this user has not asked you")
	}
	if !a.Accept {
		return 0, l.posts, nil
	}
	return 77, l.posts, nil
}

func (l *ledger) RemoveFriend(context.Context, im.UserID, im.UserID) ([]im.Post, error) {
	return l.posts, nil
}

func (l *ledger) SetBlock(context.Context, im.UserID, im.UserID, bool) ([]im.Post, error) {
	return l.posts, nil
}

func (l *ledger) SetRemark(context.Context, im.UserID, im.UserID, string) ([]im.Post, error) {
	return l.posts, nil
}

func (l *ledger) Friends(_ context.Context, q im.FriendsQuery) (im.FriendsPage, error) {
	if l.onFriends != nil {
		return l.onFriends(q)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var page im.FriendsPage
	for _, f := range l.friends[q.User] {
		page.Friends = append(page.Friends, im.Friend{User: im.User{ID: f}})
	}
	return page, nil
}

func (l *ledger) PresenceFriends(_ context.Context, users []im.UserID) (map[im.UserID][]im.UserID, error) {
	if l.onPresence != nil {
		if err := l.onPresence(); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[im.UserID][]im.UserID)
	for _, u := range users {
		out[u] = l.friends[u]
	}
	return out, nil
}

func micros() im.Micros { return im.Micros(fault.Now().UnixNano() / int64(time.Microsecond)) }
