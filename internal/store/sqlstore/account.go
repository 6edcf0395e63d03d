package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/liao-im/liao/internal/im"
)

// inboxKey is the create_key of every inbox: with the user as created_by it names
// the one that a user has. Keys of clients are longer.
const inboxKey = "inbox"

// CreateAccount makes an account and its inbox. A handle that is or ever was taken
// is im.AlreadyExists; an e-mail address that has an account is im.Conflict.
func (s *Store) CreateAccount(ctx context.Context, a im.NewAccount) (im.User, error) {
	var u im.User
	err := s.write(ctx, "create account", func(ctx context.Context, x *tx) error {
		u = im.User{Handle: a.Handle, Name: a.Name}
		now, err := x.now(ctx)
		if err != nil {
			return err
		}
		id, err := x.insert(ctx, `INSERT INTO users (email, handle, name, name_fold, password_hash, created_at)
			VALUES (?, ?, ?, ?, ?, ?)`, a.Email, a.Handle, a.Name, foldName(a.Name), a.PasswordHash, now)
		if err != nil {
			return err
		}
		u.ID = im.UserID(id)
		return x.createInbox(ctx, u.ID, now)
	})
	if err == nil {
		return u, nil
	}
	if s.dialect.cause(err) == causeDuplicate {
		taken, err := s.HandleTaken(ctx, a.Handle)
		switch {
		case err != nil:
			return im.User{}, err
		case taken:
			return im.User{}, im.Fail(im.AlreadyExists, "this handle is taken; choose another")
		}
		return im.User{}, im.Fail(im.Conflict, "this e-mail address has an account")
	}
	return im.User{}, err
}

// createInbox makes the conversation into which only the server writes.
func (x *tx) createInbox(ctx context.Context, user im.UserID, now im.Micros) error {
	conv, err := x.insert(ctx, `INSERT INTO conversations (kind, head_ms, moved, member_count, created_by, create_key, created_at)
		VALUES (?, ?, ?, 1, ?, ?, ?)`, im.Inbox, now.Millis(), now, user, inboxKey, now)
	if err != nil {
		return err
	}
	if _, err := x.exec(ctx, `INSERT INTO members (conv_id, user_id, may_send, joined_seq, moved, since_at)
		VALUES (?, ?, 0, 1, ?, ?)`, conv, user, now, now); err != nil {
		return err
	}
	_, err = x.exec(ctx, "UPDATE users SET inbox_id = ? WHERE id = ?", conv, user)
	return err
}

// foldName is a name as it is looked for.
func foldName(name string) string { return strings.ToLower(name) }

// HandleTaken says whether CreateAccount would refuse the handle now.
func (s *Store) HandleTaken(ctx context.Context, handle string) (bool, error) {
	var n int
	err := s.reads.row(ctx, "SELECT COUNT(*) FROM users WHERE handle = ?", handle).Scan(&n)
	return n > 0, s.explain("look up a handle", err)
}

const accountQuery = "SELECT " + userColumns + ", COALESCE(u.email, ''), u.password_hash, u.disabled_at <> 0 FROM users u WHERE u.deleted_at = 0 AND "

func scanAccount(r scanner) (a im.Account, err error) {
	err = r.Scan(append(userDest(&a.User), &a.Email, &a.PasswordHash, &a.Disabled)...)
	return a, err
}

// FindAccount looks an account up by handle or, if name has an @, by e-mail
// address. None, or a deleted one: im.NotFound. A disabled one is returned.
func (s *Store) FindAccount(ctx context.Context, name string) (im.Account, error) {
	if strings.Contains(name, "@") {
		return s.account(s.reads.row(ctx, accountQuery+"u.email = ?", name))
	}
	return s.account(s.reads.row(ctx, accountQuery+"u.handle = ?", name))
}

// Account returns a user's account. Deleted or unknown: im.NotFound.
func (s *Store) Account(ctx context.Context, id im.UserID) (im.Account, error) {
	return s.account(s.reads.row(ctx, accountQuery+"u.id = ?", id))
}

func (s *Store) account(row *sql.Row) (im.Account, error) {
	a, err := scanAccount(row)
	if errors.Is(err, sql.ErrNoRows) {
		return im.Account{}, noUser()
	}
	return a, s.explain("read account", err)
}

// lockUser locks the row of one user. Deleted or unknown: im.NotFound.
func (x *tx) lockUser(ctx context.Context, id im.UserID) (userState, error) {
	users, err := x.lockUsers(ctx, id)
	if err != nil {
		return userState{}, err
	}
	u, ok := users[id]
	if !ok || u.Deleted {
		return userState{}, noUser()
	}
	return u, nil
}

// SetPassword stores a new hash and, in the same transaction, revokes every login
// of the user but keep (0: every one).
func (s *Store) SetPassword(ctx context.Context, id im.UserID, hash string, keep im.LoginID) error {
	return s.write(ctx, "set password", func(ctx context.Context, x *tx) error {
		if _, err := x.lockUser(ctx, id); err != nil {
			return err
		}
		if _, err := x.exec(ctx, "UPDATE users SET password_hash = ? WHERE id = ?", hash, id); err != nil {
			return err
		}
		_, err := x.revokeAll(ctx, id, keep)
		return err
	})
}

// Rehash replaces old by hash, the same password with newer parameters; it does
// nothing if the stored hash is no longer old.
func (s *Store) Rehash(ctx context.Context, id im.UserID, old, hash string) error {
	return s.write(ctx, "rehash password", func(ctx context.Context, x *tx) error {
		_, err := x.exec(ctx, "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?", hash, id, old)
		return err
	})
}
