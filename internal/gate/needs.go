package gate

import (
	"context"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// Accounts keeps users and what they prove themselves with.
type Accounts interface {
	// CreateAccount makes an account and its inbox. A handle that is or ever was
	// taken is im.AlreadyExists; an e-mail address that has an account is
	// im.Conflict. Both are definite.
	CreateAccount(ctx context.Context, a im.NewAccount) (im.User, error)
	// HandleTaken says whether CreateAccount would refuse the handle now.
	HandleTaken(ctx context.Context, handle string) (bool, error)
	// FindAccount looks an account up by handle or by e-mail address (with an @),
	// both as stored. None, or a deleted one: im.NotFound. A disabled one is returned.
	FindAccount(ctx context.Context, name string) (im.Account, error)
	// Account returns a user's account. Deleted or unknown: im.NotFound.
	Account(ctx context.Context, id im.UserID) (im.Account, error)
	// SetPassword stores a new hash and, in the same transaction, revokes every login
	// of the user but keep (0: every one).
	SetPassword(ctx context.Context, id im.UserID, hash string, keep im.LoginID) error
	// Rehash replaces old by hash, the same password with newer parameters; it does
	// nothing if the stored hash is no longer old.
	Rehash(ctx context.Context, id im.UserID, old, hash string) error
	// DeleteAccount makes the account one that only its id is left of: its logins are
	// revoked, its friendships end, its address is free again and its handle is not.
	DeleteAccount(ctx context.Context, id im.UserID) error
}

// Profiles keeps what users show of themselves.
type Profiles interface {
	// SetProfile changes what is not nil and returns the user as stored.
	SetProfile(ctx context.Context, id im.UserID, c im.ProfileChange) (im.User, error)
	// SetAvatar stores the picture and makes it the user's; nil takes it away.
	SetAvatar(ctx context.Context, id im.UserID, a *im.Avatar) (im.User, error)
	// Avatar returns a stored picture by its lower-case hex SHA-256, or im.NotFound.
	Avatar(ctx context.Context, sha256 string) (im.Avatar, error)
}

// Logins keeps tokens, as hashes only.
type Logins interface {
	// CreateLogin stores a login. If Device.ID is one that an earlier login of this
	// user gave, the device's old login is revoked; else a new id is given, and the
	// user's inbox gets login.new in the same transaction, which is the Post returned.
	// The user disabled or deleted since: im.Unauthenticated.
	CreateLogin(ctx context.Context, l im.NewLogin) (im.Login, []im.Post, error)
	// Refresh exchanges a refresh token as the contract says. A token that may not be
	// used revokes its login if it has one, and is im.Unauthenticated.
	Refresh(ctx context.Context, old im.TokenHash, next im.TokenPair) (im.Login, error)
	// Authenticate returns what an access token proves; unknown, expired, replaced or
	// revoked, or a disabled user's: im.Unauthenticated. It notes the first use.
	Authenticate(ctx context.Context, access im.TokenHash) (im.Session, error)
	// Logins lists a user's live logins, the latest seen first.
	Logins(ctx context.Context, user im.UserID) ([]im.Login, error)
	// RevokeLogin ends a login of this user; another's, or none: im.NotFound.
	RevokeLogin(ctx context.Context, user im.UserID, login im.LoginID) error
}

// Tries slows down who guesses passwords.
type Tries interface {
	// TakeTry counts one attempt at name (a hash of what was typed, so that unknown
	// accounts cost the same) and returns 0 if it may be made now: the first five are
	// free, then each waits twice as long as the one before, up to 15 minutes. An
	// attempt that must wait is not counted.
	TakeTry(ctx context.Context, name [32]byte) (wait time.Duration, err error)
	// ClearTries forgets the attempts at name, after a right password.
	ClearTries(ctx context.Context, name [32]byte) error
}

// Limiter counts what may be done so often in a time.
type Limiter interface {
	// Take counts one use of key and returns 0 if it is within n per period, else how
	// long until one is free. n 0 is no limit. It may forget, never invent, uses.
	Take(ctx context.Context, key string, n int, per time.Duration) (wait time.Duration, err error)
}

// Codes is the verify service.
type Codes interface {
	// IssueCode sends a code by e-mail, or a notice in its place; the answer does not
	// tell which. Over a limit: im.RateLimited with a time to come back.
	IssueCode(ctx context.Context, r im.CodeRequest) (im.CodeIssued, error)
	// CheckCode uses a code up. A wrong, used, expired or dead one is im.Forbidden,
	// always with the same text.
	CheckCode(ctx context.Context, c im.CodeCheck) error
	// ReturnCode gives back a code that CheckCode used up for something that then
	// definitely did not happen.
	ReturnCode(ctx context.Context, request string) error
	// Notify mails the owner of an account what happened to it, without waiting.
	Notify(ctx context.Context, n im.Notice) error
}

// Nodes is the status service.
type Nodes interface {
	// Nodes returns the live chat nodes in weighted random order by free load, or
	// im.Unavailable if there is none.
	Nodes(ctx context.Context) ([]im.NodeAddrs, error)
}

// Pushes is a chat service that tells the sessions of the members about entries
// that were committed elsewhere.
type Pushes interface {
	// Push hands entries to whoever of the members is on line. It is a hint: it does
	// not wait, and what it loses is in the log.
	Push(ctx context.Context, posts []im.Post)
}
