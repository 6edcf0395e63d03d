package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// Home is where a store keeps what it keeps: one per test.
type Home interface {
	// Open opens the store. Every call opens the same data once more, as another
	// process would, or the same one after a restart; the test closes it.
	Open(t *testing.T) Store
	// Exec runs a statement behind the store's back: to damage what it keeps, or to
	// make it older.
	Exec(t *testing.T, query string, args ...any)
}

// Store is everything that a durable store does.
type Store interface {
	Log
	People
	Accounts
	Profiles
	Logins
	Codes
	Operator
	Close() error
}

// Log is what the chat service needs of conversations.
type Log interface {
	Append(ctx context.Context, drafts []im.Draft) ([]im.Appended, error)
	History(ctx context.Context, q im.HistoryQuery) (im.HistoryPage, error)
	Changes(ctx context.Context, q im.ChangesQuery) (im.ChangesPage, error)
	MarkRead(ctx context.Context, marks []im.ReadMark) ([]im.Marked, error)
	Audience(ctx context.Context, user im.UserID, conv im.ConvID) ([]im.UserID, error)
	Epoch(ctx context.Context) (string, error)
}

// People is what the chat service needs of friends.
type People interface {
	FindUsers(ctx context.Context, me im.UserID, query string, limit int) ([]im.User, error)
	RequestFriend(ctx context.Context, a im.FriendAsk) ([]im.Post, error)
	AnswerFriend(ctx context.Context, a im.FriendAnswer) (im.ConvID, []im.Post, error)
	RemoveFriend(ctx context.Context, me, other im.UserID) ([]im.Post, error)
	SetBlock(ctx context.Context, me, other im.UserID, blocked bool) ([]im.Post, error)
	SetRemark(ctx context.Context, me, other im.UserID, remark string) ([]im.Post, error)
	Friends(ctx context.Context, q im.FriendsQuery) (im.FriendsPage, error)
	PresenceFriends(ctx context.Context, users []im.UserID) (map[im.UserID][]im.UserID, error)
}

// Accounts is what the gate needs of accounts.
type Accounts interface {
	CreateAccount(ctx context.Context, a im.NewAccount) (im.User, error)
	HandleTaken(ctx context.Context, handle string) (bool, error)
	FindAccount(ctx context.Context, name string) (im.Account, error)
	Account(ctx context.Context, id im.UserID) (im.Account, error)
	SetPassword(ctx context.Context, id im.UserID, hash string, keep im.LoginID) error
	Rehash(ctx context.Context, id im.UserID, old, hash string) error
	DeleteAccount(ctx context.Context, id im.UserID) error
}

// Profiles is what the gate needs of what users show of themselves.
type Profiles interface {
	SetProfile(ctx context.Context, id im.UserID, c im.ProfileChange) (im.User, error)
	SetAvatar(ctx context.Context, id im.UserID, a *im.Avatar) (im.User, error)
	Avatar(ctx context.Context, sha256 string) (im.Avatar, error)
}

// Logins is what the gate and the chat service need of logins.
type Logins interface {
	CreateLogin(ctx context.Context, l im.NewLogin) (im.Login, []im.Post, error)
	Refresh(ctx context.Context, old im.TokenHash, next im.TokenPair) (im.Login, error)
	Authenticate(ctx context.Context, access im.TokenHash) (im.Session, error)
	Logins(ctx context.Context, user im.UserID) ([]im.Login, error)
	RevokeLogin(ctx context.Context, user im.UserID, login im.LoginID) error
	Revocations(ctx context.Context, after uint64) ([]im.Revocation, error)
	Seen(ctx context.Context, s []im.Sighting) error
}

// Codes is what verify needs, and what slows down who guesses passwords.
type Codes interface {
	AddCode(ctx context.Context, c im.NewCode) error
	TakeCodeTry(ctx context.Context, request string, limit int) (im.StoredCode, error)
	UseCode(ctx context.Context, request string) (bool, error)
	ReturnCode(ctx context.Context, request string) error
	TakeTry(ctx context.Context, name [32]byte) (wait time.Duration, err error)
	ClearTries(ctx context.Context, name [32]byte) error
}

// Operator is what whoever runs the server needs.
type Operator interface {
	DisableUser(ctx context.Context, id im.UserID) error
	EnableUser(ctx context.Context, id im.UserID) error
	RevokeAll(ctx context.Context, id im.UserID) (logins int, err error)
	Prune(ctx context.Context) error
	Ping(ctx context.Context) error
}
