package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/liao-im/liao/internal/im"
)

// UserRecord is what an operator sees of an account. Of a deleted one Handle is
// empty, like all but the id and the instants.
type UserRecord struct {
	im.User
	Email    string
	Created  im.Millis
	LastSeen im.Millis // 0: never
	Disabled im.Millis // 0: not
	Deleted  im.Millis // 0: not
}

const recordColumns = userColumns + `, COALESCE(u.email, ''), u.created_at, u.disabled_at, u.deleted_at,
	COALESCE((SELECT MAX(l.seen_at) FROM logins l WHERE l.user_id = u.id), 0)`

func scanRecord(r scanner) (u UserRecord, err error) {
	var created, disabled, deleted, seen im.Micros
	err = r.Scan(append(userDest(&u.User), &u.Email, &created, &disabled, &deleted, &seen)...)
	u.Created, u.Disabled, u.Deleted, u.LastSeen = created.Millis(), disabled.Millis(), deleted.Millis(), seen.Millis()
	return u, err
}

// ListUsers returns, by id, at most limit accounts with an id above after whose
// handle, e-mail address or name starts with prefix (empty: all accounts, deleted
// ones too).
func (s *Store) ListUsers(ctx context.Context, prefix string, after im.UserID, limit int) ([]UserRecord, error) {
	if limit <= 0 {
		return nil, nil
	}
	q, args := "SELECT "+recordColumns+" FROM users u WHERE u.id > ?", []any{after}
	if prefix != "" {
		like := likePrefix(strings.ToLower(prefix))
		q += " AND u.deleted_at = 0 AND (u.handle LIKE ? ESCAPE '!' OR u.email LIKE ? ESCAPE '!' OR u.name_fold LIKE ? ESCAPE '!')"
		args = append(args, like, like, like)
	}
	list, err := collect(ctx, s.reads, scanRecord, q+" ORDER BY u.id LIMIT ?", append(args, limit)...)
	return list, s.explain("list users", err)
}

// likePrefix is a pattern for what starts with s, for LIKE ... ESCAPE '!'.
func likePrefix(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s) + "%"
}

// UserDetail returns an account by its id, deleted or not, and its live logins. No
// such account: im.NotFound.
func (s *Store) UserDetail(ctx context.Context, id im.UserID) (UserRecord, []im.Login, error) {
	u, err := scanRecord(s.reads.row(ctx, "SELECT "+recordColumns+" FROM users u WHERE u.id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return UserRecord{}, nil, noUser()
	}
	if err != nil {
		return UserRecord{}, nil, s.explain("read user", err)
	}
	logins, err := s.Logins(ctx, id)
	return u, logins, err
}

// DisableUser keeps a user out: every login is revoked, and none can be made until
// EnableUser. Messages stay and friends stay.
func (s *Store) DisableUser(ctx context.Context, id im.UserID) error {
	return s.write(ctx, "disable user", func(ctx context.Context, x *tx) error {
		if _, err := x.lockUser(ctx, id); err != nil {
			return err
		}
		now, err := x.now(ctx)
		if err != nil {
			return err
		}
		if _, err := x.exec(ctx, "UPDATE users SET disabled_at = ? WHERE id = ? AND disabled_at = 0", now, id); err != nil {
			return err
		}
		_, err = x.revokeAll(ctx, id, 0)
		return err
	})
}

// EnableUser undoes DisableUser; the user logs in anew.
func (s *Store) EnableUser(ctx context.Context, id im.UserID) error {
	return s.write(ctx, "enable user", func(ctx context.Context, x *tx) error {
		if _, err := x.lockUser(ctx, id); err != nil {
			return err
		}
		_, err := x.exec(ctx, "UPDATE users SET disabled_at = 0 WHERE id = ?", id)
		return err
	})
}

// RevokeAll ends every login of a user and says how many there were.
func (s *Store) RevokeAll(ctx context.Context, id im.UserID) (int, error) {
	var n int
	err := s.write(ctx, "revoke all logins", func(ctx context.Context, x *tx) (err error) {
		if _, err := x.lockUser(ctx, id); err != nil {
			return err
		}
		n, err = x.revokeAll(ctx, id, 0)
		return err
	})
	return n, err
}
