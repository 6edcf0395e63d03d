package chat

import (
	"context"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// Log keeps the conversations. Its methods return im errors for what a user may
// read; any other error means that the outcome is unknown.
type Log interface {
	// Append commits drafts in one transaction, flushed to disk when it returns, and
	// says for each, in order, what became of it. Drafts of one conversation are
	// numbered in the order given. If err is not nil nothing is known of any draft.
	Append(ctx context.Context, drafts []im.Draft) (results []im.Appended, err error)
	// History returns a page of entries, each checked against its checksum; one that
	// does not match is given as im.Damaged. Never a member: im.NotFound.
	History(ctx context.Context, q im.HistoryQuery) (im.HistoryPage, error)
	// Changes returns which conversations of a user moved.
	Changes(ctx context.Context, q im.ChangesQuery) (im.ChangesPage, error)
	// MarkRead moves read watermarks, all in one transaction, and says for each what
	// became of it.
	MarkRead(ctx context.Context, marks []im.ReadMark) (results []im.Marked, err error)
	// Audience returns the members who may see that user is typing in conv: none if
	// user may not send there. Never a member: im.NotFound.
	Audience(ctx context.Context, user im.UserID, conv im.ConvID) ([]im.UserID, error)
	// Epoch names this history; a restore makes a new one.
	Epoch(ctx context.Context) (string, error)
}

// People keeps friends. Every change returns the entries that it wrote, committed,
// to be pushed. A repeat of a change that took effect succeeds and writes nothing.
type People interface {
	// FindUsers looks for a handle or the start of one, a name, #id, or a whole e-mail
	// address; at most limit users, the best match first, never deleted or disabled ones.
	FindUsers(ctx context.Context, me im.UserID, query string, limit int) ([]im.User, error)
	// RequestFriend stores a request as im.JudgeAsk decides.
	RequestFriend(ctx context.Context, a im.FriendAsk) ([]im.Post, error)
	// AnswerFriend accepts or refuses. No such request: im.NotFound. The other answer
	// was given before: im.Conflict. It returns the direct conversation, 0 if refused.
	AnswerFriend(ctx context.Context, a im.FriendAnswer) (im.ConvID, []im.Post, error)
	// RemoveFriend ends a friendship both ways. No such user: im.NotFound.
	RemoveFriend(ctx context.Context, me, other im.UserID) ([]im.Post, error)
	// SetBlock blocks or unblocks. No such user: im.NotFound.
	SetBlock(ctx context.Context, me, other im.UserID, blocked bool) ([]im.Post, error)
	// SetRemark changes my private name for a friend; no friend: im.NotFound.
	SetRemark(ctx context.Context, me, other im.UserID, remark string) ([]im.Post, error)
	// Friends returns a page of contacts.
	Friends(ctx context.Context, q im.FriendsQuery) (im.FriendsPage, error)
	// PresenceFriends returns, for each of users, the friends who may see whether that
	// user is on line (neither blocked the other).
	PresenceFriends(ctx context.Context, users []im.UserID) (map[im.UserID][]im.UserID, error)
}

// Tokens proves who connects.
type Tokens interface {
	// Authenticate returns what an access token proves, else im.Unauthenticated.
	Authenticate(ctx context.Context, access im.TokenHash) (im.Session, error)
	// Revocations returns the logins that ended with an id above after, and all those
	// of the last 30 s, whose rows may have become visible late.
	Revocations(ctx context.Context, after uint64) ([]im.Revocation, error)
	// Seen stores when logins were last in use.
	Seen(ctx context.Context, s []im.Sighting) error
}

// Routes says where the devices of users are connected. It may forget everything at
// any moment; nodes write their routes again.
type Routes interface {
	// PutRoutes writes routes, each if it supersedes the one that is there, and says
	// for each what became of it. The array of routes is the caller's again afterwards.
	PutRoutes(ctx context.Context, routes []im.Route) ([]im.RouteState, error)
	// RemoveRoute removes a route if it is still this connection's.
	RemoveRoute(ctx context.Context, r im.Route) error
	// RoutesOf returns the routes of users whose node's lease holds, in any order.
	RoutesOf(ctx context.Context, users []im.UserID) ([]im.Route, error)
}

// Limiter counts what may be done so often in a time.
type Limiter interface {
	// Take counts one use of key and returns 0 if it is within n per period, else how
	// long until one is free. n 0 is no limit. It may forget, never invent, uses.
	Take(ctx context.Context, key string, n int, per time.Duration) (wait time.Duration, err error)
}

// Status is the status service.
type Status interface {
	// Report says that this node lives and how loaded it is, and renews its lease.
	Report(ctx context.Context, r im.NodeReport) error
	// Leave takes this node out of the list for newcomers at once.
	Leave(ctx context.Context, node, boot string) error
}

// Peers are the other chat nodes.
type Peers interface {
	// Push hands posts to sessions of members at another node, without waiting. No
	// posts at all: the sessions get RESYNC. It returns the routes that turned out
	// stale ("not here"), to be looked up again.
	Push(ctx context.Context, node string, routes []im.Route, posts []im.Post) (stale []im.Route, err error)
	// HangUp asks another node to end a connection that a later one replaced.
	HangUp(ctx context.Context, r im.Route) error
}
