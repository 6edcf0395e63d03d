package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/internal/chat"
	"github.com/liao-im/liao/internal/im"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// Every change of contacts answers, and pushes what it wrote to all devices, the one
// that asked included: the entries are the server's, and no gap may stay.
func TestChangesOfContacts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind wire.Type
		ask  proto.Message
		want wire.Type
	}{
		"request": {clientpb.Type_REQUEST_FRIEND, &clientpb.RequestFriend{User: 2, Greeting: "hi"}, clientpb.Type_OK},
		"accept":  {clientpb.Type_ANSWER_FRIEND, &clientpb.AnswerFriend{User: 2, Accept: true}, clientpb.Type_ANSWERED},
		"refuse":  {clientpb.Type_ANSWER_FRIEND, &clientpb.AnswerFriend{User: 2}, clientpb.Type_ANSWERED},
		"remove":  {clientpb.Type_REMOVE_FRIEND, &clientpb.UserRef{User: 2}, clientpb.Type_OK},
		"block":   {clientpb.Type_BLOCK, &clientpb.UserRef{User: 2}, clientpb.Type_OK},
		"unblock": {clientpb.Type_UNBLOCK, &clientpb.UserRef{User: 2}, clientpb.Type_OK},
		"remark":  {clientpb.Type_REMARK, &clientpb.Remark{User: 2, Remark: "old friend"}, clientpb.Type_OK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				r.store.posts = []im.Post{
					{Entry: im.Entry{Conv: 11, Seq: 4, Content: im.ContactsChanged()}, Members: []im.UserID{1}},
					{Entry: im.Entry{Conv: 12, Seq: 9, Content: im.ContactsChanged()}, Members: []im.UserID{2}},
				}
				d, own, other := r.join(1, 1), r.join(1, 2), r.join(2, 1)
				f := d.ask(c.kind, c.ask)
				if f.Type != c.want {
					t.Fatalf("answered by %v %q, want %v", f.Type, f.Body, c.want)
				}
				if f.Type == clientpb.Type_ANSWERED {
					want := uint64(0)
					if name == "accept" {
						want = 77
					}
					if got := body[clientpb.Answered](t, f).GetConv(); got != want {
						t.Errorf("conversation %d, want %d", got, want)
					}
				}
				for who, c := range map[*device]uint64{d: 11, own: 11, other: 12} {
					if got := body[clientpb.Message](t, who.pushed(clientpb.Type_MESSAGE)).GetConv(); got != c {
						t.Errorf("got an entry of %d, want of %d", got, c)
					}
				}
			})
		})
	}
}

func TestContactsRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 201)
	for name, c := range map[string]struct {
		kind wire.Type
		ask  proto.Message
		code clientpb.Code
	}{
		"request nobody":     {clientpb.Type_REQUEST_FRIEND, &clientpb.RequestFriend{}, clientpb.Code_INVALID},
		"request oneself":    {clientpb.Type_REQUEST_FRIEND, &clientpb.RequestFriend{User: 1}, clientpb.Code_INVALID},
		"long greeting":      {clientpb.Type_REQUEST_FRIEND, &clientpb.RequestFriend{User: 2, Greeting: long}, clientpb.Code_TOO_LARGE},
		"long remark":        {clientpb.Type_REQUEST_FRIEND, &clientpb.RequestFriend{User: 2, Remark: long}, clientpb.Code_TOO_LARGE},
		"answer nobody":      {clientpb.Type_ANSWER_FRIEND, &clientpb.AnswerFriend{}, clientpb.Code_INVALID},
		"answer no request":  {clientpb.Type_ANSWER_FRIEND, &clientpb.AnswerFriend{User: 404}, clientpb.Code_NOT_FOUND},
		"answer with remark": {clientpb.Type_ANSWER_FRIEND, &clientpb.AnswerFriend{User: 2, Remark: long}, clientpb.Code_TOO_LARGE},
		"remove nobody":      {clientpb.Type_REMOVE_FRIEND, &clientpb.UserRef{}, clientpb.Code_INVALID},
		"block nobody":       {clientpb.Type_BLOCK, &clientpb.UserRef{User: 1 << 53}, clientpb.Code_INVALID},
		"block oneself":      {clientpb.Type_BLOCK, &clientpb.UserRef{User: 1}, clientpb.Code_INVALID},
		"unblock nobody":     {clientpb.Type_UNBLOCK, &clientpb.UserRef{}, clientpb.Code_INVALID},
		"remark on nobody":   {clientpb.Type_REMARK, &clientpb.Remark{}, clientpb.Code_INVALID},
		"remark, two lines":  {clientpb.Type_REMARK, &clientpb.Remark{User: 2, Remark: "a\nb"}, clientpb.Code_INVALID},
		"find nothing":       {clientpb.Type_FIND_USERS, &clientpb.FindUsers{Query: "  "}, clientpb.Code_INVALID},
		"find too much":      {clientpb.Type_FIND_USERS, &clientpb.FindUsers{Query: strings.Repeat("x", 255)}, clientpb.Code_TOO_LARGE},
		"contacts, limit":    {clientpb.Type_FRIENDS, &clientpb.Friends{Limit: 501}, clientpb.Code_INVALID},
		"contacts, cursor":   {clientpb.Type_FRIENDS, &clientpb.Friends{Cursor: "???"}, clientpb.Code_INVALID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				wantError(t, newRig(t, nil).join(1, 1).ask(c.kind, c.ask), c.code)
			})
		})
	}
}

func TestTheQuotaOfRequestsReachesTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Limits.FriendRequestsPerDay = 20 })
		r.join(1, 1).ask(clientpb.Type_REQUEST_FRIEND, &clientpb.RequestFriend{User: 2, Greeting: "hi", Remark: " R "})
		want := im.FriendAsk{From: 1, To: 2, Greeting: "hi", Remark: "R", PerDay: 20}
		if len(r.store.asks) != 1 || r.store.asks[0] != want {
			t.Errorf("the store was asked %v, want %v", r.store.asks, want)
		}
	})
}

func TestFindUsersIsLimitedByTheDay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *chat.Options) { o.Limits.FindsPerDay = 3 })
		d := r.join(1, 1)
		for range 3 {
			f := d.ask(clientpb.Type_FIND_USERS, &clientpb.FindUsers{Query: " ann "})
			if u := body[clientpb.Users](t, f).GetUsers(); len(u) != 1 || u[0].GetHandle() != "ann" {
				t.Fatalf("found %v", u)
			}
		}
		e := wantError(t, d.ask(clientpb.Type_FIND_USERS, &clientpb.FindUsers{Query: "ann"}), clientpb.Code_RATE_LIMITED)
		if e.GetRetryAfterMs() == 0 || r.store.finds != 3 {
			t.Errorf("retryAfterMs %d, %d searches reached the store", e.GetRetryAfterMs(), r.store.finds)
		}
		if f := r.join(2, 1).ask(clientpb.Type_FIND_USERS, &clientpb.FindUsers{Query: "ann"}); f.Type != clientpb.Type_USERS {
			t.Errorf("another user's search is answered by %v", f.Type)
		}
	})
}

// contacts is a user's four lists as a store pages them.
func contacts(n int, bio string) func(im.FriendsQuery) (im.FriendsPage, error) {
	user := func(id im.UserID) im.User {
		return im.User{ID: id, Handle: fmt.Sprintf("user%d", id), Name: "N", Bio: bio}
	}
	return func(q im.FriendsQuery) (im.FriendsPage, error) {
		page := im.FriendsPage{Part: q.Part, After: q.After}
		given := 0
		for part := q.Part; part <= im.PartFriends; part++ {
			after := im.UserID(0)
			if part == q.Part {
				after = q.After
			}
			for id := after + 1; id <= im.UserID(n); id++ {
				if given == q.Limit {
					page.More = true
					return page, nil
				}
				given++
				page.Part, page.After = part, id
				switch u := user(id); part {
				case im.PartRequests:
					page.Requests = append(page.Requests, im.FriendRequest{User: u, Greeting: "hi"})
				case im.PartAsked:
					page.Asked = append(page.Asked, im.FriendRequest{User: u})
				case im.PartBlocked:
					page.Blocked = append(page.Blocked, u)
				case im.PartFriends:
					page.Friends = append(page.Friends, im.Friend{User: u, Conv: 5, Hidden: id == 2, LastSeen: 9})
				}
			}
		}
		return page, nil
	}
}

func TestContactsPageThroughAllLists(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit uint32
		bio   string
		codec wire.Codec
	}{
		"by rows":           {7, "", wire.Protobuf},
		"by bytes":          {0, strings.Repeat("x", 2000), wire.Protobuf},
		"by bytes, in JSON": {500, strings.Repeat("\n", 2000), wire.JSON},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, nil)
				const n = 60
				r.store.onFriends = contacts(n, c.bio)
				d := r.dial()
				d.codec = c.codec
				d.hello(r.token(100, 1))
				r.join(1, 1)
				r.join(2, 1)
				var requests, asked, blocked, friends int
				cursor, pages := "", 0
				for {
					f := d.ask(clientpb.Type_FRIENDS, &clientpb.Friends{Cursor: cursor, Limit: c.limit})
					if len(f.Body) > 132<<10 {
						t.Errorf("a page of %d bytes", len(f.Body))
					}
					l := body[clientpb.FriendList](t, f)
					requests += len(l.GetRequests())
					asked += len(l.GetAsked())
					blocked += len(l.GetBlocked())
					for _, f := range l.GetFriends() {
						friends++
						if f.GetUser().GetId() != uint64(friends) {
							t.Errorf("friend %d is user %d", friends, f.GetUser().GetId())
						}
						if want := friends == 1; f.GetOnline() != want {
							t.Errorf("friend %d on line: %v, want %v", friends, f.GetOnline(), want)
						}
					}
					pages++
					if cursor = l.GetCursor(); !l.GetMore() {
						break
					}
				}
				if requests != n || asked != n || blocked != n || friends != n {
					t.Errorf("%d requests, %d asked, %d blocked, %d friends; want %d of each", requests, asked, blocked, friends, n)
				}
				if pages < 2 {
					t.Errorf("all came on %d page", pages)
				}
			})
		})
	}
}
